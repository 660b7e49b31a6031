//! Which certificates are accepted, as a configuration of rustls. Called by the client. It reads no setting of a
//! person or a process but the machine's own store of authorities, and has no way to accept anything.

use std::sync::{Arc, OnceLock};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Certificates, RemoteTrouble, Trust};

/// A configuration that accepts what `trust` says.
pub(super) fn config(trust: &Trust) -> Result<ClientConfig, RemoteTrouble> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|_| RemoteTrouble::TlsFailed)?;
    let mut config = match trust {
        Trust::WebPki => builder.with_root_certificates(machine_roots()).with_no_client_auth(),
        Trust::Authority { pem } => {
            let certificates = Certificates::parse(pem).map_err(|_| RemoteTrouble::BadAuthority)?;
            builder.with_root_certificates(certificates.into_roots()).with_no_client_auth()
        }
        Trust::Pinned { spki_sha256 } => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pinned { key: *spki_sha256, provider }))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What this machine trusts: a company's own authority is there, as its administrators put it. A machine without any
/// (a bare container) gets Mozilla's list, as it was when the program was built. Read once.
fn machine_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // Some stores hold a few that no program can read; the others are good.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Arc::new(roots)
    });
    roots.clone()
}

/// Accepts one key. That the other side holds it is proved by the handshake's signature, as always.
#[derive(Debug)]
struct Pinned {
    key: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        let key = Sha256::digest(parsed.subject_public_key_info().as_ref());
        if bool::from(key.as_slice().ct_eq(&self.key)) {
            return Ok(ServerCertVerified::assertion());
        }
        // No other verifier of ours says this, so it tells the pin from all else.
        Err(rustls::CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
