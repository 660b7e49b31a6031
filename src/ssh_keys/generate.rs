//! New keys. Called by the command line. The seed of an Ed25519 key comes from the caller; the primes of RSA are found by
//! the library with the randomness of the operating system.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::KeySize,
    signature::RsaKeyPair,
};

use super::{
    material::Material,
    pkcs8,
    problem::Problem,
    read::{Format, SshKey},
};
use crate::secrets::Secret;

/// An Ed25519 key of 32 random bytes.
///
/// # Errors
/// None that is known.
pub fn ed25519(seed: Secret<Vec<u8>>, comment: &str) -> Result<SshKey, Problem> {
    SshKey::proven(Material::Ed25519 { seed, point: None }, None, comment.as_bytes(), Format::OpenSsh, None)
}

/// An RSA key of 4096 bits. It takes up to some seconds.
///
/// # Errors
/// When the library finds no primes.
pub fn rsa_4096(comment: &str) -> Result<SshKey, Problem> {
    const NONE: Problem = Problem::Damaged("no primes were found for it");
    let pair = RsaKeyPair::generate(KeySize::Rsa4096).map_err(|_| NONE)?;
    let der: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| NONE)?;
    SshKey::proven(pkcs8::parse(der.as_ref())?, None, comment.as_bytes(), Format::OpenSsh, None)
}
