//! Why the repositories of an app are not looked at, for lists and pages of repositories: the app's own status, told with
//! each of them.

use std::collections::HashMap;

use keytrail_domain::{
    id::IntegrationId,
    installation::{Installation, Status},
    timestamp::Timestamp,
};
use keytrail_projections::installation_status;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Api, error::ApiError};

/// More apps than this are not told of at once.
const MOST: u32 = 1_000;

/// Why a repository is not looked at.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct Held {
    /// How the app is: a word such as `suspended`.
    #[schema(example = "suspended")]
    status: &'static str,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// In a sentence.
    text: &'static str,
}

/// The apps whose repositories are not looked at now.
pub(super) async fn held(api: &Api) -> Result<HashMap<IntegrationId, Held>, ApiError> {
    let rows = api.read(None, installation_status::page(None, None, MOST)).await?;
    let held = rows.into_iter().filter_map(|row| {
        let Installation::Registered(_) = row.state else { return None };
        let text = match row.status {
            Status::Active | Status::Removed => return None,
            Status::Suspended => "The app that reads it is suspended; looking goes on by itself when it runs again.",
            Status::KeyRejected => "GitHub refuses the key of the app that reads it; give the app a new one.",
            Status::Registering | Status::Installing | Status::ApprovalRequested | Status::Stuck => {
                "The app that reads it is not installed; the status of the app says what comes next."
            }
            Status::Uninstalled => "The app that reads it was taken away at GitHub; install it again.",
            Status::AppDeleted => "The app that reads it was deleted at GitHub.",
        };
        Some((row.id, Held { status: row.status.as_str(), since: row.since, text }))
    });
    Ok(held.collect())
}
