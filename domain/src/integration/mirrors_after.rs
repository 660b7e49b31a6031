//! What becomes of the copies of an integration's repositories when it is removed. Chosen with the wish, kept in the
//! event; jobs do it.

use serde::{Deserialize, Serialize};

/// Whether copies that the server made stay when their integration goes. Originals always stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorsAfter {
    /// They are deleted.
    #[default]
    Deleted,
    /// They stay until a person deletes them.
    Kept,
}

impl MirrorsAfter {
    /// Whether nobody asked to keep them; events from before there was a choice say nothing.
    pub const fn are_deleted(&self) -> bool {
        matches!(self, Self::Deleted)
    }
}
