//! Services that come in with a signed token (JWT, RFC 7519) of an issuer that the configuration names. Called by `auth`.
//! It believes nothing of a token before its signature holds under a key that lies on this disk, and follows no address
//! that a token names (`jku`, `x5u`).

mod keys;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use jsonwebtoken::Validation;
use keytrail_domain::{access::Role, access_settings, display_text::DisplayText, timestamp::Timestamp};
use serde_json::{Map, Value};

use self::keys::Keys;
use crate::{config::Jwt, secrets::KeyedHash};

/// A longer token is not looked at, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;
/// The longest name of a service, in bytes.
const LONGEST_SUBJECT: usize = 200;
/// How often the key set's file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why tokens of services cannot be taken. Never says what a key is.
#[derive(Debug, thiserror::Error)]
pub enum BadServices {
    /// A setting.
    #[error("the setting access.jwt.{key} cannot be used: {text}")]
    Setting {
        /// Which.
        key: &'static str,
        /// Why.
        text: String,
    },
    /// A key or a set of keys.
    #[error("the key file {} cannot be used: {text}", .file.display())]
    Key {
        /// Which.
        file: PathBuf,
        /// Why.
        text: String,
    },
}

/// Why a token is not accepted. The words are told to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no such token, too long, or asks for what is not understood.
    Malformed,
    /// No key of this server has its `kid`.
    KeyUnknown,
    /// It is not signed as its key demands.
    Algorithm,
    /// Its signature does not hold.
    Signature,
    /// Somebody else signed it for us, or so it says.
    Issuer,
    /// It is for somebody else.
    Audience,
    /// Its time is over, or it does not say when that is.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It does not say who comes.
    Subject,
    /// What it says of the role is no role here.
    Role,
}

impl Refused {
    /// The stable word, and what to do.
    pub(super) const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "It is no token that this server understands."),
            Self::KeyUnknown => {
                ("key_unknown", "No key of this server has its kid. Give the server the issuer's keys.")
            }
            Self::Algorithm => ("algorithm", "Its key is used with another algorithm."),
            Self::Signature => ("signature", "Its signature does not hold."),
            Self::Issuer => ("issuer", "Its issuer is not the one that this server trusts."),
            Self::Audience => ("audience", "It was made for another audience."),
            Self::Expired => {
                ("expired", "It has expired, or does not say when it will (exp). Ask the issuer for a new one.")
            }
            Self::NotYetValid => {
                ("not_yet_valid", "It is not valid yet (nbf). Compare the clocks of issuer and server.")
            }
            Self::Subject => ("subject", "It does not say who comes (sub), in at most 200 plain characters."),
            Self::Role => {
                ("role", "Its role is none of this server. Compare the issuer with [access.jwt] of the server.")
            }
        }
    }
}

/// A service that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// The token's subject.
    pub(super) subject: String,
    /// What it may do.
    pub(super) role: Role,
    /// When its token stops working.
    pub(super) expires_at: Timestamp,
}

/// The issuer that is trusted.
pub(super) struct Services {
    issuer: String,
    audience: String,
    role_claim: String,
    roles: BTreeMap<String, Role>,
    leeway: i64,
    fixed: Vec<crate::config::JwtKey>,
    set: Option<PathBuf>,
    keys: Mutex<Held>,
}

struct Held {
    keys: Arc<Keys>,
    /// The set's file as it was.
    seen: Option<Stamp>,
    looked_at: Instant,
}

impl Services {
    /// Reads the keys. A file that cannot be used is told now, not with the first token.
    pub(super) fn open(settings: &Jwt) -> Result<Self, BadServices> {
        let setting = |key, text: &str| Err(BadServices::Setting { key, text: text.to_owned() });
        if settings.issuer.is_empty() {
            return setting("issuer", "it is empty");
        }
        if settings.audience.is_empty() {
            return setting("audience", "it is empty");
        }
        if settings.keys.is_empty() && settings.jwks_file.is_none() {
            return setting("keys", "give a key or jwks_file, or leave [access.jwt] out");
        }
        let mut roles = BTreeMap::new();
        for (claimed, role) in &settings.roles {
            let role = role.parse().map_err(|_| BadServices::Setting {
                key: "roles",
                text: format!("{role:?} is none of admin, auditor, viewer"),
            })?;
            roles.insert(claimed.clone(), role);
        }
        if roles.is_empty() {
            roles = [Role::Admin, Role::Auditor, Role::Viewer].map(|role| (role.as_str().to_owned(), role)).into();
        }
        let seen = settings.jwks_file.as_deref().and_then(stamp);
        let keys = load(&settings.keys, settings.jwks_file.as_deref())?;
        Ok(Self {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            role_claim: settings.role_claim.clone(),
            roles,
            leeway: i64::from(settings.leeway_seconds),
            fixed: settings.keys.clone(),
            set: settings.jwks_file.clone(),
            keys: Mutex::new(Held { keys: Arc::new(keys), seen, looked_at: Instant::now() }),
        })
    }

    /// The keys as they are now. A set that cannot be read holds no keys: one that was taken away must not go on working.
    fn keys(&self) -> Arc<Keys> {
        let mut held = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(set) = &self.set else { return held.keys.clone() };
        if held.looked_at.elapsed() < LOOK_EVERY {
            return held.keys.clone();
        }
        held.looked_at = Instant::now();
        let now = stamp(set);
        if now != held.seen {
            let loaded = load(&self.fixed, Some(set)).or_else(|error| {
                tracing::error!(%error, "no token that is signed with a key of this set is accepted");
                load(&self.fixed, None)
            });
            // What was read at the start and cannot be read any more is as good as taken away, too.
            held.keys = Arc::new(loaded.unwrap_or_default());
            held.seen = now;
            tracing::info!(keys = held.keys.0.len(), "the keys of services were read again");
        }
        held.keys.clone()
    }

    /// Whether what counts may change while the server runs.
    pub(super) const fn may_change(&self) -> bool {
        self.set.is_some()
    }

    /// What counts now, as the log tells it: no key, only what each is known by.
    pub(super) fn told(&self, hash: &KeyedHash) -> access_settings::Services {
        access_settings::Services {
            issuer: DisplayText::clean(&self.issuer),
            audience: DisplayText::clean(&self.audience),
            role_claim: DisplayText::clean(&self.role_claim),
            roles: self.roles.iter().map(|(claimed, role)| (DisplayText::clean(claimed), *role)).collect(),
            leeway_seconds: u32::try_from(self.leeway).unwrap_or(u32::MAX),
            keys: self.keys().0.iter().map(|key| key.told(hash)).collect(),
        }
    }

    /// Who comes in with this token.
    pub(super) fn authenticate(&self, token: &str, now: Timestamp) -> Result<Service, Refused> {
        if token.len() > LONGEST_TOKEN {
            return Err(Refused::Malformed);
        }
        let header = header(token)?;
        // An extension that must be understood (RFC 7515, 4.1.11) is not.
        if header.contains_key("crit") {
            return Err(Refused::Malformed);
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.as_str()),
            Some(_) => return Err(Refused::Malformed),
        };
        let keys = self.keys();
        let key = keys.named(kid).ok_or(Refused::KeyUnknown)?;
        let pinned = match key.algorithm {
            jsonwebtoken::Algorithm::RS256 => "RS256",
            jsonwebtoken::Algorithm::ES256 => "ES256",
            _ => "HS256",
        };
        if header.get("alg").and_then(Value::as_str) != Some(pinned) {
            return Err(Refused::Algorithm);
        }
        let mut rules = Validation::new(key.algorithm);
        // Checked below, by our own clock and with our own words.
        (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
        rules.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &rules);
        let claims = decoded.map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidAlgorithm => Refused::Algorithm,
            jsonwebtoken::errors::ErrorKind::Json(_) | jsonwebtoken::errors::ErrorKind::Base64(_) => Refused::Malformed,
            _ => Refused::Signature,
        })?;
        self.check(&claims.claims, now)
    }

    fn check(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Service, Refused> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refused::Issuer);
        }
        let for_us = match claims.get("aud") {
            Some(Value::String(one)) => *one == self.audience,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(&self.audience)),
            _ => false,
        };
        if !for_us {
            return Err(Refused::Audience);
        }
        let now = now.seconds();
        let ends = claims.get("exp").and_then(seconds).ok_or(Refused::Expired)?.saturating_add(self.leeway);
        if now >= ends {
            return Err(Refused::Expired);
        }
        if let Some(begins) = claims.get("nbf") {
            let begins = seconds(begins).ok_or(Refused::NotYetValid)?;
            if now.saturating_add(self.leeway) < begins {
                return Err(Refused::NotYetValid);
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(Refused::Subject)?;
        let plain = DisplayText::clean(subject).as_str() == subject;
        if subject.is_empty() || subject.len() > LONGEST_SUBJECT || !plain {
            return Err(Refused::Subject);
        }
        let role = |value: &Value| value.as_str().and_then(|word| self.roles.get(word)).copied();
        let claimed = match claims.get(&self.role_claim) {
            Some(Value::Array(all)) => all.iter().filter_map(role).max_by_key(|role| most(*role)),
            Some(one) => role(one),
            None => None,
        };
        let role = claimed.ok_or(Refused::Role)?;
        Ok(Service { subject: subject.to_owned(), role, expires_at: Timestamp::from_seconds(ends.min(FAR)) })
    }
}

/// Beyond it a time in microseconds would not fit.
const FAR: i64 = i64::MAX / 1_000_000;

const fn most(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Auditor => 1,
        Role::Admin => 2,
    }
}

/// Whether it has the form of such a token: three parts. Ours (`kt_…`) have no dot.
pub(super) fn has_the_form(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn header(token: &str) -> Result<Map<String, Value>, Refused> {
    let first = token.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(first).map_err(|_| Refused::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)
}

/// A moment in seconds since 1970; parts of a second do not count.
fn seconds(value: &Value) -> Option<i64> {
    let whole = value.as_i64().or_else(|| value.as_f64().filter(|at| at.is_finite()).map(|at| at as i64));
    whole.filter(|at| *at >= 0)
}

/// By which a changed file is known: when, how long, which.
type Stamp = (i64, i64, u64, u64);

fn stamp(file: &Path) -> Option<Stamp> {
    let found = fs::metadata(file).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

fn load(fixed: &[crate::config::JwtKey], set: Option<&Path>) -> Result<Keys, BadServices> {
    let mut all = fixed.iter().map(keys::from_file).collect::<Result<Vec<_>, _>>()?;
    all.extend(set.map(keys::from_set).transpose()?.into_iter().flatten());
    let twice = |(place, key): (usize, &keys::Key)| all[..place].iter().any(|other| other.kid() == key.kid());
    if all.iter().enumerate().any(twice) {
        let text = "two keys have the same kid, or none; a token must name one of them".to_owned();
        return Err(BadServices::Setting { key: "keys", text });
    }
    Ok(Keys(all))
}
