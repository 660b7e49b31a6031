//! The public half of a host key, as a server shows it to everybody, and who vouches for it.

use std::fmt;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A host key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPublicKey {
    /// What it is of, as SSH calls it.
    pub algorithm: String,
    /// As SSH sends it: RFC 4253, section 6.6.
    #[serde(with = "in_base64")]
    pub blob: Vec<u8>,
}

/// It is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key: a kind, and a key of that kind in base64")]
pub struct BadHostKey;

impl HostPublicKey {
    /// The bound of a key in bytes: RSA with 16384 bits has a sixth of that.
    pub const MAX_BYTES: usize = 16 << 10;
    /// The bound of a kind's name in bytes, as RFC 4251 has it.
    pub const MAX_NAME: usize = 64;

    /// Reads what stands behind the name in a line of known_hosts.
    pub fn read(algorithm: &str, base64: &str) -> Result<Self, BadHostKey> {
        if base64.len() > Self::MAX_BYTES * 2 {
            return Err(BadHostKey);
        }
        let blob = STANDARD.decode(base64).map_err(|_| BadHostKey)?;
        let key = Self { algorithm: algorithm.to_owned(), blob };
        if key.is_sound() { Ok(key) } else { Err(BadHostKey) }
    }

    /// Whether the key says of itself what it is said to be, within bounds.
    pub fn is_sound(&self) -> bool {
        let name = self.algorithm.as_bytes();
        let printable = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-@._".contains(byte));
        let own = self.blob.split_at_checked(4).and_then(|(length, rest)| {
            let length = u32::from_be_bytes(length.try_into().ok()?);
            rest.split_at_checked(usize::try_from(length).ok()?)
        });
        (1..=Self::MAX_NAME).contains(&name.len())
            && printable
            && self.blob.len() <= Self::MAX_BYTES
            && own.is_some_and(|(own, key)| own == name && !key.is_empty())
    }

    /// As `ssh-keygen -l` shows it: `SHA256:` and 43 characters.
    pub fn sha256(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.blob)))
    }

    /// The key in base64.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.blob)
    }

    /// A line of known_hosts for a server that goes by this name, without a line break.
    pub fn known_hosts_line(&self, alias: &str) -> String {
        format!("{alias} {} {}", self.algorithm, self.base64())
    }
}

impl fmt::Debug for HostPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostPublicKey({} {})", self.algorithm, self.sha256())
    }
}

mod in_base64 {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Who vouches for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A person, who compared fingerprints.
    Person,
    /// A file known_hosts that a person brought.
    KnownHosts,
    /// Whoever runs the server published it, and it was compared with that.
    Published,
}

impl How {
    /// The whole list.
    pub const ALL: &'static [Self] = &[Self::Person, Self::KnownHosts, Self::Published];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::KnownHosts => "known_hosts",
            Self::Published => "published",
        }
    }

    /// As people say it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Person => "by a person who compared the fingerprints",
            Self::KnownHosts => "by a known_hosts file",
            Self::Published => "by what was published",
        }
    }
}
