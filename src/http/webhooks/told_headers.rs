//! The headers of a delivery as they are kept: for a person who looks what came. What is not known to be harmless is named
//! without its value.

use actix_web::http::header::HeaderMap;
use serde_json::{Map, Value};

/// Their values say what came and from where, and let nobody in.
const HARMLESS: [&str; 12] = [
    "accept",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-github-delivery",
    "x-github-enterprise-host",
    "x-github-enterprise-version",
    "x-github-event",
    "x-github-hook-id",
    "x-github-hook-installation-target-id",
    "x-github-hook-installation-target-type",
];
/// So many are kept, of so many characters.
const MOST: usize = 48;
const LONGEST: usize = 256;
/// In the place of a value.
const LEFT_OUT: &str = "…";

/// As JSON.
pub(super) fn told_headers(headers: &HeaderMap) -> String {
    let mut told = Map::new();
    for (name, value) in headers.iter().take(MOST) {
        let name = name.as_str();
        let value = match value.to_str() {
            Ok(value) if HARMLESS.contains(&name) => value.chars().take(LONGEST).collect(),
            _ => LEFT_OUT.to_owned(),
        };
        told.insert(name.chars().take(LONGEST).collect(), Value::String(value));
    }
    Value::Object(told).to_string()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::told_headers;

    #[test]
    fn a_value_that_may_let_somebody_in_is_not_kept() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-github-event", "push"),
            ("x-hub-signature-256", "sha256=aa"),
            ("x-hub-signature", "sha1=aa"),
            ("authorization", "Bearer aa"),
            ("cookie", "aa"),
            ("x-gateway-key", "aa"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let told = told_headers(&headers);
        assert!(!told.contains("aa") && told.contains(r#""x-github-event":"push""#), "{told}");
        assert!(told.contains("x-gateway-key") && told.contains("authorization"), "{told}");
    }
}
