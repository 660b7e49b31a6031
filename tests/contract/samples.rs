//! Events and appends to write, and a log to write them to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keytrail::{
    clock::Clock,
    ids::{new_event_id, new_id},
    log::{Append, Committed, Idempotency, Lane, Log, NewEvent},
    store::Db,
};
use keytrail_domain::{
    aggregate::Aggregate as _,
    fact::Fact,
    integration::{Event, Integration, IntegrationName, MirrorsAfter},
    metadata::{Actor, Metadata, Source},
    recorded::{Sequence, StreamId},
    service::Connection,
    timestamp::Timestamp,
};

/// Opens the log; nothing fatal may happen to it.
pub(crate) async fn open(db: &Arc<Db>) -> Log {
    open_with(db, Clock::System, Arc::default()).await
}

/// Opens the log; what is fatal is counted.
pub(crate) async fn open_with(db: &Arc<Db>, clock: Clock, fatal: Arc<AtomicUsize>) -> Log {
    let on_fatal = move |_: &_| {
        fatal.fetch_add(1, Ordering::SeqCst);
    };
    Log::open(db.clone(), clock, Arc::new(on_fatal)).await.expect("the log opens")
}

/// The stream of a new integration.
pub(crate) fn new_stream() -> StreamId {
    StreamId::new(Integration::TYPE, new_id())
}

pub(crate) fn name(text: &str) -> IntegrationName {
    IntegrationName::parse(text).expect("a good name")
}

pub(crate) fn place(text: &str) -> Connection {
    Connection::path(format!("/srv/{text}"))
}

/// It was added, under this name and at the place of this name.
pub(crate) fn added(text: &str) -> Event {
    Event::Added { name: name(text), connection: place(text) }
}

pub(crate) fn renamed(from: &str, to: &str) -> Event {
    Event::Renamed { name: name(to), previous: name(from) }
}

pub(crate) fn removed(text: &str) -> Event {
    Event::Removed {
        name: name(text),
        connection: place(text),
        mirrors: MirrorsAfter::Deleted,
        secrets: Default::default(),
    }
}

/// A fact as it is stored.
pub(crate) fn stored(fact: &Fact) -> NewEvent {
    let metadata = Metadata {
        at: Timestamp::from_seconds(1_700_000_000),
        actor: Actor::Local,
        source: Source::Cli,
        request_id: None,
        causation: None,
        trace: None,
    };
    NewEvent {
        id: new_event_id(),
        event_type: fact.name(),
        version: fact.version(),
        payload: fact.payload().expect("facts become JSON"),
        metadata: serde_json::to_string(&metadata).expect("metadata become JSON"),
    }
}

/// The append that a command which led to these facts makes.
pub(crate) fn of_facts(stream: StreamId, after: Sequence, facts: &[Fact]) -> Append {
    Append {
        stream,
        after,
        events: facts.iter().map(stored).collect(),
        claims: facts.iter().flat_map(Fact::claims).collect(),
        idempotency: None,
        companions: Vec::new(),
    }
}

pub(crate) fn of(stream: StreamId, after: Sequence, events: &[Event]) -> Append {
    of_facts(stream, after, &events.iter().cloned().map(Fact::Integration).collect::<Vec<_>>())
}

/// One event that claims nothing.
pub(crate) fn plain(stream: StreamId, after: Sequence) -> Append {
    of(stream, after, &[Event::Paused {}])
}

/// The request of this key, with a body that hashes to this byte.
pub(crate) fn request(key: &str, hash: u8) -> Option<Idempotency> {
    Some(Idempotency { scope: "test".into(), key: key.into(), request_hash: [hash; 32] })
}

/// Appends what must succeed.
pub(crate) async fn append(log: &Log, append: Append) -> Committed {
    log.appender().append(Lane::Interactive, append).await.expect("nothing stands against it")
}
