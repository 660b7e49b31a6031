//! Two servers over one database: one of them is killed now and then, clients use both, a reader follows the log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use keytrail_test_support::{
    postgres,
    server::{Home, Options},
};
use sqlx::{Connection, PgConnection};
use tokio::sync::watch;

use crate::{
    index_runs::Indexed,
    kill_cycles::jobs,
    load::{Load, repeat},
    stage::{Chance, PROGRAM, Part, repository, settled, small_repositories, until, verified},
    stored_log::StoredLog,
};

const CLIENTS: usize = 64;
const KILLS: u64 = 8;
const NODES: [&str; 2] = ["alpha", "beta"];

/// What the dead held is given up at once: the other node need not wait for leases to run out.
async fn give_up_leases(url: &str, node: &str) {
    let mut connection = PgConnection::connect(url).await.expect("the database answers");
    for sql in [
        "UPDATE view_builds SET lease_until = 0 WHERE owner LIKE $1",
        "UPDATE reactor_checkpoints SET lease_until = 0 WHERE owner LIKE $1",
        "UPDATE jobs SET lease_until = 0 WHERE state = 'running' AND owner LIKE $1",
        "UPDATE poll_shards SET lease_until = 0 WHERE owner LIKE $1",
        "UPDATE poll_nodes SET lease_until = 0 WHERE node LIKE $1",
    ] {
        sqlx::query(sql).bind(format!("{node}%")).execute(&mut connection).await.expect("leases are rows");
    }
    connection.close().await.expect("it closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_over_one_database_write_one_log_without_gaps_and_take_over_from_each_other() {
    let part = Part::begin("two nodes");
    let mut chance = Chance::of_run(&part);
    let database = postgres::database().await;
    let url = database.url();
    let mut homes: Vec<Home> = Vec::new();
    for name in NODES {
        let root_key = homes.first().map(Home::root_key);
        let env = vec![("KEYTRAIL__STORE__NODE".to_owned(), name.to_owned())];
        homes
            .push(Home::new(PROGRAM, Options { database_url: Some(url.clone()), env, root_key, ..Options::default() }));
    }
    let projects = ["DEMO", "CORE"];
    let big = repository(&homes[0].folder().join("big.git"), 5, 4_000, &projects);
    let small = small_repositories(homes[0].folder(), CLIENTS);
    // Both find an empty database at the same time.
    let (one, other) = tokio::join!(homes[0].start(), homes[1].start());
    let mut servers = [Some(one), Some(other)];
    let (gates, nodes): (Vec<_>, Vec<_>) =
        servers.iter().map(|server| watch::channel(server.as_ref().map(|server| server.client()))).unzip();
    let reader = Reader::start(&url);
    let first = servers[0].as_ref().expect("it runs").client();
    let indexed = Indexed::connect(&first, "big", &big, &projects).await;
    let mut load = Load::start(nodes, small, 30, &mut chance);
    for _ in 0..KILLS {
        let victim = chance.below(2) as usize;
        indexed.reset(&servers[1 - victim].as_ref().expect("it runs").client()).await;
        tokio::time::sleep(chance.millis(100, 900)).await;
        let home = servers[victim].take().expect("it runs").kill().await;
        gates[victim].send_replace(None);
        give_up_leases(&url, NODES[victim]).await;
        // The other one goes on alone.
        tokio::time::sleep(chance.millis(50, 400)).await;
        load.check();
        let server = home.start().await;
        repeat(&server.client(), &load.ledger(), &mut chance, 5).await;
        gates[victim].send_replace(Some(server.client()));
        servers[victim] = Some(server);
    }
    let figures = load.figures();
    let ledger = load.finish().await;
    // One is gone for good, in the middle of what was left to do.
    let survivor = servers[1].take().expect("it runs");
    servers[0].take().expect("it runs").kill().await;
    give_up_leases(&url, NODES[0]).await;
    let client = survivor.client();
    settled(&client).await;
    until("the end of all jobs", async || {
        let jobs = jobs(&homes[1], Some(&url)).await;
        if jobs.is_empty() { Ok(()) } else { Err(format!("{} jobs, such as {}", jobs.len(), jobs[0])) }
    })
    .await;
    verified(&client).await;
    let commits = indexed.compare(&client, &mut chance, 60).await;
    let (_, status) = survivor.terminate().await;
    assert!(status.success(), "{status}");
    let log = StoredLog::of_database(&url).await;
    log.check();
    log.check_acknowledged(&ledger);
    let read = reader.stop(log.events.len() as i64).await;
    part.say(&format!(
        "{CLIENTS} clients, {KILLS} kills; {figures}; {read} events followed; {commits} commits compared"
    ));
}

/// Reads the log past the servers while they write it, and fails at the first gap or repetition.
struct Reader {
    stop: Arc<AtomicBool>,
    position: Arc<AtomicI64>,
    task: tokio::task::JoinHandle<()>,
}

impl Reader {
    fn start(url: &str) -> Self {
        let (stop, position) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let (stopped, reached, url) = (stop.clone(), position.clone(), url.to_owned());
        let task = tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await.expect("the database answers");
            while !stopped.load(Ordering::Relaxed) {
                let after = reached.load(Ordering::Relaxed);
                let sql =
                    "SELECT global_position FROM events WHERE global_position > $1 ORDER BY global_position LIMIT 1000";
                let found: Vec<i64> =
                    sqlx::query_scalar(sql).bind(after).fetch_all(&mut connection).await.expect("the log can be read");
                for (position, expected) in found.iter().zip(after + 1..) {
                    assert_eq!(*position, expected, "a reader of the log meets a gap");
                }
                reached.store(after + found.len() as i64, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        Self { stop, position, task }
    }

    async fn stop(self, head: i64) -> i64 {
        until("the reader coming to the end of the log", async || {
            let position = self.position.load(Ordering::Relaxed);
            let ended = self.task.is_finished() || position >= head;
            if ended { Ok(()) } else { Err(format!("{position} of {head}")) }
        })
        .await;
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the reader met no gap");
        self.position.load(Ordering::Relaxed)
    }
}
