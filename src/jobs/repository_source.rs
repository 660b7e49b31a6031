//! From what is known of a repository to where and how it is read: the connection of its integration, with what is
//! sealed opened. Called by jobs and polls before they look at a repository.

use std::sync::Arc;

use keytrail_domain::{
    git_remote::{GitRemote, Trust},
    id::IntegrationId,
    integration::Integration,
    recorded::StreamId,
    ref_selection::RefSelection,
    secret_ref::SecretRef,
    service::{Connection, Reading},
};
use keytrail_projections::repository_list::Repository;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::JobError;
use crate::{
    app::App,
    git::{
        remote::{self, HttpCredential, Limits, Proxy, Remote},
        transport,
    },
    secrets::Owner,
};

/// Where a repository is read from.
pub enum Source {
    /// Where it lies.
    InPlace(transport::Connection),
    /// A copy of what lies on this machine.
    Copied(transport::Connection),
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

/// The source of a repository that is in its list. `None` when its integration is gone.
pub async fn source_of(app: &App, repository: &Repository) -> Result<Option<RepositorySource>, JobError> {
    let id = repository.integration;
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    let (Integration::Active { connection, .. } | Integration::Paused { connection, .. }) = integration else {
        return Ok(None);
    };
    let refs = connection.refs().clone();
    let local = || transport::Connection::local(repository.location.clone().into(), &app.jobs.git.roots);
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
            let credential = unsealed(app, id, "proxy_credential", proxy.credential).await?;
            Some(Proxy { url: proxy.url, credential })
        }
        None => None,
    };
    Ok(Remote {
        url: remote.url,
        credential: unsealed(app, id, "credential", remote.credential).await?,
        trust: match remote.trust {
            Trust::WebPki => remote::Trust::WebPki,
            Trust::Authority { pem } => remote::Trust::Authority { pem: pem.into() },
            Trust::Pinned { key } => remote::Trust::Pinned { spki_sha256: key.0 },
        },
        proxy,
        addresses: Arc::clone(&settings.addresses),
        limits: Limits { silence: settings.limits.silence, ..Limits::default() },
    })
}

/// What is sealed of a user and a password.
#[derive(Deserialize)]
struct Sealed {
    user: String,
    password: Zeroizing<String>,
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
    // What the parser says could repeat what is sealed.
    let sealed: Sealed = serde_json::from_slice(opened.expose())
        .map_err(|_| JobError::Later(format!("the {field} of the integration {id} cannot be read")))?;
    Ok(Some(HttpCredential::new(sealed.user, sealed.password)))
}
