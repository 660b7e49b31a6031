//! Certificates of one's own authority, as they are given.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::super::{BadCertificates, Certificates};

fn authority() -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

#[test]
fn only_the_certificates_of_a_text_are_kept() {
    let ((one, _), (other, _)) = (authority(), authority());
    let given = format!("issued by Example\n{one}\nnothing to see\n{}", other.replace('\n', "\r\n"));
    let read = Certificates::parse(&given).expect("two certificates");
    let kept = read.to_pem();
    assert!(!kept.contains("Example") && !kept.contains("nothing"), "{kept}");
    assert_eq!(kept.matches("BEGIN CERTIFICATE").count(), 2);
    let again = Certificates::parse(&kept).expect("what is kept reads back");
    assert_eq!((again.to_pem(), again.fingerprints()), (kept, read.fingerprints()));
    assert!(read.fingerprints().iter().all(|print| print.len() == 64) && read.fingerprints().len() == 2);
}

#[test]
fn a_text_that_is_no_certificate_or_more_than_that_is_refused() {
    let (certificate, key) = authority();
    let parse = |text: &str| Certificates::parse(text).expect_err(text);
    for text in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &certificate[..200]] {
        assert_eq!(parse(text), BadCertificates::Unreadable);
    }
    let broken = certificate.replace("-----END", "AAAA\n-----END");
    assert_eq!(parse(&format!("{certificate}{broken}")), BadCertificates::Unreadable);
    assert_eq!(parse(&format!("{certificate}{key}")), BadCertificates::PrivateKey);
    assert_eq!(parse(&certificate.repeat(200)), BadCertificates::TooLong);
}
