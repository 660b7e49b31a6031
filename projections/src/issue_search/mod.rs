//! Which issues there are, and by what they are found: their keys, the names of their commits, the words of subjects,
//! and authors. Commits themselves are shown by `issue_commits`; here is only what leads to an issue.
//!
//! Rows carry their repository's number and count while a row of `search_repositories` holds it, as in `issue_commits`.
//! Nothing here tells the past: what was found is asked there. Issues that the rules leave out are not found.

mod reads;
mod schema;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use keytrail_domain::{
    fact::Fact,
    index_run::batch::{self, CommitBatch, CommitSet, RefBatch},
    recorded::{Position, Recorded},
    timestamp::Timestamp,
};

pub use self::{
    reads::{
        Found, FoundCursor, Holder, MOST_AUTHORS, MOST_WORDS, NamedIn, Order, Through, Wanted, authors_weigh,
        holders_of_commit, issues_of_commit, search, word_weighs,
    },
    words::words_of,
};
use self::{
    schema::{AUTHORS, COMMITS, ISSUES, REPOSITORIES, RULES, WORDS},
    words::words_beside,
};
use crate::{
    numbered, row,
    rows::{Keys, Rows},
    ruled,
    value::{Row, Value},
    view::{Table, View},
};

/// The view.
#[derive(Debug)]
pub struct IssueSearch;

impl View for IssueSearch {
    fn name(&self) -> &'static str {
        "issue_search"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, ISSUES, COMMITS, AUTHORS, WORDS, RULES]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        numbered::keys(&REPOSITORIES, fact, keys);
        ruled::keys(&RULES, fact, keys);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::CommitsRecorded(batch)) => {
                spans(batch)
                    .into_keys()
                    .for_each(|(project, issue)| keys.add(&ISSUES, key(project, issue, batch.number)));
            }
            Fact::IndexBatch(
                batch::Event::RefsMoved(RefBatch { .. })
                | batch::Event::CommitsSuperseded(CommitSet { .. })
                | batch::Event::CommitsRestored(CommitSet { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        numbered::fold(&REPOSITORIES, rows, fact);
        ruled::fold(&RULES, rows, fact);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::CommitsRecorded(batch)) => record(rows, batch),
            // What no ref leads to any more is found all the same, and says so where it is shown.
            Fact::IndexBatch(
                batch::Event::RefsMoved(RefBatch { .. })
                | batch::Event::CommitsSuperseded(CommitSet { .. })
                | batch::Event::CommitsRestored(CommitSet { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_) => {}
        }
    }
}

/// From when to when the commits of a batch name each issue, in seconds.
fn spans(batch: &CommitBatch) -> BTreeMap<(&str, u64), (i64, i64)> {
    let mut spans = BTreeMap::new();
    for commit in &batch.commits {
        let at = seconds(commit.committed_at);
        for (key, _) in &commit.keys {
            let (first, last) = spans.entry((&*key.project, key.number)).or_insert((at, at));
            (*first, *last) = ((*first).min(at), (*last).max(at));
        }
    }
    spans
}

fn record(rows: &mut Rows, batch: &CommitBatch) {
    for ((project, issue), (mut first, mut last)) in spans(batch) {
        let key = key(project, issue, batch.number);
        // The least and the greatest: saying it twice changes nothing.
        if let Some([_, _, _, Value::Int(known_first), Value::Int(known_last)]) = rows.get(&ISSUES, &key) {
            (first, last) = (first.min(*known_first), last.max(*known_last));
        }
        let row = key.into_iter().chain(row![first, last]).collect();
        rows.put(&ISSUES, row);
    }
    for commit in &batch.commits {
        let (sha, author) = (Value::from(commit.sha), Value::from(commit.author));
        let words: Vec<Value> = words_beside(&commit.subject, &commit.keys).into_iter().map(Value::from).collect();
        for (key, _) in &commit.keys {
            let (project, issue) = (Value::from(key.project.clone()), Value::from(key.number));
            let place = row![batch.number];
            let of = |first: &Value| vec![first.clone(), project.clone(), issue.clone(), place[0].clone()];
            rows.put_once(&AUTHORS, of(&author));
            words.iter().for_each(|word| rows.put_once(&WORDS, of(word)));
            rows.put_once(
                &COMMITS,
                vec![
                    sha.clone(),
                    place[0].clone(),
                    project.clone(),
                    issue.clone(),
                    Value::Int(seconds(commit.committed_at)),
                ],
            );
        }
    }
}

fn key(project: &str, issue: u64, number: Position) -> Row {
    row![project, issue, number]
}

/// As `issue_commits` has it: the two are compared.
fn seconds(seconds: i64) -> i64 {
    Timestamp::from_seconds(seconds).seconds()
}
