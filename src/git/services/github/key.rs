//! The private key of an app, however a person hands it in: PKCS#1 or PKCS#8 in PEM, with any line ends, quoted, on one
//! line, or in base64 as a whole. Called by the routes that take keys; a refusal names no part of what was given.

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rsa::KeyPair,
    signature::KeyPair as _,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::github::KeyFingerprint;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Longer than any key.
const LONGEST: usize = 64 * 1024;

/// A private key of an app, proved to be one.
pub struct AppKey {
    /// Canonical PEM: lines of 64 characters that end in a line feed.
    pub pem: Zeroizing<String>,
    /// As GitHub shows it.
    pub fingerprint: KeyFingerprint,
}

/// Why a text is no private key of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing was given.
    #[error("no key was given; paste the .pem file that GitHub gave you, from its first line to its last")]
    Empty,
    /// More than a key can be.
    #[error("this is longer than any key; give the .pem file that GitHub gave you and nothing else")]
    TooLong,
    /// It has no beginning of a key.
    #[error("this is no private key: it has no line -----BEGIN RSA PRIVATE KEY-----")]
    NotAKey,
    /// The half that everybody may see.
    #[error("this is a public key; an app is proved with its private key, the .pem file that GitHub gave you once")]
    PublicKey,
    /// A key for SSH.
    #[error("this is a key for SSH; an app has a key of its own, made in its settings at GitHub under Private keys")]
    SshKey,
    /// A certificate.
    #[error("this is a certificate; give the private key of the app, the .pem file that GitHub gave you")]
    Certificate,
    /// It wants a passphrase.
    #[error("this key is encrypted with a passphrase, which GitHub's keys never are; give the file as GitHub gave it")]
    Encrypted,
    /// Another kind of key.
    #[error("this is no RSA key, and the keys of apps are; give the .pem file that GitHub gave you")]
    NotRsa,
    /// It ends too soon, or is damaged.
    #[error("this key is damaged or cut off; paste the whole file, its last line -----END … PRIVATE KEY----- included")]
    Damaged,
    /// Too short to be safe.
    #[error("this key has less than 2,048 bits, so it is none that GitHub made")]
    TooShort,
}

impl BadKey {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "key_empty",
            Self::TooLong => "key_too_long",
            Self::NotAKey => "key_not_a_key",
            Self::PublicKey => "key_public",
            Self::SshKey => "key_ssh",
            Self::Certificate => "key_certificate",
            Self::Encrypted => "key_encrypted",
            Self::NotRsa => "key_not_rsa",
            Self::Damaged => "key_damaged",
            Self::TooShort => "key_too_short",
        }
    }
}

impl AppKey {
    /// Reads what a person gave.
    pub fn read(text: &str) -> Result<Self, BadKey> {
        if text.len() > LONGEST {
            return Err(BadKey::TooLong);
        }
        let text = unwrapped(text);
        if text.is_empty() {
            return Err(BadKey::Empty);
        }
        let (label, body) = block(&text)?;
        match label {
            "RSA PRIVATE KEY" | "PRIVATE KEY" => {}
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "SSH2 PUBLIC KEY" => return Err(BadKey::PublicKey),
            "OPENSSH PRIVATE KEY" | "SSH2 ENCRYPTED PRIVATE KEY" => return Err(BadKey::SshKey),
            "CERTIFICATE" | "CERTIFICATE REQUEST" => return Err(BadKey::Certificate),
            "ENCRYPTED PRIVATE KEY" => return Err(BadKey::Encrypted),
            label if label.ends_with("PRIVATE KEY") => return Err(BadKey::NotRsa),
            _ => return Err(BadKey::NotAKey),
        }
        if body.contains("ENCRYPTED") {
            return Err(BadKey::Encrypted);
        }
        let pem = canonical(label, body);
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| BadKey::Damaged)?;
        let pair = match &der {
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(BadKey::NotRsa),
        };
        let pair = pair.map_err(|rejected| match rejected.to_string().as_str() {
            "TooSmall" => BadKey::TooShort,
            "WrongAlgorithm" => BadKey::NotRsa,
            _ => BadKey::Damaged,
        })?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| BadKey::Damaged)?;
        let fingerprint = KeyFingerprint::new(STANDARD.encode(Sha256::digest(public.as_ref())));
        Ok(Self { pem, fingerprint })
    }
}

/// Without what a shell, a spreadsheet or a form put around it.
fn unwrapped(text: &str) -> Zeroizing<String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let text = text.trim_matches(|quote| quote == '"' || quote == '\'').trim();
    let text = Zeroizing::new(text.replace("\\r", "").replace("\\n", "\n"));
    if text.contains("-----BEGIN") {
        return text;
    }
    let packed = Zeroizing::new(text.split_whitespace().collect::<String>());
    let unpacked = STANDARD.decode(packed.as_bytes()).map(Zeroizing::new).ok();
    match unpacked.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
        Some(inner) if inner.contains("-----BEGIN") => Zeroizing::new(inner.trim().to_owned()),
        _ => text,
    }
}

/// The label of the first block, and what stands between its two lines.
fn block(text: &str) -> Result<(&str, &str), BadKey> {
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        return Err(BadKey::PublicKey);
    }
    if text.starts_with("PuTTY-User-Key-File") {
        return Err(BadKey::SshKey);
    }
    // The public half in RFC 4716 has four hyphens.
    if text.starts_with("---- BEGIN SSH2 PUBLIC KEY") {
        return Err(BadKey::PublicKey);
    }
    let (_, rest) = text.split_once("-----BEGIN ").ok_or(BadKey::NotAKey)?;
    let (label, rest) = rest.split_once("-----").ok_or(BadKey::Damaged)?;
    if label.len() > 40 {
        return Err(BadKey::NotAKey);
    }
    let end = format!("-----END {label}-----");
    // What is none is said to be none, also where it is cut off.
    let body = rest.split_once(end.as_str()).map(|(body, _)| body);
    match body {
        Some(body) => Ok((label, body)),
        None if label == "RSA PRIVATE KEY" || label == "PRIVATE KEY" => Err(BadKey::Damaged),
        None => Ok((label, "")),
    }
}

/// The block with lines of 64 characters.
fn canonical(label: &str, body: &str) -> Zeroizing<String> {
    let mut pem = Zeroizing::new(String::with_capacity(body.len() * 2 + 128));
    pem.push_str("-----BEGIN ");
    pem.push_str(label);
    pem.push_str("-----");
    for (place, letter) in body.chars().filter(|letter| !letter.is_whitespace()).enumerate() {
        if place % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}
