//! Where a GitHub is: its pages, and its API, which has an origin or a path of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::remote_url::{BadUrl, Host, RemoteUrl, Scheme};

/// Which GitHub it is. It decides where the API is and how long an answer to a webhook may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edition {
    /// github.com, with Enterprise Cloud.
    Cloud,
    /// Enterprise Cloud with data residency: `https://SUB.ghe.com`.
    DataResidency,
    /// One's own GitHub Enterprise Server.
    EnterpriseServer,
}

/// One GitHub.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GithubHost {
    /// Which one.
    pub edition: Edition,
    /// The origin of its pages and of git, without a slash at its end: `https://github.com`.
    pub web: String,
    /// Where its API begins, without a slash at its end: `https://api.github.com`, `https://ghe.example.com/api/v3`.
    pub api: String,
}

/// The text names no GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHost {
    /// It cannot be read.
    #[error("the host cannot be read: {0}")]
    Url(BadUrl),
    /// Another scheme.
    #[error("a GitHub is at an address that begins with https:// (or http://)")]
    Scheme,
    /// More than a host.
    #[error("give the host alone, such as https://github.example.com, without a path or a user")]
    MoreThanAHost,
    /// It is another edition than was said.
    #[error("this host is {is}, and not {said}: name the host that is meant, or no edition")]
    Edition {
        /// Which one it is.
        is: Edition,
        /// Which one it was said to be.
        said: Edition,
    },
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cloud => "GitHub's own cloud",
            Self::DataResidency => "a GitHub Enterprise Cloud with data residency",
            Self::EnterpriseServer => "a GitHub Enterprise Server",
        })
    }
}

impl GithubHost {
    /// github.com.
    pub fn cloud() -> Self {
        Self { edition: Edition::Cloud, web: "https://github.com".to_owned(), api: "https://api.github.com".to_owned() }
    }

    /// What a person wrote: `github.com`, `sub.ghe.com`, `https://github.example.com:8443/`. Everything that is not
    /// GitHub's own is an Enterprise Server.
    pub fn parse(text: &str) -> Result<Self, BadHost> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        // The parser of addresses wants a path; a host has none.
        let url = format!("{scheme}://{}/x", rest.strip_suffix('/').unwrap_or(rest));
        let parsed = RemoteUrl::parse(&url).map_err(BadHost::Url)?;
        let url = parsed.url;
        if !matches!(url.scheme(), Scheme::Https | Scheme::Http) {
            return Err(BadHost::Scheme);
        }
        if parsed.credential.is_some() || url.path() != "/x" {
            return Err(BadHost::MoreThanAHost);
        }
        let Host::Name(name) = url.host() else { return Ok(Self::server(url.origin())) };
        match name.as_str() {
            "github.com" | "www.github.com" | "api.github.com" => Ok(Self::cloud()),
            name => match name.strip_suffix(".ghe.com").map(|sub| sub.strip_prefix("api.").unwrap_or(sub)) {
                Some(sub) => Ok(Self {
                    edition: Edition::DataResidency,
                    web: format!("https://{sub}.ghe.com"),
                    api: format!("https://api.{sub}.ghe.com"),
                }),
                None => Ok(Self::server(url.origin())),
            },
        }
    }

    /// Itself, if it is what a person said that it is.
    pub fn said_to_be(self, said: Edition) -> Result<Self, BadHost> {
        if self.edition == said { Ok(self) } else { Err(BadHost::Edition { is: self.edition, said }) }
    }

    fn server(web: String) -> Self {
        let api = format!("{web}/api/v3");
        Self { edition: Edition::EnterpriseServer, web, api }
    }

    /// Host and port without the scheme: what makes two the same, and what a person calls it.
    pub fn name(&self) -> &str {
        self.web.split_once("://").map_or(self.web.as_str(), |(_, name)| name)
    }

    /// Seconds within which a delivery has to be answered.
    pub const fn answer_seconds(&self) -> u16 {
        match self.edition {
            Edition::Cloud | Edition::DataResidency => 10,
            Edition::EnterpriseServer => 30,
        }
    }
}
