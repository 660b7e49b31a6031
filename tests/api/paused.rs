//! An integration that is paused while one of its repositories is being fetched: nothing new is looked for, and what was
//! begun is let to its end, unless a person cancels it.

use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    web_server::{Fault, Relay, WebServer},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    server::{Server, soon},
    transports::by_both_transports,
};

/// Bytes of an answer: more than a list of refs has, less than all objects.
const PART: u64 = 200_000;

/// A repository whose objects stop to come in the middle, and an integration that is paused while they do.
struct Stage {
    server: Server,
    repository: Repository,
    relay: Relay,
    _web: WebServer,
    integration: String,
    run: String,
}

impl Stage {
    async fn new(server: &Server) -> Self {
        let root = server.elsewhere.join("served");
        let shape = Shape { commits: 10_000, ..Shape::default() };
        let repository = generate(&root.join("shop.git"), &shape).expect("git works");
        let web = WebServer::start(&root);
        let relay = Relay::start(web.address(), Fault::Stalls(PART));
        let url = relay.url(&web.url("shop.git"));
        let integration = server.connect("shop", json!({ "kind": "git", "url": url })).await;
        let integration = integration.with(StatusCode::CREATED).id();
        let list = format!("/api/v1/integrations/{integration}/repositories");
        soon("a run is asked for", || async {
            server.get(&list).await.items().first().is_some_and(|row| row["last_run"].is_string())
        })
        .await;
        let run = server.get(&list).await.items()[0]["last_run"].as_str().expect("a run").to_owned();
        let stage = Self { server: server.clone(), repository, relay, _web: web, integration, run };
        soon("it fetches", || async { stage.run().await["progress"]["phase"] == "fetching" }).await;
        let pause = format!("/api/v1/integrations/{}/pause", stage.integration);
        server.post(&pause, json!({})).await.with(StatusCode::OK);
        stage
    }

    async fn run(&self) -> Value {
        self.server.get(&format!("/api/v1/index-runs/{}", self.run)).await.with(StatusCode::OK).body
    }

    async fn integration_state(&self) -> Value {
        self.server.get(&format!("/api/v1/integrations/{}", self.integration)).await.body["state"].clone()
    }
}

async fn a_run_that_fetches_while_its_integration_is_paused_comes_to_its_end_and_no_other_begins(server: Server) {
    let stage = Stage::new(&server).await;
    assert_eq!(stage.run().await["state"], "running", "it is not stopped behind anybody's back");
    stage.relay.set(Fault::None);
    // What stalls is found silent and asked for once more: also that is the same run.
    soon("it is complete", || async {
        server.pass_seconds(1);
        stage.run().await["state"] == "completed"
    })
    .await;
    assert_eq!(stage.integration_state().await, "paused");
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.repository.commit("refs/heads/main", "NEW-1 while it is paused", &[tip.trim()]).expect("a commit");
    server.look_behind().await;
    assert_eq!(server.get("/api/v1/index-runs").await.items().len(), 1, "nothing new is looked for");
    let resume = format!("/api/v1/integrations/{}/resume", stage.integration);
    server.post(&resume, json!({})).await.with(StatusCode::OK);
    soon("what is new is found once it is resumed", || async {
        server.get("/api/v1/issues/NEW-1").await.body["commits"] == 1
    })
    .await;
    server.look_behind().await;
}

async fn a_run_of_a_paused_integration_can_be_cancelled(server: Server) {
    let stage = Stage::new(&server).await;
    let cancelled = server.post(&format!("/api/v1/index-runs/{}/cancel", stage.run), json!({})).await;
    assert_eq!(cancelled.with(StatusCode::OK).body["state"], "cancelled");
    // Nobody waits for the silence to end.
    server.look_behind().await;
    let row = server.get("/api/v1/repositories").await.items()[0].clone();
    assert_eq!((&row["state"], &row["commits"]), (&json!("waiting"), &json!(0)), "{row}");
    assert_eq!(stage.integration_state().await, "paused");
}

by_both_transports!(
    reaching_this_machine_impatiently;
    a_run_that_fetches_while_its_integration_is_paused_comes_to_its_end_and_no_other_begins,
    a_run_of_a_paused_integration_can_be_cancelled,
);
