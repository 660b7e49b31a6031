//! What happens to a commit and an issue.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    display_text::DisplayText, id::RepositoryId, index_run::batch::CommitSha, issue_key::IssueKey, person::PersonId,
    stored_events,
};

/// What is shown of a commit that a person links. It may name no issue, and is then nowhere else in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedCommit {
    /// Who wrote it.
    pub author: PersonId,
    /// When it was written, by the author's clock; seconds since 1970.
    pub authored_at: i64,
    /// When it was committed, by the committer's clock; seconds since 1970.
    pub committed_at: i64,
    /// The first paragraph of its message.
    pub subject: DisplayText,
    /// The best ref that it was reachable from when it was recorded, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub introduced_by: Option<Arc<str>>,
    /// Whether that was the default branch.
    #[serde(default)]
    pub on_default: bool,
}

/// Stored events of the stream `commit_link`; the stream's id is that of the commit in its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A person said that it belongs to the issue.
    Linked {
        /// Of which repository.
        repository: RepositoryId,
        /// Which commit.
        sha: CommitSha,
        /// To which issue.
        issue: IssueKey,
        /// What is shown of it.
        commit: LinkedCommit,
    },
    /// A person said that it does not belong to the issue.
    Unlinked {
        /// Of which repository.
        repository: RepositoryId,
        /// Which commit.
        sha: CommitSha,
        /// To which issue not.
        issue: IssueKey,
    },
    /// A person took back what was said: what the commit names counts again.
    Restored {
        /// Of which repository.
        repository: RepositoryId,
        /// Which commit.
        sha: CommitSha,
        /// Which issue.
        issue: IssueKey,
    },
}

stored_events!(Event {
    Linked => "commit_link.linked" v "1",
    Unlinked => "commit_link.unlinked" v "1",
    Restored => "commit_link.restored" v "1",
});
