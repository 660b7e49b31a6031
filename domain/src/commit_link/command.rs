//! What can be wished of a commit and an issue.

use crate::{commit_link::LinkedCommit, id::RepositoryId, index_run::batch::CommitSha, issue_key::IssueKey};

/// In the API: LinkCommit, UnlinkCommit, RestoreCommitLink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// It belongs to the issue.
    Link {
        /// Of which repository.
        repository: RepositoryId,
        /// Which commit.
        sha: CommitSha,
        /// To which issue.
        issue: IssueKey,
        /// What is shown of it.
        commit: LinkedCommit,
    },
    /// It does not belong to the issue.
    Unlink {
        /// Of which repository.
        repository: RepositoryId,
        /// Which commit.
        sha: CommitSha,
        /// To which issue not.
        issue: IssueKey,
        /// Whether the index finds the issue in it: what was never linked cannot be unlinked.
        named: bool,
    },
    /// Let the index decide again; undoes either of the others.
    Restore {
        /// Of which repository.
        repository: RepositoryId,
        /// Which commit.
        sha: CommitSha,
        /// Which issue.
        issue: IssueKey,
    },
}
