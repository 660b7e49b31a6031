//! What is wrong with what somebody gives for a GitHub: each a problem with a code, and nothing is half-made. Keys, ways
//! back and signatures have tests of their own beside what they are for.

use keytrail::git::services::github::webhook::signature;
use keytrail_test_support::fake_github::FakeGithub;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    browser::Browser,
    github_app::{Github, adopt, connect, shown},
    github_connect::{Scene, parameter},
    github_troubles::sealed,
    server::{Server, on_both_engines, soon},
};

/// An integration of this organisation at this host, or why not.
async fn at(server: &Server, host: &str, organisation: &str) -> crate::server::Answer {
    server.connect("acme", json!({ "kind": "github_app", "host": host, "organisation": organisation })).await
}

async fn a_host_that_is_none_is_refused_before_anything_is_made(server: Server) {
    for host in [
        "",
        "https://",
        "ssh://git@github.com",
        "https://github.com/apache",
        "https://api.github.com/v3",
        "https://ghe.example.com/api/v3",
        "https://user:geheim@ghe.example.com",
        "https://ghe.example.com?x=1",
        "a b",
    ] {
        let refused = at(&server, host, "acme").await.refused(422, "host_invalid");
        assert!(!refused.text.contains("geheim"), "{}", refused.text);
    }
    // An address that this server must not speak with.
    at(&server, "https://10.0.0.7", "acme").await.refused(422, "address_denied");
    for organisation in ["", "-x", "a/b", "../x", "https://github.com/acme", &"a".repeat(101)] {
        at(&server, "github.com", organisation).await.refused(422, "organisation_invalid");
    }
    // Who says that it is a server of their own is told that it is not.
    for host in [Some("github.com"), Some("octo.ghe.com"), None] {
        let place =
            json!({ "kind": "github_app", "host": host, "organisation": "acme", "edition": "enterprise_server" });
        let refused = server.connect("acme", place).await.refused(422, "host_invalid");
        assert!(refused.text.contains("and not a GitHub Enterprise Server"), "{}", refused.text);
    }
    assert!(server.get("/api/v1/integrations").await.items().is_empty(), "nothing is there");
    // GitHub's own cloud is what it is, however it is written.
    for (name, host) in [("one", "https://www.github.com/"), ("two", "api.github.com")] {
        let place = json!({ "kind": "github_app", "host": host, "organisation": name });
        let added = server.connect(name, place).await.with(StatusCode::CREATED);
        let shown = &added.body["connection"];
        assert_eq!(
            (&shown["host"], &shown["edition"]),
            (&json!("https://github.com"), &json!("cloud")),
            "{}",
            added.text
        );
    }
}

async fn a_host_that_is_no_github_and_one_that_is_not_there_are_told_apart(server: Server) {
    let key = keytrail_test_support::fake_github::AppKeyPair::new().pkcs1;
    // This server itself: it answers, and is none.
    let own = format!("http://{}", server.address);
    let nobody = {
        let held = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", held.local_addr().expect("an address"))
    };
    for (host, reason) in [(own, "not_github"), (nobody, "github_unreachable")] {
        let id = at(&server, &host, "acme").await.with(StatusCode::CREATED).id();
        let refused = adopt(&server, &id, 1, &key).await;
        assert!(refused.status.is_client_error() || refused.status.is_server_error(), "{}", refused.text);
        assert_eq!(refused.body["reason"], reason, "{}", refused.text);
        let now = shown(&server, &id).await;
        assert_eq!((&now["status"], &now["app"]), (&json!("registering"), &Value::Null), "{now}");
        crate::github_app::remove(&server, &id).await.with(StatusCode::OK);
    }
    assert!(sealed(&server).await.is_empty(), "no key is kept");
}

async fn an_organisation_that_is_not_there_is_said_to_have_nothing_installed(server: Server) {
    let github = Github::start(&server).await;
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "nowhere" });
    let id = server.connect("nowhere", place).await.with(StatusCode::CREATED).id();
    adopt(&server, &id, github.app.id, &github.app.key.pkcs1).await.with(StatusCode::OK);
    soon("that is said", || async { shown(&server, &id).await["cause"] == "not_installed" }).await;
    let now = shown(&server, &id).await;
    assert_eq!((&now["status"], &now["installation"]), (&json!("installing"), &Value::Null), "{now}");
    crate::github_app::remove(&server, &id).await.with(StatusCode::OK);
    crate::github_app::settled(&server, &[&github.fake]).await;
}

async fn an_app_that_is_given_badly_leaves_nothing(server: Server) {
    let github = Github::start(&server).await;
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    let (app, key) = (github.app.id, github.app.key.pkcs1.as_str());
    let path = format!("/api/v1/integrations/{id}/installation/adopt");
    for (body, status, code) in [
        (json!({ "app_id": app, "key": key, "webhook_secret": "" }), 422, "secret_invalid"),
        (json!({ "app_id": app }), 422, "key_invalid"),
        (json!({ "app_id": "1", "key": key }), 400, "body_invalid"),
        (json!({ "app_id": -1, "key": key }), 400, "body_invalid"),
        (json!({ "key": key }), 400, "body_invalid"),
        (json!({ "app_id": app, "key": key, "password": "x" }), 400, "body_invalid"),
        (json!({ "app_id": app, "key": "x".repeat(1 << 20) }), 413, "body_too_large"),
    ] {
        let refused = server.post(&path, body).await.refused(status, code);
        assert!(!refused.text.contains("BEGIN"), "{}", refused.text);
    }
    let now = shown(&server, &id).await;
    assert_eq!((&now["status"], &now["version"]), (&json!("registering"), &json!(0)), "{now}");
    assert!(sealed(&server).await.is_empty(), "nothing of it is kept");
}

async fn a_delivery_that_comes_too_slowly_is_sent_away(server: Server) {
    let github = Github::start(&server).await;
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    let body = json!({ "app_id": github.app.id, "key": github.app.key.pkcs1, "webhook_secret": "s" });
    server.post(&format!("/api/v1/integrations/{id}/installation/adopt"), body).await.with(StatusCode::OK);
    let ask = |more: String| async move {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
        stream.write_all(more.as_bytes()).await.expect("it takes bytes");
        let mut answer = vec![0; 8_192];
        let read = stream.read(&mut answer).await.expect("it answers");
        String::from_utf8_lossy(&answer[..read]).into_owned()
    };
    let head = format!(
        "POST /webhooks/github/{id} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n\
         X-GitHub-Delivery: 00000000-0000-4000-8000-000000000001\r\nContent-Length: 100\r\n"
    );
    let signed = format!("{head}X-Hub-Signature-256: {}\r\n\r\n{{", signature(b"s", b"{}"));
    let answered = ask(signed).await;
    assert!(answered.contains("408") && answered.contains("body_too_slow"), "{answered}");
    // Nobody waits for a body that nobody signed.
    let answered = ask(format!("{head}\r\n{{")).await;
    assert!(answered.contains("401") && answered.contains("signature_missing"), "{answered}");
}

async fn a_way_back_from_installing_without_what_it_needs_changes_nothing(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let installing = scene.before_installing(&browser).await;
    let state = parameter(&installing, "state");
    let of = |shown: &Value| (shown["status"].clone(), shown["app"].clone(), shown["installation"].clone());
    let before = of(&scene.shown().await);
    for query in [
        "",
        "?setup_action=request",
        "?setup_action=request&state=",
        "?setup_action=request&state=nonsense",
        "?setup_action=install&installation_id=1",
        "?installation_id=1&setup_action=install&state=%00",
    ] {
        let page = browser.open(&scene.page(&format!("/github/setup{query}"))).await;
        page.belongs_to_us(400).says("installation_state_unknown");
        assert_eq!(of(&scene.shown().await), before, "{query}");
    }
    // With its state, and a number that is none: GitHub is asked, and says that nothing is installed.
    let page = format!("/github/setup?setup_action=install&installation_id=x&state={state}");
    let page = browser.open(&scene.page(&page)).await;
    assert!(page.status == 200 || page.status == 400, "{}", page.html);
    assert_eq!(scene.shown().await["installation"], Value::Null);
    scene.end().await;
}

/// It takes 10 seconds, and needs one engine.
#[test]
fn deliveries_that_come_too_slowly_are_sent_away() {
    crate::server::on_sqlite_with(crate::server::reaching_this_machine, a_delivery_that_comes_too_slowly_is_sent_away);
}

/// Only `https://`, and addresses of the internet.
mod as_usual {
    #[test]
    fn a_host_over_http_is_refused_before_anything_is_made() {
        crate::server::on_sqlite(|server| async move {
            super::at(&server, "http://ghe.example.com", "acme").await.refused(422, "url_not_allowed");
            let fake = super::FakeGithub::start().await;
            super::at(&server, &fake.url(), "acme").await.refused(422, "url_not_allowed");
            assert!(fake.requests().is_empty());
        });
    }
}

on_both_engines!(known reaching_this_machine;
    a_host_that_is_none_is_refused_before_anything_is_made,
    a_host_that_is_no_github_and_one_that_is_not_there_are_told_apart,
    an_organisation_that_is_not_there_is_said_to_have_nothing_installed,
    an_app_that_is_given_badly_leaves_nothing,
    a_way_back_from_installing_without_what_it_needs_changes_nothing,
);
