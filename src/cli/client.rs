//! Talks to a server: to the one that is named, to the one of the data folder, or to one that is started for this command
//! where the command may do so.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::dev::ServerHandle;
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{CliError, elsewhere, in_commands::whole, output};
use crate::{
    app::App,
    boot::{self, BootError, Endpoint},
    clock::Clock,
    config::Config,
    http::{self, Access, HttpSettings, LocalToken},
    ids,
    secrets::Secret,
    store::StoreError,
};

/// How long to wait for another command that has the data folder for itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to try again while the server says that this may help, and nothing of it moves. The build of a view may take
/// longer, but then its position moves.
const STANDSTILL: Duration = Duration::from_secs(60);

/// A connection to the API: with every right on this machine, or with those of the token that was given.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    token: Secret<String>,
    /// Started for this command only.
    own: Option<Own>,
}

struct Own {
    app: Arc<App>,
    server: ServerHandle,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Option<String>,
}

/// What the server says when it refuses (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    title: String,
    detail: Option<String>,
    /// How far a view is.
    position: Option<i64>,
}

impl Problem {
    fn text(&self) -> String {
        whole(&self.title, self.detail.as_deref())
    }
}

impl Client {
    /// The server that was named, or that of the configured data folder; or one is started.
    pub(super) async fn connect(config: &Config) -> Result<Self, CliError> {
        if let Some(server) = &config.reach.server {
            let url = elsewhere::address(server, &config.reach)?;
            let (token, http) = (elsewhere::token(&config.reach)?, elsewhere::http(&config.reach)?);
            return Ok(Self { http, url, token, own: None });
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|source| CliError::NoAnswer { url: "(none)".into(), source })?;
        let started = Instant::now();
        loop {
            if let Some(found) = Self::find(config, &http).await {
                return Ok(found);
            }
            if !config.reach.starts {
                let folder = config.store.folder.clone();
                return Err(CliError::NoServer { folder, start_with: config.reach.start_with.clone() });
            }
            match Self::start(config, http.clone(), true).await {
                Ok(own) => return Ok(own),
                // A server that is just starting, or another command for as long as it takes.
                Err(CliError::Boot(BootError::Store(StoreError::Unavailable(_))))
                    if config.store.database_url.is_none() && started.elapsed() < PATIENCE =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The server of the data folder that runs, if one does; what it is asked takes as long as it takes.
    pub(super) async fn running(config: &Config) -> Option<Self> {
        Self::find(config, &reqwest::Client::builder().no_proxy().build().ok()?).await
    }

    /// A server for this command only, if it can be started at once: one to look at, in which nobody works.
    pub(super) async fn to_look(config: &Config) -> Result<Self, CliError> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|source| CliError::NoAnswer { url: "(none)".into(), source })?;
        Self::start(config, http, false).await
    }

    async fn find(config: &Config, http: &reqwest::Client) -> Option<Self> {
        let Endpoint { url, token, .. } = Endpoint::find(&config.store.folder)?;
        let alive = http.get(format!("{url}/livez")).timeout(Duration::from_secs(2)).send().await.ok()?;
        alive.status().is_success().then(|| Self { http: http.clone(), url, token: Secret::new(token), own: None })
    }

    async fn start(config: &Config, http: reqwest::Client, works: bool) -> Result<Self, CliError> {
        let app = if works {
            boot::start(config, Clock::System).await?
        } else {
            boot::start_to_look(config, Clock::System).await?
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = |source| BootError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        let url = format!("http://{}", listener.local_addr().map_err(listen)?);
        let (token, local) = LocalToken::random();
        let settings = HttpSettings { workers: 1, local_token: Some(local), metrics: None, access: Access::default() };
        let server = http::serve(app.clone(), settings, listener).map_err(listen)?;
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { http, url, token: Secret::new(token), own: Some(Own { app, server: handle }) })
    }

    /// Ends the server that was started for this command.
    pub(super) async fn close(self) {
        if let Some(own) = self.own {
            own.server.stop(false).await;
            own.app.stop().await;
        }
    }

    /// Of a server of this process.
    pub(super) fn of(url: &str, token: String) -> Result<Self, CliError> {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|source| CliError::NoAnswer { url: url.to_owned(), source })?;
        Ok(Self { http, url: url.to_owned(), token: Secret::new(token), own: None })
    }

    /// Another caller of the same server, with the rights of this token.
    pub(super) fn with_token(&self, token: String) -> Self {
        Self { http: self.http.clone(), url: self.url.clone(), token: Secret::new(token), own: None }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(self.token.expose())
    }

    /// Sends it, again and again as long as the server says that this may help.
    async fn answer(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let no_answer = |source| CliError::NoAnswer { url: self.url.clone(), source };
        let (mut since, mut position, mut told) = (Instant::now(), None, false);
        loop {
            let attempt = request.try_clone().expect("a body of JSON can be sent twice");
            let response = attempt.send().await.map_err(no_answer)?;
            let status = response.status();
            let pause = worth_another_try(status, response.headers());
            if status.is_success() && pause.is_none() {
                return Ok(response);
            }
            let Ok(problem) = response.json::<Problem>().await else {
                return Err(CliError::NotOurs { url: self.url.clone(), status: status.as_u16() });
            };
            if problem.position > position {
                (since, position) = (Instant::now(), problem.position);
            }
            match pause {
                Some(pause) if since.elapsed() < STANDSTILL => {
                    if !told {
                        output::wait(&format!("for the server. {}", problem.text()));
                        told = true;
                    }
                    tokio::time::sleep(pause).await;
                }
                _ => {
                    let (detail, code) = (problem.text(), problem.code);
                    // What is not there yet is no success, whatever the class of its status.
                    let status = if status.is_success() { 503 } else { status.as_u16() };
                    return Err(CliError::Problem { status, code, detail });
                }
            }
        }
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CliError> {
        let response = self.answer(request).await?;
        response.json().await.map_err(|source| CliError::NoAnswer { url: self.url.clone(), source })
    }

    /// Reads a resource.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, String)]) -> Result<T, CliError> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    /// How far the log of the server is, be it ready or not: for what is decided by what is read next. Nothing where it
    /// does not say.
    pub(super) async fn head(&self) -> Option<i64> {
        let told: Value = self.request(Method::GET, "/readyz").send().await.ok()?.json().await.ok()?;
        told["head"].as_i64()
    }

    /// Opens a stream, behind the event with this id.
    pub(super) async fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
        last_event_id: Option<&str>,
    ) -> Result<Response, CliError> {
        if self.own.is_some() {
            let detail =
                "no server runs on this data folder, so nothing happens that could be followed; start the server";
            return Err(CliError::Input(detail.into()));
        }
        let mut request = self.request(Method::GET, path).query(query);
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        self.answer(request).await
    }

    /// Reads what is no JSON.
    pub(super) async fn text(&self, path: &str) -> Result<String, CliError> {
        let response = self.answer(self.request(Method::GET, path)).await?;
        response.text().await.map_err(|source| CliError::NoAnswer { url: self.url.clone(), source })
    }

    /// Reads a whole list, page after page, up to `most` items.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        most: usize,
    ) -> Result<Vec<T>, CliError> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        while items.len() < most {
            let limit = (most - items.len()).min(500).to_string();
            let mut query: Vec<_> = query.iter().map(|(name, value)| (*name, value.clone())).collect();
            query.push(("limit", limit));
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page<T> = self.get(path, &query).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        Ok(items)
    }

    /// Wishes something. It is done once, however often it is sent.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        let key = ids::new_id().to_string();
        self.json(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    /// The same with something that is still at the version that was seen.
    pub(super) async fn post_at<T: DeserializeOwned>(
        &self,
        path: &str,
        version: i64,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let (key, seen) = (ids::new_id().to_string(), format!("\"{version}\""));
        let request = self.request(Method::POST, path).header("If-Match", seen);
        self.json(request.header("Idempotency-Key", key).json(body)).await
    }

    /// Changes something, whatever its version is.
    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        let key = ids::new_id().to_string();
        self.json(self.request(Method::PUT, path).header("If-Match", "*").header("Idempotency-Key", key).json(body))
            .await
    }

    /// Changes something that is still at the version that was seen.
    pub(super) async fn put_at<T: DeserializeOwned>(
        &self,
        path: &str,
        version: i64,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let seen = format!("\"{version}\"");
        self.json(self.request(Method::PUT, path).header("If-Match", seen).json(body)).await
    }

    /// Takes something away, whatever its version is. What the server says of it then.
    pub(super) async fn delete_for<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.json(self.request(Method::DELETE, path).header("If-Match", "*")).await
    }

    /// Takes something away, whatever its version is.
    pub(super) async fn delete(&self, path: &str) -> Result<(), CliError> {
        self.answer(self.request(Method::DELETE, path).header("If-Match", "*")).await.map(|_| ())
    }
}

/// When to try again, where that may help: a view that is behind or being built, a server that is busy or whose
/// database is away for a moment.
fn worth_another_try(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let problem = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let seconds = headers.get(RETRY_AFTER).and_then(|text| text.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    match status {
        StatusCode::ACCEPTED if problem => Some(seconds.unwrap_or(Duration::from_secs(1))),
        // A minute at most: some other program may stand between.
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => seconds.map(|pause| pause.min(STANDSTILL)),
        _ => None,
    }
}

/// Runs a command with a client, and closes it however the command ends.
pub(super) async fn with_client<R>(
    config: &Config,
    command: impl AsyncFnOnce(&Client) -> Result<R, CliError>,
) -> Result<R, CliError> {
    let client = Client::connect(config).await?;
    let result = command(&client).await;
    client.close().await;
    result
}
