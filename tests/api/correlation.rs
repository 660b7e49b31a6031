//! By what a request is found again: its id and its trace, from the header to the log.

use keytrail_test_support::{
    server::{Home, Options},
    web_server::Scripted,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository,
    server::{Server, answer, on_both_engines, soon},
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ID: &str = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

async fn a_trace_and_an_id_go_from_the_header_into_the_log_and_no_further(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let body = json!({ "name": "shop", "connection": { "kind": "path", "path": path } });
    let add = server.local(Method::POST, "/api/v1/integrations").json(&body);
    let added = answer(add.header("traceparent", TRACE).header("X-Request-Id", ID)).await.with(StatusCode::CREATED);
    assert_eq!(added.header("x-request-id"), ID);
    let of = |stream: String, position: Value| format!("/api/v1/events?stream={stream}&min_position={position}");
    let told = server.get(&of(added.id(), added.body["position"].clone())).await;
    assert_eq!((&told.items()[0]["trace"], &told.items()[0]["request_id"]), (&json!(TRACE), &json!(ID)));
    let stored = server.get(&format!("/api/v1/streams/integration/{}/events", added.id())).await;
    assert_eq!(stored.items()[0]["metadata"]["trace"], TRACE);

    // Without one there is none, and what is malformed or came twice is as good as none.
    let at = format!("/api/v1/integrations/{}", added.id());
    for (n, headers) in [&[][..], &["00-0-0-00"], &[TRACE, TRACE]].into_iter().enumerate() {
        let wish = if n % 2 == 0 { "pause" } else { "resume" };
        let mut request = server.local(Method::POST, &format!("{at}/{wish}")).json(&json!({}));
        for header in headers {
            request = request.header("traceparent", *header).header("X-Request-Id", "not an id");
        }
        let done = answer(request).await;
        assert!(done.status.is_success(), "{}", done.text);
        let told = server.get(&of(added.id(), done.body["position"].clone())).await;
        assert!(told.items()[0]["trace"].is_null(), "{}", told.text);
        assert_eq!(told.items()[0]["request_id"].as_str(), Some(&*done.header("x-request-id")));
        let stored = server.get(&format!("/api/v1/streams/integration/{}/events", added.id())).await;
        let last = stored.items().last().expect("an event");
        assert!(last["metadata"].get("trace").is_none(), "{last}");
    }

    // A remote is told neither.
    let remote = Scripted::answering("404 Not Found", "text/plain", b"no");
    let body = json!({ "name": "far", "connection": { "kind": "git", "url": remote.url("x.git") } });
    let add = server.local(Method::POST, "/api/v1/integrations").json(&body);
    answer(add.header("traceparent", TRACE).header("X-Request-Id", ID)).await;
    soon("the remote is asked", || async { !remote.asked().is_empty() }).await;
    for head in remote.asked() {
        let head = head.to_lowercase();
        assert!(!head.contains("traceparent") && !head.contains(TRACE_ID) && !head.contains(ID), "{head}");
    }
}

on_both_engines!(reaching_this_machine; a_trace_and_an_id_go_from_the_header_into_the_log_and_no_further);

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_log_name_the_request_and_its_trace() {
    let env = vec![("KEYTRAIL__LOG__LEVEL".to_owned(), "keytrail=debug".to_owned())];
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() }).start().await;
    let url = format!("{}/livez", server.client().url());
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let sent = client.get(&url).header("traceparent", TRACE).header("X-Request-Id", ID).send().await;
    assert_eq!(sent.expect("an answer").status(), StatusCode::OK);
    let other = client.get(url).send().await.expect("an answer");
    let other = other.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
    let (home, _) = server.terminate().await;
    let lines: Vec<Value> = home.log().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |id: &str| {
        let found = lines.iter().find(|line| line["message"] == "answered" && line["span"]["request_id"] == id);
        found.unwrap_or_else(|| panic!("no line of {id} in {lines:?}"))
    };
    let line = of(ID);
    assert_eq!((&line["span"]["trace_id"], &line["span"]["name"]), (&json!(TRACE_ID), &json!("request")), "{line}");
    assert!(of(&other)["span"]["trace_id"].is_null());
    // A token that a server made for itself is in no line.
    assert!(!home.log().contains("kt_"), "a token is in the log");
}
