//! Why no delivery comes in: told from what GitHub says of those that it tried, with the most likely cause and what to look at.

use std::{net::TcpListener, time::Duration};

use keytrail::inbox::{Origin, Receipt};
use keytrail_domain::id::IntegrationId;
use keytrail_test_support::{
    fake_github::{FakeGithub, Selection, Sending},
    web_server::{NamedFront, Scripted, WebServer},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    browser::Browser,
    github_app::{Github, act, active, adopt, becomes, settled, shown},
    server::{Server, on_both_engines, soon},
    webhooks::{deliver, worked_off},
};

/// Long after nothing came on; what GitHub sent in between is in its log.
async fn looked_at_later(server: &Server, github: &Github, id: &str) -> Value {
    github.fake.deliveries_are_sent().await;
    settled(server, &[&github.fake]).await;
    server.pass_seconds(600);
    github.fake.set_clock(server.app.clock.now().seconds());
    act(server, id, "repair").await.with(StatusCode::OK).body
}

/// It is doubted for this reason, in words that hold this.
#[track_caller]
fn is_doubted(told: &Value, doubt: &str, words: &[&str]) {
    assert_eq!(told["webhooks"], doubt, "{told}");
    let text = told["webhooks_text"].as_str().expect("a text");
    assert!(text.starts_with("Webhooks are not proven; most likely "), "{text}");
    assert!(text.ends_with("Until then the server looks for what is new by itself."), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    // It works all the same.
    assert_eq!((&told["status"], &told["cause"]), (&Value::from("active"), &Value::Null), "{told}");
}

async fn a_github_that_sent_none_is_said_to_have_sent_none(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    assert_eq!(shown(&server, &id).await["webhooks"], "unproven");
    let told = looked_at_later(&server, &github, &id).await;
    is_doubted(&told, "none_sent", &["GitHub has sent none", "Repair the installation"]);
    // Then one comes. Looking after it may go on setting the address.
    settled(&server, &[&github.fake]).await;
    github.fake.set_hook(github.app.id, github.fake.hook_url(github.app.id).as_deref());
    github.fake.deliveries_are_sent().await;
    let told = looked_at_later(&server, &github, &id).await;
    assert_eq!((&told["webhooks"], &told["webhooks_text"]), (&"proven".into(), &"GitHub's deliveries come in.".into()));
    settled(&server, &[&github.fake]).await;
}

async fn how_the_last_delivery_ended_says_what_to_look_at(server: Server) {
    let web = WebServer::start(&server.root);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("http://{}/hook", closed.local_addr().expect("an address"));
    drop(closed);
    let ends = [
        ("unreachable", nobody, ["firewall", "/meta of the API"]),
        ("tls", web.tls_url("hook"), ["certificate", "public authority"]),
        ("timeout", format!("http://{}/hook", silent.local_addr().expect("an address")), ["waited too long", "proxy"]),
        ("refused", format!("http://{}/nothing", server.address), ["was refused", "Repair the installation"]),
    ];
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    github.fake.set_sending(Sending { patience: Some(Duration::from_millis(500)), ..Sending::default() });
    for (doubt, hook, words) in ends {
        settled(&server, &[&github.fake]).await;
        // Setting it there sends something.
        github.fake.set_hook(github.app.id, Some(&hook));
        let told = looked_at_later(&server, &github, &id).await;
        is_doubted(&told, doubt, &words);
    }
    // It was set right by looking after it: what is sent now arrives.
    settled(&server, &[&github.fake]).await;
    github.fake.set_sending(Sending::default());
    github.fake.set_hook(github.app.id, github.fake.hook_url(github.app.id).as_deref());
    let told = looked_at_later(&server, &github, &id).await;
    assert_eq!(told["webhooks"], "proven", "{told}");
    settled(&server, &[&github.fake]).await;
}

async fn deliveries_that_came_and_then_do_not_are_doubted_until_one_comes_again(server: Server) {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let nobody = format!("http://{}/hook", closed.local_addr().expect("an address"));
    drop(closed);
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    let here = github.fake.hook_url(github.app.id).expect("it was set");
    let sent_here = async || {
        settled(&server, &[&github.fake]).await;
        github.fake.set_hook(github.app.id, Some(&here));
        let told = looked_at_later(&server, &github, &id).await;
        assert_eq!(told["webhooks"], "proven", "{told}");
        settled(&server, &[&github.fake]).await;
    };
    sent_here().await;
    // Sent in vain, and found in GitHub's list of them.
    github.fake.set_hook(github.app.id, Some(&nobody));
    let told = looked_at_later(&server, &github, &id).await;
    is_doubted(&told, "unreachable", &["firewall"]);
    sent_here().await;
    // Where they go is seen before anything is sent: by who asks after the app, before anybody repairs it.
    github.fake.set_hook(github.app.id, Some(&format!("{here}-elsewhere")));
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    soon("it is seen", || async { shown(&server, &id).await["webhooks"] == "none_sent" }).await;
    act(&server, &id, "resume").await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    sent_here().await;
}

async fn one_that_comes_again_shows_that_they_come_in(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let here = github.fake.hook_url(github.app.id).expect("it was set");
    let sent = async || {
        let secret = github.fake.hook_secret(github.app.id).expect("it was set");
        let (delivery, body) = (Uuid::from_u128(1), br#"{"zen":"Design for failure."}"#);
        deliver(&server, &id, "ping", delivery, &secret, body).await.with(StatusCode::ACCEPTED);
        soon("it is proven", || async { shown(&server, &id).await["webhooks"] == "proven" }).await;
        worked_off(&server, &id).await.iter().filter(|one| one["id"] == delivery.to_string()).count()
    };
    assert_eq!(sent().await, 1);
    github.fake.set_hook(github.app.id, Some(&format!("{here}-elsewhere")));
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    soon("it is seen", || async { shown(&server, &id).await["webhooks"] == "none_sent" }).await;
    act(&server, &id, "resume").await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    settled(&server, &[&github.fake]).await;
    // Sent here again, and nothing new came yet.
    act(&server, &id, "repair").await.with(StatusCode::OK);
    settled(&server, &[&github.fake]).await;
    assert_eq!(github.fake.hook_url(github.app.id), Some(here));
    assert_ne!(shown(&server, &id).await["webhooks"], "proven");
    assert_eq!(sent().await, 1, "it is kept once");
    settled(&server, &[&github.fake]).await;
}

async fn a_hook_that_was_deleted_is_doubted_until_it_is_proved_anew(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let secret = github.fake.hook_secret(github.app.id).expect("it was set");
    let sent = async |number: u128, event: &str, body: &[u8]| {
        server.pass_seconds(1);
        deliver(&server, &id, event, Uuid::from_u128(number), &secret, body).await.with(StatusCode::ACCEPTED);
        worked_off(&server, &id).await;
        settled(&server, &[&github.fake]).await;
        shown(&server, &id).await["webhooks"].clone()
    };
    let replayed = async |number: u128| {
        let replay = format!("/api/v1/integrations/{id}/deliveries/{}/replay", Uuid::from_u128(number));
        server.post(&replay, json!({})).await.with(StatusCode::OK);
        worked_off(&server, &id).await;
        settled(&server, &[&github.fake]).await;
        shown(&server, &id).await["webhooks"].clone()
    };
    let (zen, gone) = (&br#"{"zen":"Design for failure."}"#[..], &br#"{"action":"deleted","hook_id":1}"#[..]);
    assert_eq!(sent(1, "ping", zen).await, "proven");
    // Another one, and then the first once more: each shows that deliveries come in again.
    for (deleted, proof) in [(2, 3), (4, 1)] {
        assert_ne!(sent(deleted, "meta", gone).await, "proven");
        assert_eq!(sent(proof, "ping", zen).await, "proven");
        for late in [deleted, 2] {
            assert_eq!(replayed(late).await, "proven", "the {late}. one says nothing of now");
        }
    }
}

async fn a_hook_that_was_deleted_before_another_delivery_came_raises_no_doubt(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let secret = github.fake.hook_secret(github.app.id).expect("it was set");
    let sent = async |number: u128| {
        let body = br#"{"zen":"Design for failure."}"#;
        deliver(&server, &id, "ping", Uuid::from_u128(number), &secret, body).await.with(StatusCode::ACCEPTED);
        worked_off(&server, &id).await;
        settled(&server, &[&github.fake]).await;
        shown(&server, &id).await["webhooks"].clone()
    };
    assert_eq!(sent(1).await, "proven");
    let events = format!("/api/v1/events?stream={id}&type=installation.webhooks_doubted");
    let doubts = async || server.get(&events).await.with(StatusCode::OK).items().len();
    assert_eq!(doubts().await, 0);
    // It comes in, and while it waits to be worked off another one does, which nobody doubted before.
    let (integration, gone) = (IntegrationId(id.parse().expect("an id")), br#"{"action":"deleted","hook_id":1}"#);
    let (delivery, now) = (Uuid::from_u128(2), server.app.clock.now());
    let late = Receipt::new(integration, delivery, "meta", Some("deleted"), Origin::Sent, "{}", gone, now);
    assert_eq!(sent(3).await, "proven");
    server.app.inbox.put(late).await.expect("it is stored");
    let all = worked_off(&server, &id).await;
    settled(&server, &[&github.fake]).await;
    let found = all.iter().find(|one| one["id"] == delivery.to_string()).expect("it is there");
    assert_eq!(found["outcome"], "it is late; GitHub is asked how things are", "{found}");
    assert_eq!((shown(&server, &id).await["webhooks"].clone(), doubts().await), ("proven".into(), 0));
}

async fn deliveries_that_are_passed_on_from_elsewhere_are_doubted_once(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let sent = async |number: u128| {
        let secret = github.fake.hook_secret(github.app.id).expect("it was set");
        let (delivery, body) = (Uuid::from_u128(number), br#"{"zen":"Design for failure."}"#);
        deliver(&server, &id, "ping", delivery, &secret, body).await.with(StatusCode::ACCEPTED);
        soon("it is proven", || async { shown(&server, &id).await["webhooks"] == "proven" }).await;
        worked_off(&server, &id).await;
        delivery
    };
    // Who goes there to install it has GitHub asked, and nothing mended.
    let looked_at = async || {
        Browser::new().open(&format!("http://{}/github/apps/{id}/install", server.address)).await;
        settled(&server, &[&github.fake]).await;
        shown(&server, &id).await
    };
    let first = sent(1).await;
    let other = Scripted::answering("202 Accepted", "text/plain", b"passed on");
    github.fake.set_hook(github.app.id, Some(&other.url("hook")));
    assert_eq!(looked_at().await["webhooks"], "none_sent");
    // What came before is worked off once more, and shows nothing.
    let replay = format!("/api/v1/integrations/{id}/deliveries/{first}/replay");
    server.post(&replay, json!({})).await.with(StatusCode::OK);
    worked_off(&server, &id).await;
    settled(&server, &[&github.fake]).await;
    assert_eq!(shown(&server, &id).await["webhooks"], "none_sent");
    // Somebody passes one on. That GitHub sends them elsewhere is known, and still told.
    sent(2).await;
    let told = looked_at().await;
    assert_eq!(told["webhooks"], "proven", "{told}");
    assert_eq!(told["differing"][0]["property"], "webhook", "{told}");
    // Another place is news.
    github.fake.set_hook(github.app.id, Some(&other.url("another")));
    assert_eq!(looked_at().await["webhooks"], "none_sent");
}

async fn a_github_of_the_internet_is_not_expected_to_reach_a_private_address(server: Server) {
    let fake = FakeGithub::start_cloud().await;
    fake.set_clock(server.app.clock.now().seconds());
    let (app, upstream) = (fake.register_app("acme", "Keytrail acme"), fake.name().parse().expect("an address"));
    fake.install(app.id, "acme", Selection::All);
    let front = NamedFront::start(&["acme.ghe.com", "api.acme.ghe.com"], upstream);
    fake.stand_behind("https://acme.ghe.com");
    let connection = json!({
        "kind": "github_app", "host": "acme.ghe.com", "organisation": "acme", "proxy": { "url": front.proxy_url() },
        "trust": { "kind": "authority", "pem": &*front.ca_pem() },
    });
    let id = server.connect("acme", connection).await.with(StatusCode::CREATED).id();
    adopt(&server, &id, app.id, &app.key.pkcs1).await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    let told = act(&server, &id, "repair").await.with(StatusCode::OK).body;
    // At once: nothing has to be waited for.
    is_doubted(&told, "private_address", &["known in its own network only", "webhook_url"]);
    settled(&server, &[&fake]).await;
    drop(front);
}

on_both_engines!(known reaching_this_machine;
    a_github_that_sent_none_is_said_to_have_sent_none,
    how_the_last_delivery_ended_says_what_to_look_at,
    deliveries_that_came_and_then_do_not_are_doubted_until_one_comes_again,
    one_that_comes_again_shows_that_they_come_in,
    a_hook_that_was_deleted_is_doubted_until_it_is_proved_anew,
    a_hook_that_was_deleted_before_another_delivery_came_raises_no_doubt,
    deliveries_that_are_passed_on_from_elsewhere_are_doubted_once,
    a_github_of_the_internet_is_not_expected_to_reach_a_private_address,
);
