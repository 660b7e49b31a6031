//! What a server answers: every answer is looked at, whatever a case asked for.

use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::description;

/// An answer that was looked at.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

/// Sends it, and looks at what every answer has.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.expect("a request");
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.expect("an answer");
    looked_at(&method, &path, response).await
}

/// Looks at what every answer has.
pub(crate) async fn looked_at(method: &Method, path: &str, response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a body");
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    assert!(headers.contains_key("x-request-id"), "{status} {text}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    if status.is_client_error() || status.is_server_error() && body.get("ready").is_none() {
        assert_eq!(headers["content-type"], "application/problem+json", "{status} {text}");
        assert_eq!(body["status"], status.as_u16(), "{text}");
        assert_eq!(body["request_id"].as_str(), headers["x-request-id"].to_str().ok(), "{text}");
        assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{text}");
        assert!(body["title"].is_string() && body["type"].is_string(), "{text}");
    }
    if let Some(why) = description::objection(method, path, status, &headers, &body) {
        panic!("{why}: {text}");
    }
    Answer { status, headers, body, text }
}

impl Answer {
    /// Demands this status.
    #[track_caller]
    pub(crate) fn with(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Demands this problem.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        self
    }

    pub(crate) fn id(&self) -> String {
        self.text_of("id")
    }

    pub(crate) fn text_of(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("no {member} in {}", self.text)).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name} with {}", self.text));
        value.to_str().expect("ASCII").to_owned()
    }

    pub(crate) fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no items in {}", self.text))
    }
}
