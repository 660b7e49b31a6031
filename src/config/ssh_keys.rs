//! `[ssh_keys]`: when a key of SSH counts as old, which folder has keys, and what was published of the keys of hosts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// `[ssh_keys]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SshKeys {
    /// Days after which a key of the pool counts as old.
    pub old_days: u32,
    /// A folder of the server's account with private keys: an absolute path, or one that begins with `~/`. None is looked
    /// into when nothing is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// A file with the fingerprints of host keys that those who run the hosts published, instead of the list that is shipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_host_keys: Option<PathBuf>,
}

impl Default for SshKeys {
    fn default() -> Self {
        Self { old_days: 365, folder: None, published_host_keys: None }
    }
}

impl SshKeys {
    /// The folder with `~` written out, where the home is known.
    pub(super) fn at_home(mut self, home: Option<&Path>) -> Self {
        if let (Some(folder), Some(home)) = (&self.folder, home)
            && let Ok(below) = folder.strip_prefix("~")
        {
            self.folder = Some(home.join(below));
        }
        self
    }

    /// [`Self::old_days`] in microseconds.
    pub const fn old_micros(&self) -> i64 {
        self.old_days as i64 * 24 * 3600 * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_of_the_account_is_written_out() {
        let folder = |folder: &str, home: Option<&str>| {
            let keys = SshKeys { folder: Some(folder.into()), ..SshKeys::default() };
            keys.at_home(home.map(Path::new)).folder
        };
        assert_eq!(folder("~/.ssh", Some("/home/keytrail")), Some("/home/keytrail/.ssh".into()));
        assert_eq!(folder("/srv/~/keys", Some("/home/keytrail")), Some("/srv/~/keys".into()));
        for (kept, home) in
            [("~/.ssh", None), ("~other/.ssh", Some("/home/keytrail")), ("keys", Some("/home/keytrail"))]
        {
            assert_eq!(folder(kept, home), Some(kept.into()));
        }
    }
}
