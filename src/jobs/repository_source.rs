//! From what is known of a repository to where and how it is read: the connection of its integration, with what is
//! sealed opened. Called by jobs and polls before they look at a repository.

use std::sync::Arc;

use keytrail_domain::{
    git_remote::{GitRemote, Trust},
    id::{IntegrationId, RepositoryId},
    integration::Integration,
    recorded::StreamId,
    ref_selection::RefSelection,
    secret_ref::SecretRef,
    service::{Connection, Reading},
};
use keytrail_projections::repository_list::Repository;
use zeroize::Zeroizing;

use super::JobError;
use crate::{
    app::App,
    git::{
        remote::{self, HttpCredential, Limits, Proxy, Remote},
        transport,
    },
    secrets::{HttpLogin, Owner},
};

/// Where a repository is read from.
pub enum Source {
    /// Where it lies.
    InPlace(transport::LocalRepository),
    /// A copy of what lies on this machine.
    Copied(transport::LocalRepository),
    /// A copy of what a server has.
    Remote(Box<Remote>),
}

/// A repository's source, and which of its refs are looked at.
pub struct RepositorySource {
    /// Where it is read from.
    pub source: Source,
    /// Which refs.
    pub refs: RefSelection,
}

/// The source of a repository that is in its list. `None` when its integration is gone or looks
/// somewhere else.
pub async fn source_of(app: &App, repository: &Repository) -> Result<Option<RepositorySource>, JobError> {
    let id = repository.integration;
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    let (Integration::Active { connection, .. } | Integration::Paused { connection, .. }) = integration else {
        return Ok(None);
    };
    let key = match &connection {
        Connection::Folder { .. } => Connection::path(repository.location.as_str()).natural_key(),
        Connection::Path { .. } | Connection::Git(_) => connection.natural_key(),
    };
    if RepositoryId::of(id, &key) != repository.id {
        // The integration looks somewhere else by now, and this one is about to be forgotten.
        return Ok(None);
    }
    let refs = connection.refs().clone();
    let local = || transport::LocalRepository::local(repository.location.clone().into(), &app.jobs.git.roots);
    let source = match connection {
        Connection::Path { reading, .. } | Connection::Folder { reading, .. } => match reading {
            Reading::InPlace => Source::InPlace(local()),
            Reading::Mirrored => Source::Copied(local()),
        },
        Connection::Git(remote) => Source::Remote(Box::new(opened(app, id, *remote).await?)),
    };
    Ok(Some(RepositorySource { source, refs }))
}

async fn opened(app: &App, id: IntegrationId, remote: GitRemote) -> Result<Remote, JobError> {
    let settings = &app.jobs.git;
    let proxy = match remote.proxy {
        Some(proxy) => {
            let credential = unsealed(app, id, HttpLogin::PROXY_FIELD, proxy.credential).await?;
            Some(Proxy { url: proxy.url, credential })
        }
        None => None,
    };
    Ok(Remote {
        url: remote.url,
        credential: unsealed(app, id, HttpLogin::FIELD, remote.credential).await?,
        trust: match remote.trust {
            Trust::WebPki => remote::Trust::WebPki,
            Trust::Authority { pem } => remote::Trust::Authority { pem: pem.into() },
            Trust::Pinned { key } => remote::Trust::Pinned { spki_sha256: key.0 },
        },
        proxy,
        addresses: Arc::clone(&settings.addresses),
        limits: Limits { silence: settings.limits.silence, listing: settings.listing, ..Limits::default() },
    })
}

async fn unsealed(
    app: &App,
    id: IntegrationId,
    field: &str,
    secret: Option<SecretRef>,
) -> Result<Option<HttpCredential>, JobError> {
    let Some(secret) = secret else { return Ok(None) };
    let opened = app.vault.open(secret, Owner::new("integration", id.0), field).await;
    let opened = opened.map_err(|error| JobError::Later(error.to_string()))?;
    let login = HttpLogin::read(&opened).map_err(|error| JobError::Later(format!("{error} ({id}, {field})")))?;
    Ok(Some(HttpCredential::new(login.user.expose().clone(), Zeroizing::new(login.password.expose().clone()))))
}
