//! What happens to an index run.

use serde::{Deserialize, Serialize};

use crate::{
    display_text::DisplayText,
    id::RepositoryId,
    index_run::{Cause, Counts, FailureCode},
    recorded::Position,
    stored_events,
};

/// Stored events of the stream `index_run`. What it finds goes to the sibling stream, see [`super::batch`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It was asked for.
    Requested {
        /// Which repository.
        repository: RepositoryId,
        /// Why.
        cause: Cause,
    },
    /// The work began.
    Started {
        /// The repository's number: every row that the run leads to is keyed by it.
        number: Position,
    },
    /// Everything reachable was looked at.
    Completed {
        /// Which repository: it may be indexed again.
        repository: RepositoryId,
        /// What was seen.
        counts: Counts,
    },
    /// It could not be finished.
    Failed {
        /// Which repository: it may be indexed again.
        repository: RepositoryId,
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        text: DisplayText,
    },
    /// A person stopped it.
    Cancelled {
        /// Which repository: it may be indexed again.
        repository: RepositoryId,
    },
}

stored_events!(Event {
    Requested => "index_run.requested" v "1",
    Started => "index_run.started" v "1",
    Completed => "index_run.completed" v "1",
    Failed => "index_run.failed" v "1",
    Cancelled => "index_run.cancelled" v "1",
});
