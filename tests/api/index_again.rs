//! All repositories of an integration indexed again, or from their beginning: asked for once, done for each, watched as one.

use keytrail_test_support::server::{Home, Options};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    command_line::{done, failed, lines, text},
    repository,
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// An integration that sees three repositories, all of them indexed.
pub(crate) async fn three(server: &Server) -> String {
    let folder = server.root.join("all");
    for name in ["a", "b", "c"] {
        repository::with_commits(&folder.join(name), &["SHOP-1 begins", "SHOP-2 more"]);
    }
    let connection = json!({ "kind": "folder", "path": folder, "depth": 1 });
    let added = server.connect("all", connection).await.with(StatusCode::CREATED).id();
    let list = format!("/api/v1/integrations/{added}/repositories?state=indexed");
    soon("they are indexed", || async { server.get(&list).await.items().len() == 3 }).await;
    added
}

pub(crate) async fn ended(server: &Server, href: &str) -> Answer {
    soon("the operation ends", || async {
        let now = server.get(href).await.with(StatusCode::OK);
        ["succeeded", "failed", "cancelled"].contains(&now.text_of("state").as_str())
    })
    .await;
    server.get(href).await
}

pub(crate) async fn runs(server: &Server, cause: &str) -> Vec<Value> {
    let all = server.get("/api/v1/index-runs?limit=100").await;
    all.items().iter().filter(|run| run["cause"] == cause).cloned().collect()
}

async fn each_repository_gets_one_run_and_the_operation_tells_of_how_many(server: Server) {
    let integration = three(&server).await;
    let at = format!("/api/v1/integrations/{integration}");
    let reindex = || answer(server.local(Method::POST, &format!("{at}/reindex")).header("Idempotency-Key", "once"));
    let asked = reindex().await.with(StatusCode::ACCEPTED);
    let href = asked.header("location");
    assert_eq!(href, format!("/api/v1/operations/{}", asked.id()));
    assert_eq!(asked.text_of("kind"), "reindex_integration");
    let again = reindex().await.with(StatusCode::ACCEPTED);
    assert_eq!((again.id(), again.header("idempotency-replayed")), (asked.id(), "true".to_owned()));
    let told = ended(&server, &href).await;
    assert_eq!(
        (told.text_of("state"), &told.body["cancellable"]),
        ("succeeded".into(), &json!(false)),
        "{}",
        told.text
    );
    assert_eq!(runs(&server, "asked").await.len(), 3, "one for each, though it was sent twice");

    // Each run says what led to it.
    let position: i64 = asked.header("x-log-position").parse().expect("a position");
    let run = runs(&server, "asked").await[0]["id"].as_str().expect("an id").to_owned();
    let events = server.get(&format!("/api/v1/events?stream={run}&order=asc")).await;
    assert_eq!(events.items()[0]["causation"], format!("event {position}"), "{}", events.text);
    assert_eq!(events.items()[0]["actor"]["name"], "reindex_integration");

    let numbers = async || {
        let list = server.get(&format!("{at}/repositories")).await;
        list.items().iter().map(|row| (row["commits"].clone(), row["keyed"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(numbers().await, vec![(json!(2), json!(2)); 3]);
    let asked = server.post(&format!("{at}/reset"), json!({})).await.with(StatusCode::ACCEPTED);
    assert_eq!(ended(&server, &asked.header("location")).await.text_of("state"), "succeeded");
    let resets = runs(&server, "reset").await;
    assert_eq!(resets.len(), 3);
    assert!(resets.iter().all(|run| run["counts"]["commits"] == 2), "all of them were read again: {resets:?}");
    assert_eq!(numbers().await, vec![(json!(2), json!(2)); 3], "and count once");
    let issue = server.get("/api/v1/issues/SHOP-1/commits").await;
    assert_eq!(issue.items().len(), 3);
    // The first operation is still told, as it ended.
    assert_eq!(server.get(&href).await.text_of("state"), "succeeded");
}

/// A git server that takes connections and says nothing: a run of it goes on until it is cancelled.
async fn a_run_under_way_counts_for_an_index_and_is_waited_for_by_a_reset(server: Server) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/shop.git", silent.local_addr().expect("an address"));
    let added = server.connect("silent", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED).id();
    let running = "/api/v1/index-runs?state=running";
    soon("it is asked", || async { server.get(running).await.items().len() == 1 }).await;
    let run = server.get(running).await.items()[0]["id"].as_str().expect("an id").to_owned();
    let at = format!("/api/v1/integrations/{added}");
    let indexing = server.post(&format!("{at}/reindex"), json!({})).await.with(StatusCode::ACCEPTED);
    let resetting = server.post(&format!("{at}/reset"), json!({})).await.with(StatusCode::ACCEPTED);
    let href = resetting.header("location");
    soon("the reset waits for the run", || async {
        server.get(&href).await.body["problem"]["detail"].as_str().is_some_and(|why| why.contains("is under way"))
    })
    .await;
    let now = server.get(&href).await.with(StatusCode::OK);
    assert_eq!(now.text_of("state"), "running");
    assert_eq!(
        now.body["progress"],
        json!({ "phase": "asking", "done": 0, "total": 1, "unit": "repositories", "eta_seconds": null })
    );
    soon("all runs of the index are asked for", || async {
        let now = server.get(&indexing.header("location")).await.with(StatusCode::OK);
        (now.text_of("state"), &now.body["progress"]["phase"]) == ("running".into(), &json!("indexing"))
    })
    .await;
    let listed = server.get("/api/v1/operations").await.with(StatusCode::OK);
    for id in [indexing.id(), resetting.id()] {
        assert!(listed.items().iter().any(|one| one["id"] == id), "{}", listed.text);
    }
    assert!(runs(&server, "asked").await.is_empty(), "the run that is under way counts");
    server.post(&format!("/api/v1/index-runs/{run}/cancel"), json!({})).await.with(StatusCode::OK);
    let indexed = ended(&server, &indexing.header("location")).await;
    assert_eq!(indexed.text_of("state"), "cancelled", "the run that counts for it was: {}", indexed.text);
    soon("it is reset", || async {
        // The job is tried again after a while, by the server's clock.
        server.pass_days(1);
        runs(&server, "reset").await.len() == 1
    })
    .await;
    assert_eq!(server.get(&href).await.text_of("state"), "running", "until the new run has ended");
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(ended(&server, &href).await.text_of("state"), "cancelled");
}

async fn what_is_not_there_paused_or_removed_is_refused(server: Server) {
    let integration = three(&server).await;
    let at = format!("/api/v1/integrations/{integration}");
    let nobody = "/api/v1/integrations/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for word in ["reindex", "reset"] {
        server.post(&format!("{nobody}/{word}"), json!({})).await.refused(404, "integration_unknown");
        let stale = server.local(Method::POST, &format!("{at}/{word}")).header("If-Match", "\"99\"");
        answer(stale).await.refused(412, "version_stale");
    }
    server.post(&format!("{at}/pause"), json!({})).await.with(StatusCode::OK);
    for word in ["reindex", "reset"] {
        server.post(&format!("{at}/{word}"), json!({})).await.refused(409, "integration_paused");
    }
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    for word in ["reindex", "reset"] {
        server.post(&format!("{at}/{word}"), json!({})).await.refused(409, "integration_removed");
    }
    // An operation is named by the position at which it was asked for, and by no other.
    for unknown in ["1", "0", "999999", "-1", "x", "9223372036854775807"] {
        let href = format!("/api/v1/operations/reset_integration.{integration}.{unknown}");
        server.get(&href).await.refused(404, "operation_unknown");
        server.post(&format!("{href}/cancel"), json!({})).await.refused(404, "operation_unknown");
    }
}

on_both_engines!(
    each_repository_gets_one_run_and_the_operation_tells_of_how_many,
    what_is_not_there_paused_or_removed_is_refused,
);

mod reaching_git {
    use super::*;

    on_both_engines!(reaching_this_machine; a_run_under_way_counts_for_an_index_and_is_waited_for_by_a_reset);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_for_all_of_an_integration_by_its_name_and_waits() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let path = server.home().folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(server.home().run(["index", text(&path)]).await);
    let run = async |arguments: &[&str]| server.home().run(arguments.iter().copied()).await;
    let told = lines(&done(run(&["integration", "reindex", "SHOP", "--json"]).await)).remove(0);
    assert_eq!((&told["kind"], &told["state"]), (&json!("reindex_integration"), &json!("succeeded")));
    let would = done(run(&["integration", "reset", "shop", "--dry-run"]).await);
    assert!(would.contains("1 repository of shop (1 commit that name issues)"), "{would}");
    assert!(would.contains("nothing was done"), "{would}");
    let would = lines(&done(run(&["integration", "reset", "shop", "--dry-run", "--json"]).await)).remove(0);
    assert_eq!(would["done"], false);
    let complained = failed(run(&["integration", "reset", "shop"]).await, 2);
    assert!(complained.contains("--yes"), "{complained}");
    let said = done(run(&["integration", "reset", "shop", "--yes"]).await);
    assert_eq!(said.trim(), "1 repository indexed from their beginning");
    let asked = done(run(&["integration", "reset", "shop", "--yes", "--no-wait"]).await);
    assert!(asked.contains("keytrail operation show reset_integration."), "{asked}");
    // It is known by its whole name also when it has ended and no list has it.
    let id = asked.split_whitespace().find(|word| word.starts_with("reset_integration.")).expect("an id").to_owned();
    soon("it ends", || async { done(run(&["operation", "show", &id]).await).contains("succeeded") }).await;
    let complained = failed(run(&["operation", "cancel", &id]).await, 4);
    assert!(complained.contains("operation_not_cancellable"), "{complained}");
    let complained = failed(run(&["integration", "reset", "other", "--yes"]).await, 3);
    assert!(complained.contains("there is no integration \"other\""), "{complained}");
    // Nobody waited for the last one.
    soon("each made its run", || async {
        let runs = lines(&done(run(&["run", "list", "--json"]).await));
        let caused = |cause: &str| runs.iter().filter(|run| run["cause"] == cause).count();
        (caused("asked"), caused("reset")) == (1, 2)
    })
    .await;
}
