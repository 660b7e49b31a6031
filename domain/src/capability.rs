//! What a kind of connection can tell beside commits and refs, and which of its own a well-known service has instead. One
//! table: answers that say what is not known, and why, read it.

use crate::{remote_url::Host, service::Connection};

/// Something that not every kind of connection has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Pull requests, with their reviews.
    PullRequests,
    /// Repositories that come are found.
    Discovery,
    /// What happens is delivered, and not looked for.
    Deliveries,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PullRequests, Self::Discovery, Self::Deliveries];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PullRequests => "pull_requests",
            Self::Discovery => "discovery",
            Self::Deliveries => "deliveries",
        }
    }
}

/// A git service that has an integration of its own here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The kind of that integration.
    pub kind: &'static str,
    /// As people call it.
    pub title: &'static str,
    /// What that integration has.
    pub capabilities: &'static [Capability],
    /// The hosts at which it is, for certain: a name, or what a name ends with.
    hosts: &'static [&'static str],
}

const GITHUB_APP: &[Capability] = &Capability::ALL;

/// The services, one line each.
const SERVICES: &[Service] = &[Service {
    kind: "github_app",
    title: "GitHub",
    capabilities: GITHUB_APP,
    hosts: &["github.com", "ssh.github.com", ".ghe.com"],
}];

impl Service {
    /// The one at this host.
    pub fn at(host: &Host) -> Option<&'static Self> {
        let Host::Name(name) = host else { return None };
        let is_at = |one: &str| if one.starts_with('.') { name.ends_with(one) } else { name == one };
        SERVICES.iter().find(|service| service.hosts.iter().any(|&one| is_at(one)))
    }

    /// What it has that a connection lacks.
    pub fn has_beside(&self, connection: &Connection) -> Vec<Capability> {
        let has = connection.capabilities();
        self.capabilities.iter().copied().filter(|one| !has.contains(one)).collect()
    }
}

impl Connection {
    /// What it has.
    pub const fn capabilities(&self) -> &'static [Capability] {
        match self {
            Self::Path { .. } | Self::Git(_) => &[],
            Self::Folder { .. } => &[Capability::Discovery],
            Self::GithubApp(_) => GITHUB_APP,
        }
    }

    /// The service whose own integration has more than this connection.
    pub fn better_by(&self) -> Option<&'static Service> {
        match self {
            Self::Git(remote) => Service::at(remote.url.host()),
            Self::Path { .. } | Self::Folder { .. } | Self::GithubApp(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{git_remote::GitRemote, remote_url::RemoteUrl};

    fn git(url: &str) -> Connection {
        Connection::git(GitRemote::at(RemoteUrl::parse(url).expect("a URL").url))
    }

    #[test]
    fn a_service_is_recommended_where_its_host_is_certain_however_it_is_reached() {
        for url in [
            "git@github.com:a/b.git",
            "https://github.com/a/b",
            "ssh://git@ssh.github.com:443/a/b",
            "git@x.ghe.com:a/b",
        ] {
            let service = git(url).better_by().expect("it has an integration of its own");
            assert_eq!(
                (service.kind, service.has_beside(&git(url))),
                ("github_app", Capability::ALL.to_vec()),
                "{url}"
            );
        }
        for url in
            ["git@gitlab.com:a/b.git", "https://notgithub.com/a/b", "https://github.com.example/a", "ssh://10.0.0.1/a"]
        {
            assert_eq!(git(url).better_by(), None, "{url}");
        }
        assert_eq!(Connection::path("/srv/git/a").better_by(), None);
    }
}
