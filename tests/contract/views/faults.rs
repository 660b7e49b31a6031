//! What goes wrong with one view stays with it.

use std::sync::{Arc, atomic::Ordering};

use keytrail::{
    store::{Area, Db},
    views::{Status, ViewError},
};

use super::{
    Node,
    histories::write,
    views_of_tests::{FINDS, Finds, Places},
};
use crate::{
    engines::{by_hand, number, soon},
    samples::{append, new_stream, plain},
};

on_both_engines!(
    a_fold_that_panics_faults_its_view_only_and_goes_on_after_the_fix,
    a_view_that_faults_before_it_was_ever_complete_is_not_read_half_built,
    a_rebuild_that_fails_leaves_what_is_live_alone,
    a_view_is_outdated_by_an_event_from_the_future,
    a_stale_epoch_of_a_build_writes_nothing_and_recovers,
);

async fn a_fold_that_panics_faults_its_view_only_and_goes_on_after_the_fix(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 4, 10, 1).join_all().await;
    let good = node.caught_up(places).await;
    places.breaks_at.store(good + 1, Ordering::SeqCst);
    write(&node.log, 4, 10, 2).join_all().await;
    node.becomes(places, Status::Faulted).await;
    assert_eq!(node.caught_up(&FINDS).await, node.log.feed().head().position, "others go on");
    assert!(node.views.read(Finds::commits()).await.is_ok());
    let outcome = node.views.read(places.figures()).await;
    assert!(matches!(outcome, Err(ViewError::Faulted { view: "places" })), "{outcome:?}");
    let error = node.state(places).error.expect("an administrator is told why");
    assert!(error.contains("this view does not like this event"), "{error}");
    let stood = number(&db, Area::Views, "SELECT position FROM view_builds WHERE view = 'places'").await;
    assert_eq!(stood, good, "nothing of the failed page was written");
    node.stop().await;

    // It is still faulted for a server that has not changed.
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    node.becomes(places, Status::Faulted).await;
    node.stop().await;

    places.breaks_at.store(0, Ordering::SeqCst);
    let beginnings = places.beginnings.load(Ordering::SeqCst);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    node.caught_up(places).await;
    assert_eq!(node.state(places).error, None);
    assert_eq!(places.beginnings.load(Ordering::SeqCst), beginnings, "it went on where it was");
    node.verified().await;
}

async fn a_view_that_faults_before_it_was_ever_complete_is_not_read_half_built(db: Arc<Db>) {
    let places = Places::new(1);
    let log = crate::samples::open(&db).await;
    for _ in 0..5_010 {
        // More than a page, so that a part of it is built.
        let streams = (0..200).map(|_| log.appender().append(keytrail::log::Lane::Interactive, plain(new_stream(), 0)));
        if log.feed().head().position > 5_200 {
            break;
        }
        futures::future::join_all(streams).await;
    }
    drop(log);
    places.breaks_at.store(5_100, Ordering::SeqCst);
    let node = Node::start(&db, "one", &[places]).await;
    node.becomes(places, Status::Faulted).await;
    assert_eq!(number(&db, Area::Views, "SELECT position FROM view_builds WHERE view = 'places'").await, 5_000);
    node.stop().await;
    places.breaks_at.store(0, Ordering::SeqCst);
    let node = Node::start(&db, "one", &[places]).await;
    let head = node.log.feed().head().position;
    loop {
        match node.views.read(places.figures()).await {
            Err(ViewError::Building { .. } | ViewError::Faulted { .. }) => {}
            Ok(found) => break assert_eq!(found[0].1, head, "it is complete when it can be read"),
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(places.beginnings.load(Ordering::SeqCst), 1, "it went on where it was");
}

async fn a_rebuild_that_fails_leaves_what_is_live_alone(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places]).await;
    write(&node.log, 4, 10, 1).join_all().await;
    node.caught_up(places).await;
    places.breaks_at.store(3, Ordering::SeqCst);
    assert!(node.views.rebuild("places").await.expect("it is asked for").is_some());
    soon("the new build is given up", || async {
        number(&db, Area::Views, "SELECT COUNT(*) FROM view_builds WHERE view = 'places'").await == 1
    })
    .await;
    write(&node.log, 4, 10, 2).join_all().await;
    node.caught_up(places).await;
    assert!(node.views.read(places.figures()).await.is_ok());
    places.breaks_at.store(0, Ordering::SeqCst);
    node.verified().await;
    assert!(node.views.rebuild("places").await.expect("it is asked for").is_some());
    soon("the new build is live", || async {
        number(&db, Area::Views, "SELECT MAX(build) FROM view_builds WHERE view = 'places' AND status = 'live'").await
            > 1
    })
    .await;
}

async fn a_view_is_outdated_by_an_event_from_the_future(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 2, 5, 1).join_all().await;
    let known = node.caught_up(places).await;
    let mut unknown = plain(new_stream(), 0);
    unknown.events[0].version = "2";
    append(&node.log, unknown).await;
    append(&node.log, plain(new_stream(), 0)).await;
    node.becomes(places, Status::Outdated).await;
    node.becomes(&FINDS, Status::Outdated).await;
    let error = node.state(places).error.expect("an administrator is told why");
    assert!(error.contains("integration.paused version 2"), "{error}");
    assert!(node.views.read(places.figures()).await.is_err());
    soon("the node has given up its leases", || async {
        number(&db, Area::Views, "SELECT COUNT(*) FROM view_builds WHERE owner IS NOT NULL").await == 0
    })
    .await;
    assert_eq!(number(&db, Area::Views, "SELECT MAX(position) FROM view_builds").await, known, "it is not passed over");
}

async fn a_stale_epoch_of_a_build_writes_nothing_and_recovers(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places]).await;
    write(&node.log, 2, 10, 1).join_all().await;
    node.caught_up(places).await;
    for seed in 2..5 {
        // As another node that took the build over, and died: its lease still runs for a while.
        let until = keytrail::clock::Clock::System.now().0 + 10_000_000;
        let taken = format!("UPDATE view_builds SET epoch = epoch + 1, owner = 'other', lease_until = {until}");
        by_hand(&db, Area::Views, &taken).await;
        let before = number(&db, Area::Views, "SELECT position FROM view_builds").await;
        write(&node.log, 2, 10, seed).join_all().await;
        if matches!(&*db, Db::Postgres(_)) {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            assert_eq!(number(&db, Area::Views, "SELECT position FROM view_builds").await, before, "it holds nothing");
            by_hand(&db, Area::Views, "UPDATE view_builds SET lease_until = 0").await;
        }
        node.caught_up(places).await;
    }
    node.verified().await;
}
