//! The JSON body of a request: bounded in bytes and in time, read into a type that refuses unknown fields. What is wrong
//! with it is said without repeating what was sent.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{CONTENT_ENCODING, CONTENT_TYPE},
    web::{Bytes, BytesMut},
};
use futures::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_json::{Value, value::RawValue};

use super::error::{ApiError, Code};

/// The most that a body may take.
pub(super) const MOST_BYTES: usize = 1 << 20;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that was read.
pub(super) struct Input<T> {
    /// What it says.
    pub(super) value: T,
    /// As it came.
    pub(super) bytes: Bytes,
}

impl<T: DeserializeOwned + 'static> FromRequest for Input<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_headers(request);
        let mut payload = payload.take();
        Box::pin(async move {
            checked?;
            let read = tokio::time::timeout(PATIENCE, read(&mut payload)).await;
            let bytes = read.map_err(|_| {
                ApiError::new(Code::BodyTooSlow, "The body did not arrive within 10 seconds. Send it again.")
            })??;
            // Serde fills the fields of a structure from a list, too, where all of them may be left out.
            if bytes.trim_ascii_start().starts_with(b"[") {
                return Err(ApiError::new(
                    Code::BodyInvalid,
                    "The body is a list; send an object, as in {\"name\": …}.",
                ));
            }
            let value =
                serde_json::from_slice(&bytes).map_err(|error| ApiError::new(Code::BodyInvalid, explain(&error)))?;
            Ok(Self { value, bytes })
        })
    }
}

/// Reads what has one of several forms, and parts that have, which the word `kind` tells apart. Serde takes the number of
/// a form for its word, too; the description knows words alone.
pub(super) fn told_by_word<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let sent = Box::<RawValue>::deserialize(deserializer)?;
    let value = serde_json::from_str::<Value>(sent.get()).map_err(D::Error::custom)?;
    if is_told_by_number(&value) {
        return Err(D::Error::custom("invalid type: integer, expected a word as `kind`"));
    }
    serde_json::from_str(sent.get()).map_err(D::Error::custom)
}

fn is_told_by_number(value: &Value) -> bool {
    value.as_object().is_some_and(|members| value["kind"].is_number() || members.values().any(is_told_by_number))
}

fn check_headers(request: &HttpRequest) -> Result<(), ApiError> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let plain = request.headers().get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if !essence.eq_ignore_ascii_case("application/json") || !plain {
        let detail = "Send JSON with the header Content-Type: application/json, and not compressed.";
        return Err(ApiError::new(Code::ContentTypeUnsupported, detail));
    }
    let length = request.headers().get(actix_web::http::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > MOST_BYTES as u64) {
        return Err(too_large());
    }
    Ok(())
}

async fn read(payload: &mut Payload) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::new(Code::BodyInvalid, "The body ended early. Send it again."))?;
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

fn too_large() -> ApiError {
    ApiError::new(Code::BodyTooLarge, "A body has at most 1 MiB.").with("max_bytes", MOST_BYTES)
}

/// The parser repeats values, which may be secrets that stand in the wrong place. What it expected is enough.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    let names_only = ["unknown field", "missing field", "duplicate field"];
    if error.is_data() && !names_only.iter().any(|start| text.starts_with(start)) {
        let expected = text.split_once(", expected ").map_or("something else", |(_, expected)| expected);
        let expected = expected.split(" at line ").next().unwrap_or_default();
        return format!("The value at {place} is not what this field takes; expected {expected}.");
    }
    if error.is_data() {
        let what = without_secrets(text.split(" at line ").next().unwrap_or_default());
        return format!("The body has a wrong field at {place}: {what}.");
    }
    format!("The body is not JSON at {place}.")
}

/// The name of a field that is unknown is repeated, so that a typing error is found; not one that could be a secret.
pub(super) fn without_secrets(text: &str) -> String {
    match text.split('`').nth(1) {
        Some(name) if could_be_a_secret(name) => text.replacen(name, "…", 1),
        _ => text.to_owned(),
    }
}

/// A name that was sent, to be repeated as [`without_secrets`] does.
pub(super) fn without_secret(name: &str) -> &str {
    if could_be_a_secret(name) { "…" } else { name }
}

fn could_be_a_secret(name: &str) -> bool {
    // So long are tokens of GitHub and names of commits, and no field of ours.
    const TOO_LONG: usize = 40;
    name.len() >= TOO_LONG || may_be_a_token(name)
}

/// Whether a word holds the beginning of a token: of one of ours, or of one of GitHub's kinds, which begin so that they can
/// be found where they should not be.
pub(super) fn may_be_a_token(word: &str) -> bool {
    const BEGINNINGS: [&str; 7] = ["kt_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"];
    let word = word.to_ascii_lowercase();
    BEGINNINGS.iter().any(|beginning| word.contains(beginning))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of reading it are looked at")]
    struct Sample {
        name: String,
        days: u32,
    }

    fn explained(body: &str) -> String {
        explain(&serde_json::from_str::<Sample>(body).expect_err("a bad body"))
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for body in [r#"{"name":"a","days":"kt_secret"}"#, r#"{"name":{"kt_secret":1},"days":1}"#, r#"kt_secret"#] {
            assert!(!explained(body).contains("kt_secret"), "{}", explained(body));
        }
        assert!(explained(r#"{"name":"a","days":"x"}"#).contains("expected u32"));
        assert!(explained(r#"{"name":"a","days":1,"nme":2}"#).contains("unknown field `nme`"));
        assert!(explained(r#"{"name":"a"}"#).contains("missing field `days`"));
        assert!(explained("{").contains("not JSON"));
        let token = format!("kt_{}", "x".repeat(50));
        for name in [token.as_str(), "kt_x", "ghs_x", "github_pat_x", &"y".repeat(40), &"y".repeat(1_000)] {
            let text = explained(&format!(r#"{{"name":"a","days":1,"{name}":2}}"#));
            assert!(text.contains("unknown field `…`, expected") && !text.contains(name), "{text}");
        }
    }
}
