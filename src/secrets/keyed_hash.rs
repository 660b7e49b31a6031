//! A hash that only this server can compute: HMAC-SHA-256 under one of its keys.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Secret;

/// HMAC-SHA-256 under a key that stays inside. Of request bodies (so that the log's tables do not give away what was
/// sent) and of cursors (so that nobody makes one up).
pub struct KeyedHash(Secret<[u8; 32]>);

impl KeyedHash {
    /// With this key.
    pub const fn new(key: Secret<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The hash of `bytes`.
    pub fn of(&self, bytes: &[u8]) -> [u8; 32] {
        hmac(self.0.expose(), bytes)
    }

    /// Whether `hash` is the hash of `bytes`, in a time that says nothing about where they differ.
    pub fn matches(&self, bytes: &[u8], hash: &[u8]) -> bool {
        self.of(bytes).as_slice().ct_eq(hash).into()
    }
}

/// HMAC-SHA-256.
pub(super) fn hmac(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}
