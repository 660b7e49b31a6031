//! Commits that lost or found again the refs that led to them.

use serde::{Deserialize, Serialize};

use super::{super::columns::Shas, CommitSha};
use crate::{id::RepositoryId, recorded::Position};

/// Commits of a repository that are no longer, or again, reachable from its refs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "SetColumns", from = "SetColumns")]
pub struct CommitSet {
    /// Of which repository.
    pub repository: RepositoryId,
    /// The repository's number.
    pub number: Position,
    /// The commits, parents before children; with issue keys or without.
    pub commits: Vec<CommitSha>,
}

#[derive(Serialize, Deserialize)]
struct SetColumns {
    repository: RepositoryId,
    number: Position,
    commits: Shas,
}

impl From<CommitSet> for SetColumns {
    fn from(set: CommitSet) -> Self {
        Self { repository: set.repository, number: set.number, commits: Shas(set.commits) }
    }
}

impl From<SetColumns> for CommitSet {
    fn from(columns: SetColumns) -> Self {
        Self { repository: columns.repository, number: columns.number, commits: columns.commits.0 }
    }
}
