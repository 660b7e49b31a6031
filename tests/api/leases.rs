//! Who may do what when several nodes are over one database, and clocks or versions differ.

use std::{path::Path, sync::Arc, time::Duration};

use keytrail::{
    app::App,
    clock::Clock,
    store::{Area, Statement},
    views::Status,
};
use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::{Row, Value};
use keytrail_test_support::postgres::database;
use tempfile::TempDir;

use crate::{nodes::node, server::soon};

/// The database's time, in microseconds.
const NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
const OWNERS: &str = "SELECT owner, epoch FROM reactor_checkpoints \
                      UNION ALL SELECT owner, epoch FROM view_builds ORDER BY 1, 2";
const JOBS: &str = "SELECT state, epoch FROM jobs";

async fn by_hand(app: &App, sql: String) {
    app.db
        .write(Area::Log, vec![Statement::new(sql.clone(), vec![])])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn rows(app: &App, sql: &str) -> Vec<Row> {
    app.db.read(Area::Log, sql, &[]).await.expect("it can be read")
}

/// A node with a folder of its own and the root key of `first`.
async fn another(first: &Path, url: &str, clock: Clock) -> (TempDir, Arc<App>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(first.join("root.key"), folder.path().join("root.key")).expect("a root key");
    let app = node(folder.path(), Some(url), clock).await;
    (folder, app)
}

fn job(state: &str, lease_until: &str) -> String {
    format!(
        "INSERT INTO jobs (kind, key, state, priority, attempts, run_after, owner, epoch, lease_until, cancelled, \
         again, caused_by, created_at) VALUES ('forget_repositories', '0198f0f0-0000-7000-8000-000000000001', \
         '{state}', 0, 0, 0, 'somebody', 5, {lease_until}, 0, 0, 0, 0)"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_clock_is_wrong_takes_nothing_from_the_others_and_what_is_abandoned_is_taken() {
    const MINUTES: i64 = 60_000_000;
    let (folder, database) = (tempfile::tempdir().expect("a temporary folder"), database().await);
    let url = database.url();
    let first = node(folder.path(), Some(&url), Clock::System).await;
    // A view that was built is let go of and taken once more: what is held stays so for a while.
    soon("it holds everything", || async {
        let before = rows(&first, OWNERS).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let views = first.views.states();
        views.iter().all(|(.., state)| state.status == Status::Live)
            && before.len() == views.len() + 1
            && before.iter().all(|row| row[0] != Value::Null)
            && before == rows(&first, OWNERS).await
    })
    .await;
    let before = rows(&first, OWNERS).await;
    by_hand(&first, job("running", &format!("{NOW} + 30000000"))).await;
    let mut others = Vec::new();
    for shift in [10 * MINUTES, -10 * MINUTES, 10 * 365 * 24 * 60 * MINUTES, -10 * 365 * 24 * 60 * MINUTES] {
        let clock = Clock::fixed(Timestamp(Clock::System.now().0 + shift));
        others.push(another(folder.path(), &url, clock).await);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(rows(&first, OWNERS).await, before, "nobody took what the first one holds");
    assert_eq!(rows(&first, JOBS).await, [[Value::from("running"), Value::Int(5)]]);

    // Only those that are wrong are left, and whoever held the leases died without a word.
    first.stop().await;
    let (_, left) = &others[0];
    by_hand(left, format!("UPDATE jobs SET lease_until = {NOW} + 1000000")).await;
    let until = format!("owner = 'dead', epoch = epoch + 100, lease_until = {NOW} + 2000000");
    by_hand(left, format!("UPDATE reactor_checkpoints SET {until}")).await;
    by_hand(left, format!("UPDATE view_builds SET {until}")).await;
    soon("the job is done", || async { rows(left, JOBS).await.is_empty() }).await;
    soon("nothing is held by the dead", || async {
        rows(left, OWNERS).await.iter().all(|row| row[0] != Value::from("dead"))
    })
    .await;
    for (_, other) in &others {
        other.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_and_comes_back_has_its_own_again_at_once() {
    let (folder, database) = (tempfile::tempdir().expect("a temporary folder"), database().await);
    let url = database.url();
    let first = node(folder.path(), Some(&url), Clock::System).await;
    let names = "SELECT node FROM poll_nodes";
    soon("it says that it lives", || async { rows(&first, names).await.len() == 1 }).await;
    let Value::Text(name) = rows(&first, names).await[0][0].clone() else { panic!("a node has a name") };
    let (_folder, other) = another(folder.path(), &url, Clock::System).await;
    first.stop().await;
    // As if it had not gone in peace: all is held for longer than anybody here waits.
    let until = format!("{NOW} + 55000000");
    by_hand(&other, format!("INSERT INTO poll_nodes (node, lease_until) VALUES ('{name}', {until})")).await;
    by_hand(&other, format!("UPDATE poll_shards SET owner = '{name}', lease_until = {until}")).await;
    let held = format!("owner = '{name}', epoch = epoch + 100, lease_until = {until}");
    by_hand(&other, format!("UPDATE reactor_checkpoints SET {held}")).await;
    by_hand(&other, format!("UPDATE view_builds SET {held}")).await;
    by_hand(&other, job("running", &until)).await;
    by_hand(&other, format!("UPDATE jobs SET owner = '{name}'")).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let its_own = format!("SELECT owner FROM poll_shards WHERE owner = '{name}'");
    assert_eq!((rows(&other, &its_own).await.len(), rows(&other, JOBS).await.len()), (64, 1), "the other one waits");

    let first = node(folder.path(), Some(&url), Clock::System).await;
    soon("its job is done", || async { rows(&other, JOBS).await.is_empty() }).await;
    // Half of them: there is another node.
    soon("it looks after repositories", || async {
        let held = format!("{its_own} AND lease_until < {NOW} + 31000000");
        rows(&first, &held).await.len() == 32
    })
    .await;
    let renewed =
        format!("SELECT 1 FROM reactor_checkpoints WHERE owner = '{name}' AND lease_until < {NOW} + 31000000");
    soon("it reacts", || async { rows(&first, &renewed).await.len() == 1 }).await;
    first.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_cannot_use_one_data_folder() {
    let (folder, database) = (tempfile::tempdir().expect("a temporary folder"), database().await);
    let first = node(folder.path(), Some(&database.url()), Clock::System).await;
    let mut config = (*first.config).clone();
    config.store.connections = 2;
    let refused = keytrail::boot::start(&config, Clock::System).await.err().expect("it is in use").to_string();
    assert!(refused.contains("another process uses"), "{refused}");
    first.stop().await;
    let again = node(folder.path(), Some(&database.url()), Clock::System).await;
    again.stop().await;
}

/// Appends an event as a newer version would, and lets the nodes see it.
async fn append_future(app: &App, zeros: &str) {
    let insert = format!(
        "INSERT INTO events (global_position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload, \
         metadata, event_id, recorded_at, leaf_hash) SELECT position + 1, 'integration', \
         '0198f0f0-0000-7000-8000-000000000001', 1, 'integration.levitated', '1.0', '{{}}', '{{}}', \
         '0198f0f0-0000-7000-8000-000000000002', recorded_at + 1, {zeros} FROM log_head"
    );
    let head = "UPDATE log_head SET position = position + 1, recorded_at = recorded_at + 1";
    let statements = vec![Statement::new(insert, vec![]), Statement::new(head, vec![])];
    app.db.write(Area::Log, statements).await.expect("it is a valid row");
}

async fn leaves_everything(app: &App) {
    soon("it is noticed", || async { app.jobs.is_outdated() }).await;
    soon("the reactor is free", || async {
        rows(app, "SELECT owner, lease_until FROM reactor_checkpoints").await == [[Value::Null, Value::Int(0)]]
    })
    .await;
    by_hand(app, job("waiting", "0")).await;
    app.jobs.wake();
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(rows(app, JOBS).await, [[Value::from("waiting"), Value::Int(5)]], "no job is taken");
    assert_eq!(rows(app, "SELECT owner FROM reactor_checkpoints").await, [[Value::Null]], "it stays free");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outdated_server_lets_go_of_the_reactor_and_takes_no_jobs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = node(folder.path(), None, Clock::System).await;
    append_future(&app, "zeroblob(32)").await;
    app.stop().await;
    drop(app);
    let app = node(folder.path(), None, Clock::System).await;
    leaves_everything(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outdated_nodes_over_postgresql_let_go_of_the_reactor_and_take_no_jobs() {
    let (folder, database) = (tempfile::tempdir().expect("a temporary folder"), database().await);
    let url = database.url();
    let first = node(folder.path(), Some(&url), Clock::System).await;
    let (_folder, second) = another(folder.path(), &url, Clock::System).await;
    append_future(&first, "decode(repeat('00', 32), 'hex')").await;
    // Whichever reacts lets go, and so does the one that waits for its place.
    soon("the other one notices", || async { second.jobs.is_outdated() }).await;
    leaves_everything(&first).await;
    first.stop().await;
    second.stop().await;
}
