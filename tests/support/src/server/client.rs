//! Small HTTP calls to a running server, with every right on this machine.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use super::PATIENCE;

/// Asks one server; it knows the address and the token of this start of it.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Where the change stands in the log; 0 where nothing was changed.
    pub position: i64,
    /// Whether it is the outcome of an earlier request with the same key.
    pub replayed: bool,
    /// The body; nothing when it is not JSON.
    pub body: Value,
}

/// Nothing came back: the server is gone, or went while it answered. What was asked may have been done.
#[derive(Debug)]
pub struct NoAnswer(pub reqwest::Error);

impl Client {
    pub(super) fn new(url: &str, token: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client can be made");
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token of an administrator of this machine, for programs that ask by themselves.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The same address, with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Result<Answer, NoAnswer> {
        send(self.request(Method::GET, path)).await
    }

    /// Wishes something; sending it again with the same key does it once.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Result<Answer, NoAnswer> {
        let request = self.request(Method::POST, path).json(body);
        send(match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        })
        .await
    }

    /// Changes something, whatever its version is.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer, NoAnswer> {
        send(self.request(Method::PUT, path).header("If-Match", "*").json(body)).await
    }

    /// Takes something away, whatever its version is.
    pub async fn delete(&self, path: &str) -> Result<Answer, NoAnswer> {
        send(self.request(Method::DELETE, path).header("If-Match", "*")).await
    }

    /// Reads a whole list, page after page.
    ///
    /// # Panics
    /// When a page is refused for good.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, NoAnswer> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let after = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = self.get(&format!("{path}{mark}limit=500{after}")).await?;
            if page.status == 503 && page.code() != "view_outdated" {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                cursor = None;
                items.clear();
                continue;
            }
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            items.extend(page.body["items"].as_array().into_iter().flatten().cloned());
            match page.body["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }
}

async fn send(request: RequestBuilder) -> Result<Answer, NoAnswer> {
    let response = request.send().await.map_err(NoAnswer)?;
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotency-replayed");
    let position = response.headers().get("x-log-position").and_then(|text| text.to_str().ok()?.parse().ok());
    let bytes = response.bytes().await.map_err(NoAnswer)?;
    Ok(Answer {
        status,
        position: position.unwrap_or(0),
        replayed,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}

impl Answer {
    /// The id of what was changed or made.
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_default()
    }

    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Whether it was carried out: the body holds what is shown, or the view is not there yet.
    pub const fn is_done(&self) -> bool {
        matches!(self.status, 200..=204)
    }
}
