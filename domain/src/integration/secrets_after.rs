//! What becomes of the key and the secrets of an integration's app when it is removed. Chosen with the wish, kept in the
//! event; jobs do it.

use serde::{Deserialize, Serialize};

/// Whether the sealed secrets of an app outlive its integration. Credentials of other kinds never do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretsAfter {
    /// They are forgotten: whoever takes the app over needs a new key.
    #[default]
    Forgotten,
    /// They stay sealed until somebody says that the app is gone; it can be taken over without a new key.
    Kept,
}

impl SecretsAfter {
    /// Whether nobody asked to keep them; events from before there was a choice say nothing.
    pub const fn are_forgotten(&self) -> bool {
        matches!(self, Self::Forgotten)
    }
}
