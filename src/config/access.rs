//! `[access]`: who may come in besides the holders of tokens, how often anybody may ask, and from where.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

/// `[access]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Requests that one token or service may make within a minute; as many at once. 0: no limit.
    pub requests_per_minute: u32,
    /// Requests that may come from one address within a minute, before anybody is known. 0: no limit.
    pub address_requests_per_minute: u32,
    /// Tokens that may be refused to one address within a minute. 0: no limit.
    pub address_failures_per_minute: u32,
    /// Streams that may be open at once on this node.
    pub streams: u32,
    /// Networks of proxies whose word on the caller's address counts.
    pub trusted_proxies: Vec<String>,
    /// In which header they give it.
    pub forwarded_by: ForwardedBy,
    /// Origins of pages whose scripts may ask, such as `https://board.example`. Empty: none.
    pub origins: Vec<String>,
    /// Signed tokens of services.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            requests_per_minute: 6_000,
            address_requests_per_minute: 12_000,
            address_failures_per_minute: 60,
            streams: 256,
            trusted_proxies: Vec::new(),
            forwarded_by: ForwardedBy::XForwardedFor,
            origins: Vec::new(),
            jwt: None,
        }
    }
}

/// One of two headers; a proxy sets one and hands the other on as the caller sent it, so that only one can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedBy {
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

/// `[access.jwt]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Who signs: the claim `iss` must be this.
    pub issuer: String,
    /// For whom: the claim `aud` must be this or hold it.
    pub audience: String,
    /// The claim that says what the service may do.
    #[serde(default = "role_claim")]
    pub role_claim: String,
    /// What its values mean: each a role. Without any, the values are the roles themselves.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    /// By how many seconds the issuer's clock may differ from ours.
    #[serde(default = "leeway_seconds")]
    pub leeway_seconds: u32,
    /// Keys, each in a file of its own; read at the start.
    #[serde(default)]
    pub keys: Vec<JwtKey>,
    /// A file with a JSON Web Key Set; read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
}

fn role_claim() -> String {
    "role".to_owned()
}

const fn leeway_seconds() -> u32 {
    60
}

/// One of `[[access.jwt.keys]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtKey {
    /// Its name, which tokens give as `kid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The only algorithm it is used with.
    pub algorithm: JwtAlgorithm,
    /// A public key in PEM; for HS256 the secret itself, at least 32 bytes.
    pub file: PathBuf,
}

/// How tokens of services may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256: issuer and server share a secret.
    HS256,
    /// RSA with SHA-256, at least 2048 bits.
    RS256,
    /// ECDSA over P-256 with SHA-256.
    ES256,
}
