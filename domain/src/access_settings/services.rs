//! An issuer of signed tokens and the keys that vouch for them, as events hold them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{access::Role, display_text::DisplayText, hex::lower_hex};

/// Whose tokens let services in, and with which role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// The claim `iss` must be this.
    pub issuer: DisplayText,
    /// The claim `aud` must be this or hold it.
    pub audience: DisplayText,
    /// The claim that says what a service may do.
    pub role_claim: DisplayText,
    /// What its values mean.
    pub roles: BTreeMap<DisplayText, Role>,
    /// By how many seconds the issuer's clock may differ.
    pub leeway_seconds: u32,
    /// The keys that count.
    pub keys: BTreeSet<TrustedKey>,
}

/// A key that vouches for tokens, by what it is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TrustedKey {
    /// Its name, which tokens give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<DisplayText>,
    /// The only algorithm it is used with.
    pub algorithm: Algorithm,
    /// Which key it is.
    pub fingerprint: KeyFingerprint,
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} key ", self.algorithm.as_str())?;
        match &self.kid {
            Some(kid) => write!(f, "\"{kid}\"")?,
            None => f.write_str("without a name")?,
        }
        write!(f, " ({})", lower_hex(&self.fingerprint.0[..8]))
    }
}

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256: issuer and server share a secret.
    #[serde(rename = "HS256")]
    Hs256,
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
}

impl Algorithm {
    /// The stable word, that of RFC 7518.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// Tells one key from another and gives nothing of it away: a digest that only the installation itself can make, so that
/// nobody finds out a shared secret by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyFingerprint(pub [u8; 32]);

/// It is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 64 hexadecimal digits")]
pub struct BadFingerprint;

impl From<KeyFingerprint> for String {
    fn from(fingerprint: KeyFingerprint) -> Self {
        lower_hex(&fingerprint.0)
    }
}

impl TryFrom<String> for KeyFingerprint {
    type Error = BadFingerprint;

    fn try_from(text: String) -> Result<Self, BadFingerprint> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(BadFingerprint);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| BadFingerprint)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| BadFingerprint)?;
        }
        Ok(Self(bytes))
    }
}
