//! Keys in DER: PKCS#1 (RFC 8017) for RSA and SEC1 (RFC 5915) for curves, read and written. Called by the readers of PEM
//! and PKCS#8, by the writers, and by the proof.

use pkcs1::UintRef;
use pkcs8::der::{Decode, Encode};
use sec1::{EcParameters, EcPrivateKey};

use super::{
    algorithm::Curve,
    material::{Bytes, MOST_RSA_BITS, Material, Rsa, bytes, scalar},
    problem::Problem,
    remainder::{one_less, remainder},
    wire::without_zeros,
};
use crate::secrets::Secret;

const NOT_DER: Problem = Problem::Damaged("its numbers are not written as they must be");

/// RSA, as PKCS#1 has it.
pub(super) fn rsa(der: &[u8]) -> Result<Material, Problem> {
    let key = pkcs1::RsaPrivateKey::from_der(der).map_err(|_| NOT_DER)?;
    if key.other_prime_infos.is_some() {
        return Err(Problem::AlgorithmUnsupported("RSA-with-more-than-two-primes".to_owned()));
    }
    Ok(Material::Rsa(Rsa {
        modulus: key.modulus.as_bytes().to_vec(),
        exponent: key.public_exponent.as_bytes().to_vec(),
        private: bytes(key.private_exponent.as_bytes()),
        first: bytes(key.prime1.as_bytes()),
        second: bytes(key.prime2.as_bytes()),
        coefficient: bytes(key.coefficient.as_bytes()),
    }))
}

/// A curve, as SEC1 has it. `curve` is what PKCS#8 says outside.
pub(super) fn ecdsa(der: &[u8], curve: Option<Curve>) -> Result<Material, Problem> {
    let key = EcPrivateKey::from_der(der);
    let key = key.map_err(|_| Problem::Damaged("it is not written as keys of curves are, or names no curve"))?;
    let inside = match key.parameters {
        Some(EcParameters::NamedCurve(oid)) => Some(named(oid)?),
        None => None,
    };
    let curve = inside.or(curve).ok_or(Problem::Damaged("it does not say of which curve it is"))?;
    let scalar = scalar(curve, key.private_key);
    let scalar = scalar.ok_or(Problem::Damaged("its private number is too long for its curve"))?;
    Ok(Material::Ecdsa { curve, scalar, point: key.public_key.map(<[u8]>::to_vec) })
}

/// The curve of that name.
pub(super) fn named(oid: pkcs8::ObjectIdentifier) -> Result<Curve, Problem> {
    let curve = Curve::ALL.into_iter().find(|curve| curve.oid() == oid);
    curve.ok_or_else(|| Problem::AlgorithmUnsupported(format!("ECDSA-with-the-curve-{oid}")))
}

/// PKCS#1 of it.
pub(super) fn rsa_written(rsa: &Rsa) -> Result<Bytes, Problem> {
    let most = MOST_RSA_BITS as usize / 8;
    let secret = [&rsa.private, &rsa.first, &rsa.second, &rsa.coefficient];
    if secret.iter().any(|number| without_zeros(number.expose()).len() > most) {
        return Err(Problem::Damaged("its private numbers are longer than its public one"));
    }
    let of = |prime: &Bytes| remainder(rsa.private.expose(), one_less(prime.expose()).expose());
    let exponents = of(&rsa.first).zip(of(&rsa.second));
    let (first, second) = exponents.ok_or(Problem::Damaged("one of its primes is none"))?;
    let uint = |number| UintRef::new(number).map_err(|_| NOT_DER);
    let key = pkcs1::RsaPrivateKey {
        modulus: uint(&rsa.modulus)?,
        public_exponent: uint(&rsa.exponent)?,
        private_exponent: uint(rsa.private.expose())?,
        prime1: uint(rsa.first.expose())?,
        prime2: uint(rsa.second.expose())?,
        exponent1: uint(first.expose())?,
        exponent2: uint(second.expose())?,
        coefficient: uint(rsa.coefficient.expose())?,
        other_prime_infos: None,
    };
    key.to_der().map(Secret::new).map_err(|_| NOT_DER)
}

/// PKCS#1 of the public half.
pub(super) fn rsa_public(rsa: &Rsa) -> Result<Vec<u8>, Problem> {
    let uint = |number| UintRef::new(number).map_err(|_| NOT_DER);
    let key = pkcs1::RsaPublicKey { modulus: uint(&rsa.modulus)?, public_exponent: uint(&rsa.exponent)? };
    key.to_der().map_err(|_| NOT_DER)
}

/// SEC1 of it. PKCS#8 names the curve outside, and leaves it out here.
pub(super) fn ecdsa_written(curve: Option<Curve>, scalar: &Bytes, point: Option<&[u8]>) -> Result<Bytes, Problem> {
    let parameters = curve.map(|curve| EcParameters::NamedCurve(curve.oid()));
    let key = EcPrivateKey { private_key: scalar.expose(), parameters, public_key: point };
    key.to_der().map(Secret::new).map_err(|_| NOT_DER)
}
