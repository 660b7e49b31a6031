//! What can be asked of the audit trail.

use keytrail_domain::{
    fact::Fact,
    id::TokenId,
    metadata::{Actor, Causation, Source},
    recorded::{Position, Recorded, Sequence},
    timestamp::Timestamp,
};
use uuid::Uuid;

use super::{AuditTrail, summary::summary};
use crate::{
    row,
    value::{BadRow, Cells, Row, Value},
    view::Read,
};

/// An event, told.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its place in the log.
    pub position: Position,
    /// When it became durable.
    pub recorded_at: Timestamp,
    /// When the command was accepted.
    pub at: Timestamp,
    /// `token`, `service`, `local` or `server`.
    pub actor_kind: String,
    /// The name of who wished it.
    pub actor_name: String,
    /// The token that was used.
    pub actor_id: Option<TokenId>,
    /// Through which door.
    pub source: Source,
    /// The type of its stream.
    pub stream_type: String,
    /// The id of its stream.
    pub stream_id: Uuid,
    /// Its place in its stream.
    pub sequence: Sequence,
    /// Its stored name.
    pub event_type: String,
    /// What happened: a sentence whose subject is the actor, without a full stop.
    pub summary: String,
    /// What led to it: `event 17` or `delivery` and an id.
    pub causation: Option<String>,
    /// The request, as logs name it.
    pub request_id: Option<Uuid>,
    /// The trace that the request belongs to: a `traceparent`.
    pub trace: Option<String>,
}

impl AuditEntry {
    /// What the view says of a fact. Whoever follows the log tells it in the same words.
    pub fn of(fact: &Recorded<Fact>) -> Self {
        let metadata = &fact.metadata;
        Self {
            position: fact.position,
            recorded_at: fact.recorded_at,
            at: metadata.at,
            actor_kind: metadata.actor.kind().to_owned(),
            actor_name: metadata.actor.name().to_owned(),
            actor_id: match &metadata.actor {
                Actor::Token { id, .. } => Some(*id),
                Actor::Service { .. } | Actor::Local | Actor::Server { .. } => None,
            },
            source: metadata.source,
            stream_type: fact.stream.aggregate_type.to_owned(),
            stream_id: fact.stream.id,
            sequence: fact.sequence,
            event_type: fact.fact.name().to_owned(),
            summary: summary(&fact.fact),
            causation: metadata.causation.map(|causation| match causation {
                Causation::Event(position) => format!("event {position}"),
                Causation::Delivery(id) => format!("delivery {id}"),
            }),
            request_id: metadata.request_id,
            trace: metadata.trace.map(|trace| trace.to_string()),
        }
    }

    pub(super) fn row(self) -> Row {
        row![
            self.position,
            self.recorded_at,
            self.at,
            self.actor_kind,
            self.actor_name,
            self.actor_id,
            self.source.as_str(),
            self.stream_type,
            self.stream_id,
            self.sequence,
            self.event_type,
            self.summary,
            self.causation,
            self.request_id,
            self.trace,
        ]
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            position: cells.int()?,
            recorded_at: cells.time()?,
            at: cells.time()?,
            actor_kind: cells.text()?.to_owned(),
            actor_name: cells.text()?.to_owned(),
            actor_id: cells.maybe_id()?.map(TokenId),
            source: cells.word()?,
            stream_type: cells.text()?.to_owned(),
            stream_id: cells.id()?,
            sequence: cells.int()?,
            event_type: cells.text()?.to_owned(),
            summary: cells.text()?.to_owned(),
            causation: cells.maybe_text()?.map(str::to_owned),
            request_id: cells.maybe_id()?,
            trace: cells.maybe_text()?.map(str::to_owned),
        })
    }
}

impl AuditFilter {
    /// Whether an entry is one of those that are asked for: the same as [`page`] reads.
    pub fn takes(&self, entry: &AuditEntry) -> bool {
        let typed = match &self.event_type {
            None => true,
            Some(EventType::Exactly(name)) => entry.event_type == *name,
            Some(EventType::StartingWith(prefix)) => entry.event_type.starts_with(prefix.as_str()),
        };
        typed
            && self.stream.is_none_or(|stream| entry.stream_id == stream)
            && self.actor_name.as_ref().is_none_or(|name| entry.actor_name == *name)
            && self.after.is_none_or(|after| entry.position > after)
            && self.until.is_none_or(|until| entry.position <= until)
    }
}

/// Which events, by their stored names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventType {
    /// With this name.
    Exactly(String),
    /// With a name that starts so, for example `integration.`.
    StartingWith(String),
}

/// Which entries; all of what is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this stream.
    pub stream: Option<Uuid>,
    /// Of these events.
    pub event_type: Option<EventType>,
    /// By somebody of this name.
    pub actor_name: Option<String>,
    /// After this position.
    pub after: Option<Position>,
    /// Up to and with this position.
    pub until: Option<Position>,
}

/// In which order of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As it happened.
    OldestFirst,
    /// As people read news.
    NewestFirst,
}

macro_rules! select {
    ($leading:literal, $order:literal) => {
        concat!(
            "SELECT position, recorded_at, accepted_at, actor_kind, actor_name, actor_id, source, stream_type, ",
            "stream_id, stream_sequence, event_type, summary, causation, request_id, trace FROM audit_trail@ WHERE ",
            $leading,
            "position > $1 AND position <= $2 ",
            "AND (CAST($3 AS TEXT) IS NULL OR event_type = CAST($3 AS TEXT)) ",
            "AND (CAST($4 AS TEXT) IS NULL ",
            "OR (event_type >= CAST($4 AS TEXT) AND event_type < CAST($5 AS TEXT))) ",
            "AND (CAST($6 AS TEXT) IS NULL OR actor_name = CAST($6 AS TEXT)) ",
            "ORDER BY position",
            $order,
            " LIMIT $7"
        )
    };
}

/// Each filter that has an index leads a text of its own; what else is asked is looked at row by row. First text oldest,
/// second newest first.
const ALL: [&str; 2] = [select!("", ""), select!("", " DESC")];
const STREAM: [&str; 2] = [select!("stream_id = $8 AND ", ""), select!("stream_id = $8 AND ", " DESC")];
const TYPE: [&str; 2] = [select!("event_type = $8 AND ", ""), select!("event_type = $8 AND ", " DESC")];
const ACTOR: [&str; 2] = [select!("actor_name = $8 AND ", ""), select!("actor_name = $8 AND ", " DESC")];

/// Entries by position. The next page of the oldest first has the last row's position as `after`; of the newest first,
/// one less than it as `until`.
pub fn page(filter: &AuditFilter, order: Order, limit: u32) -> Read<AuditEntry> {
    let (exactly, prefix) = match &filter.event_type {
        None => (None, None),
        Some(EventType::Exactly(name)) => (Some(name.as_str()), None),
        Some(EventType::StartingWith(prefix)) => (None, Some(prefix.as_str())),
    };
    // Stored names are of letters, digits, dots and underscores: all of them sort before DEL.
    let prefix_end = prefix.map(|prefix| format!("{prefix}\u{7f}"));
    let actor = filter.actor_name.as_deref();
    let (texts, leading): (_, Option<Value>) = match (filter.stream, exactly, actor) {
        (Some(stream), _, _) => (STREAM, Some(stream.into())),
        (None, Some(name), _) => (TYPE, Some(name.into())),
        (None, None, Some(name)) => (ACTOR, Some(name.into())),
        (None, None, None) => (ALL, None),
    };
    let mut args = row![
        filter.after.unwrap_or(0),
        filter.until.unwrap_or(Position::MAX),
        exactly,
        prefix,
        prefix_end,
        actor,
        limit,
    ];
    args.extend(leading);
    let sql = match order {
        Order::OldestFirst => texts[0],
        Order::NewestFirst => texts[1],
    };
    Read { view: &AuditTrail, sql, args, row: AuditEntry::read }
}
