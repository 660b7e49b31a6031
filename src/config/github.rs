//! `[github]`: how apps of GitHub are followed.

use serde::{Deserialize, Serialize};

/// `[github]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Github {
    /// Seconds after which installing that does not come on counts as stuck.
    pub stuck_seconds: u64,
    /// More repositories than this start only after a person said so.
    pub confirm_repositories: u64,
}

impl Default for Github {
    fn default() -> Self {
        Self { stuck_seconds: 300, confirm_repositories: 1_000 }
    }
}
