//! Pages of other origins whose scripts may ask (CORS). None unless the configuration names them, each exactly. Called by
//! the edge. Nothing that a browser adds by itself is ever asked for: no credentials, no `*`.

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
            HeaderValue, ORIGIN, VARY,
        },
    },
};

const ALLOWED: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, if-match, last-event-id");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "allow, etag, idempotency-replayed, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, \
     x-log-position, x-request-id",
);

/// The origins that are let in.
pub(super) struct Origins(Vec<HeaderValue>);

impl Origins {
    /// The text that is no origin, when there is one.
    pub(super) fn new(origins: &[String]) -> Result<Self, String> {
        let origin = |text: &String| {
            let (scheme, host) = text.split_once("://").unwrap_or_default();
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
            let whole = matches!(scheme, "http" | "https") && !host.is_empty() && host.bytes().all(plain);
            HeaderValue::from_str(text).ok().filter(|_| whole).ok_or_else(|| text.clone())
        };
        origins.iter().map(origin).collect::<Result<_, _>>().map(Self)
    }

    /// The origin of a page, if it is let in.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut all = headers.get_all(ORIGIN);
        let (Some(origin), None) = (all.next(), all.next()) else { return None };
        self.0.contains(origin).then(|| origin.clone())
    }

    /// Whether any is let in at all: answers differ by it.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a browser asks what a page may ask.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that. The browser compares; the address is not looked at, so that it tells nobody what is there.
pub(super) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST, PUT, DELETE"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "600"))
        .finish()
}

/// Lets the page see the answer.
pub(super) fn let_in(origin: HeaderValue, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

/// A cache must not hand the answer for one origin to another.
pub(super) fn vary(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        let new = |text: &str| Origins::new(&[text.to_owned()]);
        for fine in ["https://board.example", "http://localhost:3000", "https://[::1]:8443"] {
            assert!(new(fine).is_ok(), "{fine}");
        }
        for wrong in [
            "*",
            "null",
            "",
            "https://",
            "https://*",
            "board.example",
            "https://board.example/",
            "https://Board.example",
        ] {
            assert_eq!(new(wrong).err().as_deref(), Some(wrong));
        }
    }
}
