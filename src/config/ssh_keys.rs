//! `[ssh_keys]`: when a key of SSH counts as old, and what was published of the keys of hosts.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[ssh_keys]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SshKeys {
    /// Days after which a key of the pool counts as old.
    pub old_days: u32,
    /// A file with the fingerprints of host keys that those who run the hosts published, instead of the list that is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_host_keys: Option<PathBuf>,
}

impl Default for SshKeys {
    fn default() -> Self {
        Self { old_days: 365, published_host_keys: None }
    }
}

impl SshKeys {
    /// The same in microseconds.
    pub const fn old_micros(&self) -> i64 {
        self.old_days as i64 * 24 * 3600 * 1_000_000
    }
}
