//! Why a wish about a key is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is taken.
    #[error("this SSH key was added before")]
    AlreadyAdded,
    /// There is no such key.
    #[error("there is no such SSH key")]
    Unknown,
    /// It is gone for good; only its history is left.
    #[error("this SSH key was retired, and nothing is read with it any more; add it again or generate another one")]
    Retired,
    /// Another key is about to take its place.
    #[error("another key is about to take the place of this SSH key; wait until that has ended, or cancel it")]
    Rotating,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyAdded => "ssh_key_exists",
            Self::Unknown => "ssh_key_unknown",
            Self::Retired => "ssh_key_retired",
            Self::Rotating => "ssh_key_rotating",
        }
    }
}
