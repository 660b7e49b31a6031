//! From what is known of a repository to where and how it is read: the connection of its integration, with what is
//! sealed opened. Called by jobs and polls before they look at a repository.

use std::{path::PathBuf, sync::Arc};

use keytrail_domain::{
    git_remote::{GitRemote, ProxySetting, Trust},
    github::GithubConnection,
    id::{IntegrationId, RepositoryId, SshKeyId},
    index_run::FailureCode,
    integration::Integration,
    recorded::StreamId,
    ref_selection::RefSelection,
    remote_url::{RemoteUrl, Scheme},
    secret_ref::SecretRef,
    service::{Connection, Reading},
};
use keytrail_projections::repository_list::Repository;
use zeroize::Zeroizing;

use super::{JobError, app_access, ssh_access};
use crate::{
    app::App,
    git::{
        remote::{self, HttpCredential, Limits, Proxy, Remote},
        services::github::Use,
        ssh::SshAccess,
        transport,
    },
    secrets::{HttpLogin, Owner, SecretsError},
    store::StoreError,
};

/// Why the repositories of an app are not looked at.
const HELD: &str = "the app that reads this repository is suspended, or not installed now; what was indexed stays, and \
                    looking goes on by itself once the app may read again; the status of the integration says more";

/// Where a repository is read from.
pub enum Source {
    /// Where it lies.
    InPlace(transport::LocalRepository),
    /// A copy of what lies on this machine.
    Copied(transport::LocalRepository),
    /// A copy of what a server has.
    Remote(Box<Remote>),
    /// A copy of what a server has, which may not be asked now: why. The copy stays readable.
    Held(String),
}

/// A repository's source, and which of its refs are looked at.
pub struct RepositorySource {
    /// Where it is read from.
    pub source: Source,
    /// Which refs.
    pub refs: RefSelection,
    /// The tracked folder that it was found in, if it was.
    pub folder: Option<PathBuf>,
}

impl RepositorySource {
    /// Where it is and what is known of keys, where it is reached over SSH.
    pub fn ssh(&self) -> Option<(RemoteUrl, Arc<SshAccess>)> {
        match &self.source {
            Source::Remote(remote) => Some((remote.url.clone(), remote.ssh.clone()?)),
            Source::InPlace(_) | Source::Copied(_) | Source::Held(_) => None,
        }
    }
}

/// The source of a repository that is in its list. `None` when its integration is gone or looks
/// somewhere else.
pub async fn source_of(app: &App, repository: &Repository) -> Result<Option<RepositorySource>, JobError> {
    let id = repository.integration;
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    let (Integration::Active { connection, .. } | Integration::Paused { connection, .. }) = integration else {
        return Ok(None);
    };
    let looks_there = match &connection {
        Connection::Folder { .. } => {
            RepositoryId::of(id, &Connection::path(repository.location.as_str()).natural_key()) == repository.id
        }
        Connection::Path { .. } | Connection::Git(_) => {
            RepositoryId::of(id, &connection.natural_key()) == repository.id
        }
        // Named by the service's own id, which its address does not tell.
        Connection::GithubApp(github) => located(repository).is_some_and(|url| url.origin() == github.host.web),
    };
    if !looks_there {
        // The integration looks somewhere else by now, and this one is about to be forgotten.
        return Ok(None);
    }
    let refs = connection.refs().clone();
    let folder = match &connection {
        Connection::Folder { path, .. } => Some(PathBuf::from(path)),
        Connection::Path { .. } | Connection::Git(_) | Connection::GithubApp(_) => None,
    };
    let source = match connection {
        Connection::Path { reading, .. } | Connection::Folder { reading, .. } => {
            let path = PathBuf::from(repository.location.as_str());
            let local = app.jobs.approved_roots.repository(path, &app.jobs.git.roots).await?;
            match reading {
                Reading::InPlace => Source::InPlace(local),
                Reading::Mirrored => Source::Copied(local),
            }
        }
        Connection::Git(remote) => Source::Remote(Box::new(opened(app, repository, *remote, None).await?)),
        Connection::GithubApp(github) => match of_app(app, id, *github, repository).await? {
            Some(remote) => Source::Remote(Box::new(remote)),
            None => Source::Held(HELD.to_owned()),
        },
    };
    Ok(Some(RepositorySource { source, refs, folder }))
}

/// A repository that an app of ours reads, with a token of its installation. `None` while it may not be read.
async fn of_app(
    app: &App,
    id: IntegrationId,
    github: GithubConnection,
    repository: &Repository,
) -> Result<Option<Remote>, JobError> {
    let Some(url) = located(repository) else { return Ok(None) };
    let Some(app_access::Allowed { token, .. }) = app_access::allowed(app, id, &github, Use::Long).await? else {
        return Ok(None);
    };
    let place = app_access::place(app, id, &github).await?;
    let settings = &app.jobs.git;
    Ok(Some(Remote {
        url,
        // The name that GitHub wants before the token of an installation.
        credential: Some(HttpCredential::new("x-access-token".to_owned(), token.expose().clone())),
        trust: place.trust,
        proxy: place.proxy,
        ssh: None,
        addresses: place.addresses,
        limits: Limits { silence: settings.limits.silence, listing: settings.listing, ..Limits::default() },
    }))
}

fn located(repository: &Repository) -> Option<RemoteUrl> {
    RemoteUrl::parse(&repository.location).ok().map(|parsed| parsed.url)
}

/// A repository over SSH as it is read with this key alone, and which of its refs are looked at. `None` when it is not read
/// over SSH, or not any more.
pub(super) async fn with_key(
    app: &App,
    repository: &Repository,
    key: SshKeyId,
) -> Result<Option<(Remote, RefSelection)>, JobError> {
    let id = repository.integration;
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    let (Integration::Active { connection, .. } | Integration::Paused { connection, .. }) = integration else {
        return Ok(None);
    };
    let looks_there = RepositoryId::of(id, &connection.natural_key()) == repository.id;
    match connection {
        Connection::Git(remote) if looks_there && remote.url.scheme() == Scheme::Ssh => {
            let refs = remote.refs.clone();
            Ok(Some((opened(app, repository, *remote, Some(key)).await?, refs)))
        }
        _ => Ok(None),
    }
}

/// With `only`, whatever key else may be offered.
async fn opened(
    app: &App,
    repository: &Repository,
    remote: GitRemote,
    only: Option<SshKeyId>,
) -> Result<Remote, JobError> {
    let (id, settings) = (repository.integration, &app.jobs.git);
    let ssh = match (remote.url.scheme(), only) {
        (Scheme::Ssh, Some(key)) => Some(ssh_access::access_with(app, &remote.url, key).await?),
        (Scheme::Ssh, None) => Some(ssh_access::access(app, repository, &remote.url, remote.ssh_key).await?),
        (Scheme::Https | Scheme::Http | Scheme::Git, _) => None,
    };
    let proxy = opened_proxy(app, id, remote.proxy.as_ref()).await?;
    Ok(Remote {
        url: remote.url,
        credential: unsealed(app, id, HttpLogin::FIELD, remote.credential).await?,
        trust: trusted(remote.trust),
        proxy,
        ssh,
        addresses: Arc::clone(&settings.addresses),
        limits: Limits { silence: settings.limits.silence, listing: settings.listing, ..Limits::default() },
    })
}

/// A proxy with its credential opened.
pub(super) async fn opened_proxy(
    app: &App,
    id: IntegrationId,
    proxy: Option<&ProxySetting>,
) -> Result<Option<Proxy>, JobError> {
    let Some(proxy) = proxy else { return Ok(None) };
    let credential = unsealed(app, id, HttpLogin::PROXY_FIELD, proxy.credential).await?;
    Ok(Some(Proxy { url: proxy.url.clone(), credential }))
}

/// Whose certificates are good, for who connects.
pub(super) fn trusted(trust: Trust) -> remote::Trust {
    match trust {
        Trust::WebPki => remote::Trust::WebPki,
        Trust::Authority { pem } => remote::Trust::Authority { pem: pem.into() },
        Trust::Pinned { key } => remote::Trust::Pinned { spki_sha256: key.0 },
    }
}

async fn unsealed(
    app: &App,
    id: IntegrationId,
    field: &str,
    secret: Option<SecretRef>,
) -> Result<Option<HttpCredential>, JobError> {
    let Some(secret) = secret else { return Ok(None) };
    let opened = app.vault.open(secret, Owner::new("integration", id.0), field).await;
    let opened = opened.map_err(|error| match error {
        SecretsError::Store(error) if !matches!(error, StoreError::Corrupt(_)) => JobError::from(error),
        // Nobody gets in by trying again.
        error => unreadable(&error.to_string()),
    })?;
    let login = HttpLogin::read(&opened).map_err(|error| unreadable(&error.to_string()))?;
    Ok(Some(HttpCredential::new(login.user.expose().clone(), Zeroizing::new(login.password.expose().clone()))))
}

/// The reason is one of the vault's, which names no secret.
fn unreadable(reason: &str) -> JobError {
    let text =
        format!("the sealed credential cannot be opened ({reason}); give the credential to the integration again");
    JobError::Failed(FailureCode::CredentialUnreadable, text)
}
