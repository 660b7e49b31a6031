//! The git services that an integration can be connected to, and where a connection leads.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    git_remote::{GitRemote, ProxySetting},
    github::GithubConnection,
    id::SshKeyId,
    ref_selection::RefSelection,
    secret_ref::SecretRef,
};

/// Where an integration finds its repositories, and how they are read. Holds no credential; those are named by
/// `SecretRef`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Connection {
    /// One repository on this machine.
    Path {
        /// Absolute, with links resolved, when the integration was added.
        path: String,
        /// How it is read.
        #[serde(default, skip_serializing_if = "Reading::is_in_place")]
        reading: Reading,
        /// Which refs are looked at.
        #[serde(default, skip_serializing_if = "RefSelection::is_usual")]
        refs: RefSelection,
    },
    /// The repositories below a folder of this machine, as they come and go.
    Folder {
        /// Absolute, with links resolved, when the integration was added.
        path: String,
        /// How many folders deep they are looked for: 1 to 5.
        depth: u8,
        /// How they are read.
        #[serde(default, skip_serializing_if = "Reading::is_in_place")]
        reading: Reading,
        /// Which refs are looked at.
        #[serde(default, skip_serializing_if = "RefSelection::is_usual")]
        refs: RefSelection,
    },
    /// One repository of a git server.
    Git(Box<GitRemote>),
    /// The repositories of an organisation of a GitHub, through an app of ours.
    GithubApp(Box<GithubConnection>),
}

/// How a repository of this machine is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Where it lies; nothing is copied and nothing written to it.
    #[default]
    InPlace,
    /// From a copy that is fetched, as for a repository elsewhere: its owner may do with it what they like.
    Mirrored,
}

impl Reading {
    /// Whether it is read where it lies.
    pub const fn is_in_place(&self) -> bool {
        matches!(self, Self::InPlace)
    }
}

impl Connection {
    /// The deepest that repositories are looked for in a tracked folder.
    pub const MOST_DEPTH: u8 = 5;

    /// One repository on this machine, read in place.
    pub fn path(path: impl Into<String>) -> Self {
        Self::Path { path: path.into(), reading: Reading::InPlace, refs: RefSelection::default() }
    }

    /// One repository of a git server.
    pub fn git(remote: GitRemote) -> Self {
        Self::Git(Box::new(remote))
    }

    /// The service's stable word, as in the API and in views.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Path { .. } => "path",
            Self::Folder { .. } => "folder",
            Self::Git(_) => "git",
            Self::GithubApp(_) => "github_app",
        }
    }

    /// The same place is connected once: what `claims` holds it by.
    pub fn natural_key(&self) -> String {
        match self {
            Self::Path { path, .. } => format!("path:{path}"),
            Self::Folder { path, .. } => format!("folder:{path}"),
            Self::Git(remote) => format!("git:{}", remote.url.natural_key()),
            Self::GithubApp(github) => github.natural_key(),
        }
    }

    /// What a person is shown as the place.
    pub fn location(&self) -> Cow<'_, str> {
        match self {
            Self::Path { path, .. } | Self::Folder { path, .. } => path.into(),
            Self::Git(remote) => remote.url.to_string().into(),
            Self::GithubApp(github) => github.location().into(),
        }
    }

    /// Which refs are looked at.
    pub const fn refs(&self) -> &RefSelection {
        match self {
            Self::Path { refs, .. } | Self::Folder { refs, .. } => refs,
            Self::Git(remote) => &remote.refs,
            Self::GithubApp(github) => &github.refs,
        }
    }

    /// The key of SSH that was chosen for it.
    pub fn ssh_key(&self) -> Option<SshKeyId> {
        match self {
            Self::Git(remote) => remote.ssh_key,
            Self::Path { .. } | Self::Folder { .. } | Self::GithubApp(_) => None,
        }
    }

    /// The secrets that it names.
    pub fn secrets(&self) -> Vec<SecretRef> {
        let credential = match self {
            Self::Git(remote) => remote.credential,
            Self::Path { .. } | Self::Folder { .. } | Self::GithubApp(_) => None,
        };
        credential.into_iter().chain(self.proxy().and_then(|proxy| proxy.credential)).collect()
    }

    /// Through what it is reached.
    const fn proxy(&self) -> Option<&ProxySetting> {
        match self {
            Self::Git(remote) => remote.proxy.as_ref(),
            Self::GithubApp(github) => github.proxy.as_ref(),
            Self::Path { .. } | Self::Folder { .. } => None,
        }
    }

    /// Whether a secret that was given for one place would be shown to another.
    pub fn carries_credentials_away_from(&self, before: &Self) -> bool {
        let kept = |now: Option<SecretRef>, before: Option<SecretRef>| now.is_some() && now == before;
        let moved = match (self, before) {
            (Self::Git(now), Self::Git(before)) => {
                kept(now.credential, before.credential) && now.url.origin() != before.url.origin()
            }
            _ => false,
        };
        let proxy_moved = match (self.proxy(), before.proxy()) {
            (Some(now), Some(before)) => now.url != before.url && kept(now.credential, before.credential),
            _ => false,
        };
        moved || proxy_moved
    }
}
