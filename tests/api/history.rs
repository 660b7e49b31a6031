//! The log, told and replayed.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    repository,
    server::{Server, answer, on_both_engines},
};

async fn events_say_who_did_what_through_which_door(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    let admin = server.token("admin").await;
    let body = json!({ "name": "shop", "connection": { "kind": "path", "path": path } });
    let added = answer(server.request(Method::POST, "/api/v1/integrations").bearer_auth(&admin).json(&body)).await;
    let added = added.with(StatusCode::CREATED);
    let at = format!("/api/v1/integrations/{}", added.id());
    let paused = server.post(&format!("{at}/pause"), json!({})).await.with(StatusCode::OK);
    let events = server
        .get(&format!("/api/v1/events?stream={}&order=asc&min_position={}", added.id(), paused.body["position"]))
        .await
        .with(StatusCode::OK);
    let [first, second] = events.items() else { panic!("two events, not {}", events.text) };
    assert_eq!((&first["event_type"], &first["source"]), (&json!("integration.added"), &json!("api")));
    assert_eq!((&first["actor"]["kind"], &first["actor"]["name"]), (&json!("token"), &json!("a admin")));
    assert_eq!(first["request_id"].as_str(), Some(added.header("x-request-id").as_str()));
    assert_eq!((&second["actor"]["kind"], &second["source"]), (&json!("local"), &json!("cli")));
    let newest = server.get("/api/v1/events?type=integration.&limit=1").await;
    assert_eq!(newest.items()[0]["event_type"], "integration.paused");
    let cursor = newest.body["next"].as_str().expect("more").to_owned();
    let older = server.get(&format!("/api/v1/events?type=integration.&limit=1&cursor={cursor}")).await;
    assert_eq!(older.items()[0]["event_type"], "integration.added");
    assert_eq!(server.get("/api/v1/events?type=integration.paused&actor=local").await.items().len(), 1);
    assert_eq!(server.get("/api/v1/events?type=integration.paused&actor=nobody").await.items().len(), 0);
    let until = format!("/api/v1/events?type=integration.&until={}", added.body["position"]);
    assert_eq!(server.get(&until).await.items().len(), 1);
    for wrong in ["order=sideways", "type=bogus", "type=integration", "type=bogus.", "after=-1", "until=-1"] {
        server.get(&format!("/api/v1/events?{wrong}")).await.refused(400, "query_invalid");
    }
    for good in ["type=integration.", "type=integration.added", "after=0"] {
        server.get(&format!("/api/v1/events?{good}")).await.with(StatusCode::OK);
    }
    let whole = server.get("/api/v1/events?limit=500").await;
    assert!(!whole.text.contains(&admin[10..]), "no token is in the log");
}

async fn a_stream_is_replayed_with_the_state_after_each_event(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    let added = server.add("shop", &path).await.with(StatusCode::CREATED);
    server.post(&format!("/api/v1/integrations/{}/pause", added.id()), json!({})).await.with(StatusCode::OK);
    let at = format!("/api/v1/streams/integration/{}/events", added.id());
    let events = server.get(&format!("{at}?state=true")).await.with(StatusCode::OK);
    let [first, second] = events.items() else { panic!("two events, not {}", events.text) };
    assert_eq!((&first["state"]["state"], &second["state"]["state"]), (&json!("active"), &json!("paused")));
    assert_eq!(first["payload"]["added"]["name"], "shop");
    assert_eq!(first["metadata"]["actor"]["kind"], "local");
    assert_eq!((&first["sequence"], &first["event_version"]), (&json!(1), &json!("1")));
    let first_only = server.get(&format!("{at}?until={}", first["position"])).await;
    assert_eq!(first_only.items().len(), 1);
    assert!(first_only.items()[0].get("state").is_none());
    let page = server.get(&format!("{at}?limit=1&state=true")).await;
    let cursor = page.body["next"].as_str().expect("more");
    let rest = server.get(&format!("{at}?limit=1&state=true&cursor={cursor}")).await;
    assert_eq!(rest.items(), &events.items()[1..]);
    let unknown = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    server.get(&format!("/api/v1/streams/integration/{unknown}/events")).await.refused(404, "stream_unknown");
    server.get(&format!("/api/v1/streams/nothing/{unknown}/events")).await.refused(404, "stream_unknown");
    server.get(&format!("/api/v1/streams/index_batch/{unknown}/events")).await.refused(422, "stream_not_shown");
}

on_both_engines!(events_say_who_did_what_through_which_door, a_stream_is_replayed_with_the_state_after_each_event);
