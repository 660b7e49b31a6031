//! Where an integration is connected to, as it is shown: whether there is a credential, and never which.

use keytrail_domain::{git_remote::ProxySetting, service::Connection};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Reading, github_app::Edition, refs::Refs, trust};

/// Where an integration is connected to.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::http) enum ShownPlace {
    /// One repository on the server's own disk.
    Path {
        /// With links resolved.
        path: String,
        /// How it is read.
        reading: Reading,
        /// Which refs are looked at.
        refs: Refs,
    },
    /// The repositories below a folder of the server's own disk.
    Folder {
        /// With links resolved.
        path: String,
        /// How many folders deep they are looked for.
        depth: u8,
        /// How they are read.
        reading: Reading,
        /// Which refs are looked at.
        refs: Refs,
    },
    /// One repository of a git server.
    Git {
        /// Without any user or password.
        url: String,
        /// Whether a user and a password are sealed for it.
        credential: bool,
        /// Over SSH, the key of the pool that is offered first, before the common keys; nothing where these alone are. A key
        /// that is associated with the repository is the only one.
        ssh_key: Option<Uuid>,
        /// Whose certificates are good.
        trust: trust::Shown,
        /// Through what it is reached.
        proxy: Option<ShownProxy>,
        /// Which refs are looked at.
        refs: Refs,
    },
    /// The repositories of an organisation of a GitHub, through an app of ours.
    GithubApp {
        /// The address of its pages.
        host: String,
        /// Which one it is.
        edition: Edition,
        /// The address of its API.
        api: String,
        /// The organisation.
        organisation: String,
        /// Which of its repositories, as a JMESPath expression; all when there is none.
        filter: Option<String>,
        /// Whose certificates are good.
        trust: trust::Shown,
        /// Through what it is reached.
        proxy: Option<ShownProxy>,
        /// Which refs are looked at.
        refs: Refs,
    },
}

/// An HTTP proxy.
#[derive(Serialize, ToSchema)]
#[schema(as = Proxy)]
pub(in crate::http) struct ShownProxy {
    /// Without any user or password.
    url: String,
    /// Whether a user and a password are sealed for it.
    credential: bool,
}

impl ShownProxy {
    fn of(proxy: &ProxySetting) -> Self {
        Self { url: proxy.url.to_string(), credential: proxy.credential.is_some() }
    }
}

impl ShownPlace {
    pub(in crate::http) fn of(connection: &Connection) -> Self {
        match connection {
            Connection::Path { path, reading, refs } => {
                Self::Path { path: path.clone(), reading: (*reading).into(), refs: Refs::of(refs) }
            }
            Connection::Folder { path, depth, reading, refs } => {
                Self::Folder { path: path.clone(), depth: *depth, reading: (*reading).into(), refs: Refs::of(refs) }
            }
            Connection::Git(remote) => Self::Git {
                url: remote.url.to_string(),
                credential: remote.credential.is_some(),
                ssh_key: remote.ssh_key.map(|key| key.0),
                trust: trust::Shown::of(&remote.trust),
                proxy: remote.proxy.as_ref().map(ShownProxy::of),
                refs: Refs::of(&remote.refs),
            },
            Connection::GithubApp(github) => Self::GithubApp {
                host: github.host.web.clone(),
                edition: github.host.edition.into(),
                api: github.host.api.clone(),
                organisation: github.organisation.to_string(),
                filter: github.filter.clone(),
                trust: trust::Shown::of(&github.trust),
                proxy: github.proxy.as_ref().map(ShownProxy::of),
                refs: Refs::of(&github.refs),
            },
        }
    }
}
