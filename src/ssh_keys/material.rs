//! A private half in parts, whatever the format that it came in. It cannot be printed or copied, and its memory is
//! cleared. Made by the readers, looked at by the proof and the writers.

use super::algorithm::Curve;
use crate::secrets::Secret;

/// The most bits of RSA: what the library signs with.
pub(super) const MOST_RSA_BITS: u32 = 8192;

/// Bytes that nobody may see.
pub(super) type Bytes = Secret<Vec<u8>>;

/// A copy that is cleared when it goes.
pub(super) fn bytes(from: &[u8]) -> Bytes {
    Secret::new(from.to_vec())
}

/// Room for a key with all its parts: what is written into it does not move, and leaves no copy behind.
pub(super) fn room() -> Vec<u8> {
    Vec::with_capacity(16 << 10)
}

/// The parts.
pub(super) enum Material {
    Rsa(Rsa),
    Ed25519 {
        /// 32 bytes.
        seed: Bytes,
        /// What the file says of the other half: 32 bytes.
        point: Option<Vec<u8>>,
    },
    Ecdsa {
        curve: Curve,
        /// As many bytes as the curve has.
        scalar: Bytes,
        /// What the file says of the other half: a point as SEC1 writes it.
        point: Option<Vec<u8>>,
    },
}

/// Numbers without sign.
pub(super) struct Rsa {
    pub(super) modulus: Vec<u8>,
    pub(super) exponent: Vec<u8>,
    /// `d`
    pub(super) private: Bytes,
    /// `p`
    pub(super) first: Bytes,
    /// `q`
    pub(super) second: Bytes,
    /// The inverse of `q` modulo `p`.
    pub(super) coefficient: Bytes,
}

/// A private number of a curve with zeros before it, as long as the curve's are: programs leave them out or add one.
pub(super) fn scalar(curve: Curve, number: &[u8]) -> Option<Bytes> {
    let number = super::wire::without_zeros(number);
    let zeros = curve.size().checked_sub(number.len())?;
    let mut whole = vec![0; curve.size()];
    whole[zeros..].copy_from_slice(number);
    Some(Secret::new(whole))
}
