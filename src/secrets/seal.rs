//! Sealing bytes under a key: XChaCha20-Poly1305 with a random nonce. Knows neither tables nor owners.

use chacha20poly1305::{
    AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};

use super::Secret;
use crate::ids::random_bytes;

/// A key of this cipher.
pub(super) type Key = Secret<[u8; 32]>;

/// The first byte of everything sealed, so that another cipher can follow.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

/// What a seal is bound to: each part with its length before it, so that no two lists of parts read the same.
pub(super) fn associated(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

/// `clear` sealed: version, nonce, ciphertext, tag.
pub(super) fn seal(key: &Key, associated: &[u8], clear: &[u8]) -> Vec<u8> {
    // 24 random bytes never meet again: no counter to keep, none to lose with a restored backup.
    let nonce: [u8; NONCE] = random_bytes();
    // The whole length at once: a buffer that grew would leave the clear bytes behind in freed memory.
    let mut sealed = Vec::with_capacity(1 + NONCE + clear.len() + TAG);
    sealed.push(VERSION);
    sealed.extend(nonce);
    sealed.extend(clear);
    let tag = XChaCha20Poly1305::new(key.expose().into())
        .encrypt_in_place_detached(XNonce::from_slice(&nonce), associated, &mut sealed[1 + NONCE..])
        .expect("only 256 GiB are too long for this cipher");
    sealed.extend(tag);
    sealed
}

/// What was sealed; nothing when the key, what it was bound to, or a bit of it is another one.
pub(super) fn open(key: &Key, associated: &[u8], sealed: &[u8]) -> Option<Secret<Vec<u8>>> {
    let (VERSION, sealed) = sealed.split_first().map(|(version, rest)| (*version, rest))? else { return None };
    let (nonce, sealed) = sealed.split_at_checked(NONCE)?;
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: associated })
        .ok()
        .map(Secret::new)
}
