//! The format of PuTTY: `.ppk`, versions 2 and 3 (appendix C of its manual). Called by `read.rs`. No library that is kept
//! up reads it in a release yet, so it is read here.

use argon2::{Argon2, Params, Version};
use aws_lc_rs::{
    digest::{self, SHA1_FOR_LEGACY_USE_ONLY},
    hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ssh_cipher::Cipher;
use zeroize::Zeroizing;

use super::{
    algorithm::Algorithm,
    costs,
    legacy_pem::hex,
    material::{Material, Rsa, bytes, room, scalar},
    openssh::Opened,
    problem::{Problem, shown},
    public_half::PublicHalf,
    wire::{Reader, Short, put_string},
};
use crate::secrets::Secret;

const CUT: Problem = Problem::Truncated("lines are missing before its last one, Private-MAC");

/// What the lines say.
pub(super) struct Ppk<'a> {
    pub(super) version: u8,
    name: &'a [u8],
    /// As it stands there: its checksum covers it.
    pub(super) comment: &'a [u8],
    pub(super) public: PublicHalf,
    public_blob: Vec<u8>,
    derivation: Option<Derivation>,
    is_encrypted: bool,
    private: Secret<Vec<u8>>,
    mac: Vec<u8>,
}

/// What version 3 says of its passphrase.
struct Derivation {
    kind: argon2::Algorithm,
    /// KiB
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
}

impl<'a> Ppk<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, Problem> {
        let mut lines = Lines { rest: text };
        let (kind, name) = lines.field()?;
        let version = match kind {
            b"PuTTY-User-Key-File-2" => 2,
            b"PuTTY-User-Key-File-3" => 3,
            b"PuTTY-User-Key-File-1" => return Err(Problem::FormatUnsupported("version 1 of .ppk, of the year 2000,")),
            _ => return Err(Problem::FormatUnsupported("this version of .ppk")),
        };
        let is_encrypted = match lines.named(b"Encryption")? {
            b"none" => false,
            b"aes256-cbc" => true,
            other => return Err(Problem::CipherUnsupported(shown(other))),
        };
        let comment = lines.named(b"Comment")?;
        let public_blob = lines.block(b"Public-Lines")?;
        let public = PublicHalf::parse(public_blob.expose())?;
        let derivation = if version == 3 && is_encrypted { Some(Derivation::parse(&mut lines)?) } else { None };
        let private = lines.block(b"Private-Lines")?;
        let digits = lines.named(b"Private-MAC")?;
        let length = if version == 2 { 20 } else { 32 };
        let mac = std::str::from_utf8(digits).ok().and_then(hex);
        let mac = mac
            .filter(|mac| mac.len() == length)
            .ok_or(Problem::Truncated("its last line, Private-MAC, is not whole"))?;
        let public_blob = public_blob.expose().clone();
        Ok(Self { version, name, comment, public, public_blob, derivation, is_encrypted, private, mac })
    }

    /// How it is encrypted.
    pub(super) fn encryption(&self) -> Option<String> {
        let function = match &self.derivation {
            Some(derivation) => match derivation.kind {
                argon2::Algorithm::Argon2d => "Argon2d",
                argon2::Algorithm::Argon2i => "Argon2i",
                argon2::Algorithm::Argon2id => "Argon2id",
            },
            None => "SHA-1",
        };
        self.is_encrypted.then(|| format!("aes256-cbc, {function}"))
    }

    pub(super) fn open(&self, passphrase: Option<&Secret<String>>) -> Result<Opened, Problem> {
        let keys = if self.is_encrypted {
            if let Some(asked) = &self.derivation {
                costs::argon2(asked.memory, asked.passes, asked.lanes)?;
            }
            self.keys(passphrase.ok_or(Problem::PassphraseNeeded)?)?
        } else {
            Keys::of_none(self.version)
        };
        let mut plain = Zeroizing::new(self.private.expose().clone());
        if self.is_encrypted {
            let done = Cipher::Aes256Cbc.decrypt(&keys.cipher, &keys.iv, &mut plain, None);
            done.map_err(|_| Problem::Damaged("its private half is not as long as what its cipher writes"))?;
        }
        let mut covered = Zeroizing::new(room());
        let encryption: &[u8] = if self.is_encrypted { b"aes256-cbc" } else { b"none" };
        for part in [self.name, encryption, self.comment, &self.public_blob, &plain] {
            put_string(&mut covered, part);
        }
        let algorithm = if self.version == 2 { HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { HMAC_SHA256 };
        let verified = hmac::verify(&hmac::Key::new(algorithm, &keys.mac), &covered, &self.mac);
        verified.map_err(|_| match self.is_encrypted {
            true => Problem::PassphraseWrong,
            false => Problem::Damaged("its checksum (Private-MAC) is of another key or comment"),
        })?;
        if self.name != self.public.algorithm().name().as_bytes() {
            return Err(Problem::Damaged("its first line names another kind of key"));
        }
        let material = self.material(&plain).map_err(|_| Problem::Damaged("its private half is not whole"))?;
        Ok(Opened { material, comment: self.comment.to_vec() })
    }

    fn keys(&self, passphrase: &Secret<String>) -> Result<Keys, Problem> {
        let Some(asked) = &self.derivation else { return Ok(Keys::of_version_2(passphrase)) };
        let unusable = |_| Problem::Damaged("what it says of its passphrase (Argon2) cannot be used");
        let parameters = Params::new(asked.memory, asked.passes, asked.lanes, Some(80)).map_err(unusable)?;
        let mut all = Zeroizing::new([0; 80]);
        let argon = Argon2::new(asked.kind, Version::V0x13, parameters);
        argon.hash_password_into(passphrase.expose().as_bytes(), &asked.salt, all.as_mut()).map_err(unusable)?;
        let part = |range: std::ops::Range<usize>| Zeroizing::new(all[range].to_vec());
        Ok(Keys { cipher: part(0..32), iv: part(32..48), mac: part(48..80) })
    }

    fn material(&self, plain: &[u8]) -> Result<Material, Short> {
        let mut private = Reader::new(plain);
        match self.public.algorithm() {
            Algorithm::Rsa => {
                let mut public = Reader::new(&self.public_blob);
                public.string()?;
                let (exponent, modulus) = (public.large()?.to_vec(), public.large()?.to_vec());
                let mut next = || private.large().map(bytes);
                let (private, first, second, coefficient) = (next()?, next()?, next()?, next()?);
                Ok(Material::Rsa(Rsa { modulus, exponent, private, first, second, coefficient }))
            }
            Algorithm::Ed25519 => {
                // A number that begins with its smallest byte: files of old versions leave out zeros at its end, or have one.
                let number = private.string()?;
                let mut seed =
                    number.iter().rposition(|byte| *byte != 0).map_or(&[][..], |last| &number[..=last]).to_vec();
                if seed.len() > 32 {
                    return Err(Short);
                }
                seed.resize(32, 0);
                Ok(Material::Ed25519 { seed: Secret::new(seed), point: None })
            }
            Algorithm::Ecdsa(curve) => {
                let scalar = scalar(curve, private.large()?).ok_or(Short)?;
                Ok(Material::Ecdsa { curve, scalar, point: None })
            }
        }
    }
}

/// What a passphrase becomes.
struct Keys {
    cipher: Zeroizing<Vec<u8>>,
    iv: Zeroizing<Vec<u8>>,
    mac: Zeroizing<Vec<u8>>,
}

impl Keys {
    /// Without a passphrase only the checksum has a key.
    fn of_none(version: u8) -> Self {
        let none = || Zeroizing::new(Vec::new());
        let mac = if version == 2 { mac_of_version_2(b"") } else { none() };
        Self { cipher: none(), iv: none(), mac }
    }

    fn of_version_2(passphrase: &Secret<String>) -> Self {
        let passphrase = passphrase.expose().as_bytes();
        let mut cipher = Zeroizing::new(Vec::with_capacity(40));
        for count in 0..2_u8 {
            let counted = Zeroizing::new([&[0, 0, 0, count], passphrase].concat());
            cipher.extend_from_slice(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &counted).as_ref());
        }
        cipher.truncate(32);
        Self { cipher, iv: Zeroizing::new(vec![0; 16]), mac: mac_of_version_2(passphrase) }
    }
}

fn mac_of_version_2(passphrase: &[u8]) -> Zeroizing<Vec<u8>> {
    let named = Zeroizing::new([b"putty-private-key-file-mac-key", passphrase].concat());
    Zeroizing::new(digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, &named).as_ref().to_vec())
}

impl Derivation {
    fn parse(lines: &mut Lines<'_>) -> Result<Self, Problem> {
        let kind = match lines.named(b"Key-Derivation")? {
            b"Argon2d" => argon2::Algorithm::Argon2d,
            b"Argon2i" => argon2::Algorithm::Argon2i,
            b"Argon2id" => argon2::Algorithm::Argon2id,
            other => return Err(Problem::CipherUnsupported(shown(other))),
        };
        let (memory, passes) = (lines.number(b"Argon2-Memory")?, lines.number(b"Argon2-Passes")?);
        let lanes = lines.number(b"Argon2-Parallelism")?;
        let salt = std::str::from_utf8(lines.named(b"Argon2-Salt")?).ok().and_then(hex);
        let salt = salt.ok_or(Problem::Damaged("its line Argon2-Salt cannot be read"))?;
        Ok(Self { kind, memory, passes, lanes, salt })
    }
}

/// Lines that are left.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn line(&mut self) -> Result<&'a [u8], Problem> {
        if self.rest.is_empty() {
            return Err(CUT);
        }
        let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
        Ok(line.trim_ascii_start())
    }

    /// `name: value`
    fn field(&mut self) -> Result<(&'a [u8], &'a [u8]), Problem> {
        let line = self.line()?;
        let cut = line.iter().position(|byte| *byte == b':').map(|colon| (&line[..colon], &line[colon + 1..]));
        let (name, value) = cut.ok_or(if self.rest.is_empty() { CUT } else { UNREADABLE })?;
        Ok((name, value.strip_prefix(b" ").unwrap_or(value)))
    }

    fn named(&mut self, name: &[u8]) -> Result<&'a [u8], Problem> {
        let (found, value) = self.field()?;
        if found == name { Ok(value) } else { Err(UNREADABLE) }
    }

    fn number(&mut self, name: &[u8]) -> Result<u32, Problem> {
        let text = std::str::from_utf8(self.named(name)?).unwrap_or_default();
        // More digits than that are more than anything may ask for.
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(text.parse().unwrap_or(u32::MAX)) } else { Err(UNREADABLE) }
    }

    /// So many lines of base64.
    fn block(&mut self, name: &[u8]) -> Result<Secret<Vec<u8>>, Problem> {
        let count = self.number(name)?;
        let mut digits = Zeroizing::new(room());
        for _ in 0..count {
            digits.extend_from_slice(self.line()?.trim_ascii());
        }
        let mut decoded = Zeroizing::new(vec![0; digits.len() / 4 * 3 + 3]);
        let length = STANDARD.decode_slice(&*digits, &mut decoded).map_err(|_| UNREADABLE)?;
        Ok(bytes(&decoded[..length]))
    }
}

const UNREADABLE: Problem = Problem::Damaged("a line is missing, or is not as PuTTY writes it");
