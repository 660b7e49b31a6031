//! A server that does not know at which address it is reached: nobody could come back to it.

use keytrail_test_support::fake_github::FakeGithub;
use reqwest::StatusCode;
use serde_json::json;

use crate::server::{Server, on_both_engines};

async fn connecting_by_browser_is_refused_where_nobody_could_come_back(server: Server) {
    let connection = json!({ "kind": "github_app", "organisation": "acme" });
    let id = server.connect("acme", connection).await.with(StatusCode::CREATED).id();
    let at = format!("/api/v1/integrations/{id}/installation/connect");
    server.post(&at, json!({})).await.refused(409, "public_url_missing");
    let shown = server.get(&format!("/api/v1/integrations/{id}/installation")).await;
    assert_eq!(shown.body["version"], 0, "nothing was begun: {}", shown.text);
}

async fn a_server_without_an_address_says_that_no_delivery_can_come(server: Server) {
    let fake = FakeGithub::start().await;
    fake.set_clock(server.app.clock.now().seconds());
    let app = fake.register_app("acme", "An old one");
    let connection = json!({ "kind": "github_app", "host": fake.url(), "organisation": "acme" });
    let id = server.connect("acme", connection).await.with(StatusCode::CREATED).id();
    let at = format!("/api/v1/integrations/{id}/installation");
    let body = json!({ "app_id": app.id, "key": app.key.pkcs1 });
    server.post(&format!("{at}/adopt"), body).await.with(StatusCode::OK);
    let shown = server.post(&format!("{at}/repair"), json!({})).await.with(StatusCode::OK);
    assert_eq!(shown.body["webhooks"], "no_address", "{}", shown.text);
    server.look_behind().await;
}

on_both_engines!(reaching_this_machine;
    connecting_by_browser_is_refused_where_nobody_could_come_back,
    a_server_without_an_address_says_that_no_delivery_can_come,
);
