//! Which issues there are, and by what they are found: their keys, the names of their commits, the words of subjects,
//! and authors. Commits themselves are shown by `issue_commits`, branches by `issue_branches`; here is only what leads to
//! an issue.
//!
//! Rows carry their repository's number and count while a row of `search_repositories` holds it, as in `issue_commits`.
//! Nothing here tells the past: what was found is asked there. Issues about whose commits persons decided something have
//! their places in the order from what is left of these. Issues that the rules leave out are not found.

mod branches;
mod finding;
mod linked;
mod reads;
mod schema;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use keytrail_domain::{
    fact::Fact,
    index_run::batch::{self, CommitBatch, CommitSet, CommitSha},
    issue_key::IssueKey,
    person::PersonId,
    recorded::{Position, Recorded},
    timestamp::Timestamp,
};

pub use self::{
    finding::search,
    reads::{
        Found, FoundCursor, Holder, MOST_AUTHORS, MOST_WORDS, NamedIn, Order, Through, Wanted, authors_weigh,
        holders_of_commit, issues_of_commit, word_weighs,
    },
    words::words_of,
};
use self::{
    schema::{AUTHORS, BRANCHES, COMMITS, DECISIONS, ISSUES, REPOSITORIES, RULES, WORDS},
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
        4
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, ISSUES, DECISIONS, BRANCHES, COMMITS, AUTHORS, WORDS, RULES]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        numbered::keys(&REPOSITORIES, fact, keys);
        linked::keys(fact, keys);
        ruled::keys(&RULES, fact, keys);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::CommitsRecorded(batch)) => {
                latest(batch)
                    .into_keys()
                    .for_each(|(project, issue)| keys.add(&ISSUES, key(project, issue, batch.number)));
            }
            Fact::IndexBatch(batch::Event::RefsMoved(batch)) => branches::keys(batch, keys),
            Fact::IndexBatch(
                batch::Event::CommitsSuperseded(CommitSet { .. }) | batch::Event::CommitsRestored(CommitSet { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        numbered::fold(&REPOSITORIES, rows, fact);
        linked::fold(rows, fact);
        ruled::fold(&RULES, rows, fact);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::CommitsRecorded(batch)) => record(rows, batch),
            Fact::IndexBatch(batch::Event::RefsMoved(batch)) => branches::fold(rows, batch),
            // What no ref leads to any more is found all the same, and says so where it is shown.
            Fact::IndexBatch(
                batch::Event::CommitsSuperseded(CommitSet { .. }) | batch::Event::CommitsRestored(CommitSet { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}

/// When the last commit of a batch that names each issue was committed, in seconds.
fn latest(batch: &CommitBatch) -> BTreeMap<(&str, u64), i64> {
    let mut latest = BTreeMap::new();
    for commit in &batch.commits {
        let at = seconds(commit.committed_at);
        for (key, _) in &commit.keys {
            let last = latest.entry((&*key.project, key.number)).or_insert(at);
            *last = (*last).max(at);
        }
    }
    latest
}

fn record(rows: &mut Rows, batch: &CommitBatch) {
    for ((project, issue), last) in latest(batch) {
        lasts(rows, key(project, issue, batch.number), last);
    }
    for commit in &batch.commits {
        let words: Vec<Value> = words_beside(&commit.subject, &commit.keys).into_iter().map(Value::from).collect();
        let found =
            Leading { sha: commit.sha, author: commit.author, committed_at: commit.committed_at, words: &words };
        commit.keys.iter().for_each(|(issue, _)| found.lead(rows, issue, batch.number));
    }
}

/// The issue lasts until then, or longer.
fn lasts(rows: &mut Rows, key: Row, mut last: i64) {
    // The greatest: saying it twice changes nothing.
    if let Some([.., Value::Int(known)]) = rows.get(&ISSUES, &key) {
        last = last.max(*known);
    }
    let row = key.into_iter().chain(row![last]).collect();
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
