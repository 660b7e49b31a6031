//! A new build is made beside the live one and takes its place; readers notice nothing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use keytrail::{
    store::{Area, Db},
    views::{Status, ViewError},
};
use keytrail_projections::value::Value;

use super::{
    Node,
    histories::write,
    views_of_tests::{FINDS, Places},
};
use crate::engines::{by_hand, number, rows, soon};

on_both_engines!(
    rebuilds_swap_in_while_appends_and_reads_go_on,
    a_raised_version_is_built_before_it_is_read_and_the_old_tables_go,
    an_unknown_view_is_not_rebuilt,
    a_view_that_stands_beyond_the_log_is_built_anew,
);

/// Reads until told to end: no error, and never further back than before.
pub(super) async fn reader(node: &Node, places: &'static Places, end: Arc<AtomicBool>) -> tokio::task::JoinHandle<u32> {
    let views = node.views.clone();
    tokio::spawn(async move {
        let (mut reads, mut last) = (0, (0, 0));
        while !end.load(Ordering::SeqCst) {
            let found = views.read(places.figures()).await.unwrap_or_else(|error| panic!("read {reads}: {error:?}"));
            let (_, names, position) = found[0];
            assert!((names, position) >= last, "read {reads}: {:?} after {last:?}", (names, position));
            last = (names, position);
            reads += 1;
            tokio::time::sleep(std::time::Duration::from_micros(300)).await;
        }
        reads
    })
}

async fn rebuilds_swap_in_while_appends_and_reads_go_on(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 4, 50, 1).join_all().await;
    node.caught_up(places).await;
    let end = Arc::new(AtomicBool::new(false));
    let readers = [reader(&node, places, end.clone()).await, reader(&node, places, end.clone()).await];
    let writers = write(&node.log, 4, 120, 2);
    for build in 2..=5 {
        assert!(node.views.rebuild("places").await.expect("it is asked for").is_some());
        soon("the new build is live", || async {
            number(
                &db,
                Area::Views,
                "SELECT COALESCE(MAX(build), 0) FROM view_builds WHERE view = 'places' AND status = 'live'",
            )
            .await
                == build
        })
        .await;
    }
    writers.join_all().await;
    node.caught_up(places).await;
    end.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.expect("readers see no error and nothing go back") > 10);
    }
    node.caught_up(&FINDS).await;
    node.verified().await;
    soon("only the last build is left", || async {
        rows(&db, Area::Views, "SELECT build FROM view_builds WHERE view = 'places'").await == [vec![Value::Int(5)]]
    })
    .await;
    assert_eq!(tables(&db).await, 2);
}

async fn tables(db: &Db) -> i64 {
    let sql = match db {
        Db::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name LIKE 'place%'",
        Db::Postgres(_) => "SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE 'place%'",
    };
    number(db, Area::Views, sql).await
}

async fn a_raised_version_is_built_before_it_is_read_and_the_old_tables_go(db: Arc<Db>) {
    let old = Places::new(1);
    let node = Node::start(&db, "one", &[old]).await;
    write(&node.log, 4, 20, 1).join_all().await;
    node.caught_up(old).await;
    assert_eq!(tables(&db).await, 2);
    node.stop().await;

    // It cannot be built yet: readers are told so, and the old tables are still there.
    let new = Places::new(2);
    new.breaks_at.store(5, Ordering::SeqCst);
    let node = Node::start(&db, "one", &[new]).await;
    let outcome = node.views.read(new.figures()).await;
    assert!(
        matches!(outcome, Err(ViewError::Building { view: "places", .. } | ViewError::Faulted { .. })),
        "{outcome:?}"
    );
    node.becomes(new, Status::Faulted).await;
    assert_eq!(tables(&db).await, 4);
    node.stop().await;

    new.breaks_at.store(0, Ordering::SeqCst);
    let node = Node::start(&db, "one", &[new]).await;
    node.caught_up(new).await;
    soon("the old build's tables are gone", || async { tables(&db).await == 2 }).await;
    assert!(node.views.read(new.figures()).await.expect("it is live")[0].0 > 0);
    node.verified().await;
    let indexes = match &*db {
        Db::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND name LIKE 'place%'",
        Db::Postgres(_) => {
            "SELECT COUNT(*) FROM pg_indexes WHERE indexname LIKE 'place%' AND indexname NOT LIKE '%pkey'"
        }
    };
    assert_eq!(number(&db, Area::Views, indexes).await, 2, "it has its indexes, although its first attempt failed");
}

async fn an_unknown_view_is_not_rebuilt(db: Arc<Db>) {
    let node = Node::start(&db, "one", &[&FINDS]).await;
    assert!(node.views.rebuild("places").await.expect("it answers").is_none());
}

async fn a_view_that_stands_beyond_the_log_is_built_anew(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 4, 10, 1).join_all().await;
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    node.stop().await;
    // As after the log alone came back from a backup: the views have folded what never happened.
    by_hand(&db, Area::Views, "UPDATE view_builds SET position = position + 40 WHERE view = 'places'").await;
    by_hand(&db, Area::Views, "DELETE FROM place_name__1").await;
    let beginnings = places.beginnings.load(Ordering::SeqCst);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 4, 20, 2).join_all().await;
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    assert_eq!(places.beginnings.load(Ordering::SeqCst), beginnings + 1, "it was folded from the first event");
    node.verified().await;
}
