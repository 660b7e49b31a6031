//! The only client that speaks HTTP to remotes. Called by the listing of refs and by the transport that fetches without
//! the git program. It connects only to checked addresses, never leaves the remote's scheme, host and port, uses no
//! proxy but the given one, and ends what makes no progress. Dropping a future of it cancels the request.

use std::time::{Duration, Instant};

use keytrail_domain::remote_url::{Host, RemoteUrl, Scheme, SchemeRefused};
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    redirect::Policy,
};

use super::{GitError, Limits, Proxy, Reach, Remote, RemoteTrouble, classify::classify, tls};

/// Some services serve git only to what calls itself git.
pub(in crate::git) const USER_AGENT: &str = "git/2.0 (keytrail)";
/// Redirects in a row that stay at their origin.
const MOST_REDIRECTS: usize = 5;
/// Nobody is made to wait longer, whatever the remote says.
const LONGEST_RETRY: Duration = Duration::from_secs(24 * 60 * 60);
/// Fewer bytes than these within [`Limits::silence`] are no progress, where a server has nothing to wait for.
const PROGRESS: u64 = 1024;

/// A client for one remote.
pub(crate) struct RemoteClient {
    http: Client,
    base: Url,
    authorization: Option<HeaderValue>,
    limits: Limits,
    host: Host,
    by_proxy: bool,
}

/// An answer whose head said that all is well; its body is still coming.
pub(crate) struct Answer {
    response: Response,
    limits: Limits,
    host: Host,
    received: u64,
    waited: Duration,
    in_window: u64,
    progress: u64,
}

impl RemoteClient {
    /// Checks the remote's scheme and addresses; nothing is sent yet.
    pub(crate) async fn new(remote: &Remote) -> Result<Self, GitError> {
        let refused = |reason| remote.trouble(RemoteTrouble::UrlNotAllowed { reason });
        match remote.url.scheme() {
            Scheme::Http | Scheme::Https => {}
            Scheme::Git => return Err(refused(SchemeRefused::Git)),
            Scheme::Ssh => return Err(remote.trouble(RemoteTrouble::Protocol { what: "HTTP is not spoken there" })),
        }
        let http = checked_http(remote, USER_AGENT).await?;
        let text = format!("{}{}", remote.url.origin(), remote.url.path().trim_end_matches('/'));
        let base = Url::parse(&text).map_err(|_| remote.trouble(RemoteTrouble::NotGit))?;
        let authorization = remote.credential.as_ref().and_then(|credential| {
            let mut value = HeaderValue::from_str(&credential.authorization()).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        let host = remote.url.host().clone();
        Ok(Self { http, base, authorization, limits: remote.limits, host, by_proxy: remote.proxy.is_some() })
    }

    /// Asks for `{url}{tail}`. Redirects within the origin are followed when they keep the tail; what is asked later
    /// is asked where they led to.
    pub(crate) async fn get(&mut self, tail: &str, headers: HeaderMap) -> Result<Answer, GitError> {
        let mut url = self.at(tail)?;
        for _ in 0..=MOST_REDIRECTS {
            let request = self.http.request(Method::GET, url.clone()).headers(headers.clone());
            let response = self.send(request).await?;
            if !response.status().is_redirection() {
                self.checked(&response)?;
                let base = url.as_str().strip_suffix(tail).and_then(|base| Url::parse(base).ok());
                // A page to sign in, or the like.
                self.base = base.ok_or_else(|| self.trouble(RemoteTrouble::NotGit))?;
                return Ok(self.answer(response, PROGRESS));
            }
            url = self.redirected(&url, &response)?;
        }
        Err(self.trouble(RemoteTrouble::TooManyRedirects))
    }

    /// Sends a body to `{url}{tail}`, where the last redirect led to. A redirect of this is refused.
    ///
    /// Any byte of the answer is progress: while a server makes a pack it only says now and then that it lives.
    pub(crate) async fn post(&self, tail: &str, headers: HeaderMap, body: Vec<u8>) -> Result<Answer, GitError> {
        let url = self.at(tail)?;
        let request = || self.http.request(Method::POST, url.clone()).headers(headers.clone()).body(body.clone());
        let response = match self.send(request()).await {
            // A server may end the connection of the last answer just when it is used again. What git asks by POST
            // changes nothing, so it can be asked twice.
            Err(GitError::Remote(error)) if error.trouble == RemoteTrouble::ConnectionLost => {
                self.send(request()).await?
            }
            sent => sent?,
        };
        if response.status().is_redirection() {
            return Err(self.trouble(RemoteTrouble::RedirectedAway));
        }
        self.checked(&response)?;
        Ok(self.answer(response, 1))
    }

    /// Where the remote is, after redirects.
    pub(crate) fn url(&self) -> Result<RemoteUrl, GitError> {
        let parsed = RemoteUrl::parse(self.base.as_str()).ok().filter(|parsed| parsed.credential.is_none());
        parsed.map(|parsed| parsed.url).ok_or_else(|| self.trouble(RemoteTrouble::NotGit))
    }

    /// This trouble with this remote.
    pub(crate) fn trouble(&self, trouble: RemoteTrouble) -> GitError {
        GitError::of_remote(&self.host, trouble)
    }

    fn at(&self, tail: &str) -> Result<Url, GitError> {
        Url::parse(&format!("{}{tail}", self.base)).map_err(|_| self.trouble(RemoteTrouble::NotGit))
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Response, GitError> {
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        // A head is small: it has the time of connecting and one silence, however it trickles in.
        let sent = tokio::time::timeout(self.limits.connect + self.limits.silence, request.send()).await;
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.trouble(classify(&error, self.by_proxy))),
            Err(_) => Err(self.trouble(RemoteTrouble::Silent)),
        }
    }

    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, GitError> {
        let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| from.join(to).ok()).ok_or_else(|| self.trouble(RemoteTrouble::NotGit))?;
        let same = to.scheme() == from.scheme()
            && to.host() == from.host()
            && to.port_or_known_default() == from.port_or_known_default()
            && to.username().is_empty()
            && to.password().is_none();
        if same { Ok(to) } else { Err(self.trouble(RemoteTrouble::RedirectedAway)) }
    }

    fn checked(&self, response: &Response) -> Result<(), GitError> {
        let trouble = match (response.status(), RemoteTrouble::of_status(response.status().as_u16())) {
            (StatusCode::OK, _) => return Ok(()),
            (_, RemoteTrouble::RateLimited { .. }) => RemoteTrouble::RateLimited { retry_after: retry_after(response) },
            (_, other) => other,
        };
        Err(self.trouble(trouble))
    }

    fn answer(&self, response: Response, progress: u64) -> Answer {
        let (limits, host) = (self.limits, self.host.clone());
        Answer { response, limits, host, received: 0, waited: Duration::ZERO, in_window: 0, progress }
    }
}

/// A client that connects only to the checked addresses of a remote, through its proxy if it has one; it follows no
/// redirect and sends no credential by itself.
pub(in crate::git) async fn checked_http(remote: &Remote, user_agent: &str) -> Result<Client, GitError> {
    let reach = remote.reach().await?;
    let mut builder = Client::builder()
        .use_preconfigured_tls(tls::config(&remote.trust).map_err(|trouble| remote.trouble(trouble))?)
        .no_proxy()
        .redirect(Policy::none())
        .http1_only()
        .referer(false)
        .connect_timeout(remote.limits.connect)
        .user_agent(user_agent);
    let (named, addresses) = match (&reach, &remote.proxy) {
        (Reach::Proxy(addresses), Some(proxy)) => {
            builder = builder.proxy(own(proxy).map_err(|_| remote.trouble(RemoteTrouble::ProxyFailed))?);
            // Without a tunnel, some proxies close after an answer whose head, the server's own, says that they stay.
            if remote.url.scheme() == Scheme::Http {
                builder = builder.pool_max_idle_per_host(0);
            }
            (proxy.url.host(), addresses)
        }
        (Reach::Direct(addresses) | Reach::Proxy(addresses), _) => (remote.url.host(), addresses),
    };
    // Addresses are taken as they are; only names would be looked up a second time.
    if let Host::Name(name) = named {
        builder = builder.resolve_to_addrs(name, addresses);
    }
    builder.build().map_err(|error| GitError::transient("preparing a connection", error.without_url()))
}

impl Answer {
    /// Whether the body calls itself this.
    pub(crate) fn is(&self, content_type: &str) -> bool {
        let found = self.response.headers().get(CONTENT_TYPE).and_then(|found| found.to_str().ok());
        let found = found.map(|found| found.split(';').next().unwrap_or_default().trim());
        found.is_some_and(|found| found.eq_ignore_ascii_case(content_type))
    }

    /// A trickle is no progress here: the server has what it was asked for.
    pub(crate) const fn demand_progress(&mut self) {
        self.progress = PROGRESS;
    }

    /// Waits for the next part of the body and appends it; `false` at its end.
    pub(crate) async fn fill(&mut self, buffer: &mut Vec<u8>) -> Result<bool, GitError> {
        // Only waiting counts: who reads slowly does not make the remote silent.
        let began = Instant::now();
        let left = self.limits.silence.saturating_sub(self.waited);
        let chunk = match tokio::time::timeout(left, self.response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(false),
            Ok(Err(error)) => return Err(self.trouble(classify(&error, false))),
            Err(_) => return Err(self.trouble(RemoteTrouble::Silent)),
        };
        self.waited += began.elapsed();
        self.in_window += chunk.len() as u64;
        if self.in_window >= self.progress {
            (self.waited, self.in_window) = (Duration::ZERO, 0);
        }
        self.received += chunk.len() as u64;
        if self.received > self.limits.answer_bytes {
            return Err(self.trouble(RemoteTrouble::AnswerTooLarge { bound: self.limits.answer_bytes }));
        }
        buffer.extend_from_slice(&chunk);
        Ok(true)
    }

    /// How many bytes of the body came.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// This trouble with the remote that answers.
    pub(crate) fn trouble(&self, trouble: RemoteTrouble) -> GitError {
        GitError::of_remote(&self.host, trouble)
    }
}

/// Headers as pairs of a lower-case name and a value.
pub(crate) fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn own(proxy: &Proxy) -> Result<reqwest::Proxy, Box<dyn std::error::Error + Send + Sync>> {
    let mut made = reqwest::Proxy::all(proxy.url.to_string())?;
    if let Some(credential) = &proxy.credential {
        let mut value = HeaderValue::from_str(&credential.authorization())?;
        value.set_sensitive(true);
        made = made.custom_http_auth(value);
    }
    Ok(made)
}

/// In seconds only: a date would need the clock, and hardly any service sends one.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY))
}
