//! Why a wish about the rules is refused.

use super::ProjectRules;
use crate::aggregate::Refusal;

/// In the user's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A project would count and not count.
    #[error("a project is in both lists; let it be known or denied, not both")]
    Contradiction,
    /// More than the bound.
    #[error("at most {} projects can be known, and as many entries denied", ProjectRules::MOST)]
    TooMany,
}

impl Refusal for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Contradiction => "project_rules_contradict",
            Self::TooMany => "project_rules_too_many",
        }
    }
}
