//! Which repositories of an app are wanted: a filter tried out, many confirmed; and the last word on an app that was removed.

use std::{collections::HashSet, time::Duration};

use actix_web::{
    HttpResponse, post,
    web::{Data, Path},
};
use keytrail_domain::{
    id::IntegrationId,
    installation::{Command, Installation as Aggregate},
};
use keytrail_projections::installation_status;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Shown,
    asking::{asked, late},
    connection,
};
use crate::{
    git::services::github::RepositoryFilter,
    http::{
        Api,
        auth::Admin,
        changed::Telling,
        error::{ApiError, Code, sentence},
        idempotency::IdempotencyKey,
        input::Input,
    },
    jobs,
    secrets::app_secrets,
};

/// Names that are shown of each kind.
const MOST_NAMES: usize = 100;
/// All pages of a large organisation are read for a preview, which no job goes on with.
const PATIENCE: Duration = Duration::from_secs(60);

/// A filter that is tried out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TriedFilter {
    /// A JMESPath expression over GitHub's own documents, `{"repositories": [...]}`.
    #[schema(example = "repositories[?!archived]")]
    filter: String,
}

/// What a filter would do now.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct FilterPreview {
    /// What it keeps.
    kept: FilterShare,
    /// What it leaves out.
    dropped: FilterShare,
}

/// Some of the repositories.
#[derive(Default, Serialize, ToSchema)]
struct FilterShare {
    /// How many.
    repositories: u64,
    /// How large they are together, as GitHub reckons.
    kilobytes: u64,
    /// The names of the first hundred.
    names: Vec<String>,
}

impl FilterShare {
    fn add(&mut self, document: &Value) {
        self.repositories += 1;
        self.kilobytes = self.kilobytes.saturating_add(document.get("size").and_then(Value::as_u64).unwrap_or(0));
        if self.names.len() < MOST_NAMES
            && let Some(name) = document.get("full_name").and_then(Value::as_str)
        {
            self.names.push(keytrail_domain::display_text::DisplayText::clean(name).into());
        }
    }
}

impl FilterPreview {
    fn of(documents: &[Value], kept_ids: &HashSet<u64>) -> Self {
        let (mut kept, mut dropped) = (FilterShare::default(), FilterShare::default());
        for document in documents {
            let id = document.get("id").and_then(Value::as_u64);
            let share = if id.is_some_and(|id| kept_ids.contains(&id)) { &mut kept } else { &mut dropped };
            share.add(document);
        }
        Self { kept, dropped }
    }
}

/// A filter that can be read, or where it cannot.
pub(in crate::http) fn filter(text: &str) -> Result<RepositoryFilter, ApiError> {
    RepositoryFilter::parse(text).map_err(|bad| ApiError::new(Code::FilterInvalid, sentence(&bad.to_string())))
}

/// What a filter would keep and leave out of what the app sees now. Nothing is changed. GitHub is given a minute to list it.
#[utoipa::path(tag = "installations", operation_id = "PreviewFilter", security(("bearer" = ["admin"])),
    request_body = TriedFilter,
    responses((status = 200, description = "What it would do.", body = FilterPreview)))]
#[post("/api/v1/integrations/{id}/filter-preview")]
pub(in crate::http) async fn preview_filter(
    _: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    body: Input<TriedFilter>,
) -> Result<HttpResponse, ApiError> {
    let id = IntegrationId(*id);
    let github = connection(&api, id).await?;
    let filter = filter(&body.value.filter)?;
    let previewed = tokio::time::timeout(PATIENCE, jobs::preview_filter(&api.app, id, &github, &filter)).await;
    let told = match previewed.map_err(|_| late(&github))? {
        Ok(Some(told)) => told,
        Ok(None) => {
            let detail = "The app sees nothing now: it is not installed, or suspended. Its status says more.";
            return Err(ApiError::new(Code::AppNotInstalled, detail));
        }
        Err(error) => return Err(asked(error)),
    };
    let (documents, kept) =
        told.map_err(|trouble| ApiError::new(Code::FilterInvalid, sentence(&trouble.to_string())))?;
    Ok(HttpResponse::Ok().json(FilterPreview::of(&documents, &kept)))
}

/// Wants all repositories that the app sees, however many they are. They start at once.
#[utoipa::path(tag = "installations", operation_id = "ConfirmRepositories", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 200, description = "They start.", body = Shown)))]
#[post("/api/v1/integrations/{id}/installation/confirm")]
pub(in crate::http) async fn confirm_repositories(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ConfirmRepositories", &[]), None);
    let committed = api.app.dispatch::<Aggregate>(*id, Command::ConfirmRepositories, context, Vec::new()).await?;
    let read = installation_status::by_id(IntegrationId(*id));
    api.changed(committed, Telling::changed(), read, |row| Shown::at(&api.app, row)).await
}

/// Says of a removed app that nothing of it is left at GitHub; secrets that were kept are forgotten.
#[utoipa::path(tag = "installations", operation_id = "ConfirmGone", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 200, description = "Nothing is left.", body = Shown)))]
#[post("/api/v1/integrations/{id}/installation/confirm-gone")]
pub(in crate::http) async fn confirm_gone(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ConfirmGone", &[]), None);
    // Of one that was not removed this is nothing, and its secrets stay.
    let removed = matches!(jobs::installation_of(&api.app, IntegrationId(*id)).await?, Aggregate::Removed { .. });
    if !removed {
        let detail = "This integration was not removed. Remove it first; then say what is left of its app at GitHub.";
        return Err(ApiError::new(Code::NotRemoved, detail));
    }
    let companions = app_secrets::forget_with_integration(IntegrationId(*id));
    let committed = api.app.dispatch::<Aggregate>(*id, Command::ConfirmGone, context, companions).await?;
    let read = installation_status::by_id(IntegrationId(*id));
    api.changed(committed, Telling::changed(), read, |row| Shown::at(&api.app, row)).await
}
