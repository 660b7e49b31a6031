//! A view that was kept up is, row by row, what it is when it is folded anew.

use std::sync::Arc;

use keytrail::{
    store::{Area, Db},
    views::VerifyError,
};
use keytrail_projections::value::{Row, Value};

use super::{
    Node,
    histories::write,
    views_of_tests::{FINDS, Finds, Places},
};
use crate::engines::{by_hand, number, rows};

on_both_engines!(
    live_is_rebuilt_after_random_histories,
    live_is_rebuilt_while_appends_go_on,
    a_row_that_was_changed_from_outside_is_found,
    a_view_that_is_not_live_cannot_be_verified,
    verifications_at_the_same_time_do_not_disturb_each_other,
);

async fn live_is_rebuilt_after_random_histories(db: Arc<Db>) {
    let places = Places::new(1);
    for seed in 1..=2 {
        let node = Node::start(&db, "one", &[places, &FINDS]).await;
        // Page by page as the events come, over a restart.
        write(&node.log, 8, 25, seed).join_all().await;
        node.caught_up(places).await;
        node.caught_up(&FINDS).await;
        node.verified().await;
        node.stop().await;
    }
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    let head = node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    assert_eq!(places.beginnings.load(std::sync::atomic::Ordering::SeqCst), 3, "folded once, verified twice");
    let (there, names, last) = node.views.read(places.figures()).await.expect("it is live")[0];
    assert!(0 < there && there < names && last <= head, "{there} {names} {last}");
    let (now, ever) = node.views.read(Finds::commits()).await.expect("it is live")[0];
    assert!(0 < now && now < ever, "{now} {ever}: some commits were left");
    let scratch = match &*db {
        Db::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE '%verify%'",
        Db::Postgres(_) => "SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE '%verify%'",
    };
    assert_eq!(number(&db, Area::Views, scratch).await, 0, "nothing is left of comparing");
}

async fn live_is_rebuilt_while_appends_go_on(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    let writers = write(&node.log, 6, 60, 7);
    node.log.feed().wait_beyond(0).await;
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    while !writers.is_empty() && node.log.feed().head().position < 200 {
        node.verified().await;
    }
    writers.join_all().await;
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    node.verified().await;
}

async fn a_row_that_was_changed_from_outside_is_found(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 4, 12, 3).join_all().await;
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    node.verified().await;
    let damages = [
        (
            "place_name",
            "UPDATE place_name__1 SET name = 'x' WHERE from_position = (SELECT MIN(from_position) FROM place_name__1)",
            1,
            1,
        ),
        ("place", "DELETE FROM place__1 WHERE id = (SELECT MIN(id) FROM place__1)", 1, 0),
        (
            "found_commit",
            "INSERT INTO found_commit__1 (number, sha, subject, introduced_by, from_position, to_position)
             SELECT -1, sha, subject, introduced_by, 1, NULL FROM found_commit__1 ORDER BY number, sha LIMIT 1",
            0,
            1,
        ),
    ];
    for (table, sql, missing, surplus) in damages {
        if matches!((&*db, table), (Db::Postgres(_), "place")) {
            // This engine has no smallest among bytes before version 18.
            by_hand(&db, Area::Views, "DELETE FROM place__1 WHERE id = (SELECT id FROM place__1 ORDER BY id LIMIT 1)")
                .await;
        } else {
            by_hand(&db, Area::Views, sql).await;
        }
        let verdicts = node.views.verify().await.expect("they can be compared");
        let all = verdicts.iter().flat_map(|verdict| &verdict.tables);
        let found = all.clone().find(|verdict| verdict.table == table).expect("it was compared");
        assert_eq!((found.missing, found.surplus), (missing, surplus), "{table}");
        assert_eq!(
            verdicts.iter().filter(|verdict| !verdict.same()).count(),
            if table == "found_commit" { 2 } else { 1 }
        );
    }
    // A rebuild mends it.
    assert!(node.views.rebuild("places").await.expect("it is asked for").is_some());
    assert!(node.views.rebuild("finds").await.expect("it is asked for").is_some());
    for view in ["places", "finds"] {
        crate::engines::soon("the new build is live", || async {
            let sql = format!("SELECT build, status FROM view_builds WHERE view = '{view}' ORDER BY build");
            rows(&db, Area::Views, &sql).await == [vec![Value::Int(2), Value::from("live")]]
        })
        .await;
    }
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    node.verified().await;
}

async fn a_view_that_is_not_live_cannot_be_verified(db: Arc<Db>) {
    let broken = Places::new(1);
    broken.breaks_at.store(1, std::sync::atomic::Ordering::SeqCst);
    let node = Node::start(&db, "one", &[broken]).await;
    write(&node.log, 1, 3, 3).join_all().await;
    node.becomes(broken, keytrail::views::Status::Faulted).await;
    let outcome = node.views.verify().await;
    assert!(matches!(outcome, Err(VerifyError::NotLive("places"))), "{outcome:?}");
}

async fn verifications_at_the_same_time_do_not_disturb_each_other(db: Arc<Db>) {
    let places = Places::new(1);
    let node = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&node.log, 6, 60, 4).join_all().await;
    node.caught_up(places).await;
    node.caught_up(&FINDS).await;
    // As a verification of this node left it, and one on another node that goes on.
    let insert = "INSERT INTO view_builds (view, build, version, status, position, epoch, owner, lease_until) VALUES";
    let later = keytrail::clock::Clock::System.now().0 + 10_000_000;
    by_hand(&db, Area::Views, format!("{insert} ('places', -7, 1, 'building', 0, 0, NULL, 0)")).await;
    by_hand(&db, Area::Views, format!("{insert} ('places', -8, 1, 'building', 0, 0, 'two', {later})")).await;
    tokio::join!(node.verified(), node.verified(), node.verified(), node.verified());
    let left = rows(&db, Area::Views, "SELECT build FROM view_builds WHERE build < 0").await;
    match &*db {
        // No other process has this store.
        Db::Sqlite(_) => assert_eq!(left, Vec::<Row>::new()),
        Db::Postgres(_) => assert_eq!(left, [vec![Value::Int(-8)]]),
    }
}
