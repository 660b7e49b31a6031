//! An event with its place in the log.

use std::fmt;

use uuid::Uuid;

use crate::{id::EventId, metadata::Metadata, timestamp::Timestamp};

/// The place of an event in the whole log: 1, 2, 3 … without gaps, in the order of commits. 0 is before the first.
pub type Position = i64;

/// The place of an event in its stream: 1, 2, 3 … . 0 is before the first.
pub type Sequence = i64;

/// Which stream: the aggregate's type and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// The stored word of the aggregate type.
    pub aggregate_type: &'static str,
    /// The aggregate.
    pub id: Uuid,
}

impl StreamId {
    /// The stream of this aggregate.
    pub const fn new(aggregate_type: &'static str, id: Uuid) -> Self {
        Self { aggregate_type, id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.aggregate_type, self.id)
    }
}

/// A fact as the log tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<F> {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamId,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// When it became durable; never runs backwards along the log.
    pub recorded_at: Timestamp,
    /// Its own id.
    pub event_id: EventId,
    /// When, who, through what, because of what.
    pub metadata: Metadata,
    /// What happened.
    pub fact: F,
}
