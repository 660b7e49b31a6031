//! Integrations have their turns, on both engines, and a claim reads the heads of the lines alone.

use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use keytrail_projections::value::Row;
use keytrail_test_support::postgres::database;
use uuid::Uuid;

use super::*;
use crate::{
    jobs::{
        Kind, NewJob,
        queue::{TakenJob, take},
    },
    store::{Area, migrate::migrate},
};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const NODE: &str = "one";

/// The case on the embedded engine and over PostgreSQL.
macro_rules! on_both_engines {
    ($case:ident) => {
        mod $case {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn embedded() {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let db = Db::open_sqlite(folder.path()).expect("a store");
                migrate(&db, NOW).await.expect("it is made ready");
                super::$case(&db).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn over_postgresql() {
                let database = database().await;
                let db = Db::open_postgres(&database.url(), 4).await.expect("a database");
                migrate(&db, NOW).await.expect("it is made ready");
                super::$case(&db).await;
            }
        }
    };
}

/// First runs of `count` repositories of an integration, which is a letter.
async fn first_runs(db: &Db, integration: char, count: usize) {
    let jobs = (0..count).map(|number| job(integration, &format!("{number:05}"), false).enqueue(db, NOW));
    db.write(Area::Log, jobs.collect()).await.expect("they are asked for");
}

fn job(integration: char, name: &str, is_urgent: bool) -> NewJob {
    NewJob {
        kind: Kind::IndexRepository,
        key: format!("{integration}{name}"),
        repository: None,
        integration: Some(IntegrationId(Uuid::from_u128(u128::from(u32::from(integration))))),
        caused_by: 1,
        is_urgent,
    }
}

async fn one(db: &Db) -> TakenJob {
    take(db, NODE, 0, NOW).await.expect("the database answers").expect("a job")
}

/// Whose jobs are taken next.
async fn next(db: &Db, count: usize) -> String {
    let mut taken = String::new();
    for _ in 0..count {
        taken.extend(one(db).await.key.chars().next());
    }
    taken
}

async fn by_hand(db: &Db, sql: &'static str) {
    db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("a change by hand");
}

async fn integrations_that_are_added_one_after_the_other_have_their_turns(db: &Db) {
    first_runs(db, 'a', 40).await;
    first_runs(db, 'b', 10).await;
    assert_eq!(next(db, 12).await, "abababababab");
    // Long after the others; it begins beside them, and not before what they still have.
    first_runs(db, 'c', 40).await;
    assert!(next(db, 3).await.contains('c'), "within three claims");
    let more = next(db, 9).await;
    assert_eq!(["a", "b", "c"].map(|one| more.matches(one).count()), [3, 3, 3], "{more}");
    by_hand(db, "DELETE FROM jobs WHERE key LIKE 'b%'").await;
    assert_eq!(next(db, 4).await, "caca", "without those that are gone");
}

on_both_engines!(integrations_that_are_added_one_after_the_other_have_their_turns);

async fn within_a_line_who_came_first_goes_first(db: &Db) {
    first_runs(db, 'a', 5).await;
    for number in 0..5 {
        assert_eq!(one(db).await.key, format!("a{number:05}"));
    }
    assert_eq!(take(db, NODE, 0, NOW).await.expect("the database answers"), None);
}

on_both_engines!(within_a_line_who_came_first_goes_first);

async fn what_is_put_back_keeps_its_turn_and_lets_nobody_else_in_before_the_others(db: &Db) {
    first_runs(db, 'a', 20).await;
    let first = one(db).await;
    first.again_in(db, 3_600_000_000, "not now", NOW).await.expect("it is put back");
    assert_eq!(next(db, 9).await, "aaaaaaaaa");
    first_runs(db, 'b', 20).await;
    let six = next(db, 6).await;
    assert_eq!(six.matches('b').count(), 3, "{six}: not all of those that came last");
    by_hand(db, "UPDATE jobs SET run_after = 0 WHERE key = 'a00000'").await;
    assert_eq!(one(db).await.key, first.key);
}

on_both_engines!(what_is_put_back_keeps_its_turn_and_lets_nobody_else_in_before_the_others);

async fn what_somebody_asked_for_goes_before_all_first_runs(db: &Db) {
    first_runs(db, 'a', 20).await;
    let enqueue = |name| vec![job('a', name, true).enqueue(db, NOW)];
    db.write(Area::Log, enqueue("now")).await.expect("it is asked for");
    assert_eq!(one(db).await.key, "anow");
    assert_eq!(next(db, 1).await, "a");
    // Others have waited for long: the worker that is kept for what is done soon takes it all the same.
    by_hand(db, "UPDATE jobs SET created_at = created_at - 600000000").await;
    db.write(Area::Log, enqueue("soon")).await.expect("it is asked for");
    let soon = take(db, NODE, 1, NOW).await.expect("the database answers").expect("a job");
    assert_eq!(soon.key, "asoon");
    assert_eq!(take(db, NODE, 1, NOW).await.expect("the database answers"), None, "it takes no first run");
    db.write(Area::Log, enqueue("later")).await.expect("it is asked for");
    assert_ne!(one(db).await.key, "alater", "who has waited for minutes goes first with the other workers");
}

on_both_engines!(what_somebody_asked_for_goes_before_all_first_runs);

async fn what_is_asked_for_again_while_it_is_done_waits_for_another_turn(db: &Db) {
    first_runs(db, 'a', 3).await;
    let first = one(db).await;
    db.write(Area::Log, vec![job('a', "00000", false).enqueue(db, NOW)]).await.expect("it is asked for again");
    first.done(db, NOW).await.expect("it is done");
    let mut keys = Vec::new();
    for _ in 0..3 {
        keys.push(one(db).await.key);
    }
    assert_eq!(keys, ["a00001", "a00002", "a00000"]);
}

on_both_engines!(what_is_asked_for_again_while_it_is_done_waits_for_another_turn);

async fn what_a_silent_worker_left_is_taken_by_another(db: &Db) {
    first_runs(db, 'a', 1).await;
    let first = one(db).await;
    assert_eq!(take(db, "other", 0, NOW).await.expect("the database answers"), None);
    by_hand(db, "UPDATE jobs SET lease_until = 1").await;
    let second = take(db, "other", 0, NOW).await.expect("the database answers").expect("a job");
    assert_eq!((second.key, second.epoch), (first.key, first.epoch + 1));
}

on_both_engines!(what_a_silent_worker_left_is_taken_by_another);

/// The steps of the engine for a statement, one a line.
async fn plan(db: &Db, explain: &str, (sql, args): (String, Vec<Value>)) -> String {
    let rows = db.read(Area::Log, &format!("{explain} {sql}"), &args).await.expect("a plan");
    let last = |row: &Row| match row.last() {
        Some(Value::Text(words)) => words.to_string(),
        other => panic!("no step of a plan: {other:?}"),
    };
    rows.iter().map(last).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_the_heads_of_lines_of_the_embedded_store_by_an_index() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open_sqlite(folder.path()).expect("a store");
    migrate(&db, NOW).await.expect("it is made ready");
    for statement in [taking(&db, NODE, 0, NOW), is_any_due(&db, NODE, 0, NOW)] {
        let plan = plan(&db, "EXPLAIN QUERY PLAN", statement).await;
        let heads = plan.matches("SEARCH jobs USING INDEX jobs_turn (state=? AND priority=?)").count();
        let covering = plan.matches("SEARCH jobs USING COVERING INDEX jobs_turn (state=? AND priority=?)").count();
        assert_eq!(heads + covering, 6, "{plan}");
        assert!(!plan.contains("SCAN jobs"), "{plan}");
        // What is sorted is the heads, once.
        assert!(plan.matches("TEMP B-TREE").count() <= 1, "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_reads_the_heads_of_lines_of_postgresql_by_an_index() {
    let database = database().await;
    let db = Db::open_postgres(&database.url(), 4).await.expect("a database");
    migrate(&db, NOW).await.expect("it is made ready");
    by_hand(
        &db,
        "INSERT INTO jobs (kind, key, state, priority, attempts, run_after, epoch, lease_until, cancelled, again, \
         caused_by, created_at, line, turn) SELECT 'index_repository', n, 'waiting', 0, 0, 0, 0, 0, 0, 0, 0, 0, \
         n % 3, n / 3 FROM generate_series(1, 20000) AS n",
    )
    .await;
    by_hand(&db, "ANALYZE jobs").await;
    for statement in [taking(&db, NODE, 0, NOW), is_any_due(&db, NODE, 0, NOW)] {
        let plan = plan(&db, "EXPLAIN", statement).await;
        assert!(plan.contains("Index Scan using jobs_turn on jobs"), "{plan}");
        assert!(!plan.contains("Seq Scan on jobs"), "{plan}");
    }
}
