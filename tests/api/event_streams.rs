//! The log as it grows, and a run as it goes on: told as it happens, gone on with where it was lost, ended when it must.

use std::{path::Path, sync::Arc, time::Duration};

use keytrail::{
    app::App,
    clock::Clock,
    config::Access,
    http::{self, HttpSettings, LocalToken},
};
use keytrail_test_support::postgres::database;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    listener::Listener,
    nodes::node,
    repository,
    server::{Server, answer, on_both_engines, soon},
};

fn stream(server: &Server, query: &str) -> reqwest::RequestBuilder {
    server.local(Method::GET, &format!("/api/v1/events/stream{query}"))
}

async fn events_are_told_as_they_happen_and_gone_on_with(server: Server) {
    for _ in 0..3 {
        server.token("viewer").await;
    }
    let mut from_now = Listener::open(stream(&server, "")).await;
    let mut from_the_start = Listener::open(stream(&server, "?after=0")).await;
    let mut last = String::new();
    for expected in 1..=3 {
        let (position, id) = from_the_start.position().await;
        assert_eq!(position, expected);
        last = id;
    }
    server.token("auditor").await;
    let told = from_now.next().await.expect("an event");
    let listed = server.get("/api/v1/events?limit=1&min_position=4").await;
    assert_eq!(told.data, listed.items()[0], "in the words of the list");
    assert_eq!(from_the_start.position().await.0, 4);
    drop((from_now, from_the_start));
    server.token("admin").await;
    let mut resumed = Listener::open(stream(&server, "?after=0").header("Last-Event-ID", &last)).await;
    for expected in 4..=5 {
        assert_eq!(resumed.position().await.0, expected);
    }
    server.token("viewer").await;
    assert_eq!(resumed.position().await.0, 6);
}

async fn a_listener_that_is_cut_before_its_first_event_goes_on_and_nothing_is_left_out(server: Server) {
    for _ in 0..2 {
        server.token("viewer").await;
    }
    let mut cut = Listener::open(stream(&server, "")).await;
    // After it was let in, and before it has heard of anything.
    server.token("auditor").await;
    let last = cut.mark().await;
    assert!(last.ends_with("-2"), "where it begins comes before what happens: {last}");
    drop(cut);
    server.token("admin").await;
    let mut resumed = Listener::open(stream(&server, "").header("Last-Event-ID", &last)).await;
    for expected in 3..=4 {
        assert_eq!(resumed.position().await.0, expected);
    }
    // One that asks for what was, or for little of it, is told as well where it stands.
    for (query, wanted) in [("?after=1", "-1"), ("?after=0&type=integration.", "-0"), ("?type=integration.", "-4")] {
        let last = Listener::open(stream(&server, query)).await.mark().await;
        assert!(last.ends_with(wanted), "{query}: {last}");
    }
}

async fn a_long_history_comes_whole_and_in_order(server: Server) {
    for _ in 0..450 {
        server.token("viewer").await;
    }
    let mut listener = Listener::open(stream(&server, "?after=0")).await;
    let writing = async {
        for _ in 0..20 {
            server.token("auditor").await;
        }
    };
    let reading = async {
        for expected in 1..=470 {
            assert_eq!(listener.position().await.0, expected);
        }
    };
    tokio::join!(writing, reading);
}

async fn a_stream_is_narrowed_like_the_list(server: Server) {
    let token = server.token("admin").await;
    let named = server.get("/api/v1/tokens").await.items()[0]["id"].as_str().expect("an id").to_owned();
    server.token("viewer").await;
    let body = json!({ "name": "x", "role": "viewer", "expires_in_days": 1 });
    let issue = || answer(server.request(Method::POST, "/api/v1/tokens").bearer_auth(&token).json(&body));
    issue().await.with(StatusCode::CREATED);
    for (query, before, after) in [
        (format!("?after=0&stream={named}"), vec![1], None),
        ("?after=0&actor=a%20admin".to_owned(), vec![3], Some(4)),
        ("?after=0&type=access.".to_owned(), vec![1, 2, 3], Some(4)),
        ("?after=1&type=access.token_issued".to_owned(), vec![2, 3], Some(4)),
        ("?after=0&type=integration.".to_owned(), vec![], None),
    ] {
        let listed = server.get(&format!("/api/v1/events{query}&order=asc&until=3&min_position=3")).await;
        let listed: Vec<_> = listed.items().iter().filter_map(|event| event["position"].as_i64()).collect();
        assert_eq!(listed, before, "{query}");
        let mut listener = Listener::open(stream(&server, &query)).await;
        for expected in before {
            assert_eq!(listener.position().await.0, expected, "{query}");
        }
        if let (Some(expected), "?after=0&actor=a%20admin") = (after, query.as_str()) {
            issue().await.with(StatusCode::CREATED);
            assert_eq!(listener.position().await.0, expected, "{query}");
        } else if let Some(expected) = after {
            assert_eq!(listener.position().await.0, expected, "{query}");
        }
    }
}

/// Who was shut out hears nothing any more after so long: what docs/access.md promises, not what is measured.
const SOON: Duration = Duration::from_secs(5);

async fn a_stream_ends_with_its_token(server: Server) {
    let (revoked, expiring) = (server.token("auditor").await, server.token("auditor").await);
    let list = server.get("/api/v1/tokens").await;
    let id = list.items()[0]["id"].as_str().expect("an id").to_owned();
    let open = |token: &str| Listener::open(server.request(Method::GET, "/api/v1/events/stream").bearer_auth(token));
    let (mut one, mut other) = (open(&revoked).await, open(&expiring).await);
    answer(server.local(Method::DELETE, &format!("/api/v1/tokens/{id}"))).await.with(StatusCode::OK);
    let end = tokio::time::timeout(SOON, one.next()).await.expect("it ends soon").expect("it says why");
    assert_eq!((end.name.as_str(), &end.data), ("end", &json!({ "code": "token_invalid" })));
    assert!(one.next().await.is_none(), "nothing comes after it");
    assert_eq!(other.next().await.expect("an event").data["event_type"], "access.token_revoked");
    server.pass_days(30);
    assert_eq!(other.next().await.expect("it says why").data, json!({ "code": "token_invalid" }));
    assert!(other.next().await.is_none());
    let again = answer(server.request(Method::GET, "/api/v1/events/stream").bearer_auth(&revoked)).await;
    again.refused(401, "token_invalid");
}

async fn a_place_to_go_on_that_is_none_is_refused(server: Server) {
    server.token("viewer").await;
    let epoch = {
        let mut listener = Listener::open(stream(&server, "?after=0")).await;
        listener.position().await.1.split_once('-').expect("two parts").0.to_owned()
    };
    let other = epoch.parse::<i64>().expect("a number") + 1;
    for id in [
        format!("{other}-1"),
        format!("{epoch}-1000000"),
        format!("{epoch}--1"),
        format!("{epoch}-"),
        "1".to_owned(),
        "kt_secret-1".to_owned(),
        format!("{epoch}-99999999999999999999"),
    ] {
        let refused = answer(stream(&server, "").header("Last-Event-ID", &id)).await.refused(400, "event_id_invalid");
        assert!(!refused.text.contains("kt_secret"), "{}", refused.text);
    }
    let twice = stream(&server, "").header("Last-Event-ID", format!("{epoch}-1")).header("Last-Event-ID", "x");
    answer(twice).await.refused(400, "event_id_invalid");
    for query in ["?after=x", "?limit=1", "?until=3", "?cursor=x"] {
        answer(stream(&server, query)).await.refused(400, "query_invalid");
    }
    // A head has no end to wait for: its connection serves on.
    for _ in 0..5 {
        let head = server.local(Method::HEAD, "/api/v1/events/stream").send().await.expect("an answer");
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers()["content-type"], "text/event-stream");
    }
}

async fn a_run_is_told_until_it_has_ended(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 the beginning", "SHOP-2 more"]);
    server.add("shop", &path).await.with(StatusCode::CREATED);
    soon("a run is there", || async { !server.get("/api/v1/index-runs").await.items().is_empty() }).await;
    let run = server.get("/api/v1/index-runs").await.items()[0]["id"].as_str().expect("an id").to_owned();
    let mut watcher = Listener::open(server.local(Method::GET, &format!("/api/v1/index-runs/{run}/stream"))).await;
    let mut told = Vec::new();
    let end = loop {
        let came = watcher.next().await.expect("an event");
        if came.name == "end" {
            break came;
        }
        assert_eq!(came.data["id"], run.as_str());
        told.push(came.data);
    };
    assert_eq!(end.data, json!({ "code": "done" }));
    let now = server.get(&format!("/api/v1/index-runs/{run}")).await.with(StatusCode::OK);
    assert_eq!((told.last(), &now.body["state"]), (Some(&now.body), &json!("completed")));
    assert!(watcher.next().await.is_none());
    let unknown = "/api/v1/index-runs/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/stream";
    server.get(unknown).await.refused(404, "index_run_unknown");
}

async fn an_operation_is_told_until_it_has_ended(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 the beginning"]);
    let added = server.add("shop", &path).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories?state=indexed", added.id());
    soon("it is indexed", || async { server.get(&list).await.items().len() == 1 }).await;
    let id = server.get(&list).await.items()[0]["id"].as_str().expect("an id").to_owned();
    let run = server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await.with(StatusCode::ACCEPTED);
    server.get(&format!("/api/v1/index-runs/{}?wait_ms=30000", run.id())).await.with(StatusCode::OK);
    let all = server.post(&format!("/api/v1/integrations/{}/reset", added.id()), json!({})).await;
    let verifying = server.post("/api/v1/views/verify", json!({})).await.with(StatusCode::ACCEPTED);
    for operation in [format!("index_run.{}", run.id()), all.with(StatusCode::ACCEPTED).id(), verifying.id()] {
        let at = format!("/api/v1/operations/{operation}");
        let mut watcher = Listener::open(server.local(Method::GET, &format!("{at}/stream"))).await;
        let mut told = Vec::new();
        let end = loop {
            let came = watcher.next().await.expect("an event");
            if came.name == "end" {
                break came;
            }
            assert_eq!(came.data["id"], operation.as_str());
            told.push(came.data);
        };
        assert_eq!(end.data, json!({ "code": "done" }));
        let now = server.get(&at).await.with(StatusCode::OK);
        assert_eq!((told.last(), &now.body["state"]), (Some(&now.body), &json!("succeeded")));
        assert!(watcher.next().await.is_none());
        // Who comes again is told how it stands.
        let mut watcher = Listener::open(server.local(Method::GET, &format!("{at}/stream"))).await;
        assert_eq!(watcher.next().await.expect("an event").data, now.body);
        assert_eq!(watcher.next().await.expect("an end").data, json!({ "code": "done" }));
    }
    let unknown = "/api/v1/operations/index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/stream";
    server.get(unknown).await.refused(404, "operation_unknown");
    let head = server.local(Method::HEAD, &format!("/api/v1/operations/{}/stream", verifying.id())).send().await;
    assert_eq!(head.expect("an answer").headers()["content-type"], "text/event-stream");
}

on_both_engines!(
    events_are_told_as_they_happen_and_gone_on_with,
    a_listener_that_is_cut_before_its_first_event_goes_on_and_nothing_is_left_out,
    a_long_history_comes_whole_and_in_order,
    a_stream_is_narrowed_like_the_list,
    a_stream_ends_with_its_token,
    a_place_to_go_on_that_is_none_is_refused,
    a_run_is_told_until_it_has_ended,
    an_operation_is_told_until_it_has_ended,
    one_caller_does_not_take_the_places_of_others,
);

async fn one_caller_does_not_take_the_places_of_others(server: Server) {
    let (one, other) = (server.token("auditor").await, server.token("auditor").await);
    let ask = |token: &str| server.request(Method::GET, "/api/v1/events/stream").bearer_auth(token);
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(Listener::open(ask(&one)).await);
    }
    let refused = answer(ask(&one)).await.refused(429, "rate_limited");
    assert!(refused.headers.contains_key("retry-after"));
    drop(Listener::open(ask(&other)).await);
    answer(server.request(Method::GET, "/api/v1/events").bearer_auth(&one)).await.with(StatusCode::OK);
    open.pop();
    soon("there is a place again", || async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        ask(&one).send().await.expect("an answer").status() == StatusCode::OK
    })
    .await;
}

mod few_places {
    use super::*;

    fn two(access: &mut Access, _: &Path) {
        access.streams = 2;
    }

    async fn a_stream_without_a_place_is_refused_and_one_that_ended_leaves_its_own(server: Server) {
        // Who only asks for the head takes no place.
        for _ in 0..3 {
            let head = server.local(Method::HEAD, "/api/v1/events/stream").send().await.expect("an answer");
            assert_eq!(head.status(), StatusCode::OK);
        }
        let one = Listener::open(stream(&server, "")).await;
        let _other = Listener::open(stream(&server, "")).await;
        let refused = answer(stream(&server, "")).await.refused(503, "busy");
        assert!(refused.headers.contains_key("retry-after"));
        server.get("/api/v1/integrations").await.with(StatusCode::OK);
        drop(one);
        // That nobody listens any more is seen also when there is nothing to tell.
        soon("there is a place", || async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream(&server, "").send().await.expect("an answer").status() == StatusCode::OK
        })
        .await;
    }

    on_both_engines!(access two; a_stream_without_a_place_is_refused_and_one_that_ended_leaves_its_own);
}

/// Opens the door of a node: its address and its token.
fn serve(app: &Arc<App>) -> (String, String, actix_web::dev::ServerHandle) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (token, local) = LocalToken::random();
    let access = http::Access::default();
    let settings = HttpSettings { workers: 1, local_token: Some(local), metrics: None, access };
    let serving = http::serve(app.clone(), settings, listener).expect("it serves");
    let handle = serving.handle();
    tokio::spawn(serving);
    (url, token, handle)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_one_node_revoked_is_let_in_nowhere_and_its_streams_end_on_the_other() {
    let database = database().await;
    let (one_folder, other_folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let one = node(one_folder.path(), Some(&database.url()), Clock::System).await;
    std::fs::copy(one_folder.path().join("root.key"), other_folder.path().join("root.key")).expect("a root key");
    let other = node(other_folder.path(), Some(&database.url()), Clock::System).await;
    let ((one_url, one_token, one_handle), (other_url, _, other_handle)) = (serve(&one), serve(&other));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let body = json!({ "name": "x", "role": "auditor", "expires_in_days": 1 });
    let issued = answer(http.post(format!("{one_url}/api/v1/tokens")).bearer_auth(&one_token).json(&body)).await;
    let issued = issued.with(StatusCode::CREATED);
    let token = issued.text_of("token");
    let listen = http.get(format!("{other_url}/api/v1/events/stream")).bearer_auth(&token);
    let mut listener = Listener::open(listen).await;
    let revoke = http.delete(format!("{one_url}/api/v1/tokens/{}", issued.id())).bearer_auth(&one_token);
    answer(revoke).await.with(StatusCode::OK);
    let refused = answer(http.get(format!("{other_url}/api/v1/events")).bearer_auth(&token)).await;
    refused.refused(401, "token_invalid");
    // What the other node had heard before comes first.
    let ends = async {
        loop {
            let came = listener.next().await.expect("it says why");
            if came.name == "end" {
                return came;
            }
            assert_ne!(came.data["event_type"], "access.token_revoked");
        }
    };
    let end = tokio::time::timeout(SOON, ends).await.expect("it ends soon");
    assert_eq!(end.data, json!({ "code": "token_invalid" }));
    assert!(listener.next().await.is_none());
    // A node that stops ends its streams at once.
    let (_, local, handle) = {
        let (url, token, handle) = serve(&one);
        let listener = Listener::open(http.get(format!("{url}/api/v1/events/stream")).bearer_auth(&token)).await;
        (url, listener, handle)
    };
    let mut local = local;
    one.stop().await;
    assert_eq!(local.next().await.expect("it says why").data, json!({ "code": "stopping" }));
    for handle in [handle, one_handle, other_handle] {
        handle.stop(false).await;
    }
    other.stop().await;
}
