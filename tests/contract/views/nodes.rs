//! Several nodes over one database: each build is moved by one of them, and by another when that one dies.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use keytrail::{
    store::{Area, Db},
    views::Status,
};
use keytrail_projections::{row, value::Row};
use tokio::runtime::Runtime;

use super::{
    Node,
    histories::write,
    rebuild::reader,
    views_of_tests::{FINDS, Places},
};
use crate::engines::{by_hand, number, rows, runtime, soon};

on_postgres_only!(
    of_two_nodes_one_moves_each_build_and_both_read_it,
    when_a_node_dies_the_other_takes_its_builds_over,
    a_rebuild_on_one_node_is_read_on_both,
    a_node_that_stops_leaves_its_builds_at_once,
    an_older_version_leaves_what_a_newer_one_built_alone,
);

async fn connect(url: &str) -> Arc<Db> {
    Arc::new(Db::open_postgres(url, 6).await.expect("the database opens"))
}

async fn owners(db: &Db) -> Vec<Row> {
    rows(db, Area::Views, "SELECT view, owner FROM view_builds WHERE build > 0 ORDER BY view, build").await
}

async fn of_two_nodes_one_moves_each_build_and_both_read_it(db: Arc<Db>, url: String) {
    let places = Places::new(1);
    let one = Node::start(&db, "one", &[places, &FINDS]).await;
    let two = Node::start(&connect(&url).await, "two", &[places, &FINDS]).await;
    let mut writers = write(&one.log, 4, 30, 1);
    let mut others = write(&two.log, 4, 30, 2);
    while writers.join_next().await.is_some() || others.join_next().await.is_some() {
        let owners = owners(&db).await;
        assert!(owners.len() <= 2, "there is one build of each view: {owners:?}");
    }
    for node in [&one, &two] {
        node.caught_up(places).await;
        node.caught_up(&FINDS).await;
    }
    assert_eq!(places.beginnings.load(Ordering::SeqCst), 1, "only one of them folded it");
    let epochs = number(&db, Area::Views, "SELECT MAX(epoch) FROM view_builds").await;
    assert!(epochs <= 6, "a build does not go from hand to hand: epoch {epochs}");
    assert_eq!(
        one.views.read(places.figures()).await.expect("live"),
        two.views.read(places.figures()).await.expect("live")
    );
    one.verified().await;
    two.verified().await;
}

/// A node in a runtime of its own. Ending the runtime is how it dies: nothing is released.
async fn doomed(url: &str, places: &'static Places) -> (Runtime, Arc<Node>) {
    let (life, url) = (runtime(), url.to_owned());
    let node =
        life.spawn(async move { Arc::new(Node::start(&connect(&url).await, "doomed", &[places, &FINDS]).await) });
    let node = node.await.expect("it starts");
    (life, node)
}

async fn when_a_node_dies_the_other_takes_its_builds_over(db: Arc<Db>, url: String) {
    let places = Places::new(1);
    let (life, dying) = doomed(&url, places).await;
    let other = Node::start(&db, "other", &[places, &FINDS]).await;
    write(&other.log, 4, 15, 1).join_all().await;
    dying.caught_up(places).await;
    other.caught_up(places).await;
    by_hand(&db, Area::Views, "UPDATE view_builds SET owner = 'nobody', lease_until = 0, epoch = epoch + 1").await;
    by_hand(&db, Area::Views, "UPDATE view_builds SET owner = 'nobody' WHERE owner IS NULL").await;
    let writers = write(&other.log, 4, 60, 2);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    life.shutdown_background();
    drop(writers);
    // What the dead node holds is its own until its lease has run out.
    by_hand(&db, Area::Views, "UPDATE view_builds SET lease_until = 0 WHERE owner = 'doomed'").await;
    write(&other.log, 4, 15, 3).join_all().await;
    other.caught_up(places).await;
    other.caught_up(&FINDS).await;
    assert_eq!(owners(&db).await, [row!["finds", "other"], row!["places", "other"]]);
    other.verified().await;
}

async fn a_rebuild_on_one_node_is_read_on_both(db: Arc<Db>, url: String) {
    let places = Places::new(1);
    let one = Node::start(&db, "one", &[places]).await;
    write(&one.log, 4, 30, 1).join_all().await;
    one.caught_up(places).await;
    // The first node moves the live build; the second one is asked for a new one.
    let two = Node::start(&connect(&url).await, "two", &[places]).await;
    two.caught_up(places).await;
    let end = Arc::new(AtomicBool::new(false));
    let readers = [reader(&one, places, end.clone()).await, reader(&two, places, end.clone()).await];
    for build in 2..=4 {
        let writers = write(&one.log, 4, 25, build);
        assert!(two.views.rebuild("places").await.expect("it is asked for").is_some());
        soon("the new build is live", || async {
            number(&db, Area::Views, "SELECT COALESCE(MAX(build), 0) FROM view_builds WHERE status = 'live'").await
                == build as i64
        })
        .await;
        writers.join_all().await;
    }
    one.caught_up(places).await;
    two.caught_up(places).await;
    end.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.expect("readers see no error and nothing go back") > 10);
    }
    one.verified().await;
}

async fn a_node_that_stops_leaves_its_builds_at_once(db: Arc<Db>, url: String) {
    let places = Places::new(1);
    let one = Node::start(&db, "one", &[places, &FINDS]).await;
    write(&one.log, 2, 10, 1).join_all().await;
    one.caught_up(places).await;
    one.caught_up(&FINDS).await;
    let two = Node::start(&connect(&url).await, "two", &[places, &FINDS]).await;
    two.caught_up(places).await;
    assert_eq!(owners(&db).await, [row!["finds", "one"], row!["places", "one"]]);
    one.stop().await;
    let kept = number(&db, Area::Views, "SELECT COUNT(*) FROM view_builds WHERE owner = 'one'").await;
    assert_eq!(kept, 0, "nobody has to wait for a lease to run out");
    soon("the other node has them", || async { owners(&db).await == [row!["finds", "two"], row!["places", "two"]] })
        .await;
    write(&two.log, 2, 10, 2).join_all().await;
    two.caught_up(places).await;
}

async fn an_older_version_leaves_what_a_newer_one_built_alone(db: Arc<Db>, url: String) {
    let (old, new) = (Places::new(1), Places::new(2));
    let one = Node::start(&db, "one", &[old]).await;
    write(&one.log, 4, 20, 1).join_all().await;
    one.caught_up(old).await;
    let two = Node::start(&connect(&url).await, "two", &[new]).await;
    two.caught_up(new).await;
    one.becomes(old, Status::Outdated).await;
    write(&one.log, 4, 20, 2).join_all().await;
    two.caught_up(new).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let builds =
        || async { rows(&db, Area::Views, "SELECT build, version, status FROM view_builds ORDER BY build").await };
    assert_eq!(builds().await, [row![2_i64, 2_i64, "live"]], "the older one began nothing");
    one.stop().await;

    // Back to the older version, because somebody asks for it: both have what they need, and neither takes it away.
    let one = Node::start(&db, "one", &[old]).await;
    one.becomes(old, Status::Outdated).await;
    assert!(one.views.rebuild("places").await.expect("it is asked for").is_some());
    one.caught_up(old).await;
    two.caught_up(new).await;
    assert_eq!(builds().await, [row![2_i64, 2_i64, "live"], row![3_i64, 1_i64, "live"]]);
    one.verified().await;
    two.verified().await;
}
