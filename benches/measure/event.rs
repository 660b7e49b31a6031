//! A fact as it is appended by a measurement, whose actor and time do not matter.

use keytrail::{ids, log::NewEvent};
use keytrail_domain::{
    fact::Fact,
    metadata::{Actor, Metadata, Source},
    timestamp::Timestamp,
};

/// The event of a fact.
pub(crate) fn event(fact: &Fact) -> NewEvent {
    let metadata = Metadata {
        at: Timestamp::from_seconds(1_700_000_000),
        actor: Actor::server("bench"),
        source: Source::Job,
        request_id: None,
        causation: None,
        trace: None,
    };
    NewEvent {
        id: ids::new_event_id(),
        event_type: fact.name(),
        version: fact.version(),
        payload: fact.payload().expect("a fact can be written"),
        metadata: serde_json::to_string(&metadata).expect("metadata can be written"),
    }
}
