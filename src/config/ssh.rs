//! `[ssh]`: how repositories are reached over SSH.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[ssh]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ssh {
    /// The ssh program; the first one along `PATH` when nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Connections to one host and port that this node has open at once; at least one.
    pub connections_per_host: u32,
}

impl Default for Ssh {
    fn default() -> Self {
        Self { program: None, connections_per_host: 4 }
    }
}
