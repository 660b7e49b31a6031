//! Certificates for one web server: an authority of its own, and what it signed.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData,
    date_time_ymd,
};

use super::Shown;

/// A certificate and its key, both in PEM.
pub(super) struct Certificate {
    pub(super) pem: String,
    pub(super) key: String,
    /// Its SubjectPublicKeyInfo in DER.
    pub(super) public_key: Vec<u8>,
}

pub(super) struct Certificates {
    pub(super) authority: Arc<str>,
    pub(super) other_authority: Arc<str>,
    good: Certificate,
    expired: Certificate,
    wrong_name: Certificate,
}

impl Certificates {
    pub(super) fn make() -> Self {
        let authority = authority("Keytrail test authority");
        let here = &["localhost", "127.0.0.1"];
        Self {
            good: signed(&authority, here, 2100),
            expired: signed(&authority, here, 2020),
            wrong_name: signed(&authority, &["elsewhere.test"], 2100),
            authority: authority.pem().into(),
            other_authority: self::authority("Keytrail other authority").pem().into(),
        }
    }

    pub(super) const fn of(&self, shown: Shown) -> &Certificate {
        match shown {
            Shown::Good => &self.good,
            Shown::Expired => &self.expired,
            Shown::WrongName => &self.wrong_name,
        }
    }
}

/// An authority of its own, and a certificate for these names that it signed.
pub(super) fn named(names: &[&str]) -> (Arc<str>, Certificate) {
    let authority = authority("Keytrail authority of names");
    (authority.pem().into(), signed(&authority, names, 2100))
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = parameters(name, &[], 2100);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::self_signed(params, key()).expect("an authority can be made")
}

fn signed(authority: &Authority, names: &[&str], until: i32) -> Certificate {
    let key = key();
    let made = parameters("Keytrail test server", names, until).signed_by(&key, authority);
    let pem = made.expect("a certificate can be made").pem();
    Certificate { pem, public_key: key.subject_public_key_info(), key: key.serialize_pem() }
}

fn parameters(name: &str, names: &[&str], until: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of hosts are good names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}
