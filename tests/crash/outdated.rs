//! The log holds an event of a newer version: this one says so, and skips nothing.

use keytrail_test_support::{
    postgres,
    server::{Client, Home},
};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::{
    index_runs::Indexed,
    stage::{Part, connect, home, repository, settled, small_repositories, until},
};

const PROJECTS: [&str; 1] = ["DEMO"];

#[tokio::test(flavor = "multi_thread")]
async fn an_event_from_the_future_in_the_embedded_store_is_told_and_never_skipped() {
    let _part = Part::begin("outdated, sqlite");
    meet_the_future(&home(None), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_from_the_future_in_postgresql_is_told_and_never_skipped() {
    let _part = Part::begin("outdated, postgres");
    let database = postgres::database().await;
    meet_the_future(&home(Some(database.url())), Some(&database.url())).await;
}

async fn meet_the_future(home: &Home, url: Option<&str>) {
    let server = home.start().await;
    let client = server.client();
    let path = home.folder().join("r.git");
    Indexed::connect(&client, "indexed", &repository(&path, 19, 100, &PROJECTS), &PROJECTS).await;
    settled(&client).await;
    server.terminate().await;
    let future = append_future(home, url).await;
    let small = small_repositories(home.folder(), 1);
    for start in 0..2 {
        let server = home.start().await;
        let client = server.client();
        told(&client, future).await;
        // Changes of other streams are facts all the same; who asked learns where they stand.
        let body = connect(&format!("while outdated {start}"), &small[0]);
        let added = client.post("/api/v1/integrations", None, &body).await.expect("the server runs");
        assert_eq!(added.status, 202, "{}", added.body);
        assert!(added.position > future);
        let removed = client.delete(&format!("/api/v1/integrations/{}", added.id())).await.expect("the server runs");
        assert!(removed.is_done(), "{}", removed.body);
        told(&client, future).await;
        let verify = client.post("/api/v1/views/verify?wait=true", None, &json!({})).await.expect("the server runs");
        assert_eq!(verify.status, 503, "{}", verify.body);
        let (_, status) = server.terminate().await;
        assert!(status.success(), "{status}");
    }
}

/// What is said of it, wherever somebody looks.
async fn told(client: &Client, future: i64) {
    assert_eq!(client.get("/livez").await.expect("the server runs").status, 200);
    until("the event being noticed", async || {
        let ready = client.get("/readyz").await.expect("the server runs");
        let views = ready.body["views"].as_array().cloned().unwrap_or_default();
        let all = views.iter().all(|view| view["status"] == "outdated");
        let told = ready.status == 503 && all && ready.body["causes"].to_string().contains("outdated");
        if told { Ok(()) } else { Err(ready.body.to_string()) }
    })
    .await;
    let views = client.get("/api/v1/views").await.expect("the server runs").body;
    for view in views["items"].as_array().expect("a list") {
        assert_eq!(view["status"], "outdated", "{view}");
        assert!(view["position"].as_i64().is_some_and(|position| position < future), "it was skipped: {view}");
        assert!(view["error"].as_str().is_some_and(|error| error.contains("integration.levitated")), "{view}");
    }
    for path in ["/api/v1/integrations", "/api/v1/issues/DEMO-1", "/api/v1/events"] {
        let read = client.get(path).await.expect("the server runs");
        assert_eq!((read.status, read.code()), (503, "view_outdated"), "{path}: {}", read.body);
        assert!(read.body["detail"].as_str().is_some_and(|text| text.contains("newer")), "{}", read.body);
    }
}

/// Appends an event as a newer version would; its position.
async fn append_future(home: &Home, url: Option<&str>) -> i64 {
    const INSERT: &str = "INSERT INTO events (global_position, aggregate_type, aggregate_id, sequence, event_type, \
        event_version, payload, metadata, event_id, recorded_at, leaf_hash) \
        SELECT position + 1, 'integration', '0198f0f0-0000-7000-8000-000000000001', 1, 'integration.levitated', '1.0', \
        '{\"height\":3}', '{}', '0198f0f0-0000-7000-8000-000000000002', recorded_at + 1, HASH FROM log_head";
    const MOVE: &str = "UPDATE log_head SET position = position + 1, recorded_at = recorded_at + 1";
    const HEAD: &str = "SELECT position FROM log_head";
    match url {
        None => {
            let connection = rusqlite::Connection::open(home.data().join("log.db")).expect("it is stopped");
            let insert = INSERT.replace("HASH", "zeroblob(32)");
            connection.execute_batch(&format!("BEGIN; {insert}; {MOVE}; COMMIT")).expect("it is a valid row");
            connection.query_row(HEAD, [], |row| row.get(0)).expect("a head")
        }
        Some(url) => {
            let mut connection = PgConnection::connect(url).await.expect("the database answers");
            let insert = INSERT.replace("HASH", "decode(repeat('00', 32), 'hex')");
            sqlx::raw_sql(&format!("BEGIN; {insert}; {MOVE}; COMMIT")).execute(&mut connection).await.expect("SQL");
            sqlx::query_scalar(HEAD).fetch_one(&mut connection).await.expect("a head")
        }
    }
}
