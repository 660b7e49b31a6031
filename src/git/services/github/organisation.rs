//! Whether a GitHub has an organisation (GitHub REST, "Get an organization"). Asked before anything is begun there, in nobody's
//! name: there is no key yet.

use keytrail_domain::{github::Login, timestamp::Timestamp};
use reqwest::Method;
use serde::Deserialize;

use super::{Github, GithubError, GithubTrouble, rest::As};

/// What a GitHub tells strangers of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Organisation {
    /// It has this id.
    Known(u64),
    /// There is none of this name; an account of a person is none.
    Nowhere,
    /// Nothing: one that tells strangers nothing, or wants to be asked less often, may have it.
    Untold,
}

#[derive(Deserialize)]
struct OrganisationAnswer {
    id: u64,
}

/// What is told of the organisation of this name.
pub async fn look_up_organisation(github: &Github, name: &Login, now: Timestamp) -> Result<Organisation, GithubError> {
    let answer = github.ask(Method::GET, &format!("/orgs/{name}"), As::Nobody, None).await?;
    match github.checked(answer, now) {
        Ok(answer) => {
            let read = github.read::<OrganisationAnswer>(&answer);
            Ok(read.map_or(Organisation::Untold, |organisation| Organisation::Known(organisation.id)))
        }
        Err(GithubError { trouble: GithubTrouble::NotFound, .. }) => Ok(Organisation::Nowhere),
        Err(error @ GithubError { trouble: GithubTrouble::Service { .. }, .. }) => Err(error),
        Err(_) => Ok(Organisation::Untold),
    }
}
