//! What an app asks of its GitHub in its own name, with a token that its key signs (docs.github.com, "Generating a JSON
//! Web Token (JWT) for a GitHub App").

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use keytrail_domain::{
    github::{App, GithubHost, Login},
    installation::{Report, There},
    timestamp::Timestamp,
};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    Conversion, Github, GithubError, GithubTrouble, HookConfig, InstallationToken, ListedDelivery, SentDelivery,
    answers::{AppAnswer, InstallationAnswer, RequestAnswer, TokenAnswer},
    rest::{Answer, As},
};

/// Before now, for clocks that are behind ours.
const BEFORE: i64 = 60;
/// After now. GitHub takes up to 600; the rest is for clocks that are ahead.
const AFTER: i64 = 540;

/// Pages of a hundred installations that are looked at.
const MOST_PAGES: usize = 100;

/// What is known of an app in its organisation: names change, ids do not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Its installation, while there is one.
    pub installation: Option<u64>,
    /// The organisation, once it was installed there.
    pub account: Option<u64>,
}

/// The time now, from whoever has the clock.
pub(super) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An app, with the key that proves it.
pub struct AppAccess {
    github: Github,
    host: GithubHost,
    id: u64,
    key: EncodingKey,
    now: Now,
    /// Seconds that GitHub's clock is ahead of ours, once that mattered.
    ahead: AtomicI64,
}

#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    /// The id: the name that every GitHub takes, old servers too.
    iss: String,
}

impl AppAccess {
    /// The app with this id, by its key in PEM. Nothing is asked yet.
    pub fn new(github: Github, host: GithubHost, id: u64, pem: &str, now: Now) -> Result<Self, GithubError> {
        match EncodingKey::from_rsa_pem(pem.as_bytes()) {
            Ok(key) => Ok(Self { github, host, id, key, now, ahead: AtomicI64::new(0) }),
            Err(_) => Err(github.trouble(GithubTrouble::KeyUnreadable)),
        }
    }

    /// The connection, for what is asked with a token.
    pub const fn github(&self) -> &Github {
        &self.github
    }

    fn token(&self) -> Result<Zeroizing<String>, GithubError> {
        let now = (self.now)().seconds() + self.ahead.load(Ordering::Relaxed);
        let claims = Claims { iat: now - BEFORE, exp: now + AFTER, iss: self.id.to_string() };
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.key);
        signed.map(Zeroizing::new).map_err(|_| self.github.trouble(GithubTrouble::KeyUnreadable))
    }

    /// Asks as the app. Where the clocks differ it is asked once more by GitHub's own.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, GithubError> {
        let token = self.token()?;
        let answer = self.github.ask(method.clone(), path, As::Bearer(&token), body).await?;
        match self.github.checked(answer, (self.now)()) {
            Err(GithubError { trouble: GithubTrouble::ClockSkew { ahead }, .. })
                if ahead != self.ahead.load(Ordering::Relaxed) =>
            {
                self.ahead.store(ahead, Ordering::Relaxed);
                let token = self.token()?;
                let answer = self.github.ask(method, path, As::Bearer(&token), body).await?;
                self.github.checked(answer, (self.now)())
            }
            answered => answered,
        }
    }

    /// The app as GitHub describes it (`GET /app`).
    pub async fn app(&self) -> Result<App, GithubError> {
        let answer = self.ask(Method::GET, "/app", None).await?;
        Ok(self.github.read::<AppAnswer>(&answer)?.app())
    }

    /// All that can be told of the app in this organisation, read at one time.
    pub async fn report(&self, organisation: &Login, known: Known) -> Result<Report, GithubError> {
        let app = match self.app().await {
            Ok(app) => app,
            Err(GithubError { trouble: GithubTrouble::AppDeleted, .. }) => return Ok(Report::AppDeleted),
            Err(GithubError { trouble: GithubTrouble::KeyRejected, .. }) => return Ok(Report::KeyRejected),
            Err(error) => return Err(error),
        };
        let there = match self.found(organisation, known).await? {
            Some(installation) => {
                let ours = installation.app_id == app.id;
                let seen = installation.seen(&self.host).filter(|_| ours);
                There::Installed(seen.ok_or_else(|| self.github.trouble(GithubTrouble::NotGithub))?)
            }
            None => self.requested(organisation, known).await?,
        };
        Ok(Report::Read { app, there })
    }

    /// Its installation: by the name of the organisation, by the id that the installation had, and by the id of the
    /// organisation, which may be called something else by now, with the app installed there anew.
    async fn found(&self, organisation: &Login, known: Known) -> Result<Option<InstallationAnswer>, GithubError> {
        let by_name = format!("/orgs/{organisation}/installation");
        let by_id = known.installation.map(|id| format!("/app/installations/{id}"));
        for path in std::iter::once(by_name).chain(by_id) {
            match self.ask(Method::GET, &path, None).await {
                Ok(answer) => {
                    let installation: InstallationAnswer = self.github.read(&answer)?;
                    let other = installation.account_id().zip(known.account).is_some_and(|(is, was)| is != was);
                    // Another organisation may have the name by now.
                    if !other {
                        return Ok(Some(installation));
                    }
                }
                Err(GithubError { trouble: GithubTrouble::NotFound, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match known.account {
            Some(account) => self.found_in(account).await,
            None => Ok(None),
        }
    }

    /// Its installation in the account with this id, among all of them: an app of ours has one, others may have many.
    async fn found_in(&self, account: u64) -> Result<Option<InstallationAnswer>, GithubError> {
        let mut page = "/app/installations?per_page=100".to_owned();
        for _ in 0..MOST_PAGES {
            let token = self.token()?;
            let answer = self.github.ask_for_page(&page, As::Bearer(&token), None).await?;
            let answer = self.github.checked(answer, (self.now)())?;
            let all: Vec<InstallationAnswer> = self.github.read(&answer)?;
            if let Some(found) = all.into_iter().find(|one| one.account_id() == Some(account)) {
                return Ok(Some(found));
            }
            match answer.next() {
                Some(next) => page = next.to_owned(),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether a member asked for it. There may be many pages: apps of ours are in one organisation, so there are not.
    async fn requested(&self, organisation: &Login, known: Known) -> Result<There, GithubError> {
        let answer = match self.ask(Method::GET, "/app/installation-requests?per_page=100", None).await {
            Ok(answer) => answer,
            // Old servers know no such list.
            Err(GithubError { trouble: GithubTrouble::NotFound, .. }) => return Ok(There::NotInstalled),
            Err(error) => return Err(error),
        };
        let requests: Vec<RequestAnswer> = self.github.read(&answer)?;
        let request = requests.iter().find(|request| request.is_of(organisation, known.account));
        Ok(request.map_or(There::NotInstalled, |request| There::ApprovalRequested { by: request.by() }))
    }

    /// Suspends the installation, or lets it run again. Done already is done.
    pub async fn set_suspended(&self, installation: u64, suspended: bool) -> Result<(), GithubError> {
        let method = if suspended { Method::PUT } else { Method::DELETE };
        self.ask(method, &format!("/app/installations/{installation}/suspended"), None).await.map(|_| ())
    }

    /// Takes the installation away. Gone already is gone.
    pub async fn uninstall(&self, installation: u64) -> Result<(), GithubError> {
        match self.ask(Method::DELETE, &format!("/app/installations/{installation}"), None).await {
            Err(GithubError { trouble: GithubTrouble::NotFound | GithubTrouble::AppDeleted, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Where its deliveries go.
    pub async fn hook(&self) -> Result<HookConfig, GithubError> {
        let answer = self.ask(Method::GET, "/app/hook/config", None).await?;
        self.github.read(&answer)
    }

    /// Has deliveries sent to `url` as JSON, when one is given, and signed with `secret`, when one is.
    pub async fn set_hook(&self, url: Option<&str>, secret: Option<&str>) -> Result<HookConfig, GithubError> {
        let mut wanted = match url {
            Some(url) => json!({ "url": url, "content_type": "json", "insecure_ssl": "0" }),
            None => json!({}),
        };
        if let Some(secret) = secret {
            wanted["secret"] = secret.into();
        }
        let answer = self.ask(Method::PATCH, "/app/hook/config", Some(&wanted)).await?;
        self.github.read(&answer)
    }

    /// A page of the deliveries that GitHub sent or tried to send, the latest first: the first page, or the one that the
    /// page before named. GitHub keeps them for three days, servers of one's own for a week.
    pub async fn deliveries(&self, page: Option<&str>) -> Result<(Vec<ListedDelivery>, Option<String>), GithubError> {
        let answer = match page {
            None => self.ask(Method::GET, "/app/hook/deliveries?per_page=100", None).await?,
            Some(page) => {
                let token = self.token()?;
                let answer = self.github.ask_for_page(page, As::Bearer(&token), None).await?;
                self.github.checked(answer, (self.now)())?
            }
        };
        Ok((self.github.read(&answer)?, answer.next().map(str::to_owned)))
    }

    /// What was sent with a delivery of that list.
    pub async fn delivery(&self, id: u64) -> Result<SentDelivery, GithubError> {
        let answer = self.ask(Method::GET, &format!("/app/hook/deliveries/{id}"), None).await?;
        self.github.read(&answer)
    }

    /// A new token of the installation, good for about an hour.
    pub async fn mint(&self, installation: u64) -> Result<InstallationToken, GithubError> {
        let answer = self.ask(Method::POST, &format!("/app/installations/{installation}/access_tokens"), None).await?;
        let TokenAnswer { token, expires_at } = self.github.read(&answer)?;
        let expires_at = expires_at.ok_or_else(|| self.github.trouble(GithubTrouble::NotGithub))?;
        // By our own clock from here on; also where the clocks differ by too little to be refused.
        let ahead = answer.date().map_or(0, |date| date - (self.now)().seconds());
        Ok(InstallationToken::new(token, (self.now)(), expires_at.plus_micros(-ahead * 1_000_000)))
    }
}

/// What a person brought back from registering an app, exchanged for the app and its secrets. GitHub gives them once.
///
/// `code` goes into a path: anything but letters, digits, hyphens and underscores is refused unasked.
pub async fn convert_code(github: &Github, code: &str, now: Timestamp) -> Result<Conversion, GithubError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if code.is_empty() || code.len() > 200 || !code.bytes().all(plain) {
        return Err(github.trouble(GithubTrouble::NotFound));
    }
    let answer = github.ask(Method::POST, &format!("/app-manifests/{code}/conversions"), As::Nobody, None).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Err(github.trouble(GithubTrouble::NotFound));
    }
    let answer = github.checked(answer, now)?;
    github.read(&answer)
}
