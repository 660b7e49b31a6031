//! The keys that tokens of services are signed with: each pinned to one algorithm, from files of the server's own disk.
//! Called by `services`; a key that a token brings along or points at is never looked at.

use std::{fs, path::Path};

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, jwk};
use keytrail_domain::{
    access_settings::{self, KeyFingerprint, TrustedKey},
    display_text::DisplayText,
};

use super::BadServices;
use crate::{
    config::{JwtAlgorithm, JwtKey},
    secrets::{KeyedHash, Secret},
};

/// A set of keys is not larger than this, in bytes.
const MOST_BYTES: u64 = 256 * 1024;
/// A shared secret has at least as many bytes as its hash (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

/// A key, and the only algorithm it is used with.
pub(super) struct Key {
    kid: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl Key {
    /// Its name, which tokens give.
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// By what the log knows it. The hash is one that only this installation can make.
    pub(super) fn told(&self, hash: &KeyedHash) -> TrustedKey {
        let bytes = match self.key.kind() {
            DecodingKeyKind::SecretOrDer(bytes) => bytes.clone(),
            DecodingKeyKind::RsaModulusExponent { n, e } => [n.as_slice(), e.as_slice()].concat(),
        };
        TrustedKey {
            kid: self.kid.as_deref().map(DisplayText::clean),
            algorithm: match self.algorithm {
                Algorithm::RS256 => access_settings::Algorithm::Rs256,
                Algorithm::ES256 => access_settings::Algorithm::Es256,
                _ => access_settings::Algorithm::Hs256,
            },
            fingerprint: KeyFingerprint(hash.of(&bytes)),
        }
    }
}

/// Every key that counts now.
#[derive(Default)]
pub(super) struct Keys(pub(super) Vec<Key>);

impl Keys {
    /// The key of this name. Without a name, the only key there is: a token must not choose by trying.
    pub(super) fn named(&self, kid: Option<&str>) -> Option<&Key> {
        match (kid, self.0.as_slice()) {
            (Some(kid), all) => all.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

fn bad(file: &Path, text: impl Into<String>) -> BadServices {
    BadServices::Key { file: file.to_owned(), text: text.into() }
}

fn read(file: &Path) -> Result<Secret<Vec<u8>>, BadServices> {
    let size = fs::metadata(file).map_err(|error| bad(file, error.to_string()))?.len();
    if size > MOST_BYTES {
        return Err(bad(file, format!("it has more than {MOST_BYTES} bytes; check that it is the right file")));
    }
    fs::read(file).map(Secret::new).map_err(|error| bad(file, error.to_string()))
}

/// The key of a file of its own.
pub(super) fn from_file(JwtKey { kid, algorithm, file }: &JwtKey) -> Result<Key, BadServices> {
    let bytes = read(file)?;
    let bytes = bytes.expose();
    let pem = |kind: &str| bad(file, format!("it holds no public {kind} key in PEM"));
    if bytes.windows(11).any(|part| part == b"PRIVATE KEY") {
        return Err(bad(file, "it holds a private key; give the server the public one only"));
    }
    let (algorithm, key) = match algorithm {
        JwtAlgorithm::HS256 => {
            if bytes.starts_with(b"-----BEGIN ") {
                return Err(bad(file, "it holds a key in PEM; anybody can sign with a public key as a shared secret"));
            }
            let secret = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            if secret.len() < SHORTEST_SECRET {
                return Err(bad(file, format!("a shared secret has at least {SHORTEST_SECRET} bytes")));
            }
            (Algorithm::HS256, DecodingKey::from_secret(secret))
        }
        JwtAlgorithm::RS256 => (
            Algorithm::RS256,
            long_enough(DecodingKey::from_rsa_pem(bytes).map_err(|_| pem("RSA"))?)
                .ok_or_else(|| bad(file, SHORT_RSA))?,
        ),
        JwtAlgorithm::ES256 => (Algorithm::ES256, DecodingKey::from_ec_pem(bytes).map_err(|_| pem("P-256"))?),
    };
    Ok(Key { kid: kid.clone(), algorithm, key })
}

const SHORT_RSA: &str = "an RSA key has at least 2048 bits";

/// The key, unless it is shorter than anybody should trust: its modulus is most of it.
fn long_enough(key: DecodingKey) -> Option<DecodingKey> {
    const MODULUS: usize = 2048 / 8;
    let long = match key.kind() {
        DecodingKeyKind::SecretOrDer(der) => der.len() > MODULUS,
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.len() >= MODULUS,
    };
    long.then_some(key)
}

/// The keys of a set (RFC 7517). Those that are not for signatures, or of kinds that are not taken, are left out; a set
/// that holds a private key is refused, as is one with two keys of one name.
pub(super) fn from_set(file: &Path) -> Result<Vec<Key>, BadServices> {
    let bytes = read(file)?;
    let set: serde_json::Value =
        serde_json::from_slice(bytes.expose()).map_err(|_| bad(file, "it holds no JSON Web Key Set"))?;
    let all = set["keys"].as_array().ok_or_else(|| bad(file, "it holds no JSON Web Key Set"))?;
    let mut keys = Vec::<Key>::new();
    for stored in all {
        if stored["kty"] != "oct" && !stored["d"].is_null() {
            return Err(bad(file, "it holds a private key; give the server the public ones only"));
        }
        // A kind that this program does not know is no mistake: sets hold keys for others, too.
        let Some(key) = key_of(stored).map_err(|text| bad(file, text))? else { continue };
        if keys.iter().any(|known| known.kid == key.kid) {
            return Err(bad(file, "two of its keys have the same kid, or none"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn key_of(stored: &serde_json::Value) -> Result<Option<Key>, &'static str> {
    if stored["use"].as_str().is_some_and(|purpose| purpose != "sig") {
        return Ok(None);
    }
    let algorithm = match (stored["kty"].as_str(), stored["crv"].as_str(), stored["alg"].as_str()) {
        (Some("RSA"), _, Some("RS256") | None) => Algorithm::RS256,
        (Some("EC"), Some("P-256"), Some("ES256") | None) => Algorithm::ES256,
        // A secret says what it is for: it could be one of another purpose.
        (Some("oct"), _, Some("HS256")) => Algorithm::HS256,
        _ => return Ok(None),
    };
    let parsed: jwk::Jwk = serde_json::from_value(stored.clone()).map_err(|_| "one of its keys cannot be read")?;
    let key = DecodingKey::from_jwk(&parsed).map_err(|_| "one of its keys cannot be read")?;
    if algorithm == Algorithm::HS256 && key.try_get_as_bytes().is_ok_and(|secret| secret.len() < SHORTEST_SECRET) {
        return Err("one of its shared secrets has less than 32 bytes");
    }
    let key = match algorithm {
        Algorithm::RS256 => long_enough(key).ok_or(SHORT_RSA)?,
        _ => key,
    };
    Ok(Some(Key { kid: stored["kid"].as_str().map(str::to_owned), algorithm, key }))
}
