//! One request to a GitHub and its answer: what every call has in common. Nothing is followed, nothing is tried again
//! here; what is refused is told apart by status, headers and the beginnings of known messages.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{
    github::GithubHost,
    remote_url::{Host, RemoteUrl},
    timestamp::Timestamp,
};
use reqwest::{
    Client, Method, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, RETRY_AFTER},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{GithubError, GithubTrouble};
use crate::git::{
    GitError,
    remote::{AddressPolicy, Limits, Proxy, Remote, RemoteTrouble, Trust, classify::classify, client::checked_http},
};

/// GitHub wants to know who asks.
const USER_AGENT: &str = concat!("keytrail/", env!("CARGO_PKG_VERSION"));
/// Both, for a judge that takes the second only.
const TYPES: &str = "application/vnd.github+json, application/json;q=0.9";
/// What is answered to one request is smaller than this.
const LONGEST_ANSWER: usize = 32 << 20;
/// What a secondary limit means when it does not say (docs.github.com, "Rate limits for the REST API").
const SECONDARY_PAUSE: Duration = Duration::from_secs(60);
/// Nobody is made to wait longer, whatever it says.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 60 * 60);

/// A GitHub and how it is reached.
#[derive(Clone, Debug)]
pub struct Place {
    /// Which.
    pub host: GithubHost,
    /// Whose certificates are good.
    pub trust: Trust,
    /// Through what it is reached.
    pub proxy: Option<Proxy>,
    /// Which addresses may be connected to.
    pub addresses: Arc<AddressPolicy>,
    /// What is too slow.
    pub limits: Limits,
}

/// A connection to the API of one GitHub.
pub struct Github {
    http: Client,
    api: Url,
    remote: Host,
    name: String,
    by_proxy: bool,
    limits: Limits,
}

/// Who asks.
pub(super) enum As<'a> {
    /// Nobody.
    Nobody,
    /// The bearer of this: a signed token of the app, or a token of the installation.
    Bearer(&'a str),
}

/// An answer that was taken in whole.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// What GitHub says is left of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Requests in an hour.
    pub limit: u64,
    /// What is left of them.
    pub remaining: u64,
    /// When it is full again.
    pub reset: Timestamp,
}

impl Github {
    /// Checks the addresses of the API; nothing is sent yet.
    pub async fn reach(place: &Place) -> Result<Self, GithubError> {
        let name = place.host.name().to_owned();
        let unreachable =
            |error: GitError| GithubError { host: name.clone(), trouble: GithubTrouble::Unreachable(Box::new(error)) };
        let wrong = || GithubError { host: name.clone(), trouble: GithubTrouble::NotGithub };
        let url = RemoteUrl::parse(&format!("{}/app", place.host.api)).map_err(|_| wrong())?.url;
        let remote = Remote {
            url,
            credential: None,
            trust: place.trust.clone(),
            proxy: place.proxy.clone(),
            ssh: None,
            addresses: Arc::clone(&place.addresses),
            limits: place.limits,
        };
        let http = checked_http(&remote, USER_AGENT).await.map_err(unreachable)?;
        let api = Url::parse(&place.host.api).map_err(|_| wrong())?;
        Ok(Self {
            http,
            api,
            remote: remote.url.host().clone(),
            by_proxy: place.proxy.is_some(),
            limits: place.limits,
            name,
        })
    }

    /// This trouble with it.
    pub(super) fn trouble(&self, trouble: GithubTrouble) -> GithubError {
        GithubError { host: self.name.clone(), trouble }
    }

    /// Asks for `{api}{path}`; the path's parts are encoded by the caller.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        who: As<'_>,
        body: Option<&Value>,
    ) -> Result<Answer, GithubError> {
        let url = Url::parse(&format!("{}{path}", self.api.as_str().trim_end_matches('/')));
        self.ask_at(method, url.map_err(|_| self.trouble(GithubTrouble::NotGithub))?, who, body, None).await
    }

    /// Asks for a page that an earlier answer named, or for one below the API; with `known`, whether it is still what
    /// had that ETag. It has to be at the same origin: a token goes nowhere else.
    pub(super) async fn ask_for_page(
        &self,
        url: &str,
        who: As<'_>,
        known: Option<&str>,
    ) -> Result<Answer, GithubError> {
        let whole = match url.starts_with('/') {
            true => format!("{}{url}", self.api.as_str().trim_end_matches('/')),
            false => url.to_owned(),
        };
        let url = Url::parse(&whole).ok().filter(|url| url.origin() == self.api.origin());
        let url = url.ok_or_else(|| self.trouble(GithubTrouble::NotGithub))?;
        self.ask_at(Method::GET, url, who, None, known).await
    }

    async fn ask_at(
        &self,
        method: Method,
        url: Url,
        who: As<'_>,
        body: Option<&Value>,
        known: Option<&str>,
    ) -> Result<Answer, GithubError> {
        let mut request = self
            .http
            .request(method, url)
            .header(ACCEPT, TYPES)
            .header(HeaderName::from_static("x-github-api-version"), "2022-11-28");
        if let As::Bearer(token) = who {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value.map_err(|_| self.trouble(GithubTrouble::TokenRejected))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(etag) = known {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        // However steadily it comes: who trickles would be waited for for ever.
        let answered = tokio::time::timeout(self.limits.listing, self.sent(request)).await;
        answered.unwrap_or_else(|_| Err(self.unreachable(RemoteTrouble::Silent)))
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Answer, GithubError> {
        // GitHub itself cuts what takes longer than ten seconds.
        let sent = tokio::time::timeout(self.limits.connect + self.limits.silence, request.send()).await;
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.unreachable(classify(&error, self.by_proxy))),
            Err(_) => return Err(self.unreachable(RemoteTrouble::Silent)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.body(response).await?;
        Ok(Answer { status, headers, body })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, GithubError> {
        let mut body = Vec::new();
        loop {
            match tokio::time::timeout(self.limits.silence, response.chunk()).await {
                Ok(Ok(Some(chunk))) if body.len() + chunk.len() > LONGEST_ANSWER => {
                    return Err(self.trouble(GithubTrouble::NotGithub));
                }
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(body),
                Ok(Err(error)) => return Err(self.unreachable(classify(&error, self.by_proxy))),
                Err(_) => return Err(self.unreachable(RemoteTrouble::Silent)),
            }
        }
    }

    fn unreachable(&self, trouble: RemoteTrouble) -> GithubError {
        self.trouble(GithubTrouble::Unreachable(Box::new(GitError::of_remote(&self.remote, trouble))))
    }

    /// The answer, when it says that all is well.
    pub(super) fn checked(&self, answer: Answer, now: Timestamp) -> Result<Answer, GithubError> {
        if answer.status.is_success() { Ok(answer) } else { Err(self.trouble(answer.refusal(now))) }
    }

    /// The body in our words.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, GithubError> {
        serde_json::from_slice(&answer.body).map_err(|_| self.trouble(GithubTrouble::NotGithub))
    }
}

impl Answer {
    /// Its status.
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// A header, when it is plain text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The time at GitHub, in seconds.
    pub(super) fn date(&self) -> Option<i64> {
        let date = self.headers.get(DATE)?.to_str().ok()?;
        chrono::DateTime::parse_from_rfc2822(date).ok().map(|date| date.timestamp())
    }

    /// Where the next page is (RFC 8288).
    pub(super) fn next(&self) -> Option<&str> {
        let links = self.headers.get(LINK)?.to_str().ok()?;
        links.split(',').find_map(|link| {
            let (url, parameters) = link.trim().split_once(';')?;
            let is_next = parameters.split(';').any(|parameter| parameter.trim() == "rel=\"next\"");
            is_next.then(|| url.trim().trim_start_matches('<').trim_end_matches('>'))
        })
    }

    /// What is left of the budget of whoever asked.
    pub(super) fn budget(&self) -> Option<Budget> {
        let number = |name| self.header(name)?.parse::<u64>().ok();
        Some(Budget {
            limit: number("x-ratelimit-limit")?,
            remaining: number("x-ratelimit-remaining")?,
            reset: Timestamp::from_seconds(number("x-ratelimit-reset")?.try_into().ok()?),
        })
    }

    /// What GitHub says in words; only its known beginnings are looked at.
    fn message(&self) -> String {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        body.as_ref().and_then(|body| body.get("message")?.as_str()).unwrap_or_default().to_owned()
    }

    fn refusal(&self, now: Timestamp) -> GithubTrouble {
        let message = self.message();
        let status = self.status.as_u16();
        match self.status {
            // GitHub says why. Whoever does not is something else, or stands before it: nothing of it is believed.
            StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::GONE if message.is_empty() => {
                GithubTrouble::NotGithub
            }
            StatusCode::UNAUTHORIZED if message.starts_with("A JSON web token could not be decoded") => {
                GithubTrouble::KeyRejected
            }
            StatusCode::UNAUTHORIZED if message.contains("('exp')") || message.contains("('iat')") => {
                GithubTrouble::ClockSkew { ahead: self.date().map_or(0, |date| date - now.seconds()) }
            }
            StatusCode::UNAUTHORIZED => GithubTrouble::TokenRejected,
            StatusCode::NOT_FOUND if message == "Integration not found" => GithubTrouble::AppDeleted,
            StatusCode::NOT_FOUND | StatusCode::GONE => GithubTrouble::NotFound,
            // It is called something else now. Ids stay, so nothing is asked for by a name that must be followed.
            _ if self.status.is_redirection() && message == "Moved Permanently" => GithubTrouble::NotFound,
            // Both are told apart by the text alone.
            StatusCode::UNPROCESSABLE_ENTITY if message.starts_with("The permissions requested are not granted") => {
                GithubTrouble::MissingPermission { wanted: None }
            }
            StatusCode::UNPROCESSABLE_ENTITY
                if message.starts_with("There is at least one repository that does not") =>
            {
                GithubTrouble::NotFound
            }
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => self.forbidden(&message, now),
            _ if self.status.is_server_error() => GithubTrouble::Service { status },
            _ if self.status.is_redirection() => GithubTrouble::NotGithub,
            _ => GithubTrouble::Refused { status },
        }
    }

    /// 403 has many causes; a limit is told by its headers first (docs.github.com, "Best practices for using the REST
    /// API").
    fn forbidden(&self, message: &str, now: Timestamp) -> GithubTrouble {
        let lower = message.to_ascii_lowercase();
        if lower.starts_with("this installation has been suspended") {
            return GithubTrouble::Suspended;
        }
        if lower.contains("ip allow list") {
            // "… has an IP allow list enabled, and 203.0.113.7 is not permitted to access this resource."
            return GithubTrouble::AddressNotAllowed { address: message.split(' ').find_map(|word| word.parse().ok()) };
        }
        if self.header("x-github-sso").is_some() {
            return GithubTrouble::SignInDemanded;
        }
        let asked = self.header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse::<u64>().ok());
        let spent = self.header("x-ratelimit-remaining") == Some("0");
        let wait = match (asked, self.budget()) {
            (Some(seconds), _) => Some(Duration::from_secs(seconds)),
            // A second more: the clocks differ.
            (None, Some(budget)) if spent => {
                Some(Duration::from_secs((budget.reset.seconds() - now.seconds() + 1).max(1).unsigned_abs()))
            }
            _ => None,
        };
        let limited = self.status == StatusCode::TOO_MANY_REQUESTS
            || asked.is_some()
            || spent
            || lower.contains("secondary rate")
            || lower.contains("rate limit exceeded");
        if limited {
            return GithubTrouble::RateLimited { wait: wait.unwrap_or(SECONDARY_PAUSE).min(LONGEST_PAUSE) };
        }
        GithubTrouble::MissingPermission { wanted: self.header("x-accepted-github-permissions").and_then(permission) }
    }
}

/// A list of permissions such as `contents=write; metadata=read`; anything else is not repeated.
fn permission(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_=;, ".contains(&byte);
    (!text.is_empty() && text.len() <= 200 && text.bytes().all(plain)).then(|| text.to_owned())
}
