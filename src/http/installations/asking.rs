//! Asking a GitHub while a person waits for the answer: for how long, what becomes of the rest, and what is said of a
//! refusal. Called by the routes of apps. Nothing here waits for ever.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{
    github::{App, GithubConnection},
    id::IntegrationId,
};

use crate::{
    git::services::github::{AppAccess, AppKey, BadKey, Github, GithubError},
    http::{
        Api,
        error::{ApiError, Code, sentence},
    },
    jobs::{self, AskError},
};

/// A person waits for GitHub no longer than this.
const PATIENCE: Duration = Duration::from_secs(8);

/// What came of it, if it did in time.
pub(in crate::http) async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, work).await.ok()
}

/// Does what a person waits for; whether that was done in time. What is not jobs do: they ask after the app, and what it
/// sees.
pub(in crate::http) async fn or_by_jobs(api: &Api, id: IntegrationId, work: impl Future<Output = ()>) -> bool {
    if in_time(work).await.is_some() {
        return true;
    }
    tracing::debug!(integration = %id, "GitHub takes long to say how an app is; jobs go on");
    if let Err(error) = jobs::ask_after_by_jobs(&api.app, id).await {
        tracing::warn!(%error, integration = %id, "no job goes on with what a person waited for; the schedule does later");
    }
    false
}

/// The app, when GitHub takes the key for it.
pub(super) async fn proved(
    api: &Api,
    id: IntegrationId,
    github: &GithubConnection,
    app_id: u64,
    key: &AppKey,
) -> Result<App, ApiError> {
    let proving = async {
        let place = jobs::github_place(&api.app, id, github).await.map_err(asked)?;
        let clock = api.app.clock.clone();
        let connected = Github::reach(&place).await.map_err(refused)?;
        let now = Arc::new(move || clock.now());
        let access = AppAccess::new(connected, github.host.clone(), app_id, &key.pem, now).map_err(refused)?;
        access.app().await.map_err(refused)
    };
    in_time(proving).await.unwrap_or_else(|| Err(late(github)))
}

/// GitHub did not answer in time.
pub(super) fn late(github: &GithubConnection) -> ApiError {
    let detail = format!("{} takes too long to answer. Nothing was changed; try again.", github.host.name());
    ApiError::new(Code::GithubRefused, detail).with("reason", "github_unreachable")
}

pub(super) fn bad_key(bad: BadKey) -> ApiError {
    ApiError::new(Code::KeyInvalid, sentence(&bad.to_string())).with("reason", bad.code())
}

/// What GitHub refused, with its own code as the reason.
pub(super) fn refused(error: GithubError) -> ApiError {
    let reason = error.trouble.code();
    ApiError::new(Code::GithubRefused, sentence(&error.to_string())).with("reason", reason)
}

pub(in crate::http) fn asked(error: AskError) -> ApiError {
    match error {
        AskError::Github(error) => refused(error),
        error => ApiError::new(Code::GithubRefused, sentence(&error.to_string())).with("reason", error.code()),
    }
}
