//! Who a caller is and what that allows. The edge finds out who; a route says what it needs by the type of an argument,
//! so that a route without a check reads as one; what the same request may not carry is refused with it. No token is ever
//! logged or answered.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
    web::Data,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use keytrail_domain::{
    access::{Role, Scope, Scopes},
    id::TokenId,
    metadata::{Actor, Source},
    recorded::{Position, Sequence},
    timestamp::Timestamp,
    trace_parent::TraceParent,
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{
    Api,
    error::{ApiError, Code},
    limits::{Budget, CallerKey},
    services,
    unrouted::refuse_unread_query,
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
    /// The part of that; all of it when nothing is said.
    pub(super) scopes: Option<Scopes>,
    /// Until when; for ever when nothing is said.
    pub(super) until: Option<Timestamp>,
    /// Where the log stood when the caller was let in: what takes the right away comes after it.
    pub(super) since: Position,
    /// Through which door.
    pub(super) source: Source,
    /// The request.
    pub(super) request_id: Uuid,
    /// The trace that it belongs to.
    pub(super) trace: Option<TraceParent>,
}

impl Caller {
    /// The token that was shown, if it was one of ours.
    pub(super) const fn token(&self) -> Option<TokenId> {
        match &self.actor {
            Actor::Token { id, .. } => Some(*id),
            Actor::Service { .. } | Actor::Local | Actor::Server { .. } => None,
        }
    }

    /// Whether the token has this scope; one that was not narrowed has all that its role allows.
    pub(super) fn has(&self, scope: Scope) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(scope))
    }

    /// Refuses a token that has not this scope.
    pub(super) fn needs(&self, scope: Scope) -> Result<(), ApiError> {
        match &self.scopes {
            Some(scopes) if !scopes.contains(scope) => {
                let detail = format!("Your token was made for {scopes}; this needs {scope}.");
                Err(ApiError::new(Code::ScopeInsufficient, detail).with("scope", scope.as_str()))
            }
            Some(_) | None => Ok(()),
        }
    }

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

/// Finds out who asks, and counts it. The command line of this machine is not counted: who reads the data folder needs no
/// server to take its time.
pub(super) async fn caller(
    api: &Api,
    headers: &HeaderMap,
    address: IpAddr,
    request_id: Uuid,
) -> Result<(Caller, Option<Budget>), ApiError> {
    let since = api.app.log.feed().head().position;
    let token = bearer(headers);
    if let Ok(token) = token
        && api.local_token.as_ref().is_some_and(|local| local.is(token))
    {
        let (actor, role) = (Actor::Local, Role::Admin);
        let caller =
            Caller { actor, role, scopes: None, until: None, since, source: Source::Cli, request_id, trace: None };
        return Ok((caller, None));
    }
    api.access.limits.address(address)?;
    let known = match token {
        Ok(token) => known(api, token, address, since, request_id).await,
        Err(error) => Err(error),
    };
    match known {
        Ok((caller, key)) => api.access.limits.caller(key).map(|budget| (caller, budget)),
        Err(error) => {
            if error.code() == Code::TokenInvalid {
                tracing::info!(%address, "a token was refused");
                metrics::counter!("keytrail_http_tokens_refused_total").increment(1);
                api.access.limits.failed(address)?;
            }
            Err(error)
        }
    }
}

/// Who holds this token, of ours or of a service.
async fn known(
    api: &Api,
    token: &str,
    address: IpAddr,
    since: Position,
    request_id: Uuid,
) -> Result<(Caller, CallerKey), ApiError> {
    let refused = |detail: &'static str| {
        ApiError::new(Code::TokenInvalid, detail)
            .header(WWW_AUTHENTICATE, "Bearer realm=\"keytrail\", error=\"invalid_token\"")
    };
    let now = api.app.clock.now();
    if let Some(services) = api.access.services.as_ref().filter(|_| services::has_the_form(token)) {
        let service = services.authenticate(token, now).map_err(|reason| {
            let (word, detail) = reason.told();
            refused(detail).with("reason", word)
        })?;
        let key = CallerKey::service(&service.subject);
        let (actor, until) = (Actor::service(&service.subject), Some(service.expires_at));
        let role = service.role;
        return Ok((
            Caller { actor, role, scopes: None, until, since, source: Source::Api, request_id, trace: None },
            key,
        ));
    }
    let key = CallerKey::token(token);
    api.access.limits.may_try(address, key)?;
    let Some(holder) = api.app.tokens.authenticate(token, now).await? else {
        return Err(refused("It is unknown, has expired or was revoked. Ask an administrator for a new one."));
    };
    let actor = Actor::Token { id: holder.id, name: holder.name.as_str().to_owned() };
    let (role, scopes, until) = (holder.role, holder.scopes, Some(holder.expires_at));
    Ok((Caller { actor, role, scopes, until, since, source: Source::Api, request_id, trace: None }, key))
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

fn at_least(request: &HttpRequest, role: Role) -> Result<Caller, ApiError> {
    let extensions = request.extensions();
    // The edge lets nobody without a token come here; were it wrong about an address, this refuses.
    let caller = extensions.get::<Caller>().ok_or_else(|| {
        ApiError::new(Code::TokenMissing, "Send the header Authorization: Bearer kt_… with your access token.")
    })?;
    if !caller.role.is_at_least(role) {
        let detail = format!("Your token has the role {}; this needs {role}.", caller.role);
        return Err(ApiError::new(Code::RoleInsufficient, detail).with("role", caller.role.as_str()));
    }
    if let Some(scopes) = &caller.scopes {
        let needed = request.app_data::<Data<Api>>().and_then(|api| api.known.scope(request));
        match needed {
            Some((_, also)) if also.iter().any(|scope| scopes.contains(*scope)) => {}
            Some((needed, _)) => caller.needs(needed)?,
            None => {
                let detail = format!("Your token was made for {scopes}; this is for tokens without scopes.");
                return Err(ApiError::new(Code::ScopeInsufficient, detail));
            }
        }
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
                let caller = at_least(request, $role);
                ready(caller.and_then(|caller| refuse_unread_query(request).map(|()| Self(caller))))
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
