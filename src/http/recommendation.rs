//! That a host has an integration of its own here, and what it has that plain git lacks. Called by what shows a connection
//! and tries one out; it decides nothing, and reads the table of capabilities.

use keytrail_domain::{
    capability::{Capability, Service},
    service::Connection,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::words;

/// Another way to connect to the same host, which has more.
#[derive(Serialize, ToSchema)]
pub(super) struct Recommendation {
    /// The kind of the integration.
    #[schema(example = "github_app")]
    kind: &'static str,
    /// What people call the service.
    #[schema(example = "GitHub")]
    service: &'static str,
    /// What it has, and this connection lacks.
    #[schema(schema_with = words::capabilities)]
    lacks: Vec<&'static str>,
    /// What a person can do.
    next: String,
}

impl Recommendation {
    /// The one for a connection, where there is a better way.
    pub(super) fn of(connection: &Connection) -> Option<Self> {
        let service = connection.better_by()?;
        let lacks = service.has_beside(connection).into_iter().map(Capability::as_str).collect();
        Some(Self { kind: service.kind, service: service.title, lacks, next: next(service) })
    }
}

fn next(service: &Service) -> String {
    format!(
        "Connect the organisation by the integration for {}: `keytrail integration connect`. What is connected like this \
         works, too.",
        service.title
    )
}

/// Why nothing can be known of the pull requests of what is connected so.
pub(super) fn pull_requests_unknown(connection: &Connection) -> Option<String> {
    if connection.capabilities().contains(&Capability::PullRequests) {
        return None;
    }
    let why = "Git alone tells of no pull requests, so none are known of this repository.";
    Some(connection.better_by().map_or_else(|| why.to_owned(), |service| format!("{why} {}", next(service))))
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{git_remote::GitRemote, remote_url::RemoteUrl};

    use super::*;

    fn git(url: &str) -> Connection {
        Connection::git(GitRemote::at(RemoteUrl::parse(url).expect("a URL").url))
    }

    #[test]
    fn only_a_service_with_an_integration_of_its_own_is_recommended_and_the_reason_is_said_of_all() {
        let found = Recommendation::of(&git("git@github.com:shop/api.git")).expect("it has one");
        assert_eq!((found.kind, found.lacks), ("github_app", vec!["pull_requests", "discovery", "deliveries"]));
        let other = git("git@gitlab.com:shop/api.git");
        assert!(Recommendation::of(&other).is_none());
        let why = |connection: &Connection| pull_requests_unknown(connection).expect("it is not known");
        assert!(!why(&other).contains("integration connect"));
        assert!(why(&git("https://github.com/shop/api")).contains("`keytrail integration connect`"));
    }
}
