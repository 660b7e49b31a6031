//! Streams through the read seam of cqrs-es: its PostgreSQL repository and ours for the embedded engine say the same.

use std::sync::Arc;

use cqrs_es::persist::PersistedEventRepository;
use keytrail::{
    log::streams::{SqliteEventRepository, Streams},
    store::Db,
};
use keytrail_domain::{
    aggregate::Aggregate,
    fact::Fact,
    integration::{Event, Integration},
};
use postgres_es::PostgresEventRepository;

use crate::samples::{added, append, name, new_stream, of, open, place, renamed};

on_both_engines!(
    a_loaded_stream_folds_to_the_state_that_was_decided,
    an_unknown_stream_is_empty,
    the_repository_reads_from_a_sequence_on_and_never_writes_on_the_embedded_engine,
);

async fn a_loaded_stream_folds_to_the_state_that_was_decided(db: Arc<Db>) {
    let log = open(&db).await;
    let (stream, other) = (new_stream(), new_stream());
    let events: Vec<Event> =
        (0..30).map(|n| if n == 0 { added("n0") } else { renamed(&format!("n{}", n - 1), &format!("n{n}")) }).collect();
    append(&log, of(other, 0, &[added("other")])).await;
    for (after, event) in events.iter().enumerate() {
        append(&log, of(stream, after as i64, std::slice::from_ref(event))).await;
    }
    let loaded = Streams::of(&db).load::<Integration>(&stream.id.to_string()).await.expect("a stream");
    assert_eq!(loaded.iter().map(|event| event.sequence).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    let mut state = Integration::default();
    for event in &loaded {
        assert_eq!((event.aggregate_type.as_str(), &event.aggregate_id), (Integration::TYPE, &stream.id.to_string()));
        let payload = event.payload.to_string();
        let fact = Fact::read(&event.aggregate_type, &event.event_type, &event.event_version, &payload);
        let Fact::Integration(event) = fact.expect("it was written by us") else { panic!("another kind of fact") };
        state.evolve(&event);
    }
    assert_eq!(
        state,
        Integration::Active {
            name: name("n29"),
            connection: place("n0"),
            cancelled: Default::default(),
            web_links: Default::default(),
        }
    );
    let facts = log.stream(stream, i64::MAX).await.expect("a stream");
    let through_the_log: Vec<_> = facts.into_iter().map(|recorded| recorded.fact).collect();
    assert_eq!(through_the_log, events.into_iter().map(Fact::Integration).collect::<Vec<_>>());
}

async fn an_unknown_stream_is_empty(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    assert!(Streams::of(&db).load::<Integration>(&stream.id.to_string()).await.expect("no stream").is_empty());
    assert_eq!(log.last_sequence(stream).await.expect("a number"), 0);
}

async fn the_repository_reads_from_a_sequence_on_and_never_writes_on_the_embedded_engine(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    append(&log, of(stream, 0, &[added("a"), renamed("a", "b"), Event::Paused {}])).await;
    let id = stream.id.to_string();
    let last = match &*db {
        Db::Postgres(postgres) => {
            PostgresEventRepository::new(postgres.pool().clone()).get_last_events::<Integration>(&id, 1).await
        }
        Db::Sqlite(_) => {
            let repository = SqliteEventRepository::over(db.clone());
            let all = repository.get_events::<Integration>(&id).await.expect("a stream");
            repository.persist::<Integration>(&all, None).await.expect_err("it does not write");
            repository.get_last_events::<Integration>(&id, 1).await
        }
    };
    assert_eq!(last.expect("a stream").iter().map(|event| event.sequence).collect::<Vec<_>>(), [2, 3]);
}
