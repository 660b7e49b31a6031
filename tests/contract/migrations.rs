//! Migrations run once, by themselves, and never over what they do not know.

use std::sync::Arc;

use keytrail::{
    clock::Clock,
    store::{
        Area, Db,
        migrate::{MigrateError, migrate, pending},
    },
};

use crate::engines::{by_hand, number, on_empty_postgres, on_empty_sqlite};

const ALL: [&str; 12] = [
    "log_0001_events",
    "log_0002_truth",
    "log_0003_poll_shards",
    "log_0004_job_shards",
    "log_0005_token_scopes",
    "log_0006_job_turns",
    "log_0007_webhook_inbox",
    "log_0008_pull_request_listings",
    "log_0009_ssh_key_uses",
    "log_0010_ssh_key_folders",
    "log_0011_inbox_writes",
    "views_0001_builds",
];

mod sqlite {
    use super::*;

    #[test]
    fn migrations_run_once() {
        on_empty_sqlite(super::migrations_run_once);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        on_empty_sqlite(super::a_newer_schema_is_refused);
    }

    #[test]
    fn a_changed_migration_is_refused() {
        on_empty_sqlite(super::a_changed_migration_is_refused);
    }
}

mod postgres {
    use super::*;

    #[test]
    fn migrations_run_once() {
        on_empty_postgres(|db, _| super::migrations_run_once(db));
    }

    #[test]
    fn a_newer_schema_is_refused() {
        on_empty_postgres(|db, _| super::a_newer_schema_is_refused(db));
    }

    #[test]
    fn a_changed_migration_is_refused() {
        on_empty_postgres(|db, _| super::a_changed_migration_is_refused(db));
    }

    #[test]
    fn nodes_that_start_together_run_them_once() {
        on_empty_postgres(super::nodes_that_start_together_run_them_once);
    }
}

async fn run(db: &Db) -> Result<Vec<&'static str>, MigrateError> {
    migrate(db, Clock::System.now()).await
}

fn sorted(mut names: Vec<&'static str>) -> Vec<&'static str> {
    names.sort_unstable();
    names
}

async fn migrations_run_once(db: Arc<Db>) {
    assert_eq!(sorted(pending(&db).await.expect("a list")), ALL);
    assert_eq!(sorted(pending(&db).await.expect("a list")), ALL, "asking changes nothing");
    assert_eq!(sorted(run(&db).await.expect("they run")), ALL);
    assert!(pending(&db).await.expect("a list").is_empty());
    assert!(run(&db).await.expect("nothing to do").is_empty());
    assert_eq!(number(&db, Area::Log, "SELECT position FROM log_head").await, 0);
}

async fn a_newer_schema_is_refused(db: Arc<Db>) {
    run(&db).await.expect("they run");
    let sql = "INSERT INTO schema_migrations (name, checksum, applied_at) VALUES ('log_9999_tomorrow', 'x', 0)";
    by_hand(&db, Area::Log, sql).await;
    for outcome in [pending(&db).await, run(&db).await] {
        assert!(matches!(&outcome, Err(MigrateError::Newer { name }) if name == "log_9999_tomorrow"), "{outcome:?}");
    }
}

async fn a_changed_migration_is_refused(db: Arc<Db>) {
    run(&db).await.expect("they run");
    by_hand(&db, Area::Log, "UPDATE schema_migrations SET checksum = 'other' WHERE name = 'log_0002_truth'").await;
    for outcome in [pending(&db).await, run(&db).await] {
        assert!(matches!(&outcome, Err(MigrateError::Changed { name }) if name == "log_0002_truth"), "{outcome:?}");
    }
}

async fn nodes_that_start_together_run_them_once(_db: Arc<Db>, url: String) {
    let nodes = (0..5).map(|_| async {
        let db = Db::open_postgres(&url, 2).await.expect("the database opens");
        run(&db).await.expect("each node gets through")
    });
    let ran = futures::future::join_all(nodes).await.concat();
    assert_eq!(sorted(ran), ALL, "each was run by one of the nodes");
}
