//! Which commits name which issue: the index that the product exists for.
//!
//! Commits are only ever added, straight from the batches, under their repository's number. They count while a row of
//! `issue_repositories` holds that number: so forgetting and resetting end one row, whatever the size. Those that no ref
//! leads to any more stay, and a row of `superseded_commits` says so while it lasts.

mod reads;
mod schema;
mod shares;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    fact::Fact,
    index_run::batch::{self, CommitBatch, CommitSet, RefBatch},
    recorded::Recorded,
    timestamp::Timestamp,
};

use self::schema::{COMMITS, REPOSITORIES, SUPERSEDED};
pub use self::{
    reads::{
        CommitCursor, IssueCommit, ProjectCount, commits_of_issue, known_commit, projects_of_repository,
        superseded_of_repository, top_projects,
    },
    shares::{IssueShare, commit_of_issue, first_of_issue, shares_of_issue, superseded_position},
};
use crate::{
    numbered, row,
    rows::{Keys, Rows},
    value::Value,
    view::{Table, View},
};

/// The view.
#[derive(Debug)]
pub struct IssueCommits;

impl View for IssueCommits {
    fn name(&self) -> &'static str {
        "issue_commits"
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, COMMITS, SUPERSEDED]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        numbered::keys(&REPOSITORIES, fact, keys);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::CommitsSuperseded(set) | batch::Event::CommitsRestored(set)) => {
                set.commits.iter().for_each(|sha| keys.add(&SUPERSEDED, row![set.number, *sha]));
            }
            Fact::IndexBatch(
                batch::Event::CommitsRecorded(CommitBatch { .. }) | batch::Event::RefsMoved(RefBatch { .. }),
            )
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::Person(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        numbered::fold(&REPOSITORIES, rows, fact);
        match &fact.fact {
            Fact::IndexBatch(batch::Event::CommitsRecorded(batch)) => record(rows, batch),
            Fact::IndexBatch(batch::Event::CommitsSuperseded(CommitSet { number, commits, .. })) => {
                commits.iter().for_each(|sha| rows.put(&SUPERSEDED, row![*number, *sha]));
            }
            Fact::IndexBatch(batch::Event::CommitsRestored(CommitSet { number, commits, .. })) => {
                commits.iter().for_each(|sha| rows.end(&SUPERSEDED, &row![*number, *sha]));
            }
            Fact::IndexBatch(batch::Event::RefsMoved(RefBatch { .. }))
            | Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::Person(_) => {}
        }
    }
}

fn record(rows: &mut Rows, batch: &CommitBatch) {
    for commit in &batch.commits {
        let (sha, author) = (Value::from(commit.sha), Value::from(commit.author));
        let on_default = batch.default_branch.as_ref() == Some(&commit.introduced_by);
        for (key, places) in &commit.keys {
            rows.put_once(
                &COMMITS,
                row![
                    key.project.clone(),
                    key.number,
                    seconds(commit.committed_at),
                    batch.number,
                    sha.clone(),
                    i64::from(places.0),
                    batch.extractor,
                    author.clone(),
                    seconds(commit.authored_at),
                    &commit.subject,
                    commit.introduced_by.clone(),
                    on_default,
                ],
            );
        }
    }
}

/// A commit may claim any second; what a [`Timestamp`] cannot say is moved to the nearest that it can, so that a page's
/// cursor finds its place again.
fn seconds(seconds: i64) -> i64 {
    Timestamp::from_seconds(seconds).seconds()
}
