//! Integrations from their adding to their removal, and what is refused on the way.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    repository,
    server::{Server, answer, on_both_engines, soon},
};

async fn an_integration_is_added_renamed_moved_paused_resumed_and_removed(server: Server) {
    let (one, two) = (server.root.join("one"), server.root.join("two"));
    repository::with_commits(&one, &["ONE-1 begins"]);
    repository::with_commits(&two, &["TWO-1 begins"]);
    let added = server.add("shop", &one).await.with(StatusCode::CREATED);
    let id = added.id();
    let at = format!("/api/v1/integrations/{id}");
    assert_eq!(added.header("location"), at);
    assert_eq!(added.header("etag"), "\"1\"");
    assert_eq!(added.header("x-log-position"), added.body["position"].to_string());
    assert_eq!(
        (added.text_of("name"), added.text_of("kind"), added.text_of("state")),
        ("shop".into(), "path".into(), "active".into())
    );
    assert_eq!(added.body["location"], one.to_str().expect("UTF-8"));
    let mut shown = server.get(&at).await.with(StatusCode::OK).body;
    // How far its repositories are is told when one integration is asked for.
    assert!(shown.as_object_mut().and_then(|shown| shown.remove("indexing")).is_some());
    assert_eq!(shown, added.body);

    let rename = |name: &str, etag: &str| {
        let body = json!({ "name": name });
        answer(server.local(Method::PUT, &format!("{at}/name")).header("If-Match", etag).json(&body))
    };
    let renamed = rename("store", "\"1\"").await.with(StatusCode::OK);
    assert_eq!((renamed.text_of("name"), renamed.header("etag")), ("store".into(), "\"2\"".into()));
    let stale = rename("again", "\"1\"").await.refused(412, "version_stale");
    assert_eq!(stale.body["version"], 2);
    rename("again", "*").await.with(StatusCode::OK);
    rename("again", "W/\"3\"").await.refused(400, "if_match_invalid");
    let body = json!({ "name": "x" });
    answer(server.local(Method::PUT, &format!("{at}/name")).json(&body)).await.refused(428, "if_match_missing");

    let body = json!({ "connection": { "kind": "path", "path": two } });
    let moving = server.local(Method::PUT, &format!("{at}/connection")).json(&body);
    answer(moving.try_clone().expect("a request")).await.refused(428, "if_match_missing");
    let moved = answer(moving.header("If-Match", "\"3\"")).await.with(StatusCode::OK);
    assert_eq!(moved.body["location"], two.to_str().expect("UTF-8"));

    let paused = server.post(&format!("{at}/pause"), json!({})).await.with(StatusCode::OK);
    assert_eq!(paused.text_of("state"), "paused");
    assert_eq!(server.get("/api/v1/integrations?state=paused").await.items().len(), 1);
    assert_eq!(server.get("/api/v1/integrations?state=active").await.items().len(), 0);
    // Saying it twice is no second fact.
    let again = server.post(&format!("{at}/pause"), json!({})).await.with(StatusCode::OK);
    assert_eq!(again.header("etag"), paused.header("etag"));
    let resumed = server.post(&format!("{at}/resume"), json!({})).await.with(StatusCode::OK);
    assert_eq!(resumed.text_of("state"), "active");

    let location = format!("/api/v1/integrations?location={}", two.display());
    assert_eq!(server.get(&location).await.items()[0]["id"], id.as_str());
    answer(server.local(Method::DELETE, &at)).await.refused(428, "if_match_missing");
    let removed = answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(removed.text_of("state"), "removed");
    server.post(&format!("{at}/pause"), json!({})).await.refused(409, "integration_removed");
    assert_eq!(server.get(&location).await.items().len(), 0);
    soon("its repositories are forgotten", || async {
        let list = server.get(&format!("{at}/repositories")).await.with(StatusCode::OK);
        list.items().iter().all(|row| row["state"] == "forgotten")
    })
    .await;
    // Name and place are free again.
    server.add("again", &two).await.with(StatusCode::CREATED);
}

async fn a_name_and_a_place_are_taken_once(server: Server) {
    let (one, two) = (server.root.join("one"), server.root.join("two"));
    repository::empty(&one);
    repository::empty(&two);
    let shop = server.add("Shop", &one).await.with(StatusCode::CREATED).id();
    let refused = server.add("shop", &two).await.refused(409, "integration_name_taken");
    assert_eq!(refused.text_of("integration"), shop);
    let refused = server.add("other", &one).await.refused(409, "connection_taken");
    assert_eq!(refused.text_of("integration"), shop);
    // Also when an integration that is there is changed.
    let other = server.add("store", &two).await.with(StatusCode::CREATED).id();
    for (what, body, code) in [
        ("name", json!({ "name": "SHOP" }), "integration_name_taken"),
        ("connection", json!({ "connection": { "kind": "path", "path": one } }), "connection_taken"),
    ] {
        let change = server.local(Method::PUT, &format!("/api/v1/integrations/{other}/{what}"));
        let refused = answer(change.header("If-Match", "*").json(&body)).await.refused(409, code);
        assert_eq!(refused.text_of("integration"), shop);
    }
    let other = server.local(Method::DELETE, &format!("/api/v1/integrations/{other}")).header("If-Match", "*");
    answer(other).await.with(StatusCode::OK);
    // Another name would not help.
    server.add("Shop", &one).await.refused(409, "connection_taken");
    // Another way to write the same place.
    server.add("other", &two.join("..").join("one").join(".")).await.refused(409, "connection_taken");
    for name in ["", " ", "\u{0}", &"x".repeat(101)] {
        server.add(name, &two).await.refused(422, "name_invalid");
    }
    let unknown = "/api/v1/integrations/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    server.get(unknown).await.refused(404, "integration_unknown");
    server.get(&format!("{unknown}/repositories")).await.refused(404, "integration_unknown");
    server.post(&format!("{unknown}/pause"), json!({})).await.refused(404, "integration_unknown");
    answer(server.local(Method::DELETE, unknown).header("If-Match", "*")).await.refused(404, "integration_unknown");
    server.get("/api/v1/integrations/shop").await.refused(400, "parameter_invalid");
}

async fn sending_a_request_again_with_its_key_does_it_once(server: Server) {
    let (one, two) = (server.root.join("one"), server.root.join("two"));
    repository::empty(&one);
    repository::empty(&two);
    let add = |key: &str, name: &str, path: &std::path::Path| {
        let body = json!({ "name": name, "connection": { "kind": "path", "path": path } });
        answer(server.local(Method::POST, "/api/v1/integrations").header("Idempotency-Key", key).json(&body))
    };
    let first = add("k1", "one", &one).await.with(StatusCode::CREATED);
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = add("k1", "one", &one).await.with(StatusCode::CREATED);
    assert_eq!((again.header("idempotency-replayed"), again.id()), ("true".into(), first.id()));
    add("k1", "two", &two).await.refused(422, "idempotency_key_reused");
    // Also when it would be refused now.
    std::fs::rename(&one, server.root.join("gone")).expect("it moves");
    assert_eq!(add("k1", "one", &one).await.with(StatusCode::CREATED).id(), first.id());
    std::fs::rename(server.root.join("gone"), &one).expect("it moves back");
    for key in ["", "ä", &"k".repeat(201)] {
        add(key, "two", &two).await.refused(400, "idempotency_key_invalid");
    }
    // Another caller's key is another key.
    let admin = server.token("admin").await;
    let body = json!({ "name": "two", "connection": { "kind": "path", "path": two } });
    let request = server.request(Method::POST, "/api/v1/integrations").bearer_auth(admin);
    let other = answer(request.header("Idempotency-Key", "k1").json(&body)).await.with(StatusCode::CREATED);
    assert_ne!(other.id(), first.id());
    // A change that changes nothing is remembered, too.
    let pause = || {
        let path = format!("/api/v1/integrations/{}/pause", first.id());
        answer(server.local(Method::POST, &path).header("Idempotency-Key", "p"))
    };
    pause().await.with(StatusCode::OK);
    assert_eq!(pause().await.with(StatusCode::OK).header("idempotency-replayed"), "true");
}

on_both_engines!(
    an_integration_is_added_renamed_moved_paused_resumed_and_removed,
    a_name_and_a_place_are_taken_once,
    sending_a_request_again_with_its_key_does_it_once,
);
