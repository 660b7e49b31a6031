//! Each repository has one node that polls it, and nodes come and go.

use keytrail_test_support::postgres::database;
use uuid::Uuid;

use super::*;
use crate::store::migrate::migrate;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Nothing is in these.
fn no_caches() -> Caches {
    Caches::new("/nowhere/caches".into())
}

async fn count(parts: &mut PollShards, db: &Db, node: &str) -> usize {
    parts.renew(db, node, &no_caches(), NOW).await.expect("the database answers");
    parts.mine.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_gets_the_parts_whose_repositories_it_remembers() {
    let (database, folder) = (database().await, tempfile::tempdir().expect("a folder"));
    let db = Db::open_postgres(&database.url(), 4).await.expect("a database");
    migrate(&db, NOW).await.expect("it is made ready");
    let (one, two) = (Caches::new(folder.path().join("one")), Caches::new(folder.path().join("two")));
    for (caches, odd) in [(&one, 0), (&two, 1)] {
        std::fs::create_dir(caches.folder()).expect("a folder");
        for shard in (0..64_u128).filter(|shard| shard % 2 == odd) {
            std::fs::write(caches.graph(RepositoryId(Uuid::from_u128(shard))), "").expect("a file");
        }
    }
    let mut parts = [PollShards::default(), PollShards::default()];
    // The first has all, as after a restart of the other; then each has its own.
    for _ in 0..3 {
        parts[0].renew(&db, "one", &one, NOW).await.expect("the database answers");
        parts[1].renew(&db, "two", &two, NOW).await.expect("the database answers");
    }
    let halves = [0, 1].map(|odd| (0..64_i64).filter(|shard| shard % 2 == odd).collect::<BTreeSet<_>>());
    assert_eq!(parts.map(|parts| parts.mine), halves);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_told_of_the_parts_that_it_has_now() {
    let database = database().await;
    let db = Db::open_postgres(&database.url(), 4).await.expect("a database");
    migrate(&db, NOW).await.expect("it is made ready");
    let mut parts = PollShards::default();
    assert_eq!(count(&mut parts, &db, "one").await, 64);
    let mine = async |node| of_node(&db, node, NOW).await.expect("the database answers").mine.len();
    assert_eq!((mine("one").await, mine("two").await), (64, 0));
    let dead = "UPDATE poll_shards SET lease_until = 0";
    db.write(Area::Log, vec![Statement::new(dead, vec![])]).await.expect("a change by hand");
    assert_eq!(mine("one").await, 0, "what is over is nobody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_shared_out_among_the_nodes_that_live() {
    let database = database().await;
    let db = Db::open_postgres(&database.url(), 4).await.expect("a database");
    migrate(&db, NOW).await.expect("it is made ready");
    let (mut one, mut two, mut three) = (PollShards::default(), PollShards::default(), PollShards::default());
    assert_eq!(count(&mut one, &db, "one").await, 64);
    assert_eq!(count(&mut two, &db, "two").await, 0, "nothing is taken from who lives");
    assert_eq!(count(&mut one, &db, "one").await, 32, "what is more than its share is given back");
    assert_eq!(count(&mut two, &db, "two").await, 32);
    assert!(one.mine.is_disjoint(&two.mine));
    for _ in 0..2 {
        for (parts, node) in [(&mut one, "one"), (&mut two, "two"), (&mut three, "three")] {
            count(parts, &db, node).await;
        }
    }
    let all: BTreeSet<i64> = [&one, &two, &three].into_iter().flat_map(|parts| parts.mine.iter().copied()).collect();
    assert_eq!((all.len(), one.mine.len() + two.mine.len() + three.mine.len()), (64, 64));
    assert!([&one, &two, &three].iter().all(|parts| (20..=22).contains(&parts.mine.len())));

    // One goes in peace, one falls silent.
    three.leave(&db, "three").await.expect("it leaves");
    let silent = "UPDATE poll_nodes SET lease_until = 0 WHERE node = 'two'";
    let dead = "UPDATE poll_shards SET lease_until = 0 WHERE owner = 'two'";
    for sql in [silent, dead] {
        db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("a change by hand");
    }
    assert_eq!(count(&mut one, &db, "one").await, 64);
    let repository = RepositoryId(Uuid::from_u128(7));
    assert!(one.has(&db, repository) && !three.has(&db, repository));
}

#[tokio::test]
async fn the_embedded_engine_has_one_node_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open_sqlite(folder.path()).expect("a store");
    migrate(&db, NOW).await.expect("it is made ready");
    let mut parts = PollShards::default();
    assert_eq!(count(&mut parts, &db, "one").await, 0);
    assert!(parts.has(&db, RepositoryId(Uuid::from_u128(7))));
    let rows = db.read(Area::Log, "SELECT node FROM poll_nodes", &[]).await.expect("a table");
    assert!(rows.is_empty());
}
