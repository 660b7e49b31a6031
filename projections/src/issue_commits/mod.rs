//! Which commits name which issue: the index that the product exists for.
//!
//! Commits are only ever added, straight from the batches, under their repository's number. They count while a row of
//! `issue_repositories` holds that number: so forgetting and resetting end one row, whatever the size. Those that no ref
//! leads to any more stay, and a row of `superseded_commits` says so while it lasts. What persons decided otherwise is kept
//! by repository, and so outlives a reset.

mod decided;
mod decisions;
mod of_issue;
mod reads;
mod recorded;
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

use self::schema::{COMMITS, DECISIONS, REPOSITORIES, RULES, SUPERSEDED};
pub use self::{
    decided::{Link, LinkDecision, link_of, rule_of},
    decisions::LinkState,
    of_issue::OfIssue,
    reads::{
        CommitCursor, IssueCommit, NamingCommit, ProjectCount, ProjectCursor, commits_of_issue, commits_of_repository,
        page_of_issue, projects_of_repository, superseded_of_repository, top_projects,
    },
    recorded::{RecordedCommit, recorded_commit},
    shares::{IssueShare, commit_of_issue, first_of_issue, shares_of_issue, superseded_position},
};
use crate::{
    numbered, row,
    rows::{Keys, Rows},
    ruled,
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
        4
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, COMMITS, SUPERSEDED, RULES, DECISIONS]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        numbered::keys(&REPOSITORIES, fact, keys);
        ruled::keys(&RULES, fact, keys);
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
            | Fact::ProjectRules(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
            Fact::CommitLink(event) => decisions::keys(event, keys),
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        numbered::fold(&REPOSITORIES, rows, fact);
        ruled::fold(&RULES, rows, fact);
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
            | Fact::ProjectRules(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
            Fact::CommitLink(event) => decisions::fold(rows, fact, event),
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
