//! Who has seen a position waits for the view to reach it.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use futures::{
    FutureExt,
    future::{Either, select},
    poll,
};
use keytrail::{
    store::Db,
    views::{Status, ViewError},
};

use super::{
    Node,
    histories::write,
    views_of_tests::{FINDS, Places},
};
use crate::{
    engines::soon,
    samples::{added, append, new_stream, of},
};

on_both_engines!(
    who_appended_reads_it_as_soon_as_the_view_has_it,
    who_waits_for_what_does_not_come_is_told_how_far_the_view_is,
    who_waits_for_a_view_that_is_being_built_or_faulted_is_told_so,
);

async fn who_appended_reads_it_as_soon_as_the_view_has_it(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    append(&node.log, of(new_stream(), 0, &[added("first")])).await;
    let mut head = node.caught_up(places).await;
    for n in 0..30 {
        let committed = append(&node.log, of(new_stream(), 0, &[added(&format!("n{n}"))])).await;
        node.views.wait_for("places", committed.last).await.expect("it comes");
        let (there, _, last) = node.views.read(places.figures()).await.expect("it is live")[0];
        assert_eq!((there, last), (n + 2, committed.last));
        head = committed.last;
    }
    // Waiting is not polling: what the view has next it has only after it told who waits.
    let mut waiting = pin!(node.views.wait_for("places", head + 1));
    assert!(poll!(waiting.as_mut()).is_pending(), "nobody appended it");
    for name in ["awaited", "next"] {
        let committed = append(&node.log, of(new_stream(), 0, &[added(name)])).await;
        soon("the view has it", || async { node.state(places).position >= committed.last }).await;
    }
    let told = poll!(waiting);
    assert!(matches!(told, Poll::Ready(Ok(()))), "{told:?}");
}

async fn who_waits_for_what_does_not_come_is_told_how_far_the_view_is(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places]).await;
    write(&node.log, 2, 5, 1).join_all().await;
    let head = node.caught_up(places).await;
    // It was set before, so it is over before, however slow the machine is.
    let alarm = pin!(tokio::time::sleep(Duration::from_millis(1_900)));
    let waiting = pin!(node.views.wait_for("places", head + 1));
    let told = match select(alarm, waiting).await {
        Either::Left(((), waiting)) => waiting.await,
        Either::Right((told, _)) => panic!("nobody waited for it: {told:?}"),
    };
    match told {
        Err(ViewError::Behind { view: "places", position, wanted }) => assert_eq!((position, wanted), (head, head + 1)),
        other => panic!("{other:?}"),
    }
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
    let views = node.views.clone();
    let mut waiting = pin!(views.wait_for("places", 1));
    let mut told = poll!(waiting.as_mut());
    node.becomes(places, Status::Faulted).await;
    let at_once = views.wait_for("places", 1).now_or_never();
    assert!(matches!(at_once, Some(Err(ViewError::Faulted { view: "places" }))), "{at_once:?}");
    // Who waited was told, too, and has not to wait for as long as one waits at most: nothing of the node goes on.
    node.stop().await;
    if told.is_pending() {
        told = poll!(waiting);
    }
    assert!(matches!(told, Poll::Ready(Err(ViewError::Faulted { view: "places" }))), "{told:?}");
}
