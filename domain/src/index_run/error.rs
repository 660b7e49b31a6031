//! Why a wish about an index run is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is taken.
    #[error("this index run was requested before")]
    AlreadyRequested,
    /// There is no such run.
    #[error("there is no such index run")]
    Unknown,
    /// It ended: completed, failed or cancelled.
    #[error("this index run has ended; request a new one")]
    Ended,
    /// Nobody has looked at anything yet.
    #[error("this index run has not started: it cannot be complete")]
    NotStarted,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyRequested => "index_run_exists",
            Self::Unknown => "index_run_unknown",
            Self::Ended => "index_run_ended",
            Self::NotStarted => "index_run_not_started",
        }
    }
}
