//! Rows of tables of truth become durable with the events, or not at all.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use keytrail::{
    clock::Clock,
    log::{Append, AppendError, Lane},
    store::{Area, Db, Statement, StoreError},
};
use keytrail_projections::row;

use crate::{
    engines::number,
    samples::{added, append, new_stream, of, open, open_with, plain},
};

on_both_engines!(
    companions_commit_with_their_append,
    companions_go_when_their_append_is_refused,
    a_companion_that_fails_takes_only_its_own_append_with_it,
    a_companion_that_finds_no_row_ends_nobodys_process,
);

fn person(id: u8) -> Statement {
    Statement::new("INSERT INTO people (person_id, name) VALUES ($1, $2)", row![[id; 16].as_slice(), "A. Nonymous"])
}

fn with(mut append: Append, companion: Statement) -> Append {
    append.companions.push(companion);
    append
}

async fn people(db: &Db) -> i64 {
    number(db, Area::Log, "SELECT COUNT(*) FROM people").await
}

async fn companions_commit_with_their_append(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, with(plain(new_stream(), 0), person(1))).await;
    assert_eq!(people(&db).await, 1);
    let mut alone = with(plain(new_stream(), 0), person(2));
    alone.events.clear();
    append(&log, alone).await;
    assert_eq!(people(&db).await, 2);
}

async fn companions_go_when_their_append_is_refused(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, of(new_stream(), 0, &[added("a")])).await;
    let refused = with(of(new_stream(), 0, &[added("a")]), person(1));
    let outcome = log.appender().append(Lane::Interactive, refused).await;
    assert!(matches!(outcome, Err(AppendError::Claimed(_))), "{outcome:?}");
    assert_eq!(people(&db).await, 0);
}

async fn a_companion_that_fails_takes_only_its_own_append_with_it(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, with(plain(new_stream(), 0), person(1))).await;
    let appends = (0..10).map(|n| with(plain(new_stream(), 0), person(if n == 4 { 1 } else { 10 + n })));
    let outcomes = join_all(appends.map(|append| log.appender().append(Lane::Interactive, append))).await;
    let mut positions = Vec::new();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(committed) if n != 4 => positions.push(committed.last),
            Err(AppendError::Store(StoreError::Conflict { .. })) if n == 4 => {}
            other => panic!("append {n}: {other:?}"),
        }
    }
    positions.sort_unstable();
    assert_eq!(positions, (2..=10).collect::<Vec<_>>());
    assert_eq!(people(&db).await, 10);
    assert_eq!(number(&db, Area::Log, "SELECT MAX(global_position) FROM events").await, 10);
}

async fn a_companion_that_finds_no_row_ends_nobodys_process(db: Arc<Db>) {
    let fatal = Arc::new(AtomicUsize::new(0));
    let log = open_with(&db, Clock::System, fatal.clone()).await;
    let nobody =
        Statement::new("UPDATE people SET name = NULL WHERE person_id = $1", row![[9; 16].as_slice()]).expecting(1);
    let good = (0..3).map(|_| log.appender().append(Lane::Interactive, plain(new_stream(), 0)));
    let bad = log.appender().append(Lane::Interactive, with(plain(new_stream(), 0), nobody));
    let (bad, good) = tokio::join!(bad, join_all(good));
    assert!(matches!(bad, Err(AppendError::Store(StoreError::Fenced))), "{bad:?}");
    assert!(good.iter().all(Result::is_ok), "{good:?}");
    assert_eq!(fatal.load(Ordering::SeqCst), 0);
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM events").await, 3);
}
