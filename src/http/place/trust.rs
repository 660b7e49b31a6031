//! Whose certificates are good, as the API takes it and shows it.

use keytrail_domain::git_remote;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    git::remote::Certificates,
    http::error::{ApiError, Code, sentence},
};

/// Whose certificates are good. There is no way to accept any.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::http) enum Trust {
    /// Those of the authorities that the server's machine trusts.
    // With braces: serde lets a variant without them have any members besides.
    WebPki {},
    /// Those of one's own authority.
    Authority {
        /// One or more certificates in PEM, at most 64 KiB.
        pem: String,
    },
    /// One key, whoever vouches for it.
    Pinned {
        /// SHA-256 of the key's SubjectPublicKeyInfo in DER: `sha256//` and base64, as curl's `--pinnedpubkey` takes it.
        #[schema(example = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
        key: String,
    },
}

impl Default for Trust {
    fn default() -> Self {
        Self::WebPki {}
    }
}

impl Trust {
    pub(super) fn checked(&self) -> Result<git_remote::Trust, ApiError> {
        let refused = |text: String| ApiError::new(Code::TrustInvalid, sentence(&text));
        Ok(match self {
            Self::WebPki {} => git_remote::Trust::WebPki,
            Self::Authority { pem } => {
                let certificates = Certificates::parse(pem).map_err(|bad| refused(bad.to_string()))?;
                git_remote::Trust::Authority { pem: certificates.to_pem() }
            }
            Self::Pinned { key } => git_remote::Trust::Pinned {
                key: key.parse().map_err(|bad: git_remote::BadPin| refused(bad.to_string()))?,
            },
        })
    }
}

/// Whose certificates are good.
#[derive(Serialize, ToSchema)]
#[schema(as = Trusted)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::http) enum Shown {
    /// Those of the authorities that the server's machine trusts.
    WebPki,
    /// Those of one's own authority.
    Authority {
        /// SHA-256 of each of its certificates, in hexadecimal.
        fingerprints: Vec<String>,
    },
    /// One key.
    Pinned {
        /// Its digest.
        key: String,
    },
}

impl Shown {
    pub(super) fn of(trust: &git_remote::Trust) -> Self {
        match trust {
            git_remote::Trust::WebPki => Self::WebPki,
            git_remote::Trust::Authority { pem } => {
                let certificates = Certificates::parse(pem).map(|certificates| certificates.fingerprints());
                Self::Authority { fingerprints: certificates.unwrap_or_default() }
            }
            git_remote::Trust::Pinned { key } => Self::Pinned { key: key.to_string() },
        }
    }
}
