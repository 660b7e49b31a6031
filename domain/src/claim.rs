//! What may exist only once over all aggregates, as a pure function of events.

use sha2::{Digest as _, Sha256};

use crate::hex::lower_hex;

#[cfg(test)]
mod tests;

/// A kind of claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClaimScope {
    /// An integration's name, folded to lower case.
    IntegrationName,
    /// The place that an integration connects to.
    Connection,
    /// A repository with an index run that has not ended.
    ActiveRun,
    /// An app of one GitHub.
    GithubApp,
    /// An organisation of one GitHub in which an app of ours is installed.
    GithubAccount,
    /// A key of SSH, by its SHA-256 fingerprint.
    SshKey,
    /// What people call a key of SSH, folded to lower case.
    SshKeyName,
    /// A repository for which one key of SSH is offered and no other.
    SshKeyOfRepository,
    /// A repository whose associated key of SSH has been replaced, until the new one is associated with it.
    SshKeyInRotation,
}

impl ClaimScope {
    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IntegrationName => "integration_name",
            Self::Connection => "connection",
            Self::ActiveRun => "active_run",
            Self::GithubApp => "github_app",
            Self::GithubAccount => "github_account",
            Self::SshKey => "ssh_key",
            Self::SshKeyName => "ssh_key_name",
            Self::SshKeyOfRepository => "ssh_key_of_repository",
            Self::SshKeyInRotation => "ssh_key_in_rotation",
        }
    }
}

/// One thing that exists at most once. Its key is at most [`Claim::MAX_BYTES`] long, or hashed: it stands in an index.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// Of which kind.
    pub scope: ClaimScope,
    /// Which.
    pub key: String,
}

impl Claim {
    /// The bound of a key in bytes, as of all indexed text.
    pub const MAX_BYTES: usize = 512;

    fn new(scope: ClaimScope, key: String) -> Self {
        if key.len() <= Self::MAX_BYTES {
            return Self { scope, key };
        }
        Self { scope, key: format!("sha256:{}", lower_hex(&Sha256::digest(key.as_bytes()))) }
    }
}

/// What an event does to a claim. The holder is the event's stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// From now on this stream holds it; refused while another does.
    Take(Claim),
    /// Nobody holds it any more.
    Release(Claim),
}

impl ClaimChange {
    /// Takes `key` of `scope`.
    pub fn take(scope: ClaimScope, key: impl Into<String>) -> Self {
        Self::Take(Claim::new(scope, key.into()))
    }

    /// Releases `key` of `scope`.
    pub fn release(scope: ClaimScope, key: impl Into<String>) -> Self {
        Self::Release(Claim::new(scope, key.into()))
    }

    /// The claim, whichever way it changes.
    pub const fn claim(&self) -> &Claim {
        match self {
            Self::Take(claim) | Self::Release(claim) => claim,
        }
    }
}
