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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

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

/// Lets sessions through to the server behind `url`, until it swallows everything that is said on them. The URL of it.
fn swallowing(folder: &std::path::Path, url: &str, mute: &Arc<AtomicBool>) -> String {
    let (rest, host) = url.split_once("?host=").expect("the cluster has a socket");
    let server = std::path::Path::new(host).join(".s.PGSQL.5432");
    let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).expect("a socket");
    let mute = mute.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&server).await.expect("the server runs");
            let ((mut client_says, mut client), (mut server_says, mut server)) =
                (client.into_split(), server.into_split());
            let mute = mute.clone();
            tokio::spawn(async move { tokio::io::copy(&mut server_says, &mut client).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(length) = client_says.read(&mut bytes).await
                    && length > 0
                {
                    // A session that was swallowed once stays dead, as behind a router that forgot it.
                    if mute.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    server.write_all(&bytes[..length]).await.expect("the server takes it");
                }
            });
        }
    });
    format!("{rest}?host={}", folder.display())
}

#[test]
fn a_network_that_swallows_everything_does_not_hold_commands_for_ever() {
    let cluster = Cluster::start();
    runtime().block_on(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mute = Arc::new(AtomicBool::new(false));
        let url = swallowing(folder.path(), &cluster.url("postgres"), &mute);
        let db = Arc::new(Db::open_postgres(&url, 4).await.expect("the database opens"));
        migrate(&db, Clock::System.now()).await.expect("migrations run");
        let log = open_with(&db, Clock::System, Arc::default()).await;
        let stream = new_stream();
        log.appender().append(Lane::Interactive, plain(stream, 0)).await.expect("it is appended");
        mute.store(true, Ordering::SeqCst);
        let appended = log.appender().append(Lane::Interactive, plain(stream, 1));
        let outcome = tokio::time::timeout(Duration::from_secs(40), appended).await.expect("it is answered");
        assert!(matches!(outcome, Err(AppendError::Store(StoreError::Unavailable(_)))), "{outcome:?}");
        mute.store(false, Ordering::SeqCst);
        let mut tries = 0;
        while let Err(error) = log.appender().append(Lane::Interactive, plain(new_stream(), 0)).await {
            assert!(tries < 10, "appends go on over new connections: {error:?}");
            tries += 1;
        }
        let head = log.stored_head().await.expect("it answers").position;
        assert_eq!(head, 2, "what was swallowed was not written");
        let known = async { log.feed().wait_beyond(1).await };
        tokio::time::timeout(Duration::from_secs(5), known).await.expect("the head is known here too");
    });
}
