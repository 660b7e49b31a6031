//! What an error of the HTTP client means for a person. Called by the client; it reads kinds, never texts.

use std::{error::Error, io};

use rustls::CertificateError;

use super::RemoteTrouble;

/// The trouble behind an error; `by_proxy` when there is a proxy between.
pub(in crate::git) fn classify(error: &reqwest::Error, by_proxy: bool) -> RemoteTrouble {
    let mut found = None;
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        found = of_one(error).or(found);
        next = error.source();
    }
    match found {
        // A certificate or a handshake is the remote's own also behind a proxy.
        Some(
            trouble @ (RemoteTrouble::TlsUntrusted
            | RemoteTrouble::TlsExpired
            | RemoteTrouble::TlsWrongHost
            | RemoteTrouble::TlsPinMismatch
            | RemoteTrouble::TlsFailed),
        ) => trouble,
        _ if by_proxy && error.is_connect() => RemoteTrouble::ProxyFailed,
        _ if error.is_timeout() => RemoteTrouble::Silent,
        Some(trouble) => trouble,
        None if error.is_connect() => RemoteTrouble::Unreachable,
        None => RemoteTrouble::ConnectionLost,
    }
}

/// What one link of the chain says.
fn of_one(error: &(dyn Error + 'static)) -> Option<RemoteTrouble> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error));
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return (error.is_parse() || error.is_parse_status()).then_some(RemoteTrouble::NotGit);
    }
    let error = error.downcast_ref::<io::Error>()?;
    // Its source is that of the error within, which would be passed over; one may lie within the other.
    if let Some(trouble) = error.get_ref().and_then(|within| of_one(within)) {
        return Some(trouble);
    }
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => RemoteTrouble::ConnectionRefused,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            RemoteTrouble::Unreachable
        }
        io::ErrorKind::TimedOut => RemoteTrouble::Silent,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => RemoteTrouble::ConnectionLost,
        _ => return None,
    })
}

fn of_tls(error: &rustls::Error) -> RemoteTrouble {
    let rustls::Error::InvalidCertificate(error) = error else { return RemoteTrouble::TlsFailed };
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => RemoteTrouble::TlsExpired,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            RemoteTrouble::TlsWrongHost
        }
        CertificateError::ApplicationVerificationFailure => RemoteTrouble::TlsPinMismatch,
        CertificateError::BadEncoding | CertificateError::BadSignature => RemoteTrouble::TlsFailed,
        // Unknown, revoked, or a certificate that signed itself: nobody vouches for it.
        _ => RemoteTrouble::TlsUntrusted,
    }
}

#[cfg(test)]
mod tests {
    use keytrail_domain::index_run::FailureCode as Code;
    use rustls::CertificateError as Wrong;

    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_has_a_code_of_its_own() {
        for (wrong, code) in [
            (Wrong::Expired, Code::TlsExpired),
            (Wrong::NotValidYet, Code::TlsExpired),
            (Wrong::NotValidForName, Code::TlsWrongHost),
            (Wrong::ApplicationVerificationFailure, Code::TlsPinMismatch),
            (Wrong::UnknownIssuer, Code::TlsUntrusted),
            (Wrong::Revoked, Code::TlsUntrusted),
            (Wrong::BadSignature, Code::TlsFailed),
            (Wrong::BadEncoding, Code::TlsFailed),
        ] {
            assert_eq!(of_tls(&wrong.clone().into()).failure_code(), code, "{wrong:?}");
        }
        assert_eq!(of_tls(&rustls::Error::HandshakeNotComplete).failure_code(), Code::TlsFailed);
    }
}
