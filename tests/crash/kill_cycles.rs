//! The server is killed at random moments while clients change integrations and index runs go on.

use keytrail_test_support::{
    postgres,
    server::{Home, Server},
};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;

use crate::{
    index_runs::Indexed,
    load::{Load, repeat},
    stage::{Chance, Part, home, number, repository, settled, small_repositories, until, verified},
    stored_log::StoredLog,
};

/// How often it is killed when nothing is said, over both engines.
const CYCLES: u64 = 50;
/// The stored log is read in whole after so many kills, and at the end.
const LOOK_EVERY: u64 = 5;

fn cycles() -> u64 {
    number("KEYTRAIL_CRASH_CYCLES").unwrap_or(CYCLES)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_that_is_killed_loses_nothing_acknowledged_and_does_nothing_twice() {
    let part = Part::begin("kill cycles, sqlite");
    kill_and_look(&part, &home(None), None, cycles().div_ceil(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgresql_that_is_killed_loses_nothing_acknowledged_and_does_nothing_twice() {
    let part = Part::begin("kill cycles, postgres");
    let database = postgres::database().await;
    let url = database.url();
    kill_and_look(&part, &home(Some(url.clone())), Some(&url), cycles() / 2).await;
}

/// The jobs that wait or run.
pub(crate) async fn jobs(home: &Home, url: Option<&str>) -> Vec<String> {
    const SQL: &str = "SELECT kind || ' ' || key || ' ' || state || ' ' || COALESCE(last_error, '') FROM jobs";
    match url {
        Some(url) => {
            let mut connection = PgConnection::connect(url).await.expect("the database answers");
            sqlx::query_scalar(SQL).fetch_all(&mut connection).await.expect("jobs are rows")
        }
        None => {
            let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let connection = rusqlite::Connection::open_with_flags(home.data().join("log.db"), read_only);
            let connection = connection.expect("the store can be read beside its server");
            let mut statement = connection.prepare(SQL).expect("jobs are rows");
            let rows = statement.query_map([], |row| row.get(0)).expect("jobs are rows");
            rows.collect::<Result<_, _>>().expect("texts")
        }
    }
}

/// The stored log, whose server does not run.
pub(crate) async fn stored(home: &Home, url: Option<&str>) -> StoredLog {
    match url {
        Some(url) => StoredLog::of_database(url).await,
        None => StoredLog::of_folder(&home.data()).await,
    }
}

async fn kill_and_look(part: &Part, home: &Home, url: Option<&str>, cycles: u64) {
    let mut chance = Chance::of_run(part);
    let projects = ["DEMO", "CORE"];
    let big = repository(&home.folder().join("big.git"), 3, 6_000, &projects);
    let small = small_repositories(home.folder(), 6);
    let mut server: Server = home.start().await;
    let (node, watched) = watch::channel(Some(server.client()));
    let indexed = Indexed::connect(&server.client(), "big", &big, &projects).await;
    let mut load = Load::start(vec![watched], small, if url.is_some() { 400 } else { 150 }, &mut chance);
    let mut killed_in_run = 0;
    for cycle in 1..=cycles {
        indexed.reset(&server.client()).await;
        tokio::time::sleep(chance.millis(5, 700)).await;
        killed_in_run += u64::from(run_is_open(&server).await);
        let home = server.kill().await;
        node.send_replace(None);
        load.check();
        if cycle % LOOK_EVERY == 0 {
            let log = stored(&home, url).await;
            log.check();
            log.check_acknowledged(&load.ledger());
        }
        server = home.start().await;
        repeat(&server.client(), &load.ledger(), &mut chance, 5).await;
        node.send_replace(Some(server.client()));
    }
    let figures = load.figures();
    let ledger = load.finish().await;
    let client = server.client();
    settled(&client).await;
    until("the end of all jobs", async || {
        let jobs = jobs(home, url).await;
        if jobs.is_empty() { Ok(()) } else { Err(jobs.join("; ")) }
    })
    .await;
    verified(&client).await;
    let commits = indexed.compare(&client, &mut chance, 60).await;
    let (_, status) = server.terminate().await;
    assert!(status.success(), "{status}");
    let log = stored(home, url).await;
    log.check();
    log.check_acknowledged(&ledger);
    part.say(&format!(
        "killed {cycles} times, {killed_in_run} of them during an index run; {figures}; {} events; {commits} commits compared with git",
        log.events.len()
    ));
}

async fn run_is_open(server: &Server) -> bool {
    let running = server.client().get("/api/v1/index-runs?state=running").await;
    running.is_ok_and(|answer| answer.body["items"].as_array().is_some_and(|runs| !runs.is_empty()))
}
