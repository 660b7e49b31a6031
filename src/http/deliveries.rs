//! What git services delivered to an integration: listed, looked at, worked off again. Nothing of it is in the log.

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::{id::IntegrationId, recorded::StreamId, timestamp::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::{Admin, Auditor},
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    words,
};
use crate::inbox::{Filter, State, Stored};

/// Something that a git service delivered.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct Shown {
    /// Its id, as its service gave it.
    id: Uuid,
    /// What its service calls it.
    event: String,
    /// What of that happened.
    action: Option<String>,
    /// `sent`: it came by itself; `fetched`: it did not get here, and was found in the list that its service keeps.
    #[schema(schema_with = words::delivery_origin)]
    origin: &'static str,
    /// What became of it.
    #[schema(schema_with = words::delivery_state)]
    state: &'static str,
    /// That in words; of one that waits, why it could not be worked off the last time.
    outcome: Option<String>,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// When it was worked off.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// How often that was tried.
    tries: i64,
    /// How long its body is, in bytes.
    body_bytes: i64,
}

/// A delivery with all that came with it.
#[derive(Serialize, ToSchema)]
pub(super) struct WholeDelivery {
    #[serde(flatten)]
    delivery: Shown,
    /// The headers; `…` stands for the value of one that may be a secret.
    #[schema(value_type = Object)]
    headers: Map<String, Value>,
    /// The body.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
}

impl Shown {
    fn of(stored: Stored) -> Self {
        Self {
            id: stored.delivery,
            event: stored.event,
            action: stored.action,
            origin: stored.origin.as_str(),
            state: stored.state.as_str(),
            outcome: stored.outcome,
            received_at: stored.received_at,
            ended_at: stored.ended_at,
            tries: stored.tries,
            body_bytes: stored.body_bytes,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those of which this became.
    #[param(schema_with = words::delivery_state)]
    state: Option<String>,
    /// Only those that their service calls so, such as `push`.
    event: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
}

/// What was delivered to an integration within the last week, the latest first; without the bodies.
#[utoipa::path(tag = "installations", operation_id = "ListDeliveries", security(("bearer" = ["auditor"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/integrations/{id}/deliveries")]
pub(super) async fn list_deliveries(
    _: Auditor,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let (now, query) = (api.app.clock.now(), query.into_inner());
    let integration = known(&api, *id).await?;
    let state = match query.state.as_deref().map(|word| (word, State::parse(word))) {
        None => None,
        Some((_, Some(state))) => Some(state),
        Some((_, None)) => {
            let detail = "`state` is one of waiting, done, ignored, failed.";
            return Err(ApiError::new(Code::QueryInvalid, detail));
        }
    };
    let event = query.event;
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    if event.as_ref().is_some_and(|event| !(1..=64).contains(&event.len()) || !event.bytes().all(is_letter)) {
        let detail = "The name of an event has 1 to 64 small letters and `_`, as in `push`.";
        return Err(ApiError::new(Code::QueryInvalid, detail));
    }
    let filter = Filter { integration, state, event };
    let list = List::new("deliveries", &filter);
    let after: Option<Uuid> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let rows = api.app.inbox.page(&filter, after, limit + 1).await?;
    api.cursors.page(rows, limit, &list, now, |row| row.receipt, Shown::of)?.answer()
}

/// One delivery with its headers and its body, which names whoever caused it.
#[utoipa::path(tag = "installations", operation_id = "GetDelivery", security(("bearer" = ["admin"])),
    responses((status = 200, description = "It.", body = WholeDelivery)))]
#[get("/api/v1/integrations/{id}/deliveries/{delivery}")]
pub(super) async fn get_delivery(_: Admin, api: Data<Api>, path: Path<(Uuid, Uuid)>) -> Result<HttpResponse, ApiError> {
    let (id, delivery) = *path;
    let integration = known(&api, id).await?;
    let shown = api.app.inbox.one(integration, delivery).await?.map(Shown::of).ok_or_else(unknown)?;
    let came = api.app.inbox.what_came(integration, delivery).await?.ok_or_else(unknown)?;
    let body = String::from_utf8(came.body).map_err(|error| ApiError::internal(&error))?;
    let whole = WholeDelivery {
        delivery: shown,
        headers: serde_json::from_str(&came.headers).map_err(|error| ApiError::internal(&error))?,
        body: RawValue::from_string(body).map_err(|error| ApiError::internal(&error))?,
    };
    Ok(HttpResponse::Ok().json(whole))
}

/// Works a delivery off again, whatever became of it. Doing so is harmless: what follows from it is said once.
#[utoipa::path(tag = "installations", operation_id = "ReplayDelivery", security(("bearer" = ["admin"])),
    responses((status = 200, description = "It is to be worked off.", body = Shown)))]
#[post("/api/v1/integrations/{id}/deliveries/{delivery}/replay")]
pub(super) async fn replay_delivery(
    admin: Admin,
    api: Data<Api>,
    path: Path<(Uuid, Uuid)>,
) -> Result<HttpResponse, ApiError> {
    let (id, delivery) = *path;
    let integration = known(&api, id).await?;
    if !api.app.inbox.replay(integration, delivery).await? {
        return Err(unknown());
    }
    tracing::info!(by = admin.actor.name(), integration = %integration, %delivery, "a delivery is worked off again");
    let shown = api.app.inbox.one(integration, delivery).await?.map(Shown::of).ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(shown))
}

/// The integration, whatever became of it: what was delivered to it stays for its week.
async fn known(api: &Api, id: Uuid) -> Result<IntegrationId, ApiError> {
    use keytrail_domain::integration::Integration;
    match api.app.load::<Integration>(StreamId::new("integration", id)).await?.0 {
        Integration::Absent => {
            Err(ApiError::new(Code::IntegrationUnknown, "GET /api/v1/integrations lists those that there are."))
        }
        Integration::Active { .. } | Integration::Paused { .. } | Integration::Removed { .. } => Ok(IntegrationId(id)),
    }
}

fn unknown() -> ApiError {
    ApiError::new(
        Code::DeliveryUnknown,
        "Deliveries are kept for a week. GET /api/v1/integrations/{id}/deliveries lists those that there are.",
    )
}
