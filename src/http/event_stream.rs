//! The log as it grows: what `GET /api/v1/events` tells, event after event, to whoever keeps listening.

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::HeaderName,
    web::{Data, Query},
};
use keytrail_domain::recorded::Position;
use keytrail_projections::audit_trail::{self, AuditEntry, AuditFilter, Order};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::{
    Api,
    auth::Auditor,
    error::{ApiError, Code},
    events::{Entry, event_type, position},
    following::{Following, Next},
    outlet::{End, Gone, Outlet, head_only},
    words,
};

/// Where a listener was when it lost the stream.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Entries that are read at once while a listener catches up.
const PAGE: u32 = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Only those of the stream with this id.
    stream: Option<Uuid>,
    /// Only those of this type, such as `integration.added`; with a dot at its end, of all that begin so.
    #[serde(rename = "type")]
    #[param(schema_with = words::event_type)]
    event_type: Option<String>,
    /// Only those by an actor of this name.
    actor: Option<String>,
    /// Begins after this position; without it, and without Last-Event-ID, with what happens from now on.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Events as they happen, in order, none left out: Server-Sent Events whose data is an entry as ListEvents tells it. The
/// id of each is where to go on: sent as Last-Event-ID, the stream continues after it.
#[utoipa::path(tag = "history", operation_id = "FollowEvents", security(("bearer" = ["auditor"])),
    params(StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was received.")),
    responses((status = 200, description = "Events, until one side ends it. The last one, `end`, says why: \
        `token_invalid`, `stopping` or `store_unavailable`. The example is the data of one event.", body = Entry, content_type = "text/event-stream")))]
#[get("/api/v1/events/stream")]
pub(super) async fn follow_events(
    auditor: Auditor,
    api: Data<Api>,
    request: HttpRequest,
    query: Query<StreamQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let resumed = last_event_id(&api, &request).await?;
    let sent = resumed.or(position(query.after)?).unwrap_or(auditor.since);
    let filter = AuditFilter {
        stream: query.stream,
        event_type: query.event_type.map(event_type).transpose()?,
        actor_name: query.actor,
        after: None,
        until: None,
    };
    // What cannot be read now is refused as it would be anywhere else.
    let first = catch_up(&api, &filter, sent, auditor.since).await?;
    if let Some(head) = head_only(&request) {
        return Ok(head);
    }
    let (outlet, response) = Outlet::open(&api, &auditor)?;
    let listener = Listener { following: Following::new(api, (*auditor).clone()), filter, sent, outlet };
    actix_web::rt::spawn(listener.listen(first));
    Ok(response)
}

/// Who listens: everything up to `sent` is told.
struct Listener {
    following: Following,
    filter: AuditFilter,
    sent: Position,
    outlet: Outlet,
}

impl Listener {
    async fn listen(mut self, first: Vec<AuditEntry>) {
        // A listener that is gone or too slow comes again with the last id that it has.
        if let Ok(why) = self.tell(first).await {
            self.outlet.end(why);
        }
    }

    async fn tell(&mut self, first: Vec<AuditEntry>) -> Result<End, Gone> {
        let id = self.id(self.sent);
        self.outlet.mark(&id).await?;
        if let Some(why) = self.tell_old(first).await? {
            return Ok(why);
        }
        loop {
            match self.following.next().await {
                Next::Ended(why) => return Ok(why),
                Next::Tick => {}
                Next::Facts(page) => {
                    let sent = self.sent;
                    for fact in page.iter().filter(|fact| fact.position > sent) {
                        let entry = AuditEntry::of(fact);
                        if self.filter.takes(&entry) {
                            self.send(entry).await?;
                        }
                    }
                    self.sent = self.sent.max(self.following.position());
                }
            }
            let id = self.id(self.sent);
            self.outlet.beat(Some(&id)).await?;
        }
    }

    /// What is in the view already, up to where the log stood when the caller was let in.
    async fn tell_old(&mut self, first: Vec<AuditEntry>) -> Result<Option<End>, Gone> {
        let until = self.following.position();
        let mut entries = first;
        loop {
            let more = entries.len() == PAGE as usize;
            for entry in entries {
                self.send(entry).await?;
            }
            if !more {
                self.sent = self.sent.max(until);
                return Ok(None);
            }
            if let Err(why) = self.following.is_welcome().await {
                return Ok(Some(why));
            }
            entries = match catch_up(self.following.api(), &self.filter, self.sent, until).await {
                Ok(entries) => entries,
                Err(_) => return Ok(Some(End::Trouble)),
            };
        }
    }

    async fn send(&mut self, entry: AuditEntry) -> Result<(), Gone> {
        self.sent = entry.position;
        let id = self.id(self.sent);
        self.outlet.send(Some(&id), &Entry::of(entry)).await
    }

    fn id(&self, position: Position) -> String {
        format!("{}-{position}", self.following.api().app.log.feed().epoch())
    }
}

/// The next entries after `sent`, up to and with `until`.
async fn catch_up(
    api: &Api,
    filter: &AuditFilter,
    sent: Position,
    until: Position,
) -> Result<Vec<AuditEntry>, ApiError> {
    if sent >= until {
        return Ok(Vec::new());
    }
    let filter = AuditFilter { after: Some(sent), until: Some(until), ..filter.clone() };
    api.read_at(until, audit_trail::page(&filter, Order::OldestFirst, PAGE)).await
}

/// The position in the header, if it is of this log.
async fn last_event_id(api: &Api, request: &HttpRequest) -> Result<Option<Position>, ApiError> {
    let mut all = request.headers().get_all(LAST_EVENT_ID);
    let Some(value) = all.next() else { return Ok(None) };
    let feed = api.app.log.feed();
    let parsed = value.to_str().ok().and_then(|text| {
        let (epoch, position) = text.split_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits(epoch) && digits(position)).then_some((epoch.parse::<i64>().ok()?, position.parse::<Position>().ok()?))
    });
    match parsed {
        // Another node may know of more than this one does just now; a position far beyond is of a log that is no more.
        Some((epoch, position)) if epoch == feed.epoch() && all.next().is_none() => {
            if position > feed.head().position && position > feed.stored_head().await?.position {
                return Err(foreign());
            }
            Ok(Some(position))
        }
        _ => Err(foreign()),
    }
}

fn foreign() -> ApiError {
    let detail = "Send Last-Event-ID once, as this stream gave it. After a restore of the log, begin without it.";
    ApiError::new(Code::EventIdInvalid, detail)
}
