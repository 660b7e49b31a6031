//! An issuer of signed tokens (JWT) with keys of its own, made by hand from RFC 7515 and 7519: what the server's own
//! library would not write, it writes too.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

/// A key of an issuer.
pub enum Signer {
    /// HS256: a shared secret.
    Hmac(Vec<u8>),
    /// RS256.
    Rsa(Box<RsaKeyPair>),
    /// ES256.
    Ec(Box<EcdsaKeyPair>),
}

/// As parts of a token are written.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// A new RSA key of 2048 bits.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")))
    }

    /// A new key on P-256.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn ec() -> Self {
        Self::Ec(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")))
    }

    /// The word for `alg`.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    /// What the server is given in a file: the public key in PEM, or the secret.
    ///
    /// # Panics
    /// When the key cannot be written.
    pub fn file(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Hmac(secret) => return secret.clone(),
            Self::Rsa(pair) => pair.public_key().as_der().expect("it can be written"),
            Self::Ec(pair) => pair.public_key().as_der().expect("it can be written"),
        };
        let text = BASE64_STANDARD.encode(der.as_ref());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n")).into_bytes()
    }

    /// The same as a JSON Web Key of this name.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Hmac(secret) => json!({ "kty": "oct", "kid": kid, "alg": "HS256", "k": base64url(secret) }),
            Self::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let number = |bytes: &[u8]| base64url(bytes);
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "n": number(n.big_endian_without_leading_zero()),
                    "e": number(e.big_endian_without_leading_zero()) })
            }
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": base64url(x), "y": base64url(y) })
            }
        }
    }

    /// A token with this header and these claims, whatever they say.
    ///
    /// # Panics
    /// When there is no randomness.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Hmac(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes()).as_ref().to_vec()
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature).expect("a signature");
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message.as_bytes()).expect("a signature").as_ref().to_vec(),
        };
        format!("{message}.{}", base64url(signature))
    }

    /// A token as it should be: with this name of its key.
    pub fn token(&self, kid: &str, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" }), claims)
    }
}
