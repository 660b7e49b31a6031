//! Which issues there are, and by what they are found: their keys, the names of their commits, the words of subjects,
//! and authors. Commits themselves are shown by `issue_commits`; here is only what leads to an issue.
//!
//! Rows carry their repository's number and count while a row of `search_repositories` holds it, as in `issue_commits`.
//! Nothing here tells the past: what was found is asked there, and so is what persons unlinked. Issues that the rules leave
//! out are not found.

mod linked;
mod reads;
mod schema;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use keytrail_domain::{
    fact::Fact,
    index_run::batch::{self, CommitBatch, CommitSet, CommitSha, RefBatch},
    issue_key::IssueKey,
    person::PersonId,
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
        2
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, ISSUES, COMMITS, AUTHORS, WORDS, RULES]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        numbered::keys(&REPOSITORIES, fact, keys);
        linked::keys(fact, keys);
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
            | Fact::Person(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        numbered::fold(&REPOSITORIES, rows, fact);
        linked::fold(rows, fact);
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
            | Fact::Person(_)
            | Fact::AccessSettings(_) => {}
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
    for ((project, issue), span) in spans(batch) {
        lasts(rows, key(project, issue, batch.number), span);
    }
    for commit in &batch.commits {
        let words: Vec<Value> = words_beside(&commit.subject, &commit.keys).into_iter().map(Value::from).collect();
        let found =
            Leading { sha: commit.sha, author: commit.author, committed_at: commit.committed_at, words: &words };
        commit.keys.iter().for_each(|(issue, _)| found.lead(rows, issue, batch.number));
    }
}

/// The issue has commits from the first to the second of these on.
fn lasts(rows: &mut Rows, key: Row, (mut first, mut last): (i64, i64)) {
    // The least and the greatest: saying it twice changes nothing.
    if let Some([_, _, _, Value::Int(known_first), Value::Int(known_last)]) = rows.get(&ISSUES, &key) {
        (first, last) = (first.min(*known_first), last.max(*known_last));
    }
    let row = key.into_iter().chain(row![first, last]).collect();
    rows.put(&ISSUES, row);
}

/// What of a commit leads to its issues.
struct Leading<'a> {
    sha: CommitSha,
    author: PersonId,
    /// In seconds.
    committed_at: i64,
    words: &'a [Value],
}

impl Leading<'_> {
    /// Adds the rows that lead to this issue, under the number of the commit's repository.
    fn lead(&self, rows: &mut Rows, issue: &IssueKey, number: Position) {
        let (project, issue) = (Value::from(issue.project.clone()), Value::from(issue.number));
        let of = |first: Value| vec![first, project.clone(), issue.clone(), Value::Int(number)];
        rows.put_once(&AUTHORS, of(self.author.into()));
        self.words.iter().for_each(|word| rows.put_once(&WORDS, of(word.clone())));
        let at = Value::Int(seconds(self.committed_at));
        rows.put_once(&COMMITS, vec![self.sha.into(), Value::Int(number), project.clone(), issue.clone(), at]);
    }
}

fn key(project: &str, issue: u64, number: Position) -> Row {
    row![project, issue, number]
}

/// As `issue_commits` has it: the two are compared.
fn seconds(seconds: i64) -> i64 {
    Timestamp::from_seconds(seconds).seconds()
}
