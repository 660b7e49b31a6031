//! Where a browser finds the commits, files, branches and pull requests of a repository: templates of links, those of a
//! kind of host, or those that a person wrote. Called by answers that show such things; nothing is looked up.

mod preset;
mod template;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    preset::Preset,
    template::{BadTemplate, LinkTemplate, Variable},
};
use crate::{remote_url::RemoteUrl, service::Connection};

/// Which links the repositories of an integration have, as an administrator set it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum WebLinks {
    /// Those of the host, where its name tells for certain what it is.
    #[default]
    Host,
    /// Those of this kind of host.
    Preset {
        /// Which.
        preset: Preset,
    },
    /// These.
    Templates(Templates),
    /// None.
    Off,
}

/// A template for each kind of link. What has none has no link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Templates {
    /// Of a commit: `${rev}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<LinkTemplate>,
    /// Of a file as a commit left it: `${path}`, `${rev}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<LinkTemplate>,
    /// Of a branch: `${branch}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<LinkTemplate>,
    /// Of a pull request: `${number}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<LinkTemplate>,
}

impl WebLinks {
    /// The kind of host whose links hold.
    pub fn preset(&self, url: &RemoteUrl) -> Option<Preset> {
        match self {
            Self::Host => Preset::certain(url),
            Self::Preset { preset } => Some(*preset),
            Self::Templates(_) | Self::Off => None,
        }
    }

    /// Whether it can be set for such a connection: the repositories of an app have the links of their GitHub, those of a
    /// folder have no page that one template could name, and what lies on this machine has no host.
    pub const fn fits(&self, connection: &Connection) -> bool {
        match connection {
            Connection::Git(_) => true,
            Connection::Path { .. } => !matches!(self, Self::Preset { .. }),
            Connection::Folder { .. } | Connection::GithubApp(_) => false,
        }
    }

    /// Whether it is what holds when nothing is said.
    pub const fn is_usual(&self) -> bool {
        matches!(self, Self::Host)
    }

    /// The links of a repository. `repository` is what people call it: an app's are below the pages of its GitHub.
    pub fn templates(&self, connection: &Connection, repository: &str) -> Templates {
        match (self, connection) {
            (_, Connection::GithubApp(github)) => {
                Preset::Github.at(&format!("{}/{}", github.host.web, template::encoded(repository)))
            }
            (Self::Templates(own), _) => own.clone(),
            (_, Connection::Git(remote)) => {
                self.preset(&remote.url).map(|preset| preset.templates(&remote.url)).unwrap_or_default()
            }
            (_, Connection::Path { .. } | Connection::Folder { .. }) => Templates::default(),
        }
    }
}

impl Templates {
    /// The page of a commit.
    pub fn commit_url(&self, rev: &str) -> Option<String> {
        self.commit.as_ref()?.fill(&[(Variable::Rev, rev.as_bytes())])
    }

    /// The page of a file as a commit left it.
    pub fn file_url(&self, rev: &str, path: &[u8]) -> Option<String> {
        self.file.as_ref()?.fill(&[(Variable::Rev, rev.as_bytes()), (Variable::Path, path)])
    }

    /// The page of what a ref is: a branch, or a pull request of a service that has refs of them. Tags have none.
    pub fn ref_url(&self, name: &str) -> Option<String> {
        if let Some(branch) = name.strip_prefix("refs/heads/") {
            return self.branch.as_ref()?.fill(&[(Variable::Branch, branch.as_bytes())]);
        }
        self.pull_request_url(pull_request_of(name)?)
    }

    /// The page of a pull request.
    pub fn pull_request_url(&self, number: u64) -> Option<String> {
        self.pull_request.as_ref()?.fill(&[(Variable::Number, number.to_string().as_bytes())])
    }
}

/// The number of the pull request whose ref it is: `refs/pull/7/head`, `refs/merge-requests/7/head`,
/// `refs/pull-requests/7/from`, `refs/changes/07/7/1`.
fn pull_request_of(name: &str) -> Option<u64> {
    let rest = name.strip_prefix("refs/")?;
    let (kind, rest) = rest.split_once('/')?;
    let rest = match kind {
        "pull" | "merge-requests" | "pull-requests" => rest,
        "changes" => rest.split_once('/')?.1,
        _ => return None,
    };
    rest.split_once('/')?.0.parse().ok()
}
