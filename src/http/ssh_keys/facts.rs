//! What was found out about a key, in the words that events have. Called by the intake.

use keytrail_domain::ssh_key::{Algorithm, Format, PublicKey, shown_comment};

use crate::ssh_keys::{self, Curve, PublicHalf};

/// What may be seen of a key.
pub(super) fn public_key(half: &PublicHalf, comment: &str) -> PublicKey {
    PublicKey {
        algorithm: algorithm(half.algorithm()),
        bits: half.bits(),
        comment: shown_comment(comment),
        sha256: half.sha256(),
        md5: half.md5(),
        blob: half.base64(),
    }
}

const fn algorithm(algorithm: ssh_keys::Algorithm) -> Algorithm {
    match algorithm {
        ssh_keys::Algorithm::Rsa => Algorithm::Rsa,
        ssh_keys::Algorithm::Ed25519 => Algorithm::Ed25519,
        ssh_keys::Algorithm::Ecdsa(Curve::P256) => Algorithm::EcdsaP256,
        ssh_keys::Algorithm::Ecdsa(Curve::P384) => Algorithm::EcdsaP384,
        ssh_keys::Algorithm::Ecdsa(Curve::P521) => Algorithm::EcdsaP521,
    }
}

/// How it was written.
pub(super) const fn format(format: ssh_keys::Format) -> Format {
    match format {
        ssh_keys::Format::OpenSsh => Format::OpenSsh,
        ssh_keys::Format::Pkcs1 => Format::Pkcs1,
        ssh_keys::Format::Pkcs8 => Format::Pkcs8,
        ssh_keys::Format::Sec1 => Format::Sec1,
        ssh_keys::Format::PpkV2 => Format::PpkV2,
        ssh_keys::Format::PpkV3 => Format::PpkV3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_the_readers_of_keys_have_the_same_words() {
        use ssh_keys::{Algorithm as A, Format as F};
        let all = Curve::ALL.map(A::Ecdsa);
        for one in all.into_iter().chain([A::Rsa, A::Ed25519]) {
            assert_eq!((algorithm(one).as_str(), algorithm(one).title()), (one.name(), one.title()));
        }
        for one in [F::OpenSsh, F::Pkcs1, F::Pkcs8, F::Sec1, F::PpkV2, F::PpkV3] {
            assert_eq!((format(one).as_str(), format(one).title()), (one.name(), one.title()));
        }
    }
}
