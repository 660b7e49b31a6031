//! Integrations: added, read, changed, removed.

mod adding;
mod indexing;
mod shown;

use actix_web::{
    HttpResponse, delete, get, post, put,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    aggregate::Refusal as _,
    claim::{Claim, ClaimScope},
    id::IntegrationId,
    integration::{Command, Error as Refused, Integration as Aggregate, IntegrationName, MirrorsAfter, SecretsAfter},
    recorded::StreamId,
    service::Connection,
};
use keytrail_projections::{
    installation_status,
    integration_list::{self, Integration as Row, IntegrationState},
    repository_list,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub(super) use self::shown::Shown;
use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, tell_one},
    conditions::IfMatch,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    input::{Input, told_by_word},
    installations::{ShownRemainder, connected_already},
    place::{self, Asked, Checked, Place},
    web_links::NewWebLinks,
    words,
};
use crate::{
    app::{Context, DispatchError},
    jobs,
    store::{Statement, StoreError},
};

/// How often a change is prepared again after somebody else was faster.
const TRIES: u32 = 5;

/// An integration that is to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIntegration {
    /// 1 to 100 characters.
    #[schema(example = "shop")]
    name: String,
    /// Where its repositories are.
    #[serde(deserialize_with = "told_by_word")]
    connection: Place,
    /// Where a browser finds what its repository has, set along with it.
    #[serde(default)]
    web_links: Option<NewWebLinks>,
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
    #[serde(deserialize_with = "told_by_word")]
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
    /// Only those that were not removed and connect to this place: a path, or a URL, however it is written.
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
    /// What becomes of the key and the secrets of its app, if it has one: `forgotten` when nothing is said. `kept` ones stay
    /// sealed until it is confirmed that the app is gone, and the app can be taken over with them.
    #[serde(default)]
    #[param(schema_with = words::secrets_after)]
    secrets: SecretsAfter,
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
        // At most two.
        Some(location) => {
            let read = integration_list::at_location(location);
            let mut rows = api.read(query.min_position, read).await?;
            rows.retain(|row| query.state.is_none_or(|state| row.state == state));
            rows.retain(|row| query.kind.as_ref().is_none_or(|kind| row.kind == *kind));
            rows
        }
    };
    let page = api.cursors.page(rows, limit, &list, now, |row| row.added_position, Shown::of)?;
    page.answer()
}

/// Connects a repository or a folder of them; their commits are indexed at once.
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
        None => adding::added(&api, &admin, &body.value, context).await?,
    };
    let read = integration_list::by_id(IntegrationId(committed.stream.id));
    api.changed(committed, Telling::created("/api/v1/integrations"), read, Shown::of).await
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
        (Some(row), _) if matches!(row.connection, Connection::GithubApp(_)) => {
            return connected_already(api, row.id).await;
        }
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
    let id = IntegrationId(*id);
    let row = api.one(query.min_position, || integration_list::by_id(id), Code::IntegrationUnknown).await?;
    let found = api.app.read(repository_list::indexing(id)).await?.into_iter().next().unwrap_or_default();
    Ok(tell_one(&Shown::of(row).with(&found, api.app.clock.now())))
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

/// Connects it to another place, or to the same in another way; repositories that are not seen any more are forgotten.
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
    let seen = if_match.required()?;
    for _ in 0..TRIES {
        let stream = StreamId::new("integration", *id);
        let (state, version) = api.app.load::<Aggregate>(stream).await?;
        let before = match &state {
            Aggregate::Active { connection, .. } | Aggregate::Paused { connection, .. } => connection,
            Aggregate::Absent => return Err(refused(Refused::Unknown)),
            Aggregate::Removed { .. } => return Err(refused(Refused::Removed)),
        };
        let asked = Asked { caller: &admin, integration: *id, before: Some(before) };
        let Checked { connection, companions } = place::checked(&api, asked, &body.value.connection).await?;
        // What is kept and what is forgotten holds for this version only.
        let context = admin.context(None, Some(seen.unwrap_or(version)));
        let command = Command::ChangeConnection { connection: connection.clone() };
        return match api.app.dispatch::<Aggregate>(*id, command, context, companions).await {
            Ok(committed) => {
                look_again(&api, IntegrationId(*id), &connection).await;
                let read = integration_list::by_id(IntegrationId(*id));
                api.changed(committed, Telling::changed(), read, Shown::of).await
            }
            Err(DispatchError::Stale { .. }) if seen.is_none() => continue,
            // The key of SSH was retired at the same moment: it is looked up once more, and refused.
            Err(DispatchError::Store(StoreError::Fenced)) => continue,
            Err(error) => Err(naming_the_holder(&api, None, Some(&connection), error).await),
        };
    }
    Err(DispatchError::Busy.into())
}

/// Stops looking for anything new.
///
/// An index run that was asked for before is not stopped behind anybody's back: it comes to its end, unless it is
/// cancelled.
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

/// Takes it away; its repositories are forgotten, their originals are not touched. Its history stays. Of an app, the
/// service is given ten seconds; the answer names what is left there.
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
    let companions = jobs::forgotten_at_once(&api.app, IntegrationId(*id)).await?;
    let command = Command::Remove { mirrors: query.mirrors, secrets: query.secrets };
    let committed = api.app.dispatch::<Aggregate>(*id, command, context, companions).await?;
    // Its GitHub has a few seconds to take it away; what it did not do is the remainder.
    if let Err(error) = jobs::reconcile(&api.app, IntegrationId(*id), committed.last).await {
        tracing::debug!(?error, integration = %id, "an app is taken away by a job");
    }
    // It is done, also where the view that tells of the remainder cannot be read.
    let app = api.read_now(installation_status::by_id(IntegrationId(*id))).await.unwrap_or_default().pop();
    let remainder = app.and_then(ShownRemainder::left);
    let read = integration_list::by_id(IntegrationId(*id));
    let show = |row| Shown::of(row).leaving(remainder.clone());
    api.changed(committed, Telling::changed(), read, show).await
}

async fn change(api: &Api, id: Uuid, command: Command, context: Context) -> Result<HttpResponse, ApiError> {
    change_with(api, id, command, context, Vec::new()).await
}

async fn change_with(
    api: &Api,
    id: Uuid,
    command: Command,
    context: Context,
    companions: Vec<Statement>,
) -> Result<HttpResponse, ApiError> {
    let name = match &command {
        Command::Rename { name } => Some(name.clone()),
        _ => None,
    };
    let committed = match api.app.dispatch::<Aggregate>(id, command, context, companions).await {
        Ok(committed) => committed,
        Err(error) => return Err(naming_the_holder(api, name.as_ref(), None, error).await),
    };
    api.changed(committed, Telling::changed(), integration_list::by_id(IntegrationId(id)), Shown::of).await
}

/// What could not be reached may be reachable now: nobody should wait for the next poll to see that. The repositories of a
/// folder are looked for again anyway.
async fn look_again(api: &Api, id: IntegrationId, connection: &Connection) {
    if matches!(connection, Connection::Folder { .. }) {
        return;
    }
    match api.app.read(repository_list::page(Some(id), None, None, 100)).await {
        Ok(rows) => rows.iter().for_each(|row| api.app.jobs.look_now(row.repository.id, api.app.clock.now())),
        Err(error) => tracing::debug!(%error, "a changed connection is looked at with the next poll"),
    }
}

fn refused(refusal: Refused) -> ApiError {
    DispatchError::Refused { code: refusal.code(), text: refusal.to_string() }.into()
}

fn name(text: &str) -> Result<IntegrationName, ApiError> {
    IntegrationName::parse(text).map_err(|_| {
        let detail = format!("A name has 1 to {} characters.", IntegrationName::MAX_CHARACTERS);
        ApiError::new(Code::NameInvalid, detail)
    })
}
