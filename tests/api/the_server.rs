//! The server itself: health, views, its description and the viewer of that.

use keytrail_projections::registry::VIEWS;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository,
    server::{Server, answer, on_both_engines, soon},
};

async fn it_says_how_it_is(server: Server) {
    let live = answer(server.request(Method::GET, "/livez")).await.with(StatusCode::OK);
    assert_eq!(live.body["status"], "live");
    let ready = answer(server.request(Method::GET, "/readyz")).await.with(StatusCode::OK);
    assert_eq!((&ready.body["ready"], &ready.body["store_writable"]), (&json!(true), &json!(true)));
    assert_eq!(ready.body["engine"], if server.is_sqlite() { "sqlite" } else { "postgres" });
    assert_eq!(ready.body["views"].as_array().map(Vec::len), Some(VIEWS.len()));
    server.get("/metrics").await.refused(404, "metrics_off");
    // A clock that was set back is said, not believed.
    server.token("viewer").await;
    server.pass_days(-1);
    let behind = answer(server.request(Method::GET, "/readyz")).await.with(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(behind.body["causes"], json!(["clock_behind"]));
    server.pass_days(1);
}

async fn views_are_listed_rebuilt_and_verified(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 the beginning", "SHOP-2 more"]);
    server.add("shop", &path).await.with(StatusCode::CREATED);
    soon("it is indexed", || async { server.get("/api/v1/repositories?state=indexed").await.items().len() == 1 }).await;
    let rebuilt = server.post("/api/v1/views/issue_commits/rebuild", json!({})).await.with(StatusCode::ACCEPTED);
    assert!(rebuilt.items().iter().any(|view| view["name"] == "issue_commits"));
    soon("it is built", || async {
        server.get("/api/v1/views").await.items().iter().all(|view| view["building"].is_null() && view["lag"] == 0)
    })
    .await;
    let verified = server.post("/api/v1/views/verify?wait=true", json!({})).await.with(StatusCode::OK);
    assert_eq!(verified.body["same"], true, "{}", verified.text);
    assert_eq!(server.get("/api/v1/issues/SHOP-1").await.body["commits"], 1);
    server.post("/api/v1/views/nothing/rebuild", json!({})).await.refused(404, "view_unknown");
}

async fn its_description_and_the_viewer_are_served_from_itself(server: Server) {
    let served = answer(server.request(Method::GET, "/openapi.json")).await.with(StatusCode::OK);
    let committed: Value = serde_json::from_str(include_str!("../../openapi/v1.json")).expect("JSON");
    assert_eq!(served.body, committed);
    assert_eq!(served.text, include_str!("../../openapi/v1.json"), "the file itself: no copy of it is kept in memory");
    let page = answer(server.request(Method::GET, "/docs")).await.with(StatusCode::OK);
    assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
    assert!(page.header("content-security-policy").contains("script-src 'self'"));
    // What its page names is served here, and nothing is inline that the policy forbids.
    assert!(!page.text.contains("https://") && !page.text.contains("<script>"), "{}", page.text);
    for part in page.text.split(['"', '\'']).filter(|part| part.ends_with(".js") || part.ends_with(".css")) {
        let path = format!("/docs/{}", part.trim_start_matches("./"));
        answer(server.request(Method::GET, &path)).await.with(StatusCode::OK);
    }
    let api = answer(server.local(Method::GET, "/api/v1/integrations")).await;
    assert_eq!(api.header("cache-control"), "no-store");
    assert_eq!(api.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
}

on_both_engines!(
    it_says_how_it_is,
    views_are_listed_rebuilt_and_verified,
    its_description_and_the_viewer_are_served_from_itself,
);
