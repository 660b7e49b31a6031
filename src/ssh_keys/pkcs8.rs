//! PKCS#8 (RFC 5958), plain and encrypted by PBES2 (RFC 8018): what OpenSSL writes since 1.0. Called by `read.rs` and
//! `write.rs`.

use pkcs8::{
    ObjectIdentifier, PrivateKeyInfo,
    der::{
        Decode, Encode,
        asn1::{AnyRef, OctetStringRef},
    },
    pkcs5::pbes2::{
        AES_128_CBC_OID, AES_192_CBC_OID, AES_256_CBC_OID, DES_EDE3_CBC_OID, EncryptionScheme, Kdf, PBES2_OID,
        PBKDF2_OID, Parameters, SCRYPT_OID,
    },
    spki::AlgorithmIdentifierRef,
};

use super::{
    costs, der_keys,
    material::{Bytes, Material, bytes},
    problem::Problem,
};
use crate::secrets::Secret;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
/// Kinds that have a name, and no use here.
const OTHERS: [(&str, &str); 5] = [
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.113549.1.3.1", "DH"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
];
/// Of RFC 8018; as many rounds as OWASP asks for.
const ROUNDS: u32 = 600_000;

const NOT_PKCS8: Problem = Problem::Damaged("it is not written as PKCS#8 is");

/// The kind and the parts of one that is not encrypted.
pub(super) fn parse(der: &[u8]) -> Result<Material, Problem> {
    let info = PrivateKeyInfo::from_der(der).map_err(|_| NOT_PKCS8)?;
    let algorithm = info.algorithm;
    match algorithm.oid {
        RSA => der_keys::rsa(info.private_key),
        EC => {
            let named = algorithm.parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
            let curve =
                named.ok_or_else(|| Problem::AlgorithmUnsupported("ECDSA-with-a-curve-of-its-own".to_owned()))?;
            der_keys::ecdsa(info.private_key, Some(der_keys::named(curve)?))
        }
        ED25519 => {
            let seed = OctetStringRef::from_der(info.private_key).map_err(|_| NOT_PKCS8)?;
            Ok(Material::Ed25519 { seed: bytes(seed.as_bytes()), point: info.public_key.map(<[u8]>::to_vec) })
        }
        DSA => Err(Problem::Dsa),
        other => {
            let oid = other.to_string();
            let name = OTHERS.iter().find(|(known, _)| *known == oid).map(|(_, name)| (*name).to_owned());
            Err(Problem::AlgorithmUnsupported(name.unwrap_or(oid)))
        }
    }
}

/// One that is encrypted.
pub(super) struct Encrypted<'a> {
    parameters: Parameters<'a>,
    sealed: &'a [u8],
}

impl<'a> Encrypted<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, Problem> {
        let whole = AnyRef::from_der(der).map_err(|_| NOT_PKCS8)?;
        let parts = whole.sequence(|reader| {
            let scheme = AlgorithmIdentifierRef::decode(reader)?;
            Ok((scheme, OctetStringRef::decode(reader)?.as_bytes()))
        });
        let (scheme, sealed) = parts.map_err(|_| NOT_PKCS8)?;
        if scheme.oid != PBES2_OID {
            return Err(Problem::CipherUnsupported(format!("PKCS#5-version-1-or-PKCS#12-({})", scheme.oid)));
        }
        let parameters = scheme.parameters.ok_or(NOT_PKCS8)?;
        let both = parameters
            .sequence(|reader| Ok((AlgorithmIdentifierRef::decode(reader)?, AlgorithmIdentifierRef::decode(reader)?)));
        let (function, cipher) = both.map_err(|_| NOT_PKCS8)?;
        Ok(Self { parameters: Parameters { kdf: kdf(function)?, encryption: cipher_of(cipher)? }, sealed })
    }

    /// How it is encrypted.
    pub(super) fn encryption(&self) -> String {
        let cipher = match self.parameters.encryption {
            EncryptionScheme::Aes128Cbc { .. } => "AES-128-CBC",
            EncryptionScheme::Aes192Cbc { .. } => "AES-192-CBC",
            EncryptionScheme::Aes256Cbc { .. } => "AES-256-CBC",
            EncryptionScheme::DesEde3Cbc { .. } => "DES-EDE3-CBC",
            _ => "another cipher",
        };
        let function = if self.parameters.kdf.is_scrypt() { "scrypt" } else { "PBKDF2" };
        format!("{cipher}, {function}")
    }

    pub(super) fn open(&self, passphrase: Option<&Secret<String>>) -> Result<Bytes, Problem> {
        match &self.parameters.kdf {
            Kdf::Pbkdf2(asked) => costs::pbkdf2(asked.iteration_count)?,
            Kdf::Scrypt(asked) => {
                // The library counts on it.
                if asked.cost_parameter < 2 || !asked.cost_parameter.is_power_of_two() {
                    return Err(Problem::Damaged("its N of scrypt is no power of two"));
                }
                costs::scrypt(asked.cost_parameter, asked.block_size, asked.parallelization)?;
            }
            _ => return Err(NOT_PKCS8),
        }
        let passphrase = passphrase.ok_or(Problem::PassphraseNeeded)?;
        let plain = self.parameters.decrypt(passphrase.expose(), self.sealed);
        plain.map(Secret::new).map_err(|_| Problem::PassphraseWrong)
    }
}

fn kdf(function: AlgorithmIdentifierRef<'_>) -> Result<Kdf<'_>, Problem> {
    let known = [PBKDF2_OID, SCRYPT_OID].contains(&function.oid);
    let unknown = || Problem::CipherUnsupported(format!("PBES2-with-a-function-that-is-not-known-({})", function.oid));
    let read = Kdf::try_from(function);
    if known { read.map_err(|_| NOT_PKCS8) } else { Err(unknown()) }
}

/// The library takes the first eight bytes of what may have fewer, so the lengths are looked at here.
fn cipher_of(cipher: AlgorithmIdentifierRef<'_>) -> Result<EncryptionScheme<'_>, Problem> {
    let iv = cipher.parameters.and_then(|any| any.decode_as::<OctetStringRef<'_>>().ok());
    let length = iv.map_or(0, |iv| iv.as_bytes().len());
    let wanted = match cipher.oid {
        AES_128_CBC_OID | AES_192_CBC_OID | AES_256_CBC_OID => 16,
        DES_EDE3_CBC_OID => 8,
        other => return Err(Problem::CipherUnsupported(format!("PBES2-with-a-cipher-that-is-not-known-({other})"))),
    };
    if length != wanted {
        return Err(NOT_PKCS8);
    }
    EncryptionScheme::try_from(cipher).map_err(|_| NOT_PKCS8)
}

/// PKCS#8 of it. `point` is the public half of a curve's key.
pub(super) fn written(material: &Material, point: &[u8]) -> Result<Bytes, Problem> {
    let (oid, parameters, inside) = match material {
        Material::Rsa(rsa) => (RSA, Some(AnyRef::NULL), der_keys::rsa_written(rsa)?),
        Material::Ed25519 { seed, .. } => {
            let octets = OctetStringRef::new(seed.expose()).and_then(|octets| octets.to_der());
            (ED25519, None, Secret::new(octets.map_err(|_| NOT_PKCS8)?))
        }
        Material::Ecdsa { curve, scalar, .. } => {
            let oid = curve.oid();
            let inside = der_keys::ecdsa_written(None, scalar, Some(point))?;
            return whole(EC, Some(AnyRef::from(&oid)), &inside);
        }
    };
    whole(oid, parameters, &inside)
}

fn whole(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, inside: &Bytes) -> Result<Bytes, Problem> {
    let info = PrivateKeyInfo::new(AlgorithmIdentifierRef { oid, parameters }, inside.expose());
    info.to_der().map(Secret::new).map_err(|_| NOT_PKCS8)
}

/// What is random in an encrypted one.
pub(super) struct Random {
    pub(super) salt: [u8; 16],
    pub(super) iv: [u8; 16],
}

/// Encrypted by PBES2: PBKDF2 with SHA-256, AES-256.
pub(super) fn encrypted(plain: &Bytes, passphrase: &Secret<String>, random: &Random) -> Result<Vec<u8>, Problem> {
    let parameters = Parameters::pbkdf2_sha256_aes256cbc(ROUNDS, &random.salt, &random.iv).map_err(|_| NOT_PKCS8)?;
    let sealed = parameters.encrypt(passphrase.expose(), plain.expose()).map_err(|_| NOT_PKCS8)?;
    let info = pkcs8::EncryptedPrivateKeyInfo { encryption_algorithm: parameters.into(), encrypted_data: &sealed };
    info.to_der().map_err(|_| NOT_PKCS8)
}
