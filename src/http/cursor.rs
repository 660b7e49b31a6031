//! Pages of lists. Where a page ends is told by a signed cursor: nobody makes one up, and one list's cursor does not
//! work on another, or under other filters.

use std::fmt::Debug;

use actix_web::{HttpResponse, http::header::ContentType};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use keytrail_domain::{hex::lower_hex, timestamp::Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::error::{ApiError, Code};
use crate::secrets::ServerSecrets;

/// How long a cursor works, in seconds.
const LIFE: i64 = 24 * 3600;
/// Rows of a page when nothing else is asked for.
const DEFAULT_LIMIT: u32 = 50;
/// The most rows of a page.
const MOST: u32 = 500;

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The rows.
    pub(super) items: Vec<T>,
    /// Ask again with this as `cursor` for the next page; nothing when this is the last one. It works for a day.
    pub(super) next: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// The page as an answer. Rows are about as long as a commit's: the buffer need not grow for each of them.
    pub(super) fn answer(&self) -> Result<HttpResponse, ApiError> {
        let mut body = Vec::with_capacity(64 + self.items.len() * 640);
        serde_json::to_writer(&mut body, self).map_err(|error| ApiError::internal(&error))?;
        Ok(HttpResponse::Ok().content_type(ContentType::json()).body(body))
    }
}

/// Which list a cursor belongs to: its name and its filters.
pub(super) struct List<'a>(&'static str, &'a dyn Debug);

impl<'a> List<'a> {
    /// The list of this name under these filters.
    pub(super) const fn new(name: &'static str, filters: &'a impl Debug) -> Self {
        Self(name, filters)
    }

    /// What a cursor says of it. Most pages neither come from a cursor nor end with one.
    fn digest(&self) -> String {
        let Self(name, filters) = self;
        let hash = Sha256::digest(format!("{name}\n{filters:?}"));
        lower_hex(&hash[..12])
    }
}

#[derive(Serialize, Deserialize)]
struct Claims<A> {
    list: String,
    after: A,
    exp: i64,
}

/// Signs cursors and reads them.
pub(super) struct Cursors {
    signing: EncodingKey,
    reading: DecodingKey,
}

impl Cursors {
    pub(super) fn new(keys: &ServerSecrets) -> Self {
        // The key itself stays where it is; this one is derived from it for this use.
        let key = keys.cursors.of(b"cursors of the HTTP API, 1");
        Self { signing: EncodingKey::from_secret(&key), reading: DecodingKey::from_secret(&key) }
    }

    fn sign<A: Serialize>(&self, list: &List<'_>, after: A, now: Timestamp) -> Result<String, ApiError> {
        let claims = Claims { list: list.digest(), after, exp: now.seconds() + LIFE };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing)
            .map_err(|error| ApiError::internal(&error))
    }

    /// Where the page before ended; nothing without a cursor.
    pub(super) fn after<A: DeserializeOwned + Clone>(
        &self,
        cursor: Option<&str>,
        list: &List<'_>,
        now: Timestamp,
    ) -> Result<Option<A>, ApiError> {
        let Some(cursor) = cursor else { return Ok(None) };
        let mut rules = Validation::new(Algorithm::HS256);
        // Against our own clock, below.
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        let other = || {
            let detail = "A cursor continues the list it came from, with the same filters. Begin without a cursor.";
            ApiError::new(Code::CursorOtherList, detail)
        };
        let claims = jsonwebtoken::decode::<Claims<serde_json::Value>>(cursor, &self.reading, &rules)
            .map_err(|_| {
                ApiError::new(Code::CursorInvalid, "Take cursors from `next` as they are, or begin without one.")
            })?
            .claims;
        if claims.exp <= now.seconds() {
            return Err(ApiError::new(Code::CursorExpired, "A cursor works for a day. Begin again without one."));
        }
        if claims.list != list.digest() {
            return Err(other());
        }
        serde_json::from_value(claims.after).map(Some).map_err(|_| other())
    }

    /// The page of these rows, of which one more than `limit` was asked for.
    pub(super) fn page<R, A: Serialize, T>(
        &self,
        mut rows: Vec<R>,
        limit: u32,
        list: &List<'_>,
        now: Timestamp,
        after: impl Fn(&R) -> A,
        show: impl Fn(R) -> T,
    ) -> Result<Page<T>, ApiError> {
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = match rows.last() {
            Some(last) if more => Some(self.sign(list, after(last), now)?),
            _ => None,
        };
        Ok(Page { items: rows.into_iter().map(show).collect(), next })
    }
}

/// The number of rows of a page.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(ApiError::new(Code::QueryInvalid, "The limit of a page is 1 to 500.")),
    }
}
