//! Whether a host is the GitHub that it is taken for (GitHub REST, "Get GitHub meta information"). Asked before anything is
//! begun there, in nobody's name: there is no key yet, and none would be shown to somebody else.

use keytrail_domain::{github::Edition, timestamp::Timestamp};
use reqwest::Method;
use serde::Deserialize;

use super::{Github, GithubError, GithubTrouble, rest::As};

/// What every GitHub says of itself.
#[derive(Deserialize)]
struct MetaAnswer {
    verifiable_password_authentication: Option<bool>,
    /// Servers of one's own alone have one.
    installed_version: Option<String>,
}

/// Nothing, when a GitHub of this edition answers.
pub async fn recognise(github: &Github, edition: Edition, now: Timestamp) -> Result<(), GithubError> {
    let answer = github.ask(Method::GET, "/meta", As::Nobody, None).await?;
    let numbered = answer.header("x-github-request-id").is_some();
    let server = answer.header("x-github-enterprise-version").is_some();
    let meta: MetaAnswer = match github.checked(answer, now) {
        Ok(answer) => github.read(&answer)?,
        // One that wants to be asked less often is one.
        Err(GithubError { trouble: GithubTrouble::RateLimited { .. }, .. }) => return Ok(()),
        // In private mode a server of one's own tells nobody anything who does not sign in.
        Err(GithubError {
            trouble: GithubTrouble::TokenRejected | GithubTrouble::MissingPermission { .. }, ..
        }) if numbered => {
            return Ok(());
        }
        Err(error @ GithubError { trouble: GithubTrouble::Service { .. }, .. }) => return Err(error),
        Err(_) => return Err(github.trouble(GithubTrouble::NotGithub)),
    };
    let server = server || meta.installed_version.is_some();
    if !server && meta.verifiable_password_authentication.is_none() {
        return Err(github.trouble(GithubTrouble::NotGithub));
    }
    match (edition, server) {
        (Edition::EnterpriseServer, true) | (Edition::Cloud | Edition::DataResidency, false) => Ok(()),
        (Edition::EnterpriseServer, false) => Err(github.trouble(GithubTrouble::OtherEdition { is: Edition::Cloud })),
        (Edition::Cloud | Edition::DataResidency, true) => {
            Err(github.trouble(GithubTrouble::OtherEdition { is: Edition::EnterpriseServer }))
        }
    }
}
