//! Whether a GitHub has an organisation (GitHub REST, "Get an organization"). Asked before anything is begun there, in nobody's
//! name: there is no key yet.

use keytrail_domain::{github::Login, timestamp::Timestamp};
use reqwest::Method;

use super::{Github, GithubError, GithubTrouble, rest::As};

/// `false` where GitHub says that there is no such organisation; an account of a person is none. One that tells strangers
/// nothing, or wants to be asked less often, may have it.
pub async fn may_have_organisation(github: &Github, organisation: &Login, now: Timestamp) -> Result<bool, GithubError> {
    let answer = github.ask(Method::GET, &format!("/orgs/{organisation}"), As::Nobody, None).await?;
    match github.checked(answer, now) {
        Err(GithubError { trouble: GithubTrouble::NotFound, .. }) => Ok(false),
        Err(error @ GithubError { trouble: GithubTrouble::Service { .. }, .. }) => Err(error),
        Ok(_) | Err(_) => Ok(true),
    }
}
