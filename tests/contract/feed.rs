//! The log from any position on.

use std::{sync::Arc, time::Duration};

use keytrail::{
    log::{FeedError, Lane, Log},
    store::{Area, Db},
};
use keytrail_domain::{
    fact::{Fact, Unreadable},
    integration::Event,
    recorded::Position,
};

use crate::{
    engines::by_hand,
    samples::{added, append, new_stream, of, open, plain, renamed},
};

on_both_engines!(
    facts_come_as_they_were_appended,
    a_page_begins_after_any_position,
    pages_are_bounded_in_bytes_and_lose_nothing,
    a_follower_is_woken_by_what_is_appended,
    an_event_from_the_future_is_not_passed_over,
);
on_postgres_only!(a_follower_sees_what_another_node_appends);

async fn facts_come_as_they_were_appended(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    let events = [added("a"), renamed("a", "b"), Event::Paused {}];
    let command = of(stream, 0, &events);
    let ids: Vec<_> = command.events.iter().map(|event| event.id).collect();
    append(&log, plain(new_stream(), 0)).await;
    append(&log, command).await;
    let page = log.feed().page(1).await.expect("a page");
    for (n, (recorded, event)) in page.iter().zip(&events).enumerate() {
        assert_eq!(recorded.fact, Fact::Integration(event.clone()));
        assert_eq!((recorded.stream, recorded.event_id), (stream, ids[n]));
        assert_eq!((recorded.position, recorded.sequence), (n as Position + 2, n as Position + 1));
    }
    assert_eq!(page.len(), 3);
    assert_eq!(log.stream(stream, i64::MAX).await.expect("a stream"), page.to_vec());
    assert_eq!(log.stream(stream, 3).await.expect("a stream"), page[..2].to_vec());
}

async fn positions(log: &Log, after: Position) -> Vec<Position> {
    log.feed().page(after).await.expect("a page").iter().map(|fact| fact.position).collect()
}

async fn a_page_begins_after_any_position(db: Arc<Db>) {
    let log = open(&db).await;
    assert_eq!(positions(&log, 0).await, Vec::<Position>::new());
    for _ in 0..10 {
        append(&log, plain(new_stream(), 0)).await;
    }
    for after in [0, 4, 9, 10, 11, 3, 0] {
        assert_eq!(positions(&log, after).await, (after + 1..=10).collect::<Vec<_>>(), "after {after}");
    }
    // Beyond what is cached, and across its end.
    for _ in 0..5 {
        append(&log, plain(new_stream(), 0)).await;
    }
    for after in [10, 12, 15] {
        assert_eq!(positions(&log, after).await, (after + 1..=15).collect::<Vec<_>>(), "after {after}");
    }
    // A cached page ends where it was read; the next one goes on from there.
    let mut at = 2;
    while at < 15 {
        let page = positions(&log, at).await;
        assert_eq!(page.first(), Some(&(at + 1)));
        assert_eq!(page, (at + 1..=at + page.len() as Position).collect::<Vec<_>>());
        at += page.len() as Position;
    }
    assert_eq!(at, 15);
    let apart = log.feed().page_apart(7).await.expect("a page");
    assert_eq!(apart.iter().map(|fact| fact.position).collect::<Vec<_>>(), (8..=15).collect::<Vec<_>>());
}

async fn pages_are_bounded_in_bytes_and_lose_nothing(db: Arc<Db>) {
    const BOUND: usize = 2 << 20;
    let log = open(&db).await;
    // The sixth alone is more than a page.
    for size in [1_500_000, 1_500_000, 1_500_000, 10, 10, 5_000_000, 10, 10] {
        let mut command = plain(new_stream(), 0);
        command.events[0].payload = format!("{{\"paused\":{{{}}}}}", " ".repeat(size));
        log.appender().append(Lane::Bulk, command).await.expect("it is appended");
    }
    let sizes = [1_500_000, 1_500_000, 1_500_000, 10, 10, 5_000_000, 10, 10];
    let (mut at, mut pages) = (0, 0);
    while at < 8 {
        let page = positions(&log, at).await;
        assert_eq!(page, (at + 1..=at + page.len() as Position).collect::<Vec<_>>());
        let all_but_last: usize = page[..page.len() - 1].iter().map(|position| sizes[*position as usize - 1]).sum();
        assert!(all_but_last < BOUND, "a page ends with the event that fills it");
        at += page.len() as Position;
        pages += 1;
    }
    assert_eq!((at, pages), (8, 3));
}

async fn a_follower_is_woken_by_what_is_appended(db: Arc<Db>) {
    let log = open(&db).await;
    let feed = log.feed().clone();
    let follower = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.len() < 20 {
            let at = seen.last().copied().unwrap_or(0);
            feed.wait_beyond(at).await;
            seen.extend(feed.page(at).await.expect("a page").iter().map(|fact| fact.position));
        }
        seen
    });
    for _ in 0..20 {
        append(&log, plain(new_stream(), 0)).await;
    }
    assert_eq!(follower.await.expect("it follows"), (1..=20).collect::<Vec<_>>());
    let beyond = tokio::time::timeout(Duration::from_millis(50), log.feed().wait_beyond(20)).await;
    assert!(beyond.is_err(), "there is nothing beyond the head");
}

async fn a_follower_sees_what_another_node_appends(db: Arc<Db>, url: String) {
    let here = open(&db).await;
    let there = open(&Arc::new(Db::open_postgres(&url, 4).await.expect("the database opens"))).await;
    for n in 1..=6 {
        let (one, other) = if n % 2 == 0 { (&here, &there) } else { (&there, &here) };
        append(one, plain(new_stream(), 0)).await;
        tokio::time::timeout(Duration::from_secs(5), other.feed().wait_beyond(n - 1)).await.expect("it is woken");
        assert_eq!(positions(other, n - 1).await, [n]);
    }
    assert_eq!(here.feed().head(), there.feed().head());
}

async fn an_event_from_the_future_is_not_passed_over(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, plain(new_stream(), 0)).await;
    let mut unknown = plain(new_stream(), 0);
    unknown.events[0].event_type = "integration.teleported";
    append(&log, unknown).await;
    append(&log, plain(new_stream(), 0)).await;
    let outcome = log.feed().page(1).await;
    let Err(FeedError::Unreadable { position, source: Unreadable::Future { event_type, version } }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((position, event_type.as_str(), version.as_str()), (2, "integration.teleported", "1"));
    assert_eq!(positions(&log, 2).await, [3], "what comes after it can be read when it is asked for");
    // A head that another program moved is no event.
    by_hand(&db, Area::Log, "UPDATE log_head SET epoch = epoch").await;
}
