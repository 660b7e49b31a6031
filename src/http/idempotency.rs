//! The header `Idempotency-Key`: sending a POST, or a PUT that makes something, again with the same key does it once. What is remembered is a keyed hash
//! of the request, not the request.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::HeaderName};
use keytrail_domain::metadata::Actor;

use super::{
    Api,
    auth::Caller,
    error::{ApiError, Code},
};
use crate::{
    app::{Context, DispatchError},
    log::{Committed, Idempotency},
};

/// The key of a request.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that the answer is the one of an earlier request.
pub(super) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const MOST_CHARACTERS: usize = 200;

/// The key, if one came, and what it came with.
pub(super) struct IdempotencyKey {
    key: Option<String>,
    request: Vec<u8>,
}

impl FromRequest for IdempotencyKey {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut all = request.headers().get_all(IDEMPOTENCY_KEY);
        let key = match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(()),
            (Some(value), None) => {
                let usable = |key: &&[u8]| {
                    (1..=MOST_CHARACTERS).contains(&key.len()) && key.iter().all(|byte| matches!(byte, b' '..=b'~'))
                };
                let key = Some(value.as_bytes()).filter(usable).and_then(|key| std::str::from_utf8(key).ok());
                key.map(|key| Some(key.to_owned())).ok_or(())
            }
        };
        ready(
            key.map(|key| Self { key, request: format!("{} {}\n", request.method(), request.path()).into_bytes() })
                .map_err(|()| {
                    let detail = "An Idempotency-Key comes once and has 1 to 200 printable ASCII characters.";
                    ApiError::new(Code::IdempotencyKeyInvalid, detail)
                }),
        )
    }
}

impl IdempotencyKey {
    /// What the log remembers of the request. Keys of different callers and operations never meet.
    pub(super) fn of(self, api: &Api, caller: &Caller, operation: &str, body: &[u8]) -> Option<Idempotency> {
        let key = self.key?;
        let who = match &caller.actor {
            Actor::Token { id, .. } => id.to_string(),
            actor @ (Actor::Service { .. } | Actor::Local | Actor::Server { .. }) => actor.name().to_owned(),
        };
        let mut request = self.request;
        request.extend_from_slice(body);
        Some(Idempotency { scope: format!("{who}/{operation}"), key, request_hash: api.app.keys.requests.of(&request) })
    }
}

impl Api {
    /// What came of the same request earlier. Asked before anything is checked that may have changed since.
    pub(super) async fn remembered(&self, context: &Context) -> Result<Option<Committed>, ApiError> {
        let Some(request) = &context.idempotency else { return Ok(None) };
        match self.app.log.remembered(request).await? {
            None => Ok(None),
            Some(Ok(committed)) => Ok(Some(committed)),
            Some(Err(_)) => Err(DispatchError::KeyReused.into()),
        }
    }
}
