//! Repositories over SSH: the program `ssh` of this machine with fixed options, an agent of our own that holds one key for
//! one attempt, and the host keys that are trusted. Called by the listing of refs and by both transports. No private half
//! reaches the disk, and nothing of a person's or the machine's own configuration of SSH is read.

mod agent;
mod knocking;
mod login;
mod options;
mod places;
mod program;
mod said;
mod session;
#[cfg(test)]
pub(crate) mod tests;
mod waits;

use std::{
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use keytrail_domain::{host_key::HostPublicKey, id::SshKeyId};

use self::waits::Waits;
pub(in crate::git) use self::{
    knocking::{Door, Knocking},
    options::url_for_git,
    session::Session,
};
pub use self::{places::Places, program::SshVersion};
use super::GitError;

/// Keys that are offered for one purpose, each in a connection of its own; servers count what fails.
pub const MOST_KEYS: usize = 6;

/// Signs as one key does. What it holds is never shown.
pub trait Signer: Send + Sync {
    /// The public half, as SSH sends it (RFC 4253, section 6.6).
    fn public_blob(&self) -> &[u8];

    /// The public half as one line of a `.pub` file.
    fn public_line(&self) -> String;

    /// A signature as SSH sends it, by the flags of the agent's protocol; nothing where these ask for SHA-1.
    fn sign(&self, message: &[u8], flags: u32) -> Option<Vec<u8>>;
}

/// A key on its way out of where it is sealed.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn Signer>, GitError>> + Send + 'a>>;

/// What is known of a host's keys, on its way.
pub type Trusting<'a> = Pin<Box<dyn Future<Output = Result<Option<TrustedHost>, GitError>> + Send + 'a>>;

/// Where private halves are sealed.
pub trait Keychain: Send + Sync {
    /// Opens one, for one attempt.
    fn open(&self, key: SshKeyId) -> Opening<'_>;

    /// Who the host is by now, asked before each connection: somebody may have decided something since the beginning.
    /// Nothing where that does not change.
    fn host(&self) -> Trusting<'_> {
        Box::pin(async { Ok(None) })
    }
}

/// What is known of a host's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedHost {
    /// A line of known_hosts for each key that is trusted, under the name [`HOST_ALIAS`].
    pub lines: Vec<String>,
    /// Whether it showed another key, and nobody said yet what to think of that.
    pub is_alarmed: bool,
}

impl TrustedHost {
    /// The fingerprints of the keys that are trusted.
    fn fingerprints(&self) -> Vec<String> {
        let key = |line: &String| {
            let mut words = line.split_ascii_whitespace().skip(1);
            HostPublicKey::read(words.next()?, words.next()?).ok()
        };
        self.lines.iter().filter_map(key).map(|key| key.sha256()).collect()
    }
}

/// The name that every host has for `ssh`: each call knows one host only.
pub const HOST_ALIAS: &str = "the-host";

/// How the repositories of one host are reached over SSH.
pub struct SshAccess {
    /// The `ssh` program; `None` where there is none.
    pub program: Option<PathBuf>,
    /// Where sockets of agents are, a folder for each attempt.
    pub folder: PathBuf,
    /// The keys to offer, in their order.
    pub keys: Vec<SshKeyId>,
    /// Opens them.
    pub keychain: Arc<dyn Keychain>,
    /// Who the host is.
    pub host: TrustedHost,
    /// How many connections a host may have.
    pub places: Arc<Places>,
    /// The key that comes first: mostly the one that the host took the last time.
    first: Option<SshKeyId>,
    told: Mutex<Told>,
    waits: Waits,
}

/// What came of offering keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Those that were offered, in their order: a connection came to where the host asks for one.
    pub offered: Vec<SshKeyId>,
    /// The one that the host took: it was signed with, and that let us in.
    pub accepted: Option<SshKeyId>,
    /// The address that answered.
    address: Option<SocketAddr>,
}

impl SshAccess {
    /// With the key that is offered first.
    pub fn new(
        program: Option<PathBuf>,
        folder: PathBuf,
        (keys, first): (Vec<SshKeyId>, Option<SshKeyId>),
        keychain: Arc<dyn Keychain>,
        host: TrustedHost,
        places: Arc<Places>,
    ) -> Self {
        Self { program, folder, keys, keychain, host, places, first, told: Mutex::default(), waits: Waits::default() }
    }

    /// What came of it so far; nothing where no key was offered.
    pub fn told(&self) -> Option<Told> {
        Some(self.locked().clone()).filter(|told| !told.offered.is_empty())
    }

    /// How long places at the host were waited for until now.
    pub fn waited(&self) -> Duration {
        self.waits.total()
    }

    /// What was waited for places at the host.
    pub(in crate::git) const fn waits(&self) -> &Waits {
        &self.waits
    }

    fn locked(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for SshAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SshAccess").field("keys", &self.keys).field("host", &self.host).finish_non_exhaustive()
    }
}
