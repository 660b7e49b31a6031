//! The two queues of the appender: neither waits for the other for ever.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use keytrail::{
    log::{Lane, Log},
    store::Db,
};
use tokio::task::JoinSet;

use crate::samples::{append, new_stream, open, plain};

on_both_engines!(commands_get_through_a_flood_of_bulk, bulk_gets_through_a_flood_of_commands);

/// Keeps a lane full until it is told to end; counts what got through.
fn flood(log: &Arc<Log>, lane: Lane, writers: u32, bytes: usize) -> (Arc<AtomicBool>, Arc<AtomicU32>, JoinSet<()>) {
    let (end, count, mut tasks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)), JoinSet::new());
    for _ in 0..writers {
        let (log, end, count) = (log.clone(), end.clone(), count.clone());
        tasks.spawn(async move {
            let stream = new_stream();
            let mut after = 0;
            while !end.load(Ordering::SeqCst) {
                let mut append = plain(stream, after);
                append.events[0].payload = format!("{{\"paused\":{{{}}}}}", " ".repeat(bytes));
                after = log.appender().append(lane, append).await.expect("it is appended").sequence;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    (end, count, tasks)
}

async fn commands_get_through_a_flood_of_bulk(db: Arc<Db>) {
    let log = Arc::new(open(&db).await);
    let (end, count, tasks) = flood(&log, Lane::Bulk, 16, 300_000);
    while count.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (started, before) = (Instant::now(), count.load(Ordering::SeqCst));
    for _ in 0..10 {
        append(&log, plain(new_stream(), 0)).await;
    }
    let (took, meanwhile) = (started.elapsed(), count.load(Ordering::SeqCst) - before);
    end.store(true, Ordering::SeqCst);
    tasks.join_all().await;
    assert!(meanwhile > 0, "bulk went on");
    // Each waits for at most the batch under way and its own: a few megabytes, not the queue.
    assert!(meanwhile <= 10 * 12, "{meanwhile} bulk appends overtook 10 commands, which took {took:?}");
}

async fn bulk_gets_through_a_flood_of_commands(db: Arc<Db>) {
    let log = Arc::new(open(&db).await);
    let (end, count, tasks) = flood(&log, Lane::Interactive, 64, 10);
    while count.load(Ordering::SeqCst) < 64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (stream, before) = (new_stream(), count.load(Ordering::SeqCst));
    for after in 0..10 {
        log.appender().append(Lane::Bulk, plain(stream, after)).await.expect("it is appended");
    }
    let meanwhile = count.load(Ordering::SeqCst) - before;
    end.store(true, Ordering::SeqCst);
    tasks.join_all().await;
    assert!(meanwhile > 0, "commands went on");
    assert!(meanwhile <= 10 * 64 * 4, "{meanwhile} commands overtook 10 bulk appends");
}
