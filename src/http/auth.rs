//! Who a caller is and what that allows. The edge finds out who; a route says what it needs by the type of an argument,
//! so that a route without a check reads as one. No token is ever logged or answered.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use keytrail_domain::{
    access::Role,
    metadata::{Actor, Source},
    recorded::Sequence,
    trace_parent::TraceParent,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{
    Api,
    error::{ApiError, Code},
};
use crate::{app::Context, ids::random_bytes, log::Idempotency};

/// The token by which the command line of who can read the data folder comes in; only its hash is kept.
#[derive(Clone)]
pub struct LocalToken([u8; 32]);

impl LocalToken {
    /// A new one, and the token itself.
    pub fn random() -> (String, Self) {
        let token = format!("kt_local_{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()));
        let hash = Self::of(&token);
        (token, hash)
    }

    /// Of this token.
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn is(&self, token: &str) -> bool {
        self.0.ct_eq(&Self::of(token).0).into()
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// As the log names it.
    pub(super) actor: Actor,
    /// What that allows.
    pub(super) role: Role,
    /// Through which door.
    pub(super) source: Source,
    /// The request.
    pub(super) request_id: Uuid,
    /// The trace that it belongs to.
    pub(super) trace: Option<TraceParent>,
}

impl Caller {
    /// Whether it is somebody on this machine who can read the data folder anyway.
    pub(super) const fn is_local(&self) -> bool {
        matches!(self.actor, Actor::Local)
    }

    /// What comes with a command of this caller.
    pub(super) fn context(&self, idempotency: Option<Idempotency>, if_match: Option<Sequence>) -> Context {
        Context {
            actor: self.actor.clone(),
            source: self.source,
            request_id: Some(self.request_id),
            trace: self.trace,
            causation: None,
            idempotency,
            if_match,
        }
    }
}

/// Finds out who asks.
pub(super) async fn caller(api: &Api, headers: &HeaderMap, request_id: Uuid) -> Result<Caller, ApiError> {
    let token = bearer(headers)?;
    if api.local_token.as_ref().is_some_and(|local| local.is(token)) {
        return Ok(Caller { actor: Actor::Local, role: Role::Admin, source: Source::Cli, request_id, trace: None });
    }
    let Some(holder) = api.app.tokens.authenticate(token, api.app.clock.now()).await? else {
        let detail = "It is unknown, has expired or was revoked. Ask an administrator for a new one.";
        return Err(ApiError::new(Code::TokenInvalid, detail)
            .header(WWW_AUTHENTICATE, "Bearer realm=\"keytrail\", error=\"invalid_token\""));
    };
    let actor = Actor::Token { id: holder.id, name: holder.name.as_str().to_owned() };
    Ok(Caller { actor, role: holder.role, source: Source::Api, request_id, trace: None })
}

/// The token of the one `Authorization` header. The scheme's case does not count (RFC 9110).
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let refused = |code, detail: &'static str| {
        Err(ApiError::new(code, detail).header(WWW_AUTHENTICATE, "Bearer realm=\"keytrail\""))
    };
    let mut all = headers.get_all(AUTHORIZATION);
    let Some(value) = all.next() else {
        return refused(Code::TokenMissing, "Send the header Authorization: Bearer kt_… with your access token.");
    };
    if all.next().is_some() {
        return refused(Code::TokenInvalid, "The header Authorization came twice. Send it once.");
    }
    let token = value.to_str().ok().and_then(|value| value.split_once(' ')).and_then(|(scheme, token)| {
        let token = token.trim_matches(' ');
        (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
    });
    match token {
        Some(token) => Ok(token),
        None => refused(Code::TokenInvalid, "The header Authorization must be the word Bearer, a blank and the token."),
    }
}

const fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Auditor => 1,
        Role::Admin => 2,
    }
}

fn at_least(request: &HttpRequest, role: Role) -> Result<Caller, ApiError> {
    let extensions = request.extensions();
    // The edge lets nobody without a token come here; were it wrong about an address, this refuses.
    let caller = extensions.get::<Caller>().ok_or_else(|| {
        ApiError::new(Code::TokenMissing, "Send the header Authorization: Bearer kt_… with your access token.")
    })?;
    if rank(caller.role) < rank(role) {
        let detail = format!("Your token has the role {}; this needs {role}.", caller.role);
        return Err(ApiError::new(Code::RoleInsufficient, detail).with("role", caller.role.as_str()));
    }
    Ok(caller.clone())
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident = $role:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name(Caller);

        impl FromRequest for $name {
            type Error = ApiError;
            type Future = Ready<Result<Self, ApiError>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(at_least(request, $role).map(Self))
            }
        }

        impl std::ops::Deref for $name {
            type Target = Caller;

            fn deref(&self) -> &Caller {
                &self.0
            }
        }
    )*};
}

needs! {
    /// Somebody who may change everything.
    Admin = Role::Admin;
    /// Somebody who may read everything, the history included.
    Auditor = Role::Auditor;
    /// Anybody with a token.
    Viewer = Role::Viewer;
}
