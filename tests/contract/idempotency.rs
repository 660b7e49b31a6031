//! Sending a request again is not doing it again.

use std::sync::Arc;

use futures::future::join_all;
use keytrail::{
    log::{AppendError, Committed, Lane},
    store::Db,
};

use crate::samples::{added, append, new_stream, of, open, plain, request};

on_both_engines!(
    the_same_request_has_the_first_outcome_and_appends_nothing,
    a_key_is_of_one_request,
    a_request_without_events_is_remembered_too,
    of_the_same_request_sent_many_times_at_once_one_is_done,
    a_replay_wins_over_every_other_refusal,
);

async fn the_same_request_has_the_first_outcome_and_appends_nothing(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, plain(new_stream(), 0)).await;
    let mut command = of(new_stream(), 0, &[added("a"), keytrail_domain::integration::Event::Paused {}]);
    command.idempotency = request("k", 1);
    let first = append(&log, command.clone()).await;
    assert_eq!((first.first, first.last, first.sequence, first.replayed), (2, 3, 2, false));
    append(&log, plain(new_stream(), 0)).await;
    let again = append(&log, command).await;
    assert_eq!(again, Committed { replayed: true, ..first });
    assert_eq!(log.stored_head().await.expect("a head").position, 4);

    // As a retry that decided anew sends it: after what the first one wrote, with ids of its own.
    let mut anew = plain(first.stream, 2);
    anew.idempotency = request("k", 1);
    assert_eq!(append(&log, anew).await, Committed { replayed: true, ..first });
    assert_eq!(log.stored_head().await.expect("a head").position, 4);
    let remembered = log.remembered(&request("k", 1).expect("a request")).await.expect("the store answers");
    assert_eq!(remembered.expect("it is remembered").expect("it is the same"), Committed { replayed: true, ..first });
    assert!(log.remembered(&request("other", 1).expect("a request")).await.expect("the store answers").is_none());
}

async fn a_key_is_of_one_request(db: Arc<Db>) {
    let log = open(&db).await;
    let mut one = plain(new_stream(), 0);
    one.idempotency = request("k", 1);
    append(&log, one).await;
    let mut other = plain(new_stream(), 0);
    other.idempotency = request("k", 2);
    let outcome = log.appender().append(Lane::Interactive, other.clone()).await;
    assert!(matches!(outcome, Err(AppendError::KeyReused)), "{outcome:?}");
    if let Some(request) = &mut other.idempotency {
        request.scope = "somebody else".into();
    }
    append(&log, other).await;
}

async fn a_request_without_events_is_remembered_too(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    append(&log, plain(stream, 0)).await;
    let mut nothing = plain(stream, 1);
    nothing.events.clear();
    nothing.idempotency = request("k", 1);
    let first = append(&log, nothing.clone()).await;
    assert_eq!((first.first, first.last, first.sequence, first.appended), (1, 1, 1, false));
    append(&log, plain(stream, 1)).await;
    // Whether there was anything is not remembered.
    assert_eq!(append(&log, nothing).await, Committed { appended: true, replayed: true, ..first });
    assert_eq!(log.stored_head().await.expect("a head").position, 2);
}

async fn of_the_same_request_sent_many_times_at_once_one_is_done(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    let sends = (0..20).map(|_| {
        let mut command = plain(stream, 0);
        command.idempotency = request("k", 1);
        log.appender().append(Lane::Interactive, command)
    });
    let outcomes: Vec<_> =
        join_all(sends).await.into_iter().map(|outcome| outcome.expect("all are answered")).collect();
    assert_eq!(outcomes.iter().filter(|committed| !committed.replayed).count(), 1);
    assert!(outcomes.iter().all(|committed| (committed.first, committed.last) == (1, 1)));
}

async fn a_replay_wins_over_every_other_refusal(db: Arc<Db>) {
    let log = open(&db).await;
    let mut command = of(new_stream(), 0, &[added("a")]);
    command.idempotency = request("k", 1);
    let first = append(&log, command.clone()).await;
    // Its sequence is taken, its event ids are in the log, its name is held: all by itself.
    assert_eq!(append(&log, command.clone()).await, Committed { replayed: true, ..first });
    command.stream = new_stream();
    assert_eq!(append(&log, command).await, Committed { replayed: true, ..first });
}
