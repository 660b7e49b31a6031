//! From what is known of an app to asking its GitHub: the connection of its integration and its key, opened. Called by
//! jobs and routes that ask in the app's name.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{
    github::{GithubConnection, KeyFingerprint},
    id::IntegrationId,
    index_run::FailureCode,
    installation::{Installation, Kept, Key, Registered},
    recorded::StreamId,
};

use super::{
    JobError,
    repository_source::{opened_proxy, trusted},
};
use crate::{
    app::{App, DispatchError},
    clock::Clock,
    git::{
        remote::Limits,
        services::github::{
            AppAccess, AppKey, Budget, Github, GithubError, GithubTrouble, InstallationToken, Place, Use,
        },
    },
    secrets::{Secret, SecretsError, app_secrets},
    store::StoreError,
};

/// A person waits for some of the answers, and GitHub itself gives up after ten seconds.
const SILENCE: Duration = Duration::from_secs(15);
/// One answer of it takes no longer than this, however steadily it comes.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// Why a GitHub could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It was asked, or should have been.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// What is sealed of the app cannot be opened here.
    #[error("{0}")]
    Sealed(String),
    /// The login of the proxy that its GitHub is reached through cannot be opened here.
    #[error("the login of the proxy is not to be had: {0}")]
    ProxySealed(String),
    /// The app is registered at this host, and the integration leads to another one now.
    #[error("the app is registered at {0}, and the integration leads elsewhere now")]
    Elsewhere(String),
    /// The store did not answer.
    #[error("{0}")]
    Later(String),
}

impl AskError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Github(error) => error.trouble.code(),
            Self::Sealed(_) => "secret_unreadable",
            Self::ProxySealed(_) => "proxy_credential_unreadable",
            Self::Elsewhere(_) => "app_elsewhere",
            Self::Later(_) => "store_unavailable",
        }
    }
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<DispatchError> for AskError {
    fn from(error: DispatchError) -> Self {
        Self::Later(error.to_string())
    }
}

/// For jobs: what passes is tried again, and nobody gets in by trying the rest again.
impl From<AskError> for JobError {
    fn from(error: AskError) -> Self {
        match &error {
            AskError::Github(github) => match github.retry_after() {
                Some(wait) => Self::NotBefore(wait, error.to_string()),
                None => Self::Later(error.to_string()),
            },
            AskError::Sealed(_) | AskError::ProxySealed(_) | AskError::Elsewhere(_) => {
                Self::Failed(FailureCode::CredentialUnreadable, error.to_string())
            }
            AskError::Later(text) => Self::Later(text.clone()),
        }
    }
}

/// Where a connection leads, with its proxy's credential opened.
pub async fn place(app: &App, id: IntegrationId, github: &GithubConnection) -> Result<Place, AskError> {
    let proxy = opened_proxy(app, id, github.proxy.as_ref()).await.map_err(|error| match error {
        JobError::Failed(_, text) => AskError::ProxySealed(text),
        error => AskError::Later(format!("{error:?}")),
    })?;
    Ok(Place {
        host: github.host.clone(),
        trust: trusted(github.trust.clone()),
        proxy,
        addresses: Arc::clone(&app.jobs.git.addresses),
        limits: Limits { silence: SILENCE, listing: LONGEST_ANSWER, ..Limits::default() },
    })
}

/// What is needed to ask in the name of an app, opened. Its GitHub is not looked for yet.
pub(super) struct Opened {
    place: Place,
    app: u64,
    pem: Secret<Vec<u8>>,
    clock: Clock,
}

impl Opened {
    /// A way to ask.
    pub(super) async fn access(self) -> Result<AppAccess, AskError> {
        let Self { place, app, pem, clock } = self;
        let unreadable = || GithubError { host: place.host.name().to_owned(), trouble: GithubTrouble::KeyUnreadable };
        let pem = std::str::from_utf8(pem.expose()).map_err(|_| unreadable())?;
        let now = Arc::new(move || clock.now());
        Ok(AppAccess::new(Github::reach(&place).await?, place.host.clone(), app, pem, now)?)
    }
}

/// A way to ask in the name of the app that is registered.
pub async fn access(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    registered: &Registered,
) -> Result<AppAccess, AskError> {
    opened(app, id, github, registered).await?.access().await
}

/// The same, up to where its GitHub is looked for.
pub(super) async fn opened(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    registered: &Registered,
) -> Result<Opened, AskError> {
    is_at(github, &registered.host)?;
    let pem = key(app, id, registered).await?;
    with_key(app, id, github, registered.app.id, pem).await
}

/// The same for an app that was removed, with the key that was kept.
pub(super) async fn access_to_kept(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    kept: &Kept,
) -> Result<AppAccess, AskError> {
    is_at(github, &kept.host)?;
    let pem = match app.vault.open(kept.key.secret, app_secrets::owner(id), app_secrets::APP_KEY).await {
        Ok(pem) => pem,
        Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => return Err(error.into()),
        Err(error) => return Err(AskError::Sealed(format!("the kept key of the app cannot be opened ({error})"))),
    };
    with_key(app, id, github, kept.app, pem).await?.access().await
}

/// Neither the key nor the secrets of an app are for anybody else.
fn is_at(github: &GithubConnection, host: &str) -> Result<(), AskError> {
    if github.host.name() == host { Ok(()) } else { Err(AskError::Elsewhere(host.to_owned())) }
}

async fn with_key(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    app_id: u64,
    pem: Secret<Vec<u8>>,
) -> Result<Opened, AskError> {
    Ok(Opened { place: place(app, id, github).await?, app: app_id, pem, clock: app.clock.clone() })
}

/// Its key, opened. Where the key was changed since the app was looked at, the new one: the old one is forgotten with the
/// change.
async fn key(app: &App, id: IntegrationId, registered: &Registered) -> Result<Secret<Vec<u8>>, AskError> {
    let mut secret = registered.key.secret;
    loop {
        let opened = app.vault.open(secret, app_secrets::owner(id), app_secrets::APP_KEY).await;
        let error = match opened {
            Ok(pem) => return Ok(pem),
            Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => return Err(error.into()),
            Err(error) => error,
        };
        match installation(app, id).await? {
            Installation::Registered(now) if now.key.secret != secret => secret = now.key.secret,
            _ => {
                let text = format!("the sealed key of the app cannot be opened ({error}); give the key again");
                return Err(AskError::Sealed(text));
            }
        }
    }
}

/// Whether what is sealed as the key of an app can be opened, and is that key.
pub async fn key_opens(app: &App, id: IntegrationId, key: &Key) -> Result<bool, AskError> {
    match app.vault.open(key.secret, app_secrets::owner(id), app_secrets::APP_KEY).await {
        Ok(pem) => {
            let read = std::str::from_utf8(pem.expose()).ok().and_then(|pem| AppKey::read(pem).ok());
            Ok(read.is_some_and(|read| read.fingerprint == key.fingerprint))
        }
        Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

/// What an installation lets us do now.
pub struct Allowed {
    /// A way to ask in the name of the app.
    pub access: AppAccess,
    /// A token of the installation.
    pub token: InstallationToken,
    /// Host and port of its GitHub.
    pub host: String,
    /// GitHub's id of it.
    pub installation: u64,
    /// The key that the token was asked for with.
    pub key: KeyFingerprint,
}

/// A token of the app's installation, good for what it is wanted for. `None` while it is not installed, or nothing of it is
/// to be read.
pub async fn allowed(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    purpose: Use,
) -> Result<Option<Allowed>, AskError> {
    let Installation::Registered(registered) = installation(app, id).await? else { return Ok(None) };
    let Some(installation) = registered.installation().filter(|_| !registered.is_suspended()) else { return Ok(None) };
    let access = access(app, id, github, &registered).await?;
    let (now, host, key) = (app.clock.now(), github.host.name().to_owned(), registered.key.fingerprint);
    // Requests have a budget, in which the asking for a token counts. Git has none: a token that is kept is good for it.
    if purpose == Use::Short {
        app.jobs.budgets.admit(&host, installation, now)?;
    }
    let token = app.jobs.app_tokens.token(&access, &key, &host, installation, purpose, now).await;
    let token = token.inspect_err(|error| app.jobs.budgets.refused(&host, installation, error, now))?;
    Ok(Some(Allowed { access, token, host, installation, key }))
}

/// How often a token that is new is tried.
const YOUNG_TRIES: u32 = 4;
const YOUNG_PAUSE: Duration = Duration::from_millis(500);

/// Asks with the token of the installation, within its budget.
pub(super) async fn ask_within<T, F>(app: &App, allowed: &Allowed, ask: impl Fn() -> F) -> Result<T, AskError>
where
    F: Future<Output = Result<(T, Option<Budget>), GithubError>>,
{
    let (budgets, host, installation) = (&app.jobs.budgets, allowed.host.as_str(), allowed.installation);
    let mut tries = 0;
    loop {
        budgets.admit(host, installation, app.clock.now())?;
        tries += 1;
        let error = match ask().await {
            Ok((said, budget)) => {
                budgets.answered(host, installation, budget);
                return Ok(said);
            }
            Err(error) => error,
        };
        let now = app.clock.now();
        budgets.refused(host, installation, &error, now);
        if matches!(error.trouble, GithubTrouble::TokenRejected) {
            // Not every part of GitHub knows a new token at once.
            if allowed.token.is_young(now) && tries < YOUNG_TRIES {
                tokio::time::sleep(YOUNG_PAUSE * tries).await;
                continue;
            }
            drop_token(app, allowed).await;
        }
        return Err(error.into());
    }
}

/// Forgets this token, which GitHub refuses, so that the next one who asks has a new one; a newer one stays.
pub(super) async fn drop_token(app: &App, allowed: &Allowed) {
    let Allowed { token, host, installation, key, .. } = allowed;
    app.jobs.app_tokens.drop_refused(key, host, *installation, token).await;
}

/// Forgets the token of an integration's app, which a service refused; whether it has an app that is installed, and so
/// gets another token.
pub(super) async fn forget_token(app: &App, id: IntegrationId) -> Result<bool, DispatchError> {
    let Installation::Registered(registered) = installation(app, id).await? else { return Ok(false) };
    let Some(installation) = registered.installation() else { return Ok(false) };
    app.jobs.app_tokens.forget(&registered.host, installation);
    Ok(true)
}

/// What is known of the app of an integration.
pub async fn installation(app: &App, id: IntegrationId) -> Result<Installation, DispatchError> {
    Ok(app.load::<Installation>(StreamId::new("installation", id.0)).await?.0)
}
