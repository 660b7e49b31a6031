//! How an integration is connected to an organisation of GitHub through an app. It names secrets and holds none; what
//! the app and its installation are is the business of `installation`.

use serde::{Deserialize, Serialize};

use crate::{
    git_remote::{ProxySetting, Trust},
    github::{GithubHost, Login},
    ref_selection::RefSelection,
};

/// One organisation of one GitHub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GithubConnection {
    /// Which GitHub.
    pub host: GithubHost,
    /// The organisation whose repositories are looked at.
    pub organisation: Login,
    /// Which of its repositories: a JMESPath expression over `{"repositories": […]}`, in GitHub's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Whose certificates are good.
    #[serde(default, skip_serializing_if = "Trust::is_usual")]
    pub trust: Trust,
    /// Through what it is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxySetting>,
    /// Which refs are looked at.
    #[serde(default, skip_serializing_if = "RefSelection::is_usual")]
    pub refs: RefSelection,
}

impl GithubConnection {
    /// The bound of a filter in bytes.
    pub const LONGEST_FILTER: usize = 2_000;

    /// This organisation, without more ado.
    pub fn of(host: GithubHost, organisation: Login) -> Self {
        Self { host, organisation, filter: None, trust: Trust::WebPki, proxy: None, refs: RefSelection::default() }
    }

    /// The same for all ways of writing one organisation of one host.
    pub fn natural_key(&self) -> String {
        format!("github_app:{}/{}", self.host.name(), self.organisation.folded())
    }

    /// Its page.
    pub fn location(&self) -> String {
        format!("{}/{}", self.host.web, self.organisation)
    }
}
