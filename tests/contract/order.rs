//! One order for all: 1, 2, 3 … as it was committed, whoever writes, dies and comes back.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use keytrail::{
    log::{AppendError, Lane, Log},
    store::{Area, Db},
};
use keytrail_domain::{
    id::EventId,
    recorded::{Position, StreamId},
};
use sqlx::{Connection, PgConnection};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    engines::{number, runtime},
    samples::{new_stream, open, plain},
};

on_both_engines!(positions_have_no_gap_under_64_writers);
on_postgres_only!(the_order_holds_while_nodes_come_and_go);

async fn positions_have_no_gap_under_64_writers(db: Arc<Db>) {
    let log = Arc::new(open(&db).await);
    let mut writers = JoinSet::new();
    for n in 0..64 {
        let log = log.clone();
        writers.spawn(async move {
            let (stream, mut positions) = (new_stream(), Vec::new());
            for after in 0..10 {
                let lane = if n % 8 == 0 { Lane::Bulk } else { Lane::Interactive };
                let mut append = plain(stream, after * 2);
                append.events.extend(plain(stream, 0).events);
                let committed = log.appender().append(lane, append).await.expect("it is appended");
                assert_eq!((committed.last, committed.sequence), (committed.first + 1, after * 2 + 2));
                positions.extend([committed.first, committed.last]);
            }
            assert!(positions.is_sorted(), "a writer's own appends are in its order");
            positions
        });
    }
    let mut positions = writers.join_all().await.concat();
    positions.sort_unstable();
    assert_eq!(positions, (1..=1_280).collect::<Vec<Position>>());
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM events").await, 1_280);
    assert_eq!(number(&db, Area::Log, "SELECT position FROM log_head").await, 1_280);
    assert_eq!(log.feed().head().position, 1_280);
}

/// What was acknowledged: which event at which position.
type Acknowledged = Arc<Mutex<Vec<(EventId, Position)>>>;

/// A small generator: delays differ from writer to writer and from run to run of a loop.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Appends to its stream until it is told to end, whatever becomes of the node.
async fn write(log: Arc<Log>, stream: StreamId, mut dice: Dice, end: Arc<AtomicBool>, acknowledged: Acknowledged) {
    let mut after = log.last_sequence(stream).await.unwrap_or_default();
    while !end.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_micros(dice.below(4_000))).await;
        let append = plain(stream, after);
        let id = append.events[0].id;
        if dice.below(20) == 0 {
            // A caller that goes away: nobody hears what came of it.
            let waiting = log.appender().append(Lane::Interactive, append);
            let _ = tokio::time::timeout(Duration::from_micros(dice.below(2_000)), waiting).await;
            after = log.last_sequence(stream).await.unwrap_or(after);
            continue;
        }
        match log.appender().append(Lane::Interactive, append).await {
            Ok(committed) => {
                after = committed.sequence;
                acknowledged.lock().expect("no writer panics").push((id, committed.last));
            }
            Err(AppendError::Conflict(_) | AppendError::Store(_)) => {
                after = log.last_sequence(stream).await.unwrap_or(after);
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A node with half of the writers, in a runtime of its own: ending that is how it dies.
async fn node(url: &str, streams: &[StreamId], round: u64, end: &Arc<AtomicBool>, seen: &Acknowledged) -> Runtime {
    let node = runtime();
    let (url, streams, end, seen) = (url.to_owned(), streams.to_vec(), end.clone(), seen.clone());
    let started = node.spawn(async move {
        let db = Arc::new(Db::open_postgres(&url, 4).await.expect("the database opens"));
        let log = Arc::new(open(&db).await);
        for (n, stream) in streams.into_iter().enumerate() {
            let dice = Dice(round * 1_000 + n as u64);
            tokio::spawn(write(log.clone(), stream, dice, end.clone(), seen.clone()));
        }
    });
    started.await.expect("the node starts");
    node
}

async fn the_order_holds_while_nodes_come_and_go(db: Arc<Db>, url: String) {
    let streams: Vec<StreamId> = (0..64).map(|_| new_stream()).collect();
    let (end, acknowledged, done) =
        (Arc::new(AtomicBool::new(false)), Acknowledged::default(), Arc::new(AtomicBool::new(false)));
    let tail = tokio::spawn(tail(url.clone(), done.clone()));
    let mut nodes = [
        node(&url, &streams[..32], 1, &end, &acknowledged).await,
        node(&url, &streams[32..], 2, &end, &acknowledged).await,
    ];
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(350)).await;
        let which = round % 2;
        let half = &streams[which * 32..which * 32 + 32];
        let born = node(&url, half, 10 + round as u64, &end, &acknowledged).await;
        std::mem::replace(&mut nodes[which], born).shutdown_background();
    }
    tokio::time::sleep(Duration::from_millis(350)).await;
    end.store(true, Ordering::SeqCst);
    for node in nodes {
        tokio::task::spawn_blocking(move || node.shutdown_timeout(Duration::from_millis(300))).await.expect("it ends");
    }
    // What was under way in the database when its node died is over when the head can be locked.
    number(&db, Area::Log, "SELECT position FROM log_head FOR UPDATE").await;
    done.store(true, Ordering::SeqCst);
    let seen = tail.await.expect("the reader saw no gap and no repeat");

    let head = number(&db, Area::Log, "SELECT position FROM log_head").await;
    assert!(head > 500, "only {head} events were written");
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM events").await, head);
    assert_eq!(number(&db, Area::Log, "SELECT MAX(global_position) FROM events").await, head);
    assert_eq!(seen.len() as i64, head);
    let acknowledged = std::mem::take(&mut *acknowledged.lock().expect("no writer panics"));
    for (id, position) in acknowledged.iter() {
        assert_eq!(seen.get(&id.to_string()), Some(position), "it was acknowledged");
    }
    let gaps = "SELECT COUNT(*) FROM (SELECT MAX(sequence) - COUNT(*) AS gap FROM events GROUP BY aggregate_id) AS s WHERE gap <> 0";
    assert_eq!(number(&db, Area::Log, gaps).await, 0, "streams have no gaps");
}

/// Reads along on a connection of its own: each event is the one after the last.
async fn tail(url: String, done: Arc<AtomicBool>) -> HashMap<String, Position> {
    let mut connection = PgConnection::connect(&url).await.expect("a connection");
    let (mut seen, mut at) = (HashMap::new(), 0);
    loop {
        let last_look = done.load(Ordering::SeqCst);
        let sql = "SELECT global_position, event_id FROM events WHERE global_position > $1 ORDER BY global_position";
        let found: Vec<(Position, String)> =
            sqlx::query_as(sql).bind(at).fetch_all(&mut connection).await.expect("the log can be read");
        for (position, id) in found {
            assert_eq!(position, at + 1, "after {at}");
            assert_eq!(seen.insert(id, position), None, "an event came twice");
            at = position;
        }
        if last_look {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
