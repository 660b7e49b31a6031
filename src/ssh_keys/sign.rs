//! Signatures by which a key lets somebody in, as SSH sends them (RFC 4253, 5656, 8332, 8709). Called by the agent through
//! the jobs; SHA-1 is signed for nobody.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair},
};

use super::{
    der_keys,
    material::{Material, Rsa},
    problem::Problem,
    read::SshKey,
    wire::{put_large, put_string},
};

/// The flags of the agent's protocol (draft-miller-ssh-agent, section 3.6.1).
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;
const CANNOT: Problem = Problem::Damaged("it does not sign");

impl SshKey {
    /// A signature of the message. The flags say by which hash an RSA key signs; without them it would be SHA-1.
    ///
    /// # Errors
    /// When an RSA key is asked for SHA-1. No other is known: the key signed once when it was read.
    pub fn signed(&self, message: &[u8], flags: u32) -> Result<Vec<u8>, Problem> {
        let (name, signature) = match &self.material {
            Material::Rsa(rsa) => by_rsa(rsa, message, flags)?,
            Material::Ed25519 { seed, .. } => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| CANNOT)?;
                (self.public.algorithm().name(), pair.sign(message).as_ref().to_vec())
            }
            Material::Ecdsa { curve, scalar, .. } => {
                let der = der_keys::ecdsa_written(Some(*curve), scalar, None)?;
                let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der.expose()).map_err(|_| CANNOT)?;
                let both = pair.sign(&SystemRandom::new(), message).map_err(|_| CANNOT)?;
                let (first, second) = both.as_ref().split_at(both.as_ref().len() / 2);
                let mut numbers = Vec::with_capacity(both.as_ref().len() + 10);
                put_large(&mut numbers, first);
                put_large(&mut numbers, second);
                (self.public.algorithm().name(), numbers)
            }
        };
        let mut whole = Vec::with_capacity(name.len() + signature.len() + 8);
        put_string(&mut whole, name.as_bytes());
        put_string(&mut whole, &signature);
        Ok(whole)
    }
}

fn by_rsa(rsa: &Rsa, message: &[u8], flags: u32) -> Result<(&'static str, Vec<u8>), Problem> {
    let (name, padding) = match flags {
        flags if flags & RSA_SHA2_512 != 0 => ("rsa-sha2-512", &RSA_PKCS1_SHA512),
        flags if flags & RSA_SHA2_256 != 0 => ("rsa-sha2-256", &RSA_PKCS1_SHA256),
        _ => return Err(CANNOT),
    };
    let pair = RsaKeyPair::from_der(der_keys::rsa_written(rsa)?.expose()).map_err(|_| CANNOT)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(|_| CANNOT)?;
    Ok((name, signature))
}
