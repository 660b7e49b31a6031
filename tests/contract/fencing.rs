//! A node whose epoch is over writes nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use keytrail::{
    clock::Clock,
    log::{AppendError, Lane},
    store::{Area, Db, StoreError},
};

use crate::{
    engines::{by_hand, number},
    samples::{append, new_stream, open, open_with, plain, request},
};

on_both_engines!(a_stale_epoch_writes_nothing_and_says_that_it_is_fatal);

async fn a_stale_epoch_writes_nothing_and_says_that_it_is_fatal(db: Arc<Db>) {
    let fatal = Arc::new(AtomicUsize::new(0));
    let stale = open_with(&db, Clock::System, fatal.clone()).await;
    append(&stale, plain(new_stream(), 0)).await;
    by_hand(&db, Area::Log, "UPDATE log_head SET epoch = epoch + 1").await;
    let mut command = plain(new_stream(), 0);
    command.idempotency = request("k", 1);
    for lane in [Lane::Interactive, Lane::Bulk] {
        let outcome = stale.appender().append(lane, command.clone()).await;
        assert!(matches!(outcome, Err(AppendError::Store(StoreError::Unavailable(_)))), "{outcome:?}");
    }
    assert_eq!(fatal.load(Ordering::SeqCst), 2);
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM events").await, 1);
    assert_eq!(number(&db, Area::Log, "SELECT COUNT(*) FROM command_log").await, 0);
    let current = open(&db).await;
    assert_eq!(append(&current, command).await.last, 2);
}
