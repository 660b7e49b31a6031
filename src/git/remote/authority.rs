//! The certificates of one's own authority, as a person gives them. Called by who takes them in, by who shows them, and
//! by TLS; it keeps nothing but certificates, so that a key that came along is kept nowhere.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail_domain::hex::lower_hex;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use sha2::{Digest as _, Sha256};

/// Why a text cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCertificates {
    /// Longer than the bound.
    #[error("the certificates of an authority have at most {} bytes", Certificates::MOST_BYTES)]
    TooLong,
    /// A private key is among them.
    #[error("this holds a private key, which nobody needs to give away; give only the certificate, and guard the key")]
    PrivateKey,
    /// Nothing that can be read is in it, or something that cannot.
    #[error("this holds no certificate that can be read; give it in PEM, from -----BEGIN CERTIFICATE----- on")]
    Unreadable,
}

/// One or more certificates of authorities, each of which can be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates(Vec<CertificateDer<'static>>);

impl Certificates {
    /// The bound of a text in bytes.
    pub const MOST_BYTES: usize = 64 << 10;

    /// Reads PEM, all certificates of which must be good.
    pub fn parse(pem: &str) -> Result<Self, BadCertificates> {
        if pem.len() > Self::MOST_BYTES {
            return Err(BadCertificates::TooLong);
        }
        if pem.contains("PRIVATE KEY") {
            return Err(BadCertificates::PrivateKey);
        }
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let found = found.map_err(|_| BadCertificates::Unreadable)?;
        let mut roots = RootCertStore::empty();
        let good = found.iter().all(|certificate| roots.add(certificate.clone()).is_ok());
        if good && !found.is_empty() { Ok(Self(found)) } else { Err(BadCertificates::Unreadable) }
    }

    /// As rustls trusts them.
    pub(super) fn into_roots(self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        // Each was added once before.
        roots.add_parsable_certificates(self.0);
        roots
    }

    /// Nothing but the certificates, in PEM.
    pub fn to_pem(&self) -> String {
        let mut pem = String::new();
        for certificate in &self.0 {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            let text = STANDARD.encode(certificate);
            // Base64 is ASCII: every place is between two characters.
            for start in (0..text.len()).step_by(64) {
                pem.push_str(&text[start..text.len().min(start + 64)]);
                pem.push('\n');
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        pem
    }

    /// SHA-256 of each in DER: 64 hexadecimal digits, as `openssl x509 -fingerprint -sha256` has them without colons.
    pub fn fingerprints(&self) -> Vec<String> {
        self.0.iter().map(|certificate| lower_hex(&Sha256::digest(certificate))).collect()
    }
}
