//! Repositories: read, looked at, and asked to be indexed.

mod known;
mod ssh;

use std::collections::HashMap;

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    id::{IndexRunId, IntegrationId, RepositoryId},
    index_run::{Cause, Command, FailureCode, IndexRun as Run},
    recorded::Sequence,
    timestamp::Timestamp,
};
use keytrail_projections::{
    index_runs, integration_list,
    repository_list::{self, Filter, ListPlace, Listed, RepositoryState, Sort},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub(super) use self::known::{forgotten, known};
use self::ssh::ShownOffers;
use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, Versioned, tell_one},
    cursor::{List, Page, limit},
    error::{ApiError, Code, sentence},
    events::Direction,
    held::{Held, held},
    idempotency::IdempotencyKey,
    index_runs::Shown as ShownRun,
    integrations::OneQuery,
    list_place::After,
    operations::OperationRef,
    people::fragment,
    place::Reading,
    remedies::remedy,
    words,
};
use crate::{
    app::{DispatchError, OperationId},
    ids,
};

/// A repository that an integration sees.
#[derive(Serialize, ToSchema)]
#[schema(as = Repository)]
pub(super) struct Shown {
    /// Which.
    id: Uuid,
    /// The integration that sees it.
    integration: Uuid,
    /// What a person calls it.
    name: String,
    /// The kind of its connection.
    kind: String,
    /// Where it is read from.
    location: String,
    /// How it is read: where it lies, or from a copy that is fetched.
    reading: Reading,
    /// Where it is in its life.
    #[schema(schema_with = words::repository_state)]
    state: RepositoryState,
    /// Since when it is in that state.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// The run that was asked for last.
    last_run: Option<Uuid>,
    /// Why a run failed; gone once a run completes.
    failure: Option<Failure>,
    /// Why looking whether anything is new fails; gone once it works.
    trouble: Option<Trouble>,
    /// Whether its service lets nobody change it any more: nothing new is looked for.
    archived: bool,
    /// Why it is not looked at, while the app that reads it may not.
    held: Option<Held>,
    /// Which keys were offered over SSH, and which was taken; only of one repository that was reached so.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh: Option<ShownOffers>,
    /// The key of SSH that is associated with it: the only one that is offered; only of one repository that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh_key: Option<Uuid>,
    /// When a run last completed.
    #[schema(value_type = Option<String>, format = DateTime)]
    indexed_at: Option<Timestamp>,
    /// Commits that were looked at.
    commits: u64,
    /// Of these, commits that name an issue, or seem to.
    keyed: u64,
    /// The look to watch; only when one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<OperationRef>,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of the last event that changed anything of this.
    position: i64,
}

/// Why an index run failed.
#[derive(Serialize, ToSchema)]
pub(super) struct Failure {
    /// For machines; a closed list.
    #[schema(value_type = String)]
    code: FailureCode,
    /// For people: what happened and what to do.
    text: String,
    /// What the server does next, and what a person can do.
    next: &'static str,
}

impl Failure {
    pub(super) fn of((code, text): (FailureCode, String)) -> Self {
        Self { code, text, next: remedy(code) }
    }
}

/// Why looking at a repository fails.
#[derive(Serialize, ToSchema)]
struct Trouble {
    /// For machines; a closed list.
    #[schema(value_type = String)]
    code: FailureCode,
    /// For people: what happened.
    sentence: String,
    /// Since when looking fails, for whatever reasons.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// What the server does next, and what a person can do.
    next: &'static str,
}

impl Shown {
    fn of(listed: Listed) -> Self {
        let Listed { repository: row, commits, keyed, mirrored } = listed;
        Self {
            id: row.id.0,
            integration: row.integration.0,
            name: row.name,
            kind: row.kind,
            location: row.location,
            reading: if mirrored { Reading::Mirrored } else { Reading::InPlace },
            state: row.state,
            since: row.since,
            last_run: row.last_run.map(|run| run.0),
            failure: row.failure.map(Failure::of),
            trouble: row.trouble.map(|trouble| Trouble {
                code: trouble.code,
                sentence: sentence(&trouble.text),
                since: trouble.since,
                next: remedy(trouble.code),
            }),
            archived: row.archived,
            held: None,
            ssh: None,
            ssh_key: None,
            indexed_at: row.indexed_at,
            commits,
            keyed,
            operation: None,
            version: row.version,
            position: row.position,
        }
    }

    /// The same, with why it is not looked at.
    fn held_by(mut self, held: &HashMap<IntegrationId, Held>) -> Self {
        if self.state != RepositoryState::Forgotten {
            self.held = held.get(&IntegrationId(self.integration)).cloned();
        }
        self
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those that this integration sees.
    integration: Option<Uuid>,
    /// Only those in this state.
    #[param(schema_with = words::repository_state)]
    state: Option<RepositoryState>,
    /// Only those in trouble (`true`): looking at them fails, their last run failed, or they cannot be indexed; or only the
    /// others.
    trouble: Option<bool>,
    /// Only those whose name has this in it: 1 to 100 characters; the case of ASCII letters does not count.
    name: Option<String>,
    /// `added`: as they were discovered; `name`; `state`; `indexed`: when a run last completed; `activity`: when anything
    /// of them last changed.
    #[param(schema_with = words::repository_sort)]
    sort: Option<Sort>,
    /// `asc`, as long as nothing is said, or `desc`.
    #[param(inline)]
    order: Option<Direction>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfIntegrationQuery {
    /// Only those in this state.
    #[param(schema_with = words::repository_state)]
    state: Option<RepositoryState>,
    /// Only those in trouble (`true`): looking at them fails, their last run failed, or they cannot be indexed; or only the
    /// others.
    trouble: Option<bool>,
    /// Only those whose name has this in it: 1 to 100 characters; the case of ASCII letters does not count.
    name: Option<String>,
    /// `added`: as they were discovered; `name`; `state`; `indexed`: when a run last completed; `activity`: when anything
    /// of them last changed.
    #[param(schema_with = words::repository_sort)]
    sort: Option<Sort>,
    /// `asc`, as long as nothing is said, or `desc`.
    #[param(inline)]
    order: Option<Direction>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Repositories, forgotten ones too; in the order in which they were discovered when no other is asked for.
#[utoipa::path(tag = "repositories", operation_id = "ListRepositories", security(("bearer" = ["viewer"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/repositories")]
pub(super) async fn list_repositories(
    _: Viewer,
    api: Data<Api>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    list(&api, query.into_inner()).await
}

/// The repositories that an integration sees, or saw.
#[utoipa::path(tag = "integrations", operation_id = "ListIntegrationRepositories", security(("bearer" = ["viewer"])),
    params(OfIntegrationQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/integrations/{id}/repositories")]
pub(super) async fn list_integration_repositories(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OfIntegrationQuery>,
) -> Result<HttpResponse, ApiError> {
    let OfIntegrationQuery { state, trouble, name, sort, order, cursor, limit, min_position } = query.into_inner();
    let read = || integration_list::by_id(IntegrationId(*id));
    api.one(min_position, read, Code::IntegrationUnknown).await?;
    let integration = Some(*id);
    list(&api, ListQuery { integration, state, trouble, name, sort, order, cursor, limit, min_position }).await
}

async fn list(api: &Api, query: ListQuery) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let (sort, is_descending) = (query.sort.unwrap_or(Sort::Added), query.order == Some(Direction::Desc));
    let filter = Filter {
        integration: query.integration.map(IntegrationId),
        state: query.state,
        trouble: query.trouble,
        name: fragment(query.name)?,
    };
    let filters = (&filter, sort, is_descending);
    let list = List::new("repositories", &filters);
    let after: Option<After> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let after = after.map(After::place);
    let read = repository_list::listing(&filter, sort, is_descending, after.as_ref(), limit + 1);
    let rows = api.read(query.min_position, read).await?;
    let after = |row: &Listed| After::of(ListPlace::of(sort, &row.repository));
    let held = held(api).await?;
    api.cursors.page(rows, limit, &list, now, after, |row| Shown::of(row).held_by(&held))?.answer()
}

/// One repository.
#[utoipa::path(tag = "repositories", operation_id = "GetRepository", security(("bearer" = ["viewer"])),
    params(OneQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/repositories/{id}")]
pub(super) async fn get_repository(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let read = || repository_list::by_id(RepositoryId(*id));
    let row = api.one(query.min_position, read, Code::RepositoryUnknown).await?;
    let ssh = ssh::offers(&api, &row.repository).await?;
    let ssh_key = ssh::associated(&api, RepositoryId(*id)).await?;
    Ok(tell_one(&Shown { ssh, ssh_key, ..Shown::of(row).held_by(&held(&api).await?) }))
}

/// Asks for an index run over what is new. The answer names the run to watch.
#[utoipa::path(tag = "repositories", operation_id = "RequestIndex", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 202, description = "The run to watch; only `id` and `position` when the view does not show it yet.", body = ShownRun)))]
#[post("/api/v1/repositories/{id}/index-runs")]
pub(super) async fn request_index(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    request(&api, &admin, "RequestIndex", RepositoryId(*id), Cause::Asked, key).await
}

/// Indexes the repository from its beginning; what was found before counts no more.
#[utoipa::path(tag = "repositories", operation_id = "ResetIndex", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 202, description = "The run to watch; only `id` and `position` when the view does not show it yet.", body = ShownRun)))]
#[post("/api/v1/repositories/{id}/reset")]
pub(super) async fn reset_index(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    request(&api, &admin, "ResetIndex", RepositoryId(*id), Cause::Reset, key).await
}

/// Asks for a run in the name of an operation.
pub(super) async fn request(
    api: &Api,
    admin: &Admin,
    operation: &str,
    repository: RepositoryId,
    cause: Cause,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(api, admin, operation, &[]), None);
    let committed = match api.remembered(&context).await? {
        Some(committed) => committed,
        None => {
            // The run is a stream of its own; it must not be asked of a repository that nobody knows.
            known(api, repository).await?;
            let command = Command::Request { repository, cause };
            match api.app.dispatch::<Run>(ids::new_id(), command, context, Vec::new()).await {
                Ok(committed) => committed,
                Err(error) => return Err(naming_the_run(api, repository, error).await),
            }
        }
    };
    let read = index_runs::by_id(IndexRunId(committed.stream.id));
    api.changed(committed, Telling::begun("/api/v1/index-runs"), read, ShownRun::of).await
}

/// Looks at once whether anything is new, and fetches and indexes it. Asking again while that goes on changes nothing.
#[utoipa::path(tag = "repositories", operation_id = "FetchRepository", security(("bearer" = ["admin"])),
    responses((status = 202, description = "It will be looked at; the repository as it is now.", body = Shown),
        (status = 409, description = "No integration sees it any more.")))]
#[post("/api/v1/repositories/{id}/fetch")]
pub(super) async fn fetch_repository(_: Admin, api: Data<Api>, id: Path<Uuid>) -> Result<HttpResponse, ApiError> {
    let id = RepositoryId(*id);
    known(&api, id).await?;
    // Before anything is done: where the view does not have it yet, nothing is.
    let row = api.one(None, || repository_list::by_id(id), Code::RepositoryUnknown).await?;
    api.app.jobs.look_now(id, api.app.clock.now());
    let operation = Some(OperationRef::of(&OperationId::FetchRepository(id)));
    Ok(HttpResponse::Accepted().json(Shown { operation, ..Shown::of(row) }))
}

/// Whoever may not start a run is told which one is under way.
async fn naming_the_run(api: &Api, repository: RepositoryId, error: DispatchError) -> ApiError {
    let claimed = matches!(error, DispatchError::Claimed(_));
    let error = ApiError::from(error);
    if !claimed {
        return error;
    }
    match api.app.read(index_runs::active(repository)).await.ok().and_then(|rows| rows.into_iter().next()) {
        Some(run) => error.with("index_run", run.id.to_string()),
        None => error,
    }
}
