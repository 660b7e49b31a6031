//! Whether a key does what keys do: its public half is computed from the private one, and it signs what that verifies. Called
//! once for each key, by `read.rs`.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA512, RsaKeyPair,
        UnparsedPublicKey,
    },
};

use super::{
    algorithm::Curve,
    der_keys,
    material::{Bytes, Material, Rsa},
    problem::Problem,
    public_half::PublicHalf,
};

/// What is signed. It says what it is, so that the signature is good for nothing else.
const MESSAGE: &[u8] = b"keytrail: a private key is tried out";

/// The public half, computed. `claimed` is what the file says that it is.
pub(super) fn prove(material: &Material, claimed: Option<&PublicHalf>) -> Result<PublicHalf, Problem> {
    let public = match material {
        Material::Rsa(rsa) => prove_rsa(rsa)?,
        Material::Ed25519 { seed, point } => prove_ed25519(seed, point.as_deref())?,
        Material::Ecdsa { curve, scalar, point } => prove_ecdsa(*curve, scalar, point.as_deref())?,
    };
    if claimed.is_some_and(|claimed| *claimed != public) {
        return Err(Problem::HalvesDiffer);
    }
    Ok(public)
}

fn prove_rsa(rsa: &Rsa) -> Result<PublicHalf, Problem> {
    let public = PublicHalf::rsa(&rsa.modulus, &rsa.exponent)?;
    // It is looked at whether the primes are those of the modulus, and the exponents each other's.
    let pair = RsaKeyPair::from_der(der_keys::rsa_written(rsa)?.expose()).map_err(|_| Problem::HalvesDiffer)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    let signed = pair.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), MESSAGE, &mut signature);
    signed.map_err(|_| Problem::HalvesDiffer)?;
    let verifier = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, der_keys::rsa_public(rsa)?);
    verifier.verify(MESSAGE, &signature).map_err(|_| Problem::HalvesDiffer)?;
    Ok(public)
}

fn prove_ed25519(seed: &Bytes, point: Option<&[u8]>) -> Result<PublicHalf, Problem> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose());
    let pair = pair.map_err(|_| Problem::Damaged("its private half has not 32 bytes"))?;
    let found = pair.public_key().as_ref();
    let verified = UnparsedPublicKey::new(&ED25519, found).verify(MESSAGE, pair.sign(MESSAGE).as_ref());
    if verified.is_err() || point.is_some_and(|point| point != found) {
        return Err(Problem::HalvesDiffer);
    }
    Ok(PublicHalf::ed25519(found))
}

fn prove_ecdsa(curve: Curve, scalar: &Bytes, point: Option<&[u8]>) -> Result<PublicHalf, Problem> {
    // Without the public half in it: it is computed.
    let der = der_keys::ecdsa_written(Some(curve), scalar, None)?;
    let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der.expose());
    let pair = pair.map_err(|_| Problem::Damaged("its private number is none of its curve"))?;
    let found = pair.public_key().as_ref();
    let signature = pair.sign(&SystemRandom::new(), MESSAGE).map_err(|_| Problem::HalvesDiffer)?;
    let verified = UnparsedPublicKey::new(curve.verification(), found).verify(MESSAGE, signature.as_ref());
    if verified.is_err() || !point.is_none_or(|point| is_same_point(point, found)) {
        return Err(Problem::HalvesDiffer);
    }
    Ok(PublicHalf::ecdsa(curve, found))
}

/// Whether both are the same point; the first may be written compressed (SEC1, section 2.3.3).
fn is_same_point(written: &[u8], uncompressed: &[u8]) -> bool {
    let half = uncompressed.len() / 2;
    match written {
        [form @ (2 | 3), across @ ..] => {
            let is_odd = uncompressed.last().is_some_and(|last| last % 2 == 1);
            uncompressed.get(1..=half) == Some(across) && is_odd == (*form == 3)
        }
        _ => written == uncompressed,
    }
}
