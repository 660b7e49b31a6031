//! The format of OpenSSH: `openssh-key-v1` (PROTOCOL.key of OpenSSH). Called by `read.rs` and `write.rs`.

use ssh_cipher::Cipher;
use zeroize::Zeroizing;

use super::{
    algorithm::{Algorithm, Curve},
    costs,
    material::{Bytes, Material, Rsa, bytes, room, scalar},
    problem::{Problem, shown},
    public_half::PublicHalf,
    wire::{Reader, Short, put_large, put_string},
};
use crate::secrets::Secret;

const MAGIC: &[u8] = b"openssh-key-v1\0";
/// What ssh-keygen does since 9.4.
const ROUNDS: u32 = 24;

/// All but what is encrypted.
pub(super) struct Container<'a> {
    /// Nothing when it is not encrypted.
    cipher: Option<Cipher>,
    salt: &'a [u8],
    rounds: u32,
    pub(super) public: PublicHalf,
    private: &'a [u8],
    tag: Option<[u8; 16]>,
}

/// A private half and its comment.
pub(super) struct Opened {
    pub(super) material: Material,
    pub(super) comment: Vec<u8>,
}

fn damaged(_: Short) -> Problem {
    Problem::Damaged("its parts are shorter than they say")
}

impl<'a> Container<'a> {
    pub(super) fn parse(whole: &'a [u8]) -> Result<Self, Problem> {
        let rest = whole.strip_prefix(MAGIC).ok_or(Problem::Damaged("it does not begin as keys of OpenSSH do"))?;
        let mut reader = Reader::new(rest);
        let name = reader.string().map_err(damaged)?;
        let function = reader.string().map_err(damaged)?;
        let options = reader.string().map_err(damaged)?;
        let count = reader.number().map_err(damaged)?;
        if count != 1 {
            return Err(Problem::Several(count));
        }
        let public = PublicHalf::parse(reader.string().map_err(damaged)?)?;
        let cipher = std::str::from_utf8(name).ok().and_then(|name| Cipher::new(name).ok());
        let cipher = cipher.ok_or_else(|| Problem::CipherUnsupported(shown(name)))?;
        let private = reader.string().map_err(damaged)?;
        let tag = if cipher.has_tag() {
            let tag = reader.take(16).map_err(damaged)?;
            Some(tag.try_into().map_err(|_| damaged(Short))?)
        } else {
            None
        };
        if !reader.finish().is_empty() {
            return Err(Problem::Damaged("something follows its end"));
        }
        let (salt, rounds) = match (function, cipher) {
            (b"none", Cipher::None) => (&options[..0], 0),
            (b"bcrypt", cipher) if cipher.is_some() => {
                let mut options = Reader::new(options);
                (options.string().map_err(damaged)?, options.number().map_err(damaged)?)
            }
            _ => return Err(Problem::CipherUnsupported(shown(function))),
        };
        let cipher = cipher.is_some().then_some(cipher);
        Ok(Self { cipher, salt, rounds, public, private, tag })
    }

    /// How it is encrypted.
    pub(super) fn encryption(&self) -> Option<&'static str> {
        self.cipher.map(Cipher::as_str)
    }

    /// Opens it.
    pub(super) fn open(&self, passphrase: Option<&Secret<String>>) -> Result<Opened, Problem> {
        let Some(cipher) = self.cipher else {
            return parts(self.private, &self.public).map_err(|problem| problem.unwrap_or(Problem::HalvesDiffer));
        };
        costs::bcrypt(self.rounds)?;
        let passphrase = passphrase.ok_or(Problem::PassphraseNeeded)?;
        let derived = derived(cipher, passphrase, self.salt, self.rounds)?;
        let mut plain = Zeroizing::new(self.private.to_vec());
        let done = cipher.decrypt(&derived.key, &derived.iv, &mut plain, self.tag);
        done.map_err(|_| Problem::PassphraseWrong)?;
        // Only where both check numbers are the same, the passphrase was right.
        parts(&plain, &self.public).map_err(|problem| problem.unwrap_or(Problem::PassphraseWrong))
    }
}

struct Derived {
    key: Zeroizing<Vec<u8>>,
    iv: Vec<u8>,
}

fn derived(cipher: Cipher, passphrase: &Secret<String>, salt: &[u8], rounds: u32) -> Result<Derived, Problem> {
    let (key, iv) = cipher.key_and_iv_size().ok_or(Problem::Damaged("it names no cipher"))?;
    let mut both = Zeroizing::new(vec![0; key + iv]);
    let done = bcrypt_pbkdf::bcrypt_pbkdf(passphrase.expose(), salt, rounds, &mut both);
    done.map_err(|_| Problem::Damaged("what it says of its passphrase (salt and rounds) cannot be used"))?;
    Ok(Derived { key: Zeroizing::new(both[..key].to_vec()), iv: both[key..].to_vec() })
}

/// The decrypted part. `Err(None)` when the check numbers differ.
fn parts(plain: &[u8], public: &PublicHalf) -> Result<Opened, Option<Problem>> {
    let short = |short: Short| Some(damaged(short));
    let mut reader = Reader::new(plain);
    let (Ok(one), Ok(other)) = (reader.number(), reader.number()) else { return Err(None) };
    if one != other {
        return Err(None);
    }
    let name = reader.string().map_err(short)?;
    if name != public.algorithm().name().as_bytes() {
        return Err(Some(Problem::HalvesDiffer));
    }
    let (material, inside) = match public.algorithm() {
        Algorithm::Rsa => rsa(&mut reader)?,
        Algorithm::Ed25519 => ed25519(&mut reader).map_err(Some)?,
        Algorithm::Ecdsa(curve) => ecdsa(&mut reader, curve).map_err(Some)?,
    };
    if inside != *public {
        return Err(Some(Problem::HalvesDiffer));
    }
    let comment = reader.string().map_err(short)?.to_vec();
    let padding = reader.finish();
    if padding.len() >= 256 || padding.iter().zip(1_u8..).any(|(byte, place)| *byte != place) {
        return Err(Some(Problem::Damaged("it is not filled up as it must be")));
    }
    Ok(Opened { material, comment })
}

fn rsa(reader: &mut Reader<'_>) -> Result<(Material, PublicHalf), Option<Problem>> {
    let mut next = || reader.large().map_err(|short| Some(damaged(short)));
    let (modulus, exponent) = (next()?, next()?);
    let (private, coefficient, first, second) = (next()?, next()?, next()?, next()?);
    let public = PublicHalf::rsa(modulus, exponent).map_err(Some)?;
    let rsa = Rsa {
        modulus: modulus.to_vec(),
        exponent: exponent.to_vec(),
        private: bytes(private),
        first: bytes(first),
        second: bytes(second),
        coefficient: bytes(coefficient),
    };
    Ok((Material::Rsa(rsa), public))
}

fn ed25519(reader: &mut Reader<'_>) -> Result<(Material, PublicHalf), Problem> {
    let point = reader.string().map_err(damaged)?;
    let both = reader.string().map_err(damaged)?;
    // The seed, and the public half once more.
    let (seed, again) = both.split_at_checked(32).ok_or(Problem::Damaged("its private half is too short"))?;
    if again != point {
        return Err(Problem::HalvesDiffer);
    }
    Ok((Material::Ed25519 { seed: bytes(seed), point: Some(point.to_vec()) }, PublicHalf::ed25519(point)))
}

fn ecdsa(reader: &mut Reader<'_>, curve: Curve) -> Result<(Material, PublicHalf), Problem> {
    if reader.string().map_err(damaged)? != curve.name().as_bytes() {
        return Err(Problem::HalvesDiffer);
    }
    let point = reader.string().map_err(damaged)?;
    // Without the zeros that it begins with: half of the numbers of P-521 are a byte shorter.
    let number = reader.large().map_err(damaged)?;
    let scalar = scalar(curve, number).ok_or(Problem::Damaged("its private number is too long for its curve"))?;
    Ok((Material::Ecdsa { curve, scalar, point: Some(point.to_vec()) }, PublicHalf::ecdsa(curve, point)))
}

/// What is random in a file of this format.
pub(super) struct Random {
    pub(super) check: [u8; 4],
    pub(super) salt: [u8; 16],
}

/// The whole, before it becomes text.
pub(super) fn written(
    material: &Material,
    public: &PublicHalf,
    comment: &str,
    passphrase: Option<&Secret<String>>,
    random: &Random,
) -> Result<Bytes, Problem> {
    let cipher = if passphrase.is_some() { Cipher::Aes256Ctr } else { Cipher::None };
    let mut plain = Zeroizing::new(room());
    plain.extend_from_slice(&random.check);
    plain.extend_from_slice(&random.check);
    put_string(&mut plain, public.algorithm().name().as_bytes());
    put_parts(&mut plain, material, public);
    put_string(&mut plain, comment.as_bytes());
    let missing = cipher.padding_len(plain.len());
    plain.extend((1_u8..).take(missing));
    let mut whole = room();
    whole.extend_from_slice(MAGIC);
    put_string(&mut whole, cipher.as_str().as_bytes());
    let mut options = Vec::new();
    match passphrase {
        None => put_string(&mut whole, b"none"),
        Some(passphrase) => {
            put_string(&mut whole, b"bcrypt");
            put_string(&mut options, &random.salt);
            options.extend_from_slice(&ROUNDS.to_be_bytes());
            let derived = derived(cipher, passphrase, &random.salt, ROUNDS)?;
            let done = cipher.encrypt(&derived.key, &derived.iv, &mut plain);
            done.map_err(|_| Problem::Damaged("it cannot be encrypted"))?;
        }
    }
    put_string(&mut whole, &options);
    whole.extend_from_slice(&1_u32.to_be_bytes());
    put_string(&mut whole, public.blob());
    put_string(&mut whole, &plain);
    Ok(Secret::new(whole))
}

fn put_parts(to: &mut Vec<u8>, material: &Material, public: &PublicHalf) {
    match material {
        Material::Rsa(rsa) => {
            put_large(to, &rsa.modulus);
            put_large(to, &rsa.exponent);
            for number in [&rsa.private, &rsa.coefficient, &rsa.first, &rsa.second] {
                put_large(to, number.expose());
            }
        }
        Material::Ed25519 { seed, .. } => {
            let point = public.point();
            put_string(to, point);
            let both = Zeroizing::new([seed.expose(), point].concat());
            put_string(to, &both);
        }
        Material::Ecdsa { curve, scalar, .. } => {
            put_string(to, curve.name().as_bytes());
            put_string(to, public.point());
            put_large(to, scalar.expose());
        }
    }
}
