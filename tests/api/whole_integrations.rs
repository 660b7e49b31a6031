//! Operations over all repositories of an integration: cancelled, listed however many they are, and told for ever as they
//! ended.

use keytrail::{
    app::Context,
    jobs::{Kind, NewJob},
    store::{Area, Statement},
};
use keytrail_domain::{
    display_text::DisplayText,
    id::RepositoryId,
    index_run::{Cause, Command, FailureCode, IndexRun},
};
use keytrail_test_support::server::{Home, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    command_line::{done, lines},
    index_again::{ended, runs, three},
    server::{Server, on_both_engines, soon},
};

/// An integration of a git server that says nothing, whose first run was cancelled; and the server.
async fn silent(server: &Server) -> (String, std::net::TcpListener) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/shop.git", silent.local_addr().expect("an address"));
    let added = server.connect("silent", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED).id();
    let run = running(server).await;
    server.post(&format!("/api/v1/index-runs/{run}/cancel"), json!({})).await.with(StatusCode::OK);
    (added, silent)
}

/// The run that goes on.
async fn running(server: &Server) -> String {
    let running = "/api/v1/index-runs?state=running";
    soon("a run goes on", || async { server.get(running).await.items().len() == 1 }).await;
    server.get(running).await.items()[0]["id"].as_str().expect("an id").to_owned()
}

async fn an_operation_over_an_integration_is_cancelled_with_each_of_its_runs(server: Server) {
    let (integration, _silent) = silent(&server).await;
    let asked = server.post(&format!("/api/v1/integrations/{integration}/reset"), json!({})).await;
    let href = asked.with(StatusCode::ACCEPTED).header("location");
    let run = running(&server).await;
    let now = server.get(&href).await;
    assert_eq!((now.text_of("state"), &now.body["cancellable"]), ("running".into(), &json!(true)), "{}", now.text);
    let cancel = async || server.post(&format!("{href}/cancel"), json!({})).await;
    let stopped = cancel().await.with(StatusCode::ACCEPTED);
    assert_eq!((stopped.text_of("state"), &stopped.body["cancellable"]), ("cancelled".into(), &json!(false)));
    let end = server.get(&format!("/api/v1/index-runs/{run}?wait_ms=30000")).await;
    assert_eq!(end.text_of("state"), "cancelled", "{}", end.text);
    cancel().await.with(StatusCode::ACCEPTED);

    // Who did it is said once, and the run says what led to its end.
    let wished = server.get("/api/v1/events?type=integration.indexing_cancelled").await.with(StatusCode::OK);
    let [wish] = wished.items() else { panic!("one event: {}", wished.text) };
    assert_eq!((&wish["stream_id"], &wish["actor"]["kind"]), (&json!(integration), &json!("local")), "{wish}");
    let told = server.get(&format!("/api/v1/events?stream={run}&type=index_run.cancelled")).await;
    assert_eq!(told.items()[0]["causation"], format!("event {}", wish["position"]), "{}", told.text);

    // Another one begins anew, and changes nothing of what the first says.
    let asked = server.post(&format!("/api/v1/integrations/{integration}/reindex"), json!({})).await;
    let second = asked.with(StatusCode::ACCEPTED).header("location");
    assert_ne!(running(&server).await, run);
    assert_eq!(server.get(&href).await.text_of("state"), "cancelled");
    let listed = server.get("/api/v1/operations").await.with(StatusCode::OK);
    let kinds: Vec<_> = listed.items().iter().map(|one| one["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["reindex_integration", "index_run"], "{}", listed.text);
    server.post(&format!("{second}/cancel"), json!({})).await.with(StatusCode::ACCEPTED);
    assert_eq!(ended(&server, &second).await.text_of("state"), "cancelled");
    soon("its run is cancelled", || async { server.get("/api/v1/index-runs?state=running").await.items().is_empty() })
        .await;
}

async fn what_is_cancelled_while_it_is_asked_for_asks_no_further(server: Server) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/shop.git", silent.local_addr().expect("an address"));
    let added = server.connect("silent", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED).id();
    let run = running(&server).await;
    let asked = server.post(&format!("/api/v1/integrations/{added}/reset"), json!({})).await;
    let href = asked.with(StatusCode::ACCEPTED).header("location");
    soon("the reset waits for the run", || async {
        server.get(&href).await.body["problem"]["detail"].as_str().is_some_and(|why| why.contains("is under way"))
    })
    .await;
    server.post(&format!("{href}/cancel"), json!({})).await.with(StatusCode::ACCEPTED);
    assert_eq!(server.get(&href).await.text_of("state"), "cancelled");
    let still = server.get(&format!("/api/v1/index-runs/{run}")).await;
    assert_eq!(still.text_of("state"), "running", "it was asked for by something else");
    server.post(&format!("/api/v1/index-runs/{run}/cancel"), json!({})).await.with(StatusCode::OK);
    soon("nothing is left to be asked for", || async {
        // The job is tried again after a while, by the server's clock.
        server.pass_days(1);
        server.app.jobs.standing(Kind::ResetIntegration, &added).await.expect("it is told").is_none()
    })
    .await;
    assert_eq!(runs(&server, "reset").await, Vec::<Value>::new());
}

async fn what_ended_stays_so_whatever_is_asked_later(server: Server) {
    let integration = three(&server).await;
    let at = format!("/api/v1/integrations/{integration}");
    let mut ends = Vec::new();
    for word in ["reset", "reindex"] {
        let asked = server.post(&format!("{at}/{word}"), json!({})).await.with(StatusCode::ACCEPTED);
        let href = asked.header("location");
        assert_eq!(ended(&server, &href).await.text_of("state"), "succeeded");
        ends.push(href);
    }
    // An outdated node takes no job: what is asked for now goes on.
    server.app.jobs.set_outdated();
    for word in ["reset", "reindex"] {
        server.post(&format!("{at}/{word}"), json!({})).await.with(StatusCode::ACCEPTED);
    }
    let list = server.get(&format!("{at}/repositories")).await;
    let repositories: Vec<RepositoryId> =
        list.items().iter().map(|row| row["id"].as_str().expect("an id").parse().expect("an id")).collect();
    let mut asked = Vec::new();
    for repository in &repositories[..2] {
        let (run, context) = (keytrail::ids::new_id(), Context::server("case", 0));
        let reset = Command::Request { repository: *repository, cause: Cause::Reset };
        server.app.dispatch::<IndexRun>(run, reset, context, Vec::new()).await.expect("it is asked for");
        asked.push(run);
    }
    let head = server.app.log.feed().head().position;
    for href in &ends {
        let now = server.get(&format!("{href}?min_position={head}")).await.with(StatusCode::OK);
        assert_eq!(now.text_of("state"), "succeeded", "{}", now.text);
    }
    // Nor does it matter how what comes later ends.
    server.post(&format!("/api/v1/index-runs/{}/cancel", asked[0]), json!({})).await.with(StatusCode::OK);
    let (fail, context) =
        (Command::Fail { code: FailureCode::Internal, text: DisplayText::clean("no") }, Context::server("case", 0));
    server.app.dispatch::<IndexRun>(asked[1], fail, context, Vec::new()).await.expect("it failed");
    let head = server.app.log.feed().head().position;
    for href in &ends {
        let now = server.get(&format!("{href}?min_position={head}")).await.with(StatusCode::OK);
        assert_eq!(now.text_of("state"), "succeeded", "{}", now.text);
    }
    clear(&server).await;
}

/// Takes away what an outdated node leaves.
async fn clear(server: &Server) {
    let head = server.app.log.feed().head().position;
    soon("the policies have read it all", || async {
        keytrail::reactors::position(&server.app.db).await.expect("it is told") == head
    })
    .await;
    let jobs = Statement::new("DELETE FROM jobs", Vec::new());
    server.app.db.write(Area::Log, vec![jobs]).await.expect("they are taken away");
}

/// All operations, page by page.
async fn pages(server: &Server, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/operations?limit={limit}{cursor}")).await.with(StatusCode::OK);
        found.extend(page.items().iter().map(|one| one["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page.body["next"].as_str() else { return found };
        assert_eq!(page.items().len(), limit, "a page that is not the last one is full");
        cursor = format!("&cursor={next}");
    }
}

async fn however_many_operations_there_are_all_are_listed(server: Server) {
    let integration = three(&server).await;
    let at = format!("/api/v1/integrations/{integration}");
    server.app.jobs.set_outdated();
    let mut expected = Vec::new();
    for word in ["reset", "reindex"] {
        let mut asked = Vec::new();
        for _ in 0..12 {
            asked.push(server.post(&format!("{at}/{word}"), json!({})).await.with(StatusCode::ACCEPTED).id());
        }
        expected.extend(asked.into_iter().rev());
    }
    let head = server.app.log.feed().head().position;
    let (mut waiting, now) = (Vec::new(), server.app.clock.now());
    for kind in [Kind::ForgetRepositories, Kind::DiscoverRepositories] {
        let mut keys: Vec<_> = (0..230).map(|_| keytrail::ids::new_id().to_string()).collect();
        keys.sort();
        expected.extend(keys.iter().rev().map(|key| format!("{}.{key}", kind.as_str())));
        waiting.extend(keys.into_iter().map(|key| {
            let job = NewJob { kind, key, repository: None, integration: None, caused_by: head, is_urgent: false };
            job.enqueue(&server.app.db, now)
        }));
    }
    server.app.db.write(Area::Log, waiting).await.expect("they wait");
    server.get(&format!("/api/v1/operations?min_position={head}")).await.with(StatusCode::OK);
    for limit in [500, 100, 7] {
        assert_eq!(pages(&server, limit).await, expected, "by {limit}");
    }
    clear(&server).await;
}

on_both_engines!(what_ended_stays_so_whatever_is_asked_later, however_many_operations_there_are_all_are_listed);

mod reaching_git {
    use super::*;

    on_both_engines!(reaching_this_machine;
        an_operation_over_an_integration_is_cancelled_with_each_of_its_runs,
        what_is_cancelled_while_it_is_asked_for_asks_no_further,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_cancels_an_operation_over_an_integration() {
    let env = [
        ("KEYTRAIL__GIT__HOSTS", r#"["127.0.0.1"]"#),
        ("KEYTRAIL__GIT__ALLOW_HTTP", "true"),
        ("KEYTRAIL__GIT__FREE_BYTES", "0"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() }).start().await;
    let run = async |arguments: &[&str]| server.home().run(arguments.iter().copied()).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/shop.git", silent.local_addr().expect("an address"));
    done(run(&["integration", "add", &url, "--name", "silent"]).await);
    let newest = async || lines(&done(run(&["run", "list", "--json"]).await)).into_iter().next().unwrap_or_default();
    soon("it is asked", || async { newest().await["state"] == "running" }).await;
    let first = newest().await["id"].as_str().expect("an id").to_owned();
    done(run(&["run", "cancel", &first]).await);
    done(run(&["integration", "reindex", "silent", "--no-wait"]).await);
    soon("it is asked again", || async {
        let now = newest().await;
        now["state"] == "running" && now["id"] != json!(first)
    })
    .await;
    let listed = lines(&done(run(&["operation", "list", "--json"]).await));
    let id = listed.iter().find(|one| one["kind"] == "reindex_integration").expect("it goes on")["id"].clone();
    let id = id.as_str().expect("an id");
    let stopped = done(run(&["operation", "cancel", id]).await);
    assert!(stopped.contains("cancelled"), "{stopped}");
    soon("its run ends", || async { newest().await["state"] == "cancelled" }).await;
    // No list has it any more; its whole name is enough.
    let shown = done(run(&["operation", "show", id]).await);
    assert!(shown.contains("Somebody cancelled it"), "{shown}");
}
