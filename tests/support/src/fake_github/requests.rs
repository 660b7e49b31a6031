//! The log of what a fake GitHub was asked, and who a caller is: an app by what its key signed, an installation by its
//! token, or nobody.

use actix_web::http::Method;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{keys::Signed, refusal::Refusal, world::World};

/// With what somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// With nothing.
    Nothing,
    /// With a token that a key of this app signed.
    App(u64),
    /// With a token of this installation.
    Installation(u64),
    /// With something that is not good, or no more.
    Bad,
}

/// One request that came in.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// The path as it came, with what follows a question mark.
    pub path: String,
    /// With what.
    pub credential: Credential,
    /// What stood behind `Bearer` or `token`, as it came.
    pub bearer: Option<String>,
    /// Seconds since 1970 by its clock.
    pub at: i64,
    /// What was answered.
    pub status: u16,
    /// The body as text; empty for git.
    pub body: String,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    Nobody,
    App(u64),
    Installation(u64),
}

impl Caller {
    pub(super) const fn credential(caller: &Result<Self, Refusal>) -> Credential {
        match caller {
            Ok(Self::Nobody) => Credential::Nothing,
            Ok(Self::App(app)) => Credential::App(*app),
            Ok(Self::Installation(installation)) => Credential::Installation(*installation),
            Err(_) => Credential::Bad,
        }
    }
}

impl World {
    /// Who comes with this header.
    pub(super) fn caller(&self, authorization: Option<&str>) -> Result<Caller, Refusal> {
        let Some(given) = authorization else { return Ok(Caller::Nobody) };
        let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "token" if token.starts_with("ghs_") => self.by_token(token).map(Caller::Installation),
            "bearer" => self.by_signature(token).map(Caller::App),
            _ => Err(Refusal::BadCredentials),
        }
    }

    /// Who fetches with this header: git sends the token as a password.
    pub(super) fn fetcher(&self, authorization: Option<&str>) -> Result<Caller, Refusal> {
        let Some(given) = authorization else { return Ok(Caller::Nobody) };
        let decoded = given.strip_prefix("Basic ").and_then(|text| BASE64_STANDARD.decode(text).ok());
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(Refusal::BadCredentials)?;
        match text.split_once(':') {
            Some(("x-access-token", token)) => self.by_token(token).map(Caller::Installation),
            _ => Err(Refusal::BadCredentials),
        }
    }

    fn by_token(&self, token: &str) -> Result<u64, Refusal> {
        let known = self.tokens.get(token).filter(|known| known.expires_at > self.now());
        let known = known.ok_or(Refusal::BadCredentials)?;
        let installation = self.installations.get(&known.installation).ok_or(Refusal::BadCredentials)?;
        if installation.suspension().is_some() {
            return Err(Refusal::Suspended);
        }
        match self.accounts.get(&installation.account) {
            Some(account) if account.closed => Err(Refusal::Address { organisation: account.login.clone() }),
            _ => Ok(installation.id),
        }
    }

    fn by_signature(&self, token: &str) -> Result<u64, Refusal> {
        let signed = Signed::read(token).ok_or(Refusal::NotDecoded)?;
        let issuer = &signed.claims["iss"];
        let app = self.apps.values().find(|app| {
            issuer.as_u64() == Some(app.id)
                || issuer.as_str().is_some_and(|text| text == app.client_id || text.parse() == Ok(app.id))
        });
        let app = app.ok_or(Refusal::NoSuchApp)?;
        if !app.keys.iter().any(|(_, key)| signed.is_by(key)) {
            return Err(Refusal::NotDecoded);
        }
        let now = self.now();
        match (signed.claims["exp"].as_i64(), signed.claims["iat"].as_i64()) {
            (None, _) => Err(Refusal::Expired),
            (Some(until), _) if until <= now => Err(Refusal::Expired),
            (Some(until), _) if until > now + 600 => Err(Refusal::TooFar),
            (_, None) => Err(Refusal::IssuedLater),
            (_, Some(since)) if since > now => Err(Refusal::IssuedLater),
            _ => Ok(app.id),
        }
    }

    pub(super) fn log(
        &mut self,
        method: &Method,
        path: &str,
        who: (Credential, Option<&str>),
        status: u16,
        body: String,
    ) {
        let (method, path, at, bearer) = (method.to_string(), path.to_owned(), self.now(), who.1.map(str::to_owned));
        self.asked.push(Asked { method, path, credential: who.0, bearer, at, status, body });
    }
}
