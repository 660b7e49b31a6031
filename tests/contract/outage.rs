//! PostgreSQL goes away in the middle: commands are refused, then go on, and what was acknowledged is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use keytrail::{
    clock::Clock,
    log::{AppendError, Lane},
    store::{Area, Db, StoreError, migrate::migrate},
};
use keytrail_projections::value::Value;
use keytrail_test_support::postgres::Cluster;
use tokio::task::JoinSet;

use crate::{
    engines::{number, runtime},
    samples::{new_stream, open_with, plain},
};

#[test]
fn what_was_acknowledged_survives_a_restart_of_postgres_and_appends_go_on() {
    let cluster = Arc::new(Cluster::start());
    runtime().block_on(async {
        let db = Arc::new(Db::open_postgres(&cluster.url("postgres"), 8).await.expect("the database opens"));
        migrate(&db, Clock::System.now()).await.expect("migrations run");
        let fatal = Arc::default();
        let log = Arc::new(open_with(&db, Clock::System, Arc::clone(&fatal)).await);
        let (end, failures) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let mut writers = JoinSet::new();
        for _ in 0..8 {
            let (log, end, failures) = (log.clone(), end.clone(), failures.clone());
            writers.spawn(async move {
                let (stream, mut after, mut acknowledged) = (new_stream(), 0, Vec::new());
                let mut after_end = 0;
                while after_end == 0 {
                    // At the end each has one more, when all is well again.
                    after_end += u32::from(end.load(Ordering::SeqCst));
                    let append = plain(stream, after);
                    let id = append.events[0].id;
                    match log.appender().append(Lane::Interactive, append).await {
                        Ok(committed) => {
                            after = committed.sequence;
                            acknowledged.push((id, committed.last));
                        }
                        Err(AppendError::Store(StoreError::Unavailable(_))) => {
                            failures.fetch_add(1, Ordering::SeqCst);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            after = log.last_sequence(stream).await.unwrap_or(after);
                        }
                        // What was refused as unavailable was committed after all.
                        Err(AppendError::Conflict(_)) => after = log.last_sequence(stream).await.unwrap_or(after),
                        Err(other) => panic!("{other:?}"),
                    }
                }
                acknowledged
            });
        }
        for kill in [false, true] {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let cluster = cluster.clone();
            let again = move || {
                if kill {
                    cluster.kill();
                    cluster.start_again();
                } else {
                    cluster.restart_at_once();
                }
            };
            tokio::task::spawn_blocking(again).await.expect("it comes back");
        }
        let before = log.stored_head().await.expect("it answers again").position;
        tokio::time::sleep(Duration::from_millis(300)).await;
        end.store(true, Ordering::SeqCst);
        let acknowledged = writers.join_all().await.concat();
        assert!(failures.load(Ordering::SeqCst) > 0, "the writers noticed");
        assert_eq!(fatal.load(Ordering::SeqCst), 0, "a database that is away is no reason to end");
        let head = log.stored_head().await.expect("it answers").position;
        assert!(head > before, "appends go on");
        assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM events").await, head);
        for (id, position) in acknowledged {
            let sql = "SELECT global_position FROM events WHERE event_id = $1";
            let found = db.read(Area::Log, sql, &[Value::from(id.to_string())]).await.expect("a row");
            assert_eq!(found, [[Value::Int(position)]]);
        }
    });
}
