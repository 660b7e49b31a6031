//! What can be wished of an index run.

use crate::{
    display_text::DisplayText,
    id::RepositoryId,
    index_run::{Cause, Counts, FailureCode},
    recorded::Position,
};

/// In the API: RequestIndex, ResetIndex (a request because of a reset), CancelIndex. The others report what the job that does the run saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Index this repository.
    Request {
        /// Which.
        repository: RepositoryId,
        /// Why.
        cause: Cause,
    },
    /// The work begins.
    Start {
        /// The repository's number when it began.
        number: Position,
    },
    /// Everything reachable was looked at.
    Complete {
        /// What was seen.
        counts: Counts,
    },
    /// It could not be finished.
    Fail {
        /// Why, for machines.
        code: FailureCode,
        /// Why, for people.
        text: DisplayText,
    },
    /// Stop it.
    Cancel,
}
