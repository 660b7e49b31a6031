//! What people call a key.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::display_text::DisplayText;

/// 1 to 100 characters, cleaned as all text from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SshKeyName(DisplayText);

/// The name is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {} characters", SshKeyName::MAX_CHARACTERS)]
pub struct BadName;

impl SshKeyName {
    /// The bound in characters.
    pub const MAX_CHARACTERS: usize = 100;

    /// Cleans and checks it.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let text = DisplayText::clean(text);
        match text.as_str().chars().count() {
            1..=Self::MAX_CHARACTERS => Ok(Self(text)),
            _ => Err(BadName),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What makes two names the same.
    pub fn folded(&self) -> String {
        self.0.as_str().to_lowercase()
    }
}

impl fmt::Display for SshKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
