//! Who has seen a position waits for the view to reach it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use keytrail::{store::Db, views::ViewError};

use super::{
    Node,
    histories::write,
    views_of_tests::{FINDS, Places},
};
use crate::samples::{added, append, new_stream, of};

on_both_engines!(
    who_appended_reads_it_as_soon_as_the_view_has_it,
    who_waits_for_what_does_not_come_is_told_how_far_the_view_is,
    who_waits_for_a_view_that_is_being_built_or_faulted_is_told_so,
);

async fn who_appended_reads_it_as_soon_as_the_view_has_it(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    append(&node.log, of(new_stream(), 0, &[added("first")])).await;
    node.caught_up(places).await;
    let started = Instant::now();
    for n in 0..30 {
        let committed = append(&node.log, of(new_stream(), 0, &[added(&format!("n{n}"))])).await;
        node.views.wait_for("places", committed.last).await.expect("it comes");
        let (there, _, last) = node.views.read(places.figures()).await.expect("it is live")[0];
        assert_eq!((there, last), (n + 2, committed.last));
    }
    assert!(started.elapsed() < Duration::from_secs(30), "waiting is not polling: {:?}", started.elapsed());
}

async fn who_waits_for_what_does_not_come_is_told_how_far_the_view_is(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places]).await;
    write(&node.log, 2, 5, 1).join_all().await;
    let head = node.caught_up(places).await;
    let started = Instant::now();
    match node.views.wait_for("places", head + 1).await {
        Err(ViewError::Behind { view: "places", position, wanted }) => assert_eq!((position, wanted), (head, head + 1)),
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() >= Duration::from_millis(1_900));
    node.views.wait_for("places", head).await.expect("it is there");
}

async fn who_waits_for_a_view_that_is_being_built_or_faulted_is_told_so(db: Arc<Db>) {
    let log = crate::samples::open(&db).await;
    append(&log, of(new_stream(), 0, &[added("first")])).await;
    drop(log);
    // A new node has not looked yet: it cannot say anything but that it builds.
    let places = Places::new(1);
    places.breaks_at.store(1, Ordering::SeqCst);
    let node = Node::start(&db, "one", &[places]).await;
    match node.views.read(places.figures()).await {
        Err(ViewError::Building { view: "places", position: 0, head: 1 } | ViewError::Faulted { .. }) => {}
        other => panic!("{other:?}"),
    }
    let started = Instant::now();
    let outcome = node.views.wait_for("places", 1).await;
    assert!(matches!(outcome, Err(ViewError::Faulted { view: "places" })), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_millis(1_900), "who waits for a faulted view is told at once");
}
