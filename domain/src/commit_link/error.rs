//! Why a wish about a commit and an issue is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither the index nor a person links them.
    #[error("the commit is not linked to this issue, so there is nothing to unlink")]
    NotLinked,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotLinked => "commit_not_linked",
        }
    }
}
