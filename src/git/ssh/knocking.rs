//! Comes to a host: checks what must be known before, and then offers one key after the other, each by a door of its own,
//! until one is taken or it makes no sense to go on. Called by the session and by the fetch of the git program.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use keytrail_domain::id::SshKeyId;
use rustix::process::Pid;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{
    MOST_KEYS, SshAccess, TrustedHost,
    agent::Agent,
    options::{Files, in_shell, options, user},
    said::{self, login_trouble},
};
use crate::git::{
    GitError,
    remote::{OtherHostKey, Reach, Remote, RemoteTrouble},
};

/// Addresses of one host that are tried.
const MOST_ADDRESSES: usize = 4;

/// The attempts at one host for one purpose.
pub(in crate::git) struct Knocking<'a> {
    remote: &'a Remote,
    access: &'a SshAccess,
    program: &'a Path,
    addresses: Vec<SocketAddr>,
    address: usize,
    keys: Vec<SshKeyId>,
    key: usize,
}

/// One attempt: a place at the host, an agent with one key, and what `ssh` is told. All of it goes with the value.
pub(in crate::git) struct Door {
    agent: Agent,
    key: SshKeyId,
    address: SocketAddr,
    program: PathBuf,
    options: Vec<String>,
    /// Fingerprints of the host's keys that are trusted.
    trusted: Vec<String>,
    place: Option<Arc<OwnedSemaphorePermit>>,
}

impl<'a> Knocking<'a> {
    /// Looks at what needs no connection: the program, the host's keys, ours, and the addresses.
    pub(in crate::git) async fn at(remote: &'a Remote) -> Result<Self, GitError> {
        let access = remote.ssh.as_deref().ok_or_else(|| remote.trouble(RemoteTrouble::SshNoKey))?;
        is_trusted(remote, &access.host)?;
        let program = access.program.as_deref().ok_or_else(|| remote.trouble(RemoteTrouble::SshProgramMissing))?;
        if access.keys.is_empty() {
            return Err(remote.trouble(RemoteTrouble::SshNoKey));
        }
        let Reach::Direct(mut addresses) = remote.reach().await? else {
            // An HTTP proxy speaks HTTP.
            return Err(remote.trouble(RemoteTrouble::ProxyFailed));
        };
        let told = access.locked().clone();
        let mut keys = access.keys.clone();
        // Who was taken, and where, comes first: a look costs one connection.
        let first = told.accepted.or(access.first);
        keys.sort_by_key(|key| Some(*key) != first);
        addresses.sort_by_key(|address| Some(*address) != told.address);
        addresses.truncate(MOST_ADDRESSES);
        keys.truncate(MOST_KEYS);
        Ok(Self { remote, access, program, addresses, address: 0, keys, key: 0 })
    }

    /// Waits for a place at the host, but not for ever, and takes the next key out.
    pub(in crate::git) async fn door(&mut self) -> Result<Door, GitError> {
        let refused = || self.remote.trouble(RemoteTrouble::SshAuthFailed);
        let (key, address) = (*self.keys.get(self.key).ok_or_else(refused)?, self.addresses.get(self.address).copied());
        let address = address.ok_or_else(|| self.remote.trouble(RemoteTrouble::Unreachable))?;
        let host = format!("{}:{}", self.remote.url.host(), self.remote.url.port());
        let places = &self.access.places;
        let taking = tokio::time::timeout(places.patience(), places.take(&host));
        let taken = self.access.waits.during(taking).await;
        let place = taken.map_err(|_| self.remote.busy())?.ok_or(GitError::Cancelled)?;
        let host_now = self.access.keychain.host().await?.unwrap_or_else(|| self.access.host.clone());
        is_trusted(self.remote, &host_now)?;
        let signer = self.access.keychain.open(key).await?;
        let beginning = |error: io::Error| GitError::transient("beginning a connection over SSH", error);
        let public = signer.public_line();
        let agent = Agent::start(&self.access.folder, signer, user(&self.remote.url)).map_err(beginning)?;
        let (public_half, known_hosts) = (agent.folder().join("key.pub"), agent.folder().join("known_hosts"));
        fs::write(&public_half, public + "\n").map_err(beginning)?;
        fs::write(&known_hosts, host_now.lines.join("\n") + "\n").map_err(beginning)?;
        let files = Files { socket: agent.socket(), public_half: &public_half, known_hosts: &known_hosts };
        let options = options(address, self.remote.limits.connect, &files).map_err(beginning)?;
        let trusted = host_now.fingerprints();
        let (program, place) = (self.program.to_owned(), Some(Arc::new(place)));
        Ok(Door { agent, key, address, program, options, trusted, place })
    }

    /// The host let us in by this door.
    pub(in crate::git) fn taken(&self, door: &Door) {
        self.offered(door);
        let mut told = self.access.locked();
        told.address = Some(door.address);
        // A host that asks for no key has taken none.
        if door.has_signed() {
            told.accepted = Some(door.key);
        }
    }

    /// The key of this door was offered, where the host came to ask for it.
    pub(in crate::git) fn offered(&self, door: &Door) {
        let mut told = self.access.locked();
        if door.agent.was_asked() && !told.offered.contains(&door.key) {
            told.offered.push(door.key);
        }
    }

    /// What becomes of an attempt that failed like this: nothing when another one may do better.
    pub(in crate::git) fn failed(&mut self, door: Door, trouble: RemoteTrouble) -> Result<(), GitError> {
        self.offered(&door);
        let key = door.key;
        drop(door);
        match trouble {
            RemoteTrouble::SshAuthFailed => {
                let mut told = self.access.locked();
                if told.accepted == Some(key) {
                    told.accepted = None;
                }
                drop(told);
                self.key += 1;
                if self.key < self.keys.len() {
                    return Ok(());
                }
            }
            RemoteTrouble::ConnectionRefused | RemoteTrouble::Unreachable => {
                self.address += 1;
                if self.address < self.addresses.len() {
                    return Ok(());
                }
            }
            _ => {}
        }
        Err(self.remote.trouble(trouble))
    }
}

/// Whether somebody said which keys of the host are the right ones, and it showed no others.
fn is_trusted(remote: &Remote, host: &TrustedHost) -> Result<(), GitError> {
    if host.is_alarmed {
        return Err(remote.trouble(RemoteTrouble::HostKeyChanged));
    }
    if host.lines.is_empty() {
        return Err(remote.trouble(RemoteTrouble::HostKeyUnknown));
    }
    Ok(())
}

impl Door {
    /// The program.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// What it is told, without host and command.
    pub(super) fn options(&self) -> &[String] {
        &self.options
    }

    /// The same as one line for a shell.
    pub(in crate::git) fn in_shell(&self) -> Result<String, GitError> {
        in_shell(&self.program, &self.options)
            .map_err(|error| GitError::transient("beginning a connection over SSH", error))
    }

    /// Where to tell which group of processes the agent answers.
    pub(in crate::git) fn group(&self) -> watch::Sender<Option<Pid>> {
        self.agent.group()
    }

    /// The place at the host, for who keeps it until the program is gone. It is given back with the last who has it.
    pub(in crate::git) fn place(&self) -> Option<Arc<OwnedSemaphorePermit>> {
        self.place.clone()
    }

    /// Whether the host knows the key.
    pub(in crate::git) fn has_signed(&self) -> bool {
        self.agent.has_signed()
    }

    /// Why an attempt of ours ended without a word of git's.
    pub(super) fn trouble(&self, lines: &str, code: Option<i32>) -> RemoteTrouble {
        self.with_key_met(said::trouble(lines, self.has_signed(), code), lines)
    }

    /// Why git was not let in, if that is what ended it.
    pub(in crate::git) fn trouble_of_git(&self, lines: &str) -> Option<RemoteTrouble> {
        if self.has_signed() {
            // The last words are git's own.
            let before = lines.split("fatal: Could not read from remote repository").next().unwrap_or_default();
            return said::refused_after_all(before);
        }
        Some(self.with_key_met(login_trouble(lines).unwrap_or(RemoteTrouble::ConnectionLost), lines))
    }

    /// With the key that the host showed instead of a trusted one, where `ssh` names it.
    fn with_key_met(&self, trouble: RemoteTrouble, lines: &str) -> RemoteTrouble {
        match (trouble, said::other_key(lines)) {
            (RemoteTrouble::HostKeyChanged, Some((kind, sha256))) => {
                RemoteTrouble::HostKeyDiffers(Box::new(OtherHostKey { kind, sha256, trusted: self.trusted.clone() }))
            }
            (trouble, _) => trouble,
        }
    }
}
