//! Asked to stop, the server stops soon and cleanly; what was not done is done after the next start.

use keytrail_test_support::{
    postgres,
    repositories::{self, Shape},
    server::{Home, Server},
};
use tokio::sync::watch;

use crate::{
    index_runs::Indexed,
    kill_cycles::stored,
    load::Load,
    stage::{Chance, Part, home, settled, small_repositories, verified},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_that_is_told_to_stop_in_an_index_run_ends_well_and_goes_on_from_where_it_was() {
    let part = Part::begin("graceful shutdown, sqlite");
    stop_and_go_on(&part, &home(None), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgresql_that_is_told_to_stop_in_an_index_run_ends_well_and_goes_on_from_where_it_was() {
    let part = Part::begin("graceful shutdown, postgres");
    let database = postgres::database().await;
    let url = database.url();
    stop_and_go_on(&part, &home(Some(url.clone())), Some(&url)).await;
}

async fn stop_and_go_on(part: &Part, home: &Home, url: Option<&str>) {
    let mut chance = Chance::of_run(part);
    let projects = ["DEMO", "CORE"];
    let shape = Shape {
        seed: 23,
        commits: 20_000,
        // Many batches, so that a stop comes between two of them.
        keyed_percent: 95,
        projects: projects.map(str::to_owned).to_vec(),
        ..Shape::default()
    };
    let big = repositories::generate(&home.folder().join("big.git"), &shape).expect("git makes a repository");
    let small = small_repositories(home.folder(), 6);
    let mut server = home.start().await;
    let indexed = Indexed::connect(&server.client(), "big", &big, &projects).await;
    settled(&server.client()).await;
    let mut cut = 0;
    let (mut stops, mut longest) = (0, 0.0_f64);
    // A run is cut when some of its batches are there and others are not; that takes a few tries.
    while cut == 0 {
        stops += 1;
        assert!(stops <= 20, "no run was stopped between two batches");
        let client = server.client();
        let (gate, node) = watch::channel(Some(client.clone()));
        let load = Load::start(vec![node], small.clone(), if url.is_some() { 400 } else { 30 }, &mut chance);
        let run = indexed.reset(&client).await.expect("no run is under way");
        recording(&server, &run).await;
        let began = std::time::Instant::now();
        let (_, status) = server.terminate().await;
        longest = longest.max(began.elapsed().as_secs_f64());
        gate.send_replace(None);
        assert_eq!(status.code(), Some(0), "{status}: {}", home.log());
        assert!(!home.log().contains("something did not end in time"), "it did not end in time");
        let log = stored(home, url).await;
        log.check();
        let before = log.batches_of(&run);
        server = home.start().await;
        gate.send_replace(Some(server.client()));
        let ledger = load.finish().await;
        settled(&server.client()).await;
        let ended = server.client().get(&format!("/api/v1/index-runs/{run}")).await.expect("the server runs");
        assert_eq!(ended.body["state"], "completed", "{}", ended.body);
        let home = server.kill().await;
        let log = stored(&home, url).await;
        log.check();
        log.check_acknowledged(&ledger);
        let after = log.batches_of(&run);
        assert_eq!(after[..before.len()], before[..], "batches that were there are there once");
        cut += usize::from(!before.is_empty() && before.len() < after.len());
        server = home.start().await;
    }
    settled(&server.client()).await;
    verified(&server.client()).await;
    let commits = indexed.compare(&server.client(), &mut chance, 40).await;
    server.terminate().await;
    part.say(&format!(
        "stopped {stops} times, {cut} of them between two batches of a run; the longest stop took {longest:.1} s; \
         {commits} commits compared"
    ));
}

/// Waits until the run writes down what it finds, or has ended.
async fn recording(server: &Server, run: &str) {
    crate::stage::until("the run writing down what it finds", async || {
        let now = server.client().get(&format!("/api/v1/index-runs/{run}")).await.expect("the server runs");
        let ended = now.body["state"] == "completed";
        let recorded = now.body["progress"]["recorded"].as_u64().unwrap_or(0);
        if ended || recorded > 0 { Ok(()) } else { Err(now.body.to_string()) }
    })
    .await;
}
