//! The kinds of keys that can be used, and their names in each format. Called by every reader and writer.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm,
};
use pkcs8::ObjectIdentifier;

/// A curve of NIST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `nistp256`
    P256,
    /// `nistp384`
    P384,
    /// `nistp521`
    P521,
}

impl Curve {
    /// All that OpenSSH has.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// As RFC 5656 calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "nistp256",
            Self::P384 => "nistp384",
            Self::P521 => "nistp521",
        }
    }

    /// How many bits its order has.
    pub const fn bits(self) -> u32 {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// How many bytes a private number of it has.
    pub(super) const fn size(self) -> usize {
        self.bits().div_ceil(8) as usize
    }

    /// As certificates and PKCS#8 call it (RFC 5480).
    pub(super) const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        })
    }

    /// How it signs; the hash is the one that RFC 5656 gives it.
    pub(super) fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    /// How its signatures are looked at.
    pub(super) fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// What a key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA
    Rsa,
    /// Ed25519
    Ed25519,
    /// ECDSA
    Ecdsa(Curve),
}

impl Algorithm {
    /// As SSH calls it, such as `ssh-ed25519`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "ssh-rsa",
            Self::Ed25519 => "ssh-ed25519",
            Self::Ecdsa(Curve::P256) => "ecdsa-sha2-nistp256",
            Self::Ecdsa(Curve::P384) => "ecdsa-sha2-nistp384",
            Self::Ecdsa(Curve::P521) => "ecdsa-sha2-nistp521",
        }
    }

    /// As people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ed25519 => "Ed25519",
            Self::Ecdsa(_) => "ECDSA",
        }
    }
}
