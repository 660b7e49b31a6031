//! An answer before it is sent.

use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode};
use serde_json::Value;

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn typed(status: u16, kind: &str, body: &str) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.as_bytes().to_vec() }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::typed(status, "application/json; charset=utf-8", &body.to_string())
    }

    pub(super) fn html(status: u16, body: &str) -> Self {
        Self::typed(status, "text/html; charset=utf-8", body)
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::typed(status, "text/plain; charset=utf-8", body)
    }

    /// To another page of a browser.
    pub(super) fn see(location: &str) -> Self {
        Self::empty(302).with("location", location)
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn into_response(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).expect("a status");
        let mut response = HttpResponseBuilder::new(status);
        for (name, value) in self.headers {
            response.append_header((name, value));
        }
        response.body(self.body)
    }
}
