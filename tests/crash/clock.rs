//! A clock that is ten years ahead, and then ten years behind.

use std::path::Path;

use keytrail_test_support::{
    faults::Faults,
    postgres,
    server::{Answer, Client, Home, Options},
};
use serde_json::json;

use crate::{
    index_runs::Indexed,
    kill_cycles::{jobs, stored},
    stage::{Chance, PROGRAM, Part, connect, repository, settled, small_repositories, until, verified},
};

/// Ten years, in seconds.
const TEN_YEARS: i64 = 315_576_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_server_goes_on_while_its_clock_jumps_by_years() {
    let part = Part::begin("clock, sqlite");
    jump(&part, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_on_postgresql_goes_on_while_its_clock_jumps_by_years() {
    let part = Part::begin("clock, postgres");
    let database = postgres::database().await;
    jump(&part, Some(database.url())).await;
}

async fn jump(part: &Part, url: Option<String>) {
    let mut chance = Chance::of_run(part);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let faults = Faults::below(folder.path());
    let home = Home::new(PROGRAM, Options { database_url: url.clone(), env: faults.env(), ..Options::default() });
    let projects = ["DEMO"];
    let big = repository(&home.folder().join("big.git"), 17, 500, &projects);
    let small = small_repositories(home.folder(), 9);
    let server = home.start().await;
    let client = server.client();
    let indexed = Indexed::connect(&client, "big", &big, &projects).await;
    settled(&client).await;
    let before = token(&client, "before").await;
    assert_eq!(read_with(&client, &before).await.status, 200);

    faults.shift_clock(TEN_YEARS);
    heard(&client, |behind| behind == 0).await;
    let ahead = add(&client, &small[0..2]).await;
    indexed.reset(&client).await;
    settled(&client).await;
    // A token runs out by the clock of the server, right or wrong.
    let refused = read_with(&client, &before).await;
    assert_eq!((refused.status, refused.code()), (401, "token_invalid"), "{}", refused.body);
    let meanwhile = token(&client, "meanwhile").await;

    faults.shift_clock(-TEN_YEARS);
    let behind = heard(&client, |behind| behind > TEN_YEARS).await;
    assert_eq!(behind.status, 503, "{}", behind.body);
    assert!(behind.body["causes"].to_string().contains("clock_behind"), "{}", behind.body);
    let later = add(&client, &small[2..4]).await;
    assert!(later > ahead, "positions go on");
    indexed.reset(&client).await;
    settled(&client).await;
    // One that was issued while the clock was ahead lives as long as that clock said.
    assert_eq!(read_with(&client, &meanwhile).await.status, 200);

    // What a process with a wrong clock left to do is done by one with a right clock.
    faults.shift_clock(TEN_YEARS);
    heard(&client, |behind| behind < TEN_YEARS).await;
    add(&client, &small[4..9]).await;
    indexed.reset(&client).await;
    server.kill().await;
    faults.shift_clock(0);
    let server = home.start().await;
    let client = server.client();
    assert_eq!(read_with(&client, &before).await.status, 200, "the clock is right again");
    settled(&client).await;
    until("the end of all jobs", async || {
        let jobs = jobs(&home, url.as_deref()).await;
        if jobs.is_empty() { Ok(()) } else { Err(jobs.join("; ")) }
    })
    .await;
    settled(&client).await;
    let repositories = client.list("/api/v1/repositories?state=indexed").await.expect("the server runs");
    assert_eq!(repositories.len(), 10, "every repository that was added is indexed");
    verified(&client).await;
    indexed.compare(&client, &mut chance, 20).await;
    let (home, status) = server.terminate().await;
    assert!(status.success(), "{status}");
    // With it: no time in the log is before the one of the event before.
    stored(&home, url.as_deref()).await.check();
}

/// Adds these, and says where the last one stands.
async fn add(client: &Client, repositories: &[impl AsRef<Path>]) -> i64 {
    let mut position = 0;
    for path in repositories {
        let name = path.as_ref().file_name().expect("it has a name").to_string_lossy();
        let answer = client.post("/api/v1/integrations", Some(&name), &connect(&name, path.as_ref())).await;
        let answer = answer.expect("the server runs");
        assert!(answer.is_done(), "{} {}", answer.status, answer.body);
        assert!(answer.position > position);
        position = answer.position;
    }
    position
}

async fn token(client: &Client, name: &str) -> String {
    let body = json!({ "name": name, "role": "admin", "expires_in_days": 30 });
    let issued = client.post("/api/v1/tokens", None, &body).await.expect("the server runs");
    let token = issued.body["token"].as_str();
    token.unwrap_or_else(|| panic!("no token in {}", issued.body)).to_owned()
}

async fn read_with(client: &Client, token: &str) -> Answer {
    client.with_token(token).get("/api/v1/integrations").await.expect("the server runs")
}

/// The order is heard within a moment; the server tells by how much its clock is behind its log.
async fn heard(client: &Client, expected: impl Fn(i64) -> bool) -> Answer {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    until("the clock being noticed", async || {
        let ready = client.get("/readyz").await.expect("the server runs");
        let behind = ready.body["clock_behind_seconds"].as_i64().unwrap_or(-1);
        if expected(behind) { Ok(ready) } else { Err(ready.body.to_string()) }
    })
    .await
}
