//! PEM that is encrypted the old way of OpenSSL (`Proc-Type: 4,ENCRYPTED`): MD5 makes the key of the passphrase, and nothing
//! says whether that was right but what comes out. Called by `read.rs`.

use md5::{Digest, Md5};
use ssh_cipher::Cipher;
use zeroize::Zeroizing;

use super::{
    material::{Bytes, bytes},
    problem::{Problem, shown},
};
use crate::secrets::Secret;

/// Ciphers by the names of OpenSSL.
const CIPHERS: [(&str, Cipher); 4] = [
    ("AES-128-CBC", Cipher::Aes128Cbc),
    ("AES-192-CBC", Cipher::Aes192Cbc),
    ("AES-256-CBC", Cipher::Aes256Cbc),
    ("DES-EDE3-CBC", Cipher::TDesCbc),
];

/// What `DEK-Info` says.
pub(super) struct Encryption {
    pub(super) name: &'static str,
    cipher: Cipher,
    iv: Vec<u8>,
}

impl Encryption {
    pub(super) fn parse(info: &str) -> Result<Self, Problem> {
        let (name, digits) = info.split_once(',').unwrap_or((info, ""));
        let found = CIPHERS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
        let (name, cipher) = found.ok_or_else(|| Problem::CipherUnsupported(shown(name.trim().as_bytes())))?;
        let iv = hex(digits.trim()).filter(|iv| Some(iv.len()) == cipher.key_and_iv_size().map(|(_, iv)| iv));
        let iv = iv.ok_or(Problem::Damaged("its header DEK-Info does not fit its cipher"))?;
        Ok(Self { name, cipher, iv })
    }

    pub(super) fn open(&self, sealed: &[u8], passphrase: Option<&Secret<String>>) -> Result<Bytes, Problem> {
        let passphrase = passphrase.ok_or(Problem::PassphraseNeeded)?;
        let (length, _) = self.cipher.key_and_iv_size().ok_or(Problem::Damaged("it names no cipher"))?;
        let key = derived(passphrase, &self.iv[..8], length);
        let mut plain = Zeroizing::new(sealed.to_vec());
        let done = self.cipher.decrypt(&key[..length], &self.iv, &mut plain, None);
        done.map_err(|_| Problem::Damaged("it is not as long as what its cipher writes"))?;
        unpadded(&plain, self.cipher.block_size()).map(bytes).ok_or(Problem::PassphraseWrong)
    }
}

/// `EVP_BytesToKey` of OpenSSL with MD5 and one round.
fn derived(passphrase: &Secret<String>, salt: &[u8], length: usize) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(Vec::with_capacity(48));
    while key.len() < length {
        let before = key.len().saturating_sub(16);
        let mut hash = Md5::new();
        hash.update(&key[before..]);
        hash.update(passphrase.expose());
        hash.update(salt);
        key.extend_from_slice(&hash.finalize());
    }
    key
}

/// Without the padding of PKCS#7.
fn unpadded(plain: &[u8], block: usize) -> Option<&[u8]> {
    let count = usize::from(*plain.last()?);
    let (kept, padding) = plain.split_at_checked(plain.len().checked_sub(count)?)?;
    let fits = (1..=block).contains(&count) && padding.iter().all(|byte| usize::from(*byte) == count);
    fits.then_some(kept)
}

/// Bytes of pairs of digits.
pub(super) fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let digits: Option<Vec<u8>> = digits.as_bytes().iter().map(digit).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| (pair[0] << 4) | pair[1]).collect())
}
