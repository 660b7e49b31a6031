//! What comes with a command from outside: who wishes it, through which door, and on which conditions.

use keytrail_domain::{
    metadata::{Actor, Causation, Metadata, Source},
    recorded::{Position, Sequence},
    timestamp::Timestamp,
    trace_parent::TraceParent,
};
use uuid::Uuid;

use crate::log::Idempotency;

/// Comes with a command.
#[derive(Clone, Debug)]
pub struct Context {
    /// Who wishes it.
    pub actor: Actor,
    /// Through which door.
    pub source: Source,
    /// The request, as logs name it.
    pub request_id: Option<Uuid>,
    /// The trace that the request belongs to.
    pub trace: Option<TraceParent>,
    /// What led to it.
    pub causation: Option<Causation>,
    /// Makes sending it again harmless.
    pub idempotency: Option<Idempotency>,
    /// The version that the wisher saw: refused when the aggregate went on since.
    pub if_match: Option<Sequence>,
}

impl Context {
    /// Of a part of the server that acts because of the event at `cause`.
    pub fn server(part: &str, cause: Position) -> Self {
        Self {
            actor: Actor::server(part),
            source: Source::Job,
            request_id: None,
            trace: None,
            causation: (cause > 0).then_some(Causation::Event(cause)),
            idempotency: None,
            if_match: None,
        }
    }

    /// Of a part of the server that acts because a git service delivered something.
    pub fn delivery(part: &str, delivery: Uuid) -> Self {
        Self {
            actor: Actor::server(part),
            source: Source::Webhook,
            request_id: None,
            trace: None,
            causation: Some(Causation::Delivery(delivery)),
            idempotency: None,
            if_match: None,
        }
    }

    pub(super) fn metadata(&self, at: Timestamp) -> Metadata {
        Metadata {
            at,
            actor: self.actor.clone(),
            source: self.source,
            request_id: self.request_id,
            causation: self.causation,
            trace: self.trace,
        }
    }
}
