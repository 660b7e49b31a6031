//! How one repository of a git server is reached, as an administrator set it up. It names secrets and holds none.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    id::SshKeyId, proxy_url::ProxyUrl, ref_selection::RefSelection, remote_url::RemoteUrl, secret_ref::SecretRef,
};

/// One repository of a git server, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitRemote {
    /// Where it is.
    pub url: RemoteUrl,
    /// The sealed user and password or token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretRef>,
    /// Over SSH, the key of the pool that is offered first. After it, or without one, the common keys are, in the order of the
    /// pool. A key that is associated with the repository is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<SshKeyId>,
    /// Whose certificates are good.
    #[serde(default, skip_serializing_if = "Trust::is_usual")]
    pub trust: Trust,
    /// Through what it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySetting>,
    /// Which refs are looked at.
    #[serde(default, skip_serializing_if = "RefSelection::is_usual")]
    pub refs: RefSelection,
}

impl GitRemote {
    /// A repository that is reached without more ado.
    pub fn at(url: RemoteUrl) -> Self {
        let (trust, refs) = (Trust::WebPki, RefSelection::default());
        Self { url, credential: None, ssh_key: None, trust, proxy: None, refs }
    }
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxySetting {
    /// Where it is.
    pub url: ProxyUrl,
    /// The sealed user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<SecretRef>,
}

/// Whose certificates are good. There is no way to accept any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trust {
    /// Those of the authorities that the server's machine trusts.
    #[default]
    WebPki,
    /// Those of one's own authority.
    Authority {
        /// One or more certificates in PEM.
        pem: String,
    },
    /// One key, whoever vouches for it.
    Pinned {
        /// Its digest.
        key: KeyPin,
    },
}

impl Trust {
    /// Whether it is what holds when nothing is said.
    pub const fn is_usual(&self) -> bool {
        matches!(self, Self::WebPki)
    }
}

/// SHA-256 of a key's SubjectPublicKeyInfo in DER, as RFC 7469 and curl's `--pinnedpubkey` have it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPin(pub [u8; 32]);

/// The text is no pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pinned key is written sha256//, followed by 44 characters of base64")]
pub struct BadPin;

impl FromStr for KeyPin {
    type Err = BadPin;

    fn from_str(text: &str) -> Result<Self, BadPin> {
        let digest = STANDARD.decode(text.strip_prefix("sha256//").ok_or(BadPin)?).map_err(|_| BadPin)?;
        digest.try_into().map(Self).map_err(|_| BadPin)
    }
}

impl fmt::Display for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for KeyPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyPin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyPin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
