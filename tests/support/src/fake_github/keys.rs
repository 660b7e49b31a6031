//! Private keys of apps as GitHub gives them away, and the check of what they sign (RFC 7515, RS256).

use aws_lc_rs::{
    digest,
    encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der},
    rand::{SecureRandom as _, SystemRandom},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value;

/// Before the key proper in PKCS#8: version, algorithm, and the head of the string that holds it. All of RSA with 2048 bits
/// have one length.
const PKCS8_HEAD: usize = 26;

/// A key pair of an app, in both of the forms that it can be handed in.
#[derive(Clone)]
pub struct AppKeyPair {
    /// `-----BEGIN RSA PRIVATE KEY-----`: as GitHub gives it.
    pub pkcs1: String,
    /// `-----BEGIN PRIVATE KEY-----`: as `openssl pkcs8` writes it.
    pub pkcs8: String,
    /// `-----BEGIN PUBLIC KEY-----`: the half that GitHub keeps.
    pub public: String,
    /// SHA-256 of the public half, in base64, without a word in front.
    pub fingerprint: String,
    /// The public half, for checking.
    pub(super) verifying: Vec<u8>,
}

impl AppKeyPair {
    /// A new one of 2048 bits.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("it can be written");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("it can be written");
        let inner = &private.as_ref()[PKCS8_HEAD..];
        assert_eq!(inner[0], 0x30, "the key proper is a sequence");
        Self {
            pkcs1: pem("RSA PRIVATE KEY", inner),
            pkcs8: pem("PRIVATE KEY", private.as_ref()),
            public: pem("PUBLIC KEY", public.as_ref()),
            fingerprint: BASE64_STANDARD.encode(digest::digest(&digest::SHA256, public.as_ref())),
            verifying: pair.public_key().as_ref().to_vec(),
        }
    }
}

impl Default for AppKeyPair {
    fn default() -> Self {
        Self::new()
    }
}

/// A block of PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The claims of a signed token, unchecked, and what has to be checked.
pub(super) struct Signed<'a> {
    message: &'a str,
    signature: Vec<u8>,
    pub(super) claims: Value,
}

impl<'a> Signed<'a> {
    /// `None` for what is no token, or is signed in another way than RS256.
    pub(super) fn read(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let part = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let header: Value = serde_json::from_slice(&part(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&part(claims)?).ok()?;
        (header["alg"] == "RS256").then_some(())?;
        Some(Self { message, signature: part(signature)?, claims })
    }

    /// Whether this key signed it.
    pub(super) fn is_by(&self, verifying: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, verifying);
        key.verify(self.message.as_bytes(), &self.signature).is_ok()
    }
}

/// So many random letters and digits.
pub(super) fn random(length: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).expect("randomness");
    bytes.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}
