//! Who is refused, and that nobody else is.

use std::sync::Arc;

use futures::future::join_all;
use keytrail::{
    log::{AppendError, Lane},
    store::{Area, Db, Statement, StoreError},
};

use crate::{
    engines::number,
    samples::{append, new_stream, open, plain},
};

on_both_engines!(
    a_conflict_refuses_only_the_offender_of_a_batch,
    of_writers_to_one_stream_one_wins_each_sequence,
    an_event_id_is_appended_once,
    what_the_engine_cannot_store_refuses_only_its_own_command,
    of_transactions_that_wait_for_each_other_both_are_done,
);

async fn a_conflict_refuses_only_the_offender_of_a_batch(db: Arc<Db>) {
    let log = open(&db).await;
    let taken = new_stream();
    append(&log, plain(taken, 0)).await;
    let appends = (0..60).map(|n| if n % 10 == 5 { plain(taken, 0) } else { plain(new_stream(), 0) });
    let outcomes = join_all(appends.map(|append| log.appender().append(Lane::Interactive, append))).await;
    let mut positions = Vec::new();
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(committed) if n % 10 != 5 => positions.push(committed.last),
            Err(AppendError::Conflict(stream)) if n % 10 == 5 => assert_eq!(stream, taken),
            other => panic!("append {n}: {other:?}"),
        }
    }
    positions.sort_unstable();
    assert_eq!(positions, (2..=55).collect::<Vec<_>>(), "refused appends leave no gap");
    assert_eq!(log.feed().head().position, 55);
}

async fn of_writers_to_one_stream_one_wins_each_sequence(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    for after in 0..5 {
        let outcomes = join_all((0..16).map(|_| log.appender().append(Lane::Interactive, plain(stream, after)))).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let lost = outcomes.iter().filter(|outcome| matches!(outcome, Err(AppendError::Conflict(_)))).count();
        assert_eq!((won, lost), (1, 15));
    }
    assert_eq!(log.last_sequence(stream).await.expect("a sequence"), 5);
}

async fn an_event_id_is_appended_once(db: Arc<Db>) {
    let log = open(&db).await;
    let first = plain(new_stream(), 0);
    let mut again = plain(new_stream(), 0);
    again.events[0].id = first.events[0].id;
    append(&log, first).await;
    let outcome = log.appender().append(Lane::Interactive, again.clone()).await;
    assert!(matches!(outcome, Err(AppendError::Duplicate)), "{outcome:?}");

    // Also when both are within one append.
    let mut twice = plain(new_stream(), 0);
    twice.events.push(twice.events[0].clone());
    let good = [plain(new_stream(), 0), plain(new_stream(), 0)];
    let [one, other] = good.map(|append| log.appender().append(Lane::Interactive, append));
    let (one, twice, other) = tokio::join!(one, log.appender().append(Lane::Interactive, twice), other);
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert!(twice.is_err());
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM events").await, 3);
}

/// A NUL is text to one engine and not to the other: whatever comes of it, it is of this command only.
async fn what_the_engine_cannot_store_refuses_only_its_own_command(db: Arc<Db>) {
    let log = open(&db).await;
    let mut odd = plain(new_stream(), 0);
    odd.events[0].payload = "{\"paused\":\0{}}".into();
    let good = (0..4).map(|_| log.appender().append(Lane::Interactive, plain(new_stream(), 0)));
    let (odd, good) = tokio::join!(log.appender().append(Lane::Interactive, odd), join_all(good));
    assert!(good.iter().all(Result::is_ok), "{good:?}");
    if let Err(error) = &odd {
        assert!(matches!(error, AppendError::Store(StoreError::Wrong(_))), "{error:?}");
    }
    let stored = number(&db, Area::Log, "SELECT COUNT(*) FROM events").await;
    assert_eq!(stored, 4 + i64::from(odd.is_ok()));
    assert_eq!(log.stored_head().await.expect("a head").position, stored);
}

/// PostgreSQL undoes one of them; the embedded engine does one after the other.
async fn of_transactions_that_wait_for_each_other_both_are_done(db: Arc<Db>) {
    let table = Statement::new("CREATE TABLE pairs (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)", Vec::new());
    let rows = Statement::new("INSERT INTO pairs (id, n) VALUES (1, 0), (2, 0)", Vec::new());
    db.write(Area::Log, vec![table, rows]).await.expect("a table");
    let pause = match &*db {
        Db::Sqlite(_) => "SELECT 1",
        Db::Postgres(_) => "SELECT 1 FROM pg_sleep(0.3)",
    };
    let change = |id: i64| Statement::new("UPDATE pairs SET n = n + 1 WHERE id = $1", vec![id.into()]).expecting(1);
    let both = |first, second| vec![change(first), Statement::new(pause, Vec::new()), change(second)];
    let (one, other) = tokio::join!(db.write(Area::Log, both(1, 2)), db.write(Area::Log, both(2, 1)));
    assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM pairs WHERE n = 2").await, 2);
}
