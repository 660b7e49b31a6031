//! What can be wished of a pull request.

use super::{Review, Snapshot};
use crate::id::RepositoryId;

/// How something of a pull request got here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// In a delivery, which may be late, doubled and out of order.
    Heard,
    /// The service was asked.
    Read,
}

/// Wishes of jobs; no person wishes them directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// It was told of.
    Record {
        /// Of which repository.
        repository: RepositoryId,
        /// Its number there.
        number: u64,
        /// What was told.
        snapshot: Box<Snapshot>,
        /// The reviews that were told beside; others stay.
        reviews: Vec<Review>,
        /// How it got here.
        how: How,
    },
    /// Its service has it no more.
    Delete {
        /// Of which repository.
        repository: RepositoryId,
        /// Its number there.
        number: u64,
    },
}
