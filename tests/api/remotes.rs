//! Repositories of a git server from their adding to their removal, and what becomes of their credentials.

use keytrail_test_support::web_server::{Door, ForwardProxy, Shown, WebServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository::{self, git},
    server::{Answer, Server, answer, soon},
    transports::by_both_transports,
};

/// A web server with the bare repository `shop.git`, whose commits have these messages. A case looks behind before the web
/// server goes: who still reads from it would try again.
pub(crate) fn served(server: &Server, messages: &[&str]) -> WebServer {
    let folder = server.elsewhere.join("served");
    std::fs::create_dir_all(&folder).expect("a folder");
    repository::with_commits(&server.elsewhere.join("work"), messages);
    git(&folder, &["clone", "-q", "--bare", "../work", "shop.git"]);
    WebServer::start(&folder)
}

pub(crate) fn credential() -> Value {
    json!({ "user": WebServer::USER, "password": WebServer::PASSWORD })
}

async fn shown(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/integrations/{id}")).await.with(StatusCode::OK).body["connection"].clone()
}

async fn change(server: &Server, id: &str, connection: Value) -> Answer {
    let request = server.local(Method::PUT, &format!("/api/v1/integrations/{id}/connection")).header("If-Match", "*");
    answer(request.json(&json!({ "connection": connection }))).await
}

async fn repositories(server: &Server, id: &str) -> Vec<Value> {
    server.get(&format!("/api/v1/integrations/{id}/repositories")).await.with(StatusCode::OK).items().to_vec()
}

async fn is_indexed(server: &Server, id: &str) {
    soon("its repository is indexed", || async {
        let all = repositories(server, id).await;
        all.iter().any(|row| row["state"] == "indexed")
    })
    .await;
}

async fn a_private_repository_behind_ones_own_authority_is_added_read_and_removed(server: Server) {
    let web = served(&server, &["SHOP-1 begins", "SHOP-2 goes on"]);
    let url = web.tls_url_at(Shown::Good, Door::Private, "shop.git");
    let connection = json!({
        "kind": "git", "url": url, "credential": credential(),
        "trust": { "kind": "authority", "pem": &*web.ca_pem() },
        "refs": { "notes": true, "patterns": ["refs/pull-requests/*/from"] },
    });
    let added = server.connect("shop", connection).await.with(StatusCode::CREATED);
    let id = added.id();
    assert_eq!((added.text_of("kind"), added.text_of("location")), ("git".into(), url.clone()));
    let connection = shown(&server, &id).await;
    let prints = connection["trust"]["fingerprints"].as_array().cloned().unwrap_or_default();
    assert!(prints.len() == 1 && prints[0].as_str().is_some_and(|print| print.len() == 64), "{connection}");
    let expected = json!({
        "kind": "git", "url": url, "credential": true, "ssh_key": null, "proxy": null,
        "trust": { "kind": "authority", "fingerprints": prints },
        "refs": { "notes": true, "changes": false, "patterns": ["refs/pull-requests/*/from"] },
    });
    assert_eq!(connection, expected);
    assert_eq!(server.get("/api/v1/integrations").await.items()[0]["connection"], expected);
    assert_eq!(server.sealed().await, ["credential"]);

    is_indexed(&server, &id).await;
    let issue = server.get("/api/v1/issues/SHOP-2").await.with(StatusCode::OK);
    assert_eq!(issue.body["commits"], 1, "{}", issue.text);
    assert_eq!(repositories(&server, &id).await[0]["reading"], "mirrored");
    let indexing = server.get(&format!("/api/v1/integrations/{id}")).await.body["indexing"].clone();
    let wanted = json!({ "repositories": 1, "indexed": 1, "failed": 0, "waiting": 0, "eta_seconds": null });
    assert_eq!(indexing, wanted);

    let at = format!("/api/v1/integrations/{id}");
    let removed = answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(removed.body["connection"]["credential"], true, "what was there is history");
    assert!(server.sealed().await.is_empty(), "the secret went with it");
    server.look_behind().await;
}

async fn a_credential_stays_with_its_server_and_goes_nowhere_else(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let private = web.url_at(Door::Private, "shop.git");
    let added = server.connect("shop", json!({ "kind": "git", "url": private, "credential": credential() })).await;
    let id = added.with(StatusCode::CREATED).id();
    is_indexed(&server, &id).await;
    // Unsaid, it stays; also for another path of the same server, whatever else changes.
    let open = json!({ "kind": "git", "url": web.url("shop.git"), "refs": { "changes": true } });
    let changed = change(&server, &id, open.clone()).await.with(StatusCode::OK);
    assert_eq!(changed.body["connection"]["credential"], true);
    assert_eq!(changed.body["connection"]["refs"]["changes"], true);
    assert_eq!(server.sealed().await, ["credential"]);
    // The same again is no news.
    let again = change(&server, &id, open.clone()).await.with(StatusCode::OK);
    assert_eq!(again.header("etag"), changed.header("etag"));
    // Another one takes its place, and the one before is gone.
    let other = json!({ "user": "", "password": "another" });
    let body = json!({ "kind": "git", "url": web.url("shop.git"), "credential": other });
    change(&server, &id, body).await.with(StatusCode::OK);
    assert_eq!(server.sealed().await, ["credential"]);
    // Another port is another server.
    let tls = web.tls_url("shop.git");
    let body = json!({ "kind": "git", "url": tls, "trust": { "kind": "authority", "pem": &*web.ca_pem() } });
    let moved = change(&server, &id, body).await.with(StatusCode::OK);
    assert_eq!(moved.body["connection"]["credential"], false);
    assert!(server.sealed().await.is_empty());
    // What is null is taken away.
    let with = json!({ "kind": "git", "url": web.url("shop.git"), "credential": credential() });
    change(&server, &id, with).await.with(StatusCode::OK);
    assert_eq!(server.sealed().await, ["credential"]);
    let without = json!({ "kind": "git", "url": web.url("shop.git"), "credential": null });
    let changed = change(&server, &id, without).await.with(StatusCode::OK);
    assert_eq!(changed.body["connection"]["credential"], false);
    assert!(server.sealed().await.is_empty());
    change(&server, &id, json!({ "kind": "path", "path": server.elsewhere.join("work") }))
        .await
        .refused(422, "integration_other_kind");
    server.look_behind().await;
}

/// Nobody waits for the next poll once a connection is mended.
async fn what_failed_is_looked_at_again_when_its_connection_changes(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let url = web.url_at(Door::Private, "shop.git");
    let wrong = json!({ "user": WebServer::USER, "password": "wrong" });
    let added = server.connect("shop", json!({ "kind": "git", "url": url, "credential": wrong })).await;
    let id = added.with(StatusCode::CREATED).id();
    soon("its first run failed", || async {
        repositories(&server, &id).await.first().is_some_and(|row| row["state"] == "failed")
    })
    .await;
    let failure = repositories(&server, &id).await[0]["failure"].clone();
    assert_eq!(failure["code"], "unauthorized");
    assert!(failure["next"].as_str().is_some_and(|next| next.contains("give a credential")), "{failure}");
    let indexing = server.get(&format!("/api/v1/integrations/{id}")).await.body["indexing"].clone();
    assert_eq!((&indexing["failed"], &indexing["indexed"]), (&json!(1), &json!(0)));
    let right = json!({ "kind": "git", "url": url, "credential": credential() });
    change(&server, &id, right).await.with(StatusCode::OK);
    is_indexed(&server, &id).await;
    server.look_behind().await;
}

async fn a_proxy_has_a_credential_of_its_own(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    // Paused, it is not looked at: nothing answers where the proxy is said to be.
    let id = server.connect("shop", json!({ "kind": "git", "url": web.url("shop.git") })).await.id();
    is_indexed(&server, &id).await;
    server.post(&format!("/api/v1/integrations/{id}/pause"), json!({})).await.with(StatusCode::OK);
    let with = |proxy: Value| json!({ "kind": "git", "url": web.url("shop.git"), "proxy": proxy });
    let embedded = with(json!({ "url": "http://porter:op%65n@127.0.0.1:3128" }));
    let changed = change(&server, &id, embedded).await.with(StatusCode::OK);
    assert_eq!(
        changed.body["connection"]["proxy"],
        json!({ "url": "http://127.0.0.1:3128", "credential": true }),
        "{}",
        changed.text
    );
    assert_eq!(server.sealed().await, ["proxy_credential"]);
    let kept = change(&server, &id, with(json!({ "url": "http://127.0.0.1:3128" }))).await.with(StatusCode::OK);
    assert_eq!(kept.header("etag"), changed.header("etag"));
    // What is not encrypted is read by the proxy: what was given without one is not shown to it.
    let mut plain = with(Value::Null);
    plain["credential"] = credential();
    change(&server, &id, plain).await.with(StatusCode::OK);
    assert_eq!(server.sealed().await, ["credential"]);
    let read = change(&server, &id, with(json!({ "url": "http://a:b@127.0.0.1:3128" }))).await.with(StatusCode::OK);
    assert_eq!(read.body["connection"]["credential"], false);
    assert_eq!(server.sealed().await, ["proxy_credential"]);
    let moved = change(&server, &id, with(json!({ "url": "http://127.0.0.1:3129" }))).await.with(StatusCode::OK);
    assert_eq!(moved.body["connection"]["proxy"]["credential"], false);
    assert!(server.sealed().await.is_empty());
    let gone = change(&server, &id, with(Value::Null)).await.with(StatusCode::OK);
    assert_eq!(gone.body["connection"]["proxy"], Value::Null);
    server.look_behind().await;
}

async fn a_repository_is_read_through_a_proxy_that_wants_to_know_who_asks(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let proxy = ForwardProxy::start();
    let login = json!({ "user": ForwardProxy::USER, "password": ForwardProxy::PASSWORD });
    let connection = json!({
        "kind": "git", "url": web.tls_url_at(Shown::Good, Door::Private, "shop.git"), "credential": credential(),
        "trust": { "kind": "authority", "pem": &*web.ca_pem() },
        "proxy": { "url": proxy.url(), "credential": login },
    });
    let added = server.connect("shop", connection).await.with(StatusCode::CREATED);
    assert_eq!(server.sealed().await, ["credential", "proxy_credential"]);
    is_indexed(&server, &added.id()).await;
    server.look_behind().await;
}

async fn what_stands_before_the_at_sign_is_taken_out_and_sealed(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let private = web.url_at(Door::Private, "shop.git");
    let embedded = private.replace("://", "://alice:p%40ss%20w0rd@");
    let added = server.connect("shop", json!({ "kind": "git", "url": embedded })).await.with(StatusCode::CREATED);
    assert_eq!((added.text_of("location"), &added.body["connection"]["credential"]), (private, &json!(true)));
    is_indexed(&server, &added.id()).await;
    server.look_behind().await;
}

async fn adding_again_with_the_same_key_seals_once(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let connection = json!({ "kind": "git", "url": web.url("shop.git"), "credential": credential() });
    let body = json!({ "name": "shop", "connection": connection });
    let request = || server.local(Method::POST, "/api/v1/integrations").header("Idempotency-Key", "once").json(&body);
    let (first, second) = tokio::join!(answer(request()), answer(request()));
    let third = answer(request()).await.with(StatusCode::CREATED);
    assert_eq!((first.id(), second.id()), (third.id(), third.id()));
    assert_eq!(server.sealed().await, ["credential"]);
    // What is refused leaves nothing behind: neither a place that is taken, however it is written, nor a name.
    for url in [web.url("shop.git"), web.url("shop"), web.url("shop/"), web.tls_url("shop.git")] {
        let body = json!({ "kind": "git", "url": url, "credential": credential() });
        let refused = server.connect("other", body).await;
        if url.starts_with("https") {
            // Another port is another place.
            refused.with(StatusCode::CREATED);
            continue;
        }
        assert_eq!(refused.refused(409, "connection_taken").text_of("integration"), third.id());
    }
    let body = json!({ "kind": "git", "url": web.url("more.git"), "credential": credential() });
    server.connect("shop", body).await.refused(409, "integration_name_taken");
    assert_eq!(server.sealed().await, ["credential", "credential"]);
    // And it is found by any of its addresses.
    for url in [web.url("shop.git"), web.url("shop")] {
        let found = server.get(&format!("/api/v1/integrations?location={url}")).await.with(StatusCode::OK);
        assert_eq!(found.items().len(), 1, "{url}");
        assert_eq!(found.items()[0]["id"], third.id().as_str());
        let found = server.get(&format!("/api/v1/integrations?location={url}&kind=path")).await;
        assert!(found.items().is_empty());
    }
    server.look_behind().await;
}

async fn changes_at_the_same_time_leave_the_secret_that_is_named(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let at = |refs: bool| json!({ "kind": "git", "url": web.url("shop.git"), "refs": { "changes": refs } });
    let mut with = at(false);
    with["credential"] = credential();
    let id = server.connect("shop", with.clone()).await.with(StatusCode::CREATED).id();
    is_indexed(&server, &id).await;
    for round in 0..8 {
        let (kept, given) = tokio::join!(change(&server, &id, at(round % 2 == 0)), change(&server, &id, with.clone()));
        kept.with(StatusCode::OK);
        given.with(StatusCode::OK);
        assert_eq!(server.sealed().await, ["credential"]);
        let named = server.app.load::<keytrail_domain::integration::Integration>(
            keytrail_domain::recorded::StreamId::new("integration", id.parse().expect("an id")),
        );
        let (keytrail_domain::integration::Integration::Active { connection, .. }, _) = named.await.expect("it loads")
        else {
            panic!("it is active")
        };
        let owner = keytrail::secrets::Owner::new("integration", id.parse().expect("an id"));
        for secret in connection.secrets() {
            assert!(server.app.vault.open(secret, owner, "credential").await.is_ok(), "the secret is there");
        }
    }
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine;
    a_private_repository_behind_ones_own_authority_is_added_read_and_removed,
    a_credential_stays_with_its_server_and_goes_nowhere_else,
    what_failed_is_looked_at_again_when_its_connection_changes,
    a_proxy_has_a_credential_of_its_own,
    a_repository_is_read_through_a_proxy_that_wants_to_know_who_asks,
    what_stands_before_the_at_sign_is_taken_out_and_sealed,
    adding_again_with_the_same_key_seals_once,
    changes_at_the_same_time_leave_the_secret_that_is_named,
);
