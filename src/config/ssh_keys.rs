//! `[ssh_keys]`: when a key of SSH counts as old.

use serde::{Deserialize, Serialize};

/// `[ssh_keys]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SshKeys {
    /// Days after which a key of the pool counts as old.
    pub old_days: u32,
}

impl Default for SshKeys {
    fn default() -> Self {
        Self { old_days: 365 }
    }
}

impl SshKeys {
    /// The same in microseconds.
    pub const fn old_micros(&self) -> i64 {
        self.old_days as i64 * 24 * 3600 * 1_000_000
    }
}
