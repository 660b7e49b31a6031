//! What follows when an app is refused the pull requests of a repository. Whether it may read them at all its installation
//! tells, and whoever asks after the app says so; here nothing is said, and GitHub is asked nothing.

use keytrail_domain::{id::IntegrationId, installation::Installation};

use super::app_access;
use crate::{
    app::{App, DispatchError},
    git::services::github::GithubTrouble,
    jobs::AskError,
};

/// Whether GitHub says that the app may not do it.
pub(super) const fn is_denial(error: &AskError) -> bool {
    matches!(error, AskError::Github(error) if matches!(error.trouble, GithubTrouble::MissingPermission { .. }))
}

/// Whether it will stay so until an owner of the organisation grants more, as far as GitHub said: then asking again before
/// that is of no use. Otherwise the token may be of before, or the repository is kept from everybody.
pub(super) async fn lasts(app: &App, id: IntegrationId) -> Result<bool, DispatchError> {
    Ok(match app_access::installation(app, id).await? {
        Installation::Registered(registered) => registered.may_not_read_pull_requests(),
        Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => true,
    })
}
