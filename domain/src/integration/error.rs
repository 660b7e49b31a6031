//! Why a wish about an integration is refused.

use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is taken.
    #[error("this integration was added before")]
    AlreadyAdded,
    /// There is no such integration.
    #[error("there is no such integration")]
    Unknown,
    /// It was removed; only its history is left.
    #[error("this integration was removed; add a new one instead")]
    Removed,
    /// Nothing of it is looked at.
    #[error("this integration is paused, so nothing of it is looked at; resume it first")]
    Paused,
    /// A connection keeps its kind.
    #[error("an integration keeps its kind; add a new one of the other kind and remove this one")]
    OtherKind,
    /// What was given for one server is not shown to another.
    #[error("the credential was given for another server; give one for this server, or none")]
    CredentialElsewhere,
    /// What it shows has no page that could be told so.
    #[error(
        "links are set for one repository: those of a GitHub App have GitHub's, those of a folder none, and of a \
         repository of this machine only templates of your own can be set"
    )]
    NoWebLinks,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyAdded => "integration_exists",
            Self::Unknown => "integration_unknown",
            Self::Removed => "integration_removed",
            Self::Paused => "integration_paused",
            Self::CredentialElsewhere => "integration_credential_elsewhere",
            Self::OtherKind => "integration_other_kind",
            Self::NoWebLinks => "integration_no_web_links",
        }
    }
}
