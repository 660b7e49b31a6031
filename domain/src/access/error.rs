//! Why a wish about an access token is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is taken.
    #[error("this token was issued before")]
    AlreadyIssued,
    /// There is no such token.
    #[error("there is no such token")]
    Unknown,
    /// A token lives at most a year, and not only in the past.
    #[error("a token expires within a year from now, and not in the past")]
    BadExpiry,
    /// A token without a name is not recognised when it must be revoked.
    #[error("a token needs a name of 1 to 100 characters")]
    BadName,
    /// A scope that needs more than the role would never be of use.
    #[error("a scope of this token needs a higher role than the token has")]
    BadScopes,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyIssued => "token_exists",
            Self::Unknown => "token_unknown",
            Self::BadExpiry => "token_bad_expiry",
            Self::BadName => "token_bad_name",
            Self::BadScopes => "token_bad_scopes",
        }
    }
}
