//! Integrations: added, read, changed, removed.

use actix_web::{
    HttpResponse, delete, get, post, put,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    claim::{Claim, ClaimScope},
    id::IntegrationId,
    integration::{Command, Integration as Aggregate, IntegrationName, MirrorsAfter},
    recorded::Sequence,
    service::Connection,
    timestamp::Timestamp,
};
use keytrail_projections::integration_list::{self, Integration as Row, IntegrationState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, Versioned, tell_one},
    conditions::IfMatch,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    input::Input,
    place::{self, Place},
    words,
};
use crate::{
    app::{Context, DispatchError},
    ids,
};

/// An integration: one connection to a git service or folder.
#[derive(Serialize, ToSchema)]
#[schema(as = Integration)]
pub(super) struct Shown {
    /// Which.
    id: Uuid,
    /// Its name; unique among integrations that were not removed, whatever the case of letters.
    name: String,
    /// The kind of its connection.
    #[schema(example = "path")]
    kind: String,
    /// Where it connects to.
    location: String,
    /// Where it is in its life.
    #[schema(schema_with = words::integration_state)]
    state: IntegrationState,
    /// Since when it is in that state.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    added_at: Timestamp,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of its last change.
    position: i64,
}

impl Shown {
    pub(super) fn of(row: Row) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            kind: row.kind,
            location: row.location,
            state: row.state,
            since: row.since,
            added_at: row.added_at,
            version: row.version,
            position: row.position,
        }
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

/// An integration that is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIntegration {
    /// 1 to 100 characters.
    #[schema(example = "shop")]
    name: String,
    /// Where its repositories are.
    connection: Place,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewName {
    /// 1 to 100 characters.
    name: String,
}

/// Another place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConnection {
    /// Of the same kind as before.
    connection: Place,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those in this state.
    #[param(schema_with = words::integration_state)]
    state: Option<IntegrationState>,
    /// Only those of this kind of service, for example `path`.
    kind: Option<String>,
    /// Only the one that was not removed and connects to this place, as `location` shows it.
    location: Option<String>,
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
pub(super) struct OneQuery {
    /// The answer is at least as new as this position.
    pub(super) min_position: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// What becomes of the copies that the server made of its repositories: `deleted` when nothing is said.
    #[serde(default)]
    #[param(schema_with = words::mirrors_after)]
    mirrors: MirrorsAfter,
}

/// Integrations in the order in which they were added, removed ones too.
#[utoipa::path(tag = "integrations", operation_id = "ListIntegrations", security(("bearer" = ["viewer"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/integrations")]
pub(super) async fn list_integrations(
    _: Viewer,
    api: Data<Api>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let filters = (query.state, &query.kind, &query.location);
    let list = List::new("integrations", &filters);
    let after = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let rows = match &query.location {
        None => {
            let read = integration_list::page(query.state, query.kind.as_deref(), after, limit + 1);
            api.read(query.min_position, read).await?
        }
        // At most one.
        Some(location) => {
            let read = integration_list::by_place(&Connection::path(location.clone()));
            let mut rows = api.read(query.min_position, read).await?;
            rows.retain(|row| query.state.is_none_or(|state| row.state == state));
            rows.retain(|row| query.kind.as_ref().is_none_or(|kind| row.kind == *kind));
            rows
        }
    };
    let page = api.cursors.page(rows, limit, &list, now, |row| row.added_position, Shown::of)?;
    page.answer()
}

/// Connects a repository; its commits are indexed at once.
#[utoipa::path(tag = "integrations", operation_id = "AddIntegration", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = NewIntegration,
    responses((status = 201, description = "It was added.", body = Shown)))]
#[post("/api/v1/integrations")]
pub(super) async fn add_integration(
    admin: Admin,
    api: Data<Api>,
    key: IdempotencyKey,
    body: Input<NewIntegration>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "AddIntegration", &body.bytes), None);
    let committed = match api.remembered(&context).await? {
        Some(committed) => committed,
        None => {
            let name = name(&body.value.name)?;
            let connection = place::checked(&api, &admin, body.value.connection).await?;
            let command = Command::Add { name: name.clone(), connection: connection.clone() };
            match api.app.dispatch::<Aggregate>(ids::new_id(), command, context, Vec::new()).await {
                Ok(committed) => committed,
                Err(error) => return Err(naming_the_holder(&api, Some(&name), Some(&connection), error).await),
            }
        }
    };
    let read = integration_list::by_id(IntegrationId(committed.stream.id));
    Ok(api.changed(committed, Telling::created("/api/v1/integrations"), read, Shown::of).await)
}

/// Whoever may not add or change an integration is told which one is in the way. When name and place are both taken, the
/// place is what counts: another name would not help.
async fn naming_the_holder(
    api: &Api,
    name: Option<&IntegrationName>,
    connection: Option<&Connection>,
    error: DispatchError,
) -> ApiError {
    let DispatchError::Claimed(claim) = error else { return error.into() };
    let head = api.app.log.feed().head().position;
    let holder =
        async |read| api.app.read_at_least(head, read).await.ok().and_then(|rows: Vec<Row>| rows.into_iter().next());
    let at_place = match connection {
        Some(connection) => holder(integration_list::by_place(connection)).await,
        None => None,
    };
    let (claim, holder) = match (at_place, name) {
        (Some(row), _) => (Claim { scope: ClaimScope::Connection, key: claim.key }, Some(row)),
        (None, Some(name)) => (claim, holder(integration_list::by_name(name.as_str())).await),
        (None, None) => (claim, None),
    };
    let error = ApiError::from(DispatchError::Claimed(claim));
    match holder {
        Some(row) => error.with("integration", row.id.to_string()),
        None => error,
    }
}

/// One integration.
#[utoipa::path(tag = "integrations", operation_id = "GetIntegration", security(("bearer" = ["viewer"])),
    params(OneQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/integrations/{id}")]
pub(super) async fn get_integration(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let read = || integration_list::by_id(IntegrationId(*id));
    let row = api.one(query.min_position, read, Code::IntegrationUnknown).await?;
    Ok(tell_one(&Shown::of(row)))
}

/// Calls it something else.
#[utoipa::path(tag = "integrations", operation_id = "RenameIntegration", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag that was seen, or *.")), request_body = NewName,
    responses((status = 200, description = "It has the name.", body = Shown)))]
#[put("/api/v1/integrations/{id}/name")]
pub(super) async fn rename_integration(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    body: Input<NewName>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    change(&api, *id, Command::Rename { name: name(&body.value.name)? }, context).await
}

/// Connects it to another place; repositories of the old place are forgotten.
#[utoipa::path(tag = "integrations", operation_id = "ChangeConnection", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag that was seen, or *.")), request_body = NewConnection,
    responses((status = 200, description = "It is connected there.", body = Shown)))]
#[put("/api/v1/integrations/{id}/connection")]
pub(super) async fn change_connection(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    body: Input<NewConnection>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    let connection = place::checked(&api, &admin, body.value.connection).await?;
    change(&api, *id, Command::ChangeConnection { connection }, context).await
}

/// Stops looking for anything new.
#[utoipa::path(tag = "integrations", operation_id = "PauseIntegration", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 200, description = "It is paused.", body = Shown)))]
#[post("/api/v1/integrations/{id}/pause")]
pub(super) async fn pause_integration(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "PauseIntegration", &[]), if_match.version());
    change(&api, *id, Command::Pause, context).await
}

/// Looks for what is new again.
#[utoipa::path(tag = "integrations", operation_id = "ResumeIntegration", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 200, description = "It is active.", body = Shown)))]
#[post("/api/v1/integrations/{id}/resume")]
pub(super) async fn resume_integration(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ResumeIntegration", &[]), if_match.version());
    change(&api, *id, Command::Resume, context).await
}

/// Takes it away; its repositories are forgotten, their originals are not touched. Its history stays.
#[utoipa::path(tag = "integrations", operation_id = "RemoveIntegration", security(("bearer" = ["admin"])),
    params(RemoveQuery, ("If-Match" = String, Header, description = "The ETag that was seen, or *.")),
    responses((status = 200, description = "It is removed.", body = Shown)))]
#[delete("/api/v1/integrations/{id}")]
pub(super) async fn remove_integration(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    query: Query<RemoveQuery>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    change(&api, *id, Command::Remove { mirrors: query.mirrors }, context).await
}

async fn change(api: &Api, id: Uuid, command: Command, context: Context) -> Result<HttpResponse, ApiError> {
    let (name, connection) = match &command {
        Command::Rename { name } => (Some(name.clone()), None),
        Command::ChangeConnection { connection } => (None, Some(connection.clone())),
        _ => (None, None),
    };
    let committed = match api.app.dispatch::<Aggregate>(id, command, context, Vec::new()).await {
        Ok(committed) => committed,
        Err(error) => return Err(naming_the_holder(api, name.as_ref(), connection.as_ref(), error).await),
    };
    Ok(api.changed(committed, Telling::changed(), integration_list::by_id(IntegrationId(id)), Shown::of).await)
}

fn name(text: &str) -> Result<IntegrationName, ApiError> {
    IntegrationName::parse(text).map_err(|_| {
        let detail = format!("A name has 1 to {} characters.", IntegrationName::MAX_CHARACTERS);
        ApiError::new(Code::NameInvalid, detail)
    })
}
