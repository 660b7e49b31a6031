//! What happens to a pull request.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Review, Snapshot};
use crate::{id::RepositoryId, issue_key::IssueKey, stored_events};

/// Stored events of the stream `pull_request`; the stream's id is that of the number in its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was told of for the first time, or is another way than before.
    Recorded {
        /// Of which repository.
        repository: RepositoryId,
        /// Its number there.
        number: u64,
        /// How it is.
        latest: Box<Snapshot>,
        /// The issues that it named before and names no more.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        named_no_more: BTreeSet<IssueKey>,
    },
    /// Somebody reviewed it, or a review counts no more.
    Reviewed {
        /// Of which repository.
        repository: RepositoryId,
        /// Its number there.
        number: u64,
        /// The reviews that are new or other than before.
        reviews: Vec<Review>,
    },
    /// Its service has it no more.
    Deleted {
        /// Of which repository.
        repository: RepositoryId,
        /// Its number there.
        number: u64,
    },
}

stored_events!(Event {
    Recorded => "pull_request.recorded" v "1",
    Reviewed => "pull_request.reviewed" v "1",
    Deleted => "pull_request.deleted" v "1",
});
