//! How this node reaches repositories: what an administrator allows, and with which program. Made at the start from the
//! configuration; jobs and routes read it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::KeysOnDisk;
use crate::git::{
    remote::AddressPolicy,
    ssh::Places,
    transport::{FetchLimits, GitProgram},
};

/// How this node reaches repositories over SSH.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// The ssh program; `None` when there is none.
    pub program: Option<PathBuf>,
    /// Where the other programs of OpenSSH are looked for.
    pub folders: Arc<[PathBuf]>,
    /// How many connections each host may have.
    pub places: Arc<Places>,
    /// Keys that lie in a folder of the server's account.
    pub keys_on_disk: Arc<KeysOnDisk>,
}

/// How this node reaches repositories.
#[derive(Clone, Debug)]
pub struct GitSettings {
    /// Folders below which repositories of this machine may be added over HTTP; links that lead out of them are not
    /// followed.
    pub roots: Arc<[PathBuf]>,
    /// Which addresses and schemes may be used.
    pub addresses: Arc<AddressPolicy>,
    /// The git program, good or not; `None` when there is none.
    pub program: Option<GitProgram>,
    /// The same for SSH.
    pub ssh: SshSettings,
    /// What is too much in a fetch, and of a copy.
    pub limits: FetchLimits,
    /// How long listing a remote's refs may take in all.
    pub listing: Duration,
    /// Bytes of folders and files that are kept on this node because somebody looked at what a commit changed.
    pub diff_cache_bytes: u64,
    /// Between two looks at a busy repository.
    pub shortest_poll: Duration,
    /// Between two looks at one where nothing happens.
    pub longest_poll: Duration,
    /// Between two rounds of the upkeep.
    pub upkeep: Duration,
    /// How long a copy stays at least whose repository another node looks after.
    pub handed_over: Duration,
    /// After how long installing an app that does not come on is stuck.
    pub stuck: Duration,
    /// More repositories of an app than this start only after a person said so.
    pub confirm_repositories: u64,
}
