//! The database goes away in the middle of commands and an index run, and comes back.

use std::sync::Arc;

use keytrail_test_support::postgres::Cluster;
use tokio::sync::watch;

use crate::{
    index_runs::Indexed,
    load::{Load, repeat},
    stage::{Chance, Part, home, repository, settled, small_repositories, verified},
    stored_log::StoredLog,
};

const RESTARTS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_and_recovers_loses_nothing_acknowledged_and_the_server_goes_on() {
    let part = Part::begin("postgres restart");
    let mut chance = Chance::of_run(&part);
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("a cluster starts");
    let cluster = Arc::new(cluster);
    let url = cluster.url("postgres");
    let home = home(Some(url.clone()));
    let projects = ["DEMO", "CORE"];
    let big = repository(&home.folder().join("big.git"), 11, 4_000, &projects);
    let small = small_repositories(home.folder(), 8);
    let server = home.start().await;
    let client = server.client();
    let (_gate, node) = watch::channel(Some(client.clone()));
    let indexed = Indexed::connect(&client, "big", &big, &projects).await;
    let mut load = Load::start(vec![node], small, 400, &mut chance);
    for restart in 0..RESTARTS {
        indexed.reset(&client).await;
        tokio::time::sleep(chance.millis(50, 900)).await;
        let cluster = cluster.clone();
        let work = move || {
            if restart % 2 == 0 {
                cluster.restart_at_once()
            } else {
                cluster.kill();
                cluster.start_again()
            }
        };
        tokio::task::spawn_blocking(work).await.expect("it comes back");
        load.check();
    }
    // Some commands more, to see that it goes on.
    let before = load.ledger().len();
    crate::stage::until("commands going on", async || {
        let now = load.ledger().len();
        if now > before + 20 { Ok(()) } else { Err(format!("{before} then, {now} now")) }
    })
    .await;
    let figures = load.figures();
    let ledger = load.finish().await;
    settled(&client).await;
    verified(&client).await;
    repeat(&client, &ledger, &mut chance, 20).await;
    let commits = indexed.compare(&client, &mut chance, 40).await;
    let (_, status) = server.terminate().await;
    assert!(status.success(), "{status}");
    let log = StoredLog::of_database(&url).await;
    log.check();
    log.check_acknowledged(&ledger);
    part.say(&format!("{RESTARTS} restarts; {figures}; {} events; {commits} commits compared", log.events.len()));
}
