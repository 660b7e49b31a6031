//! The log, told: who did what, when, through which door.

use actix_web::{
    HttpResponse, get,
    web::{Data, Query},
};
use keytrail_domain::{fact::Fact, metadata::Source, recorded::Position, timestamp::Timestamp};
use keytrail_projections::audit_trail::{self, AuditEntry, AuditFilter, EventType, Order};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Auditor,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    words,
};

/// An event, told.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct Entry {
    /// Its place in the log.
    position: i64,
    /// When it became durable.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// When the command was accepted.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who wished it.
    actor: Actor,
    /// Through which door: `api`, `console`, `cli`, `webhook`, `job` or `import`.
    #[schema(value_type = String)]
    source: Source,
    /// The type of its stream.
    stream_type: String,
    /// The id of its stream.
    stream_id: Uuid,
    /// Its place in its stream.
    sequence: i64,
    /// Its stored name.
    #[schema(example = "integration.added")]
    event_type: String,
    /// What happened: a sentence whose subject is the actor.
    summary: String,
    /// What led to it: `event 17`, or `delivery` and an id.
    causation: Option<String>,
    /// The request, as the server's log names it.
    request_id: Option<Uuid>,
    /// The `traceparent` of the request, when it came with one (W3C Trace Context).
    #[schema(example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
    trace: Option<String>,
}

/// Who wished something.
#[derive(Serialize, ToSchema)]
struct Actor {
    /// `token`, `service`, `local` or `server`.
    kind: String,
    /// Its name then.
    name: String,
    /// The token that was used.
    token: Option<Uuid>,
}

impl Entry {
    pub(super) fn of(row: AuditEntry) -> Self {
        Self {
            position: row.position,
            recorded_at: row.recorded_at,
            at: row.at,
            actor: Actor { kind: row.actor_kind, name: row.actor_name, token: row.actor_id.map(|token| token.0) },
            source: row.source,
            stream_type: row.stream_type,
            stream_id: row.stream_id,
            sequence: row.sequence,
            event_type: row.event_type,
            summary: row.summary,
            causation: row.causation,
            request_id: row.request_id,
            trace: row.trace,
        }
    }
}

/// Which types of events are meant by a name, or by a beginning that ends with a dot. One that no event has is a slip of
/// who asks: an empty answer would say that nothing of it happened.
pub(super) fn event_type(name: String) -> Result<EventType, ApiError> {
    let known = |fits: &dyn Fn(&str) -> bool| Fact::types().any(|(known, _)| fits(known));
    match name.ends_with('.') {
        true if known(&|known| known.starts_with(&name)) => Ok(EventType::StartingWith(name)),
        false if known(&|known| known == name) => Ok(EventType::Exactly(name)),
        _ => {
            let detail = "No event has this type; one is integration.added, and integration. means all that begin so.";
            Err(ApiError::new(Code::QueryInvalid, detail))
        }
    }
}

/// Positions are counted from 1; 0 is before all of them.
pub(super) fn position(named: Option<Position>) -> Result<Option<Position>, ApiError> {
    match named {
        Some(position) if position < 0 => Err(ApiError::new(Code::QueryInvalid, "A position is not below 0.")),
        named => Ok(named),
    }
}

/// In which order of positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Direction {
    /// As people read news.
    #[default]
    Desc,
    /// As it happened.
    Asc,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only those of the stream with this id.
    stream: Option<Uuid>,
    /// Only those of this type, such as `integration.added`; with a dot at its end, of all that begin so.
    #[serde(rename = "type")]
    #[param(schema_with = words::event_type)]
    event_type: Option<String>,
    /// Only those by an actor of this name.
    actor: Option<String>,
    /// `desc`: newest first; `asc`: as it happened.
    #[param(inline)]
    order: Option<Direction>,
    /// Only those after this position.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// Only those up to and with this position.
    #[param(minimum = 0)]
    until: Option<i64>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Events, told as sentences.
#[utoipa::path(tag = "history", operation_id = "ListEvents", security(("bearer" = ["auditor"])),
    params(EventsQuery), responses((status = 200, description = "A page.", body = Page<Entry>)))]
#[get("/api/v1/events")]
pub(super) async fn list_events(
    _: Auditor,
    api: Data<Api>,
    query: Query<EventsQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let query = query.into_inner();
    let order = query.order.unwrap_or_default();
    let filters = (query.stream, query.event_type.clone(), query.actor.clone(), order, query.after, query.until);
    let list = List::new("events", &filters);
    let last: Option<Position> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let mut filter = AuditFilter {
        stream: query.stream,
        event_type: query.event_type.map(event_type).transpose()?,
        actor_name: query.actor,
        after: position(query.after)?,
        until: position(query.until)?,
    };
    let order = match order {
        Direction::Asc => {
            filter.after = last.or(filter.after);
            Order::OldestFirst
        }
        Direction::Desc => {
            filter.until = last.map(|last| last - 1).or(filter.until);
            Order::NewestFirst
        }
    };
    let rows = api.read(query.min_position, audit_trail::page(&filter, order, limit + 1)).await?;
    let page = api.cursors.page(rows, limit, &list, now, |row| row.position, Entry::of)?;
    page.answer()
}
