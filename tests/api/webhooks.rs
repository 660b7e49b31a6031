//! What GitHub delivers by itself: proved by its signature, on disk before it is answered, worked off once, looked at,
//! worked off again; and what did not get here, fetched.

use std::{fs, path::Path};

use keytrail::{git::services::github::webhook::signature, store::Area};
use keytrail_test_support::fake_github::{Selection, Sending};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    github_app::{Github, becomes, connect, repositories, shown},
    repository,
    server::{Answer, Server, answer, on_both_engines, soon},
};

on_both_engines!(reaching_this_machine;
    every_payload_is_taken_once_in_any_order_and_changes_nothing_that_is_not_ours,
    only_what_the_app_signed_is_taken,
    a_delivery_that_cannot_be_used_is_refused_with_a_code,
    large_deliveries_are_taken_up_to_a_bound,
    two_apps_may_be_sent_one_delivery_id,
    a_push_is_looked_at_and_repositories_come_and_go,
    a_suspension_there_is_heard_and_lifted,
    a_delivery_is_looked_at_and_worked_off_again,
    what_did_not_get_here_is_fetched,
);

/// Connected and taken over with the secret of its deliveries.
async fn connected(server: &Server, github: &Github) -> String {
    let id = connect(server, &github.fake).await.with(StatusCode::CREATED).id();
    let (app, secret) = (&github.app, &github.app.webhook_secret);
    let body = json!({ "app_id": app.id, "key": app.key.pkcs1, "webhook_secret": secret });
    server.post(&format!("/api/v1/integrations/{id}/installation/adopt"), body).await.with(StatusCode::OK);
    becomes(server, &id, "active").await;
    id
}

/// The same, and GitHub sends what happens here.
pub(crate) async fn hooked(server: &Server, github: &Github) -> String {
    let id = connected(server, github).await;
    github.fake.set_hook(github.app.id, Some(&format!("http://{}{}", server.address, at(&id))));
    github.fake.deliveries_are_sent().await;
    id
}

/// Waits until no job is left, while time goes on: what GitHub refuses for a moment is tried again.
pub(crate) async fn settled(server: &Server, github: &Github) {
    soon("no job is left", || async {
        server.pass_seconds(1);
        github.fake.set_clock(server.app.clock.now().seconds());
        let jobs = server.app.db.read(Area::Log, "SELECT kind FROM jobs", &[]).await.expect("the jobs");
        jobs.is_empty()
    })
    .await;
}

fn at(id: &str) -> String {
    format!("/webhooks/github/{id}")
}

fn request(server: &Server, id: &str, event: &str, delivery: Uuid) -> RequestBuilder {
    let request = server.request(Method::POST, &at(id)).header("Content-Type", "application/json");
    request.header("X-GitHub-Event", event).header("X-GitHub-Delivery", delivery.to_string())
}

pub(crate) async fn deliver(server: &Server, id: &str, event: &str, guid: Uuid, secret: &str, body: &[u8]) -> Answer {
    let request = request(server, id, event, guid);
    answer(request.header("X-Hub-Signature-256", signature(secret.as_bytes(), body)).body(body.to_vec())).await
}

/// Waits until all that came is worked off; all of it, the latest first.
pub(crate) async fn worked_off(server: &Server, id: &str) -> Vec<Value> {
    let list = format!("/api/v1/integrations/{id}/deliveries");
    soon("deliveries are worked off", || async {
        server.get(&format!("{list}?state=waiting")).await.with(StatusCode::OK).items().is_empty()
    })
    .await;
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{list}?limit=50{next}")).await.with(StatusCode::OK);
        all.extend_from_slice(page.items());
        match page.body["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}

fn payloads() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github/webhooks");
    let files = fs::read_dir(folder).expect("the payloads").map(|file| file.expect("a file").path());
    let of = |path: &Path| {
        let name = path.file_name()?.to_str()?.to_owned();
        let event = name.strip_prefix("ghes35.").unwrap_or(&name).split('.').next()?.to_owned();
        Some((event, fs::read(path).ok()?))
    };
    files.map(|path| of(&path).expect("a payload")).collect()
}

async fn every_payload_is_taken_once_in_any_order_and_changes_nothing_that_is_not_ours(server: Server) {
    let github = Github::start(&server).await;
    let id = connected(&server, &github).await;
    let payloads = payloads();
    // Each twice, in an order that has nothing to do with their names.
    let mut turns: Vec<_> = (0..2 * payloads.len()).collect();
    turns.sort_by_key(|turn| turn * 7_919 % 1_009);
    for turn in turns {
        let which = turn % payloads.len();
        let (event, body) = &payloads[which];
        let delivery = Uuid::from_u128(which as u128 + 1);
        let taken = deliver(&server, &id, event, delivery, &github.app.webhook_secret, body).await;
        assert_eq!(taken.with(StatusCode::ACCEPTED).text_of("delivery"), delivery.to_string());
    }
    let all = worked_off(&server, &id).await;
    assert_eq!(all.len(), payloads.len());
    for one in &all {
        assert!(["done", "ignored"].contains(&one["state"].as_str().expect("a state")), "{one}");
        assert!(one["outcome"].is_string() && one["tries"].as_i64() >= Some(1), "{one}");
    }
    // They speak of other organisations and installations.
    server.look_behind().await;
    let now = shown(&server, &id).await;
    assert_eq!((&now["status"], &now["installation"]["id"]), (&json!("active"), &json!(github.installation)), "{now}");
}

async fn only_what_the_app_signed_is_taken(server: Server) {
    let github = Github::start(&server).await;
    let id = connected(&server, &github).await;
    let (secret, body) = (github.app.webhook_secret.as_str(), br#"{"zen":"Design for failure."}"#);
    let new = Uuid::from_u128(1);
    for flipped in [0, 11, body.len() * 8 - 1] {
        let mut other = body.to_vec();
        other[flipped / 8] ^= 1 << (flipped % 8);
        let sent = request(&server, &id, "ping", new).header("X-Hub-Signature-256", signature(secret.as_bytes(), body));
        answer(sent.body(other)).await.refused(401, "signature_invalid");
    }
    deliver(&server, &id, "ping", new, "another secret", body).await.refused(401, "signature_invalid");
    deliver(&server, &id, "ping", new, "", body).await.refused(401, "signature_invalid");
    answer(request(&server, &id, "ping", new).body(body.to_vec())).await.refused(401, "signature_missing");
    let sha1 = request(&server, &id, "ping", new).header("X-Hub-Signature", "sha1=00").body(body.to_vec());
    answer(sha1).await.refused(401, "signature_missing");
    // A token of ours does not sign.
    let token = server.local(Method::POST, &at(&id)).header("Content-Type", "application/json").body(body.to_vec());
    answer(token).await.refused(401, "signature_missing");

    // Whoever is not there is told like an address that is none; so is who has no app.
    let path = server.root.join("plain");
    repository::with_commits(&path, &["SHOP-1"]);
    let plain = server.add("plain", &path).await.with(StatusCode::CREATED).id();
    let nowhere = Uuid::from_u128(9).to_string();
    let mut told = Vec::new();
    for id in [plain.as_str(), nowhere.as_str(), "nothing"] {
        let refused = deliver(&server, id, "ping", new, secret, body).await.refused(404, "route_unknown");
        told.push(refused.text_of("detail"));
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    assert!(worked_off(&server, &id).await.is_empty(), "nothing of it is kept");

    deliver(&server, &id, "ping", new, secret, body).await.with(StatusCode::ACCEPTED);
    assert_eq!(worked_off(&server, &id).await.len(), 1);
    soon("webhooks are proved", || async { shown(&server, &id).await["webhooks"] == "proven" }).await;
    let at_it = format!("/api/v1/events?stream={id}&type=installation.&limit=500");
    let events = server.get(&at_it).await;
    let all = events.items().iter();
    let proven: Vec<_> = all.filter(|event| event["event_type"] == "installation.webhooks_proven").collect();
    assert_eq!(proven.len(), 1, "{}", events.text);
    let cause = format!("delivery {new}");
    assert_eq!((&proven[0]["source"], &proven[0]["causation"]), (&json!("webhook"), &json!(cause)), "{}", proven[0]);

    // Removed: its secret is gone, and nothing is taken any more.
    let removed = server.local(Method::DELETE, &format!("/api/v1/integrations/{id}")).header("If-Match", "*");
    answer(removed).await.with(StatusCode::OK);
    server.look_behind().await;
    soon("nothing is taken", || async {
        deliver(&server, &id, "ping", new, secret, body).await.status == StatusCode::NOT_FOUND
    })
    .await;
}

async fn a_delivery_that_cannot_be_used_is_refused_with_a_code(server: Server) {
    let github = Github::start(&server).await;
    let id = connected(&server, &github).await;
    let (secret, new) = (github.app.webhook_secret.as_str(), Uuid::from_u128(1));
    for body in ["", "{", "nothing", r#"{"a":1}{"#] {
        deliver(&server, &id, "push", new, secret, body.as_bytes()).await.refused(400, "body_invalid");
    }
    deliver(&server, &id, "Not An Event", new, secret, b"{}").await.refused(400, "delivery_invalid");
    let signed = |body: &str| {
        let request = server.request(Method::POST, &at(&id)).body(body.to_owned());
        request.header("X-Hub-Signature-256", signature(secret.as_bytes(), body.as_bytes()))
    };
    let json = |request: RequestBuilder| request.header("Content-Type", "application/json");
    answer(json(signed("{}"))).await.refused(400, "delivery_invalid");
    let nameless = json(signed("{}")).header("X-GitHub-Delivery", new.to_string());
    answer(nameless).await.refused(400, "delivery_invalid");
    let strange = json(signed("{}")).header("X-GitHub-Event", "ping").header("X-GitHub-Delivery", "1");
    answer(strange).await.refused(400, "delivery_invalid");
    for kind in ["text/plain", "application/xml"] {
        let sent = signed("{}").header("Content-Type", kind).header("X-GitHub-Event", "ping");
        answer(sent.header("X-GitHub-Delivery", new.to_string())).await.refused(415, "content_type_unsupported");
    }
    answer(server.request(Method::GET, &at(&id))).await.refused(405, "method_not_allowed");

    let form = |body: &str| {
        let sent = signed(body).header("Content-Type", "application/x-www-form-urlencoded");
        sent.header("X-GitHub-Event", "ping").header("X-GitHub-Delivery", new.to_string())
    };
    answer(form("other=1")).await.refused(400, "body_invalid");
    assert!(worked_off(&server, &id).await.is_empty());
    answer(form("payload=%7B%22zen%22%3A+%22a%26b%22%7D")).await.with(StatusCode::ACCEPTED);
    let whole = server.get(&format!("/api/v1/integrations/{id}/deliveries/{new}")).await.with(StatusCode::OK);
    assert_eq!(whole.body["body"], json!({ "zen": "a&b" }));
    worked_off(&server, &id).await;
}

async fn large_deliveries_are_taken_up_to_a_bound(server: Server) {
    let github = Github::start(&server).await;
    let id = connected(&server, &github).await;
    let secret = github.app.webhook_secret.as_str();
    let of = |bytes: usize| {
        let (before, after) = (r#"{"text":""#, r#""}"#);
        format!("{before}{}{after}", "x".repeat(bytes - before.len() - after.len())).into_bytes()
    };
    let largest = 25 << 20;
    deliver(&server, &id, "push", Uuid::from_u128(1), secret, &of(largest)).await.with(StatusCode::ACCEPTED);
    let refused = deliver(&server, &id, "push", Uuid::from_u128(2), secret, &of(largest + 1)).await;
    refused.refused(413, "body_too_large");
    let refused = deliver(&server, &id, "push", Uuid::from_u128(3), secret, &of(27_000_000)).await;
    assert_eq!(refused.refused(413, "body_too_large").body["max_bytes"], largest);
    let all = worked_off(&server, &id).await;
    assert_eq!((all.len(), &all[0]["body_bytes"], &all[0]["state"]), (1, &json!(largest), &json!("failed")));
}

async fn two_apps_may_be_sent_one_delivery_id(server: Server) {
    let github = Github::start(&server).await;
    let one = connected(&server, &github).await;
    let other_app = github.fake.register_app("globex", "Keytrail globex");
    github.fake.install(other_app.id, "globex", Selection::All);
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "globex" });
    let other = server.connect("globex", place).await.with(StatusCode::CREATED).id();
    let body =
        json!({ "app_id": other_app.id, "key": other_app.key.pkcs1, "webhook_secret": other_app.webhook_secret });
    server.post(&format!("/api/v1/integrations/{other}/installation/adopt"), body).await.with(StatusCode::OK);
    becomes(&server, &other, "active").await;
    let delivery = Uuid::from_u128(5);
    let (first, second) = (br#"{"zen":"one"}"#, br#"{"zen":"other"}"#);
    deliver(&server, &one, "ping", delivery, &github.app.webhook_secret, first).await.with(StatusCode::ACCEPTED);
    deliver(&server, &other, "ping", delivery, &other_app.webhook_secret, second).await.with(StatusCode::ACCEPTED);
    // One app's secret says nothing of the other's deliveries.
    let crossed = deliver(&server, &other, "ping", delivery, &github.app.webhook_secret, first).await;
    crossed.refused(401, "signature_invalid");
    for (id, zen) in [(&one, "one"), (&other, "other")] {
        assert_eq!(worked_off(&server, id).await.len(), 1);
        let whole = server.get(&format!("/api/v1/integrations/{id}/deliveries/{delivery}")).await.with(StatusCode::OK);
        assert_eq!(whole.body["body"]["zen"], zen);
    }
}

async fn a_push_is_looked_at_and_repositories_come_and_go(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = hooked(&server, &github).await;
    let indexed = |key: &'static str| {
        let server = &server;
        soon("it is indexed", move || async move {
            server.get(&format!("/api/v1/issues/{key}")).await.status == StatusCode::OK
        })
    };
    indexed("SHOP-1").await;
    settled(&server, &github).await;

    let work = server.elsewhere.join("shop");
    repository::git(&work, &["commit", "-q", "--allow-empty", "-m", "SHOP-2 goes on"]);
    github.fake.push(shop, &work);
    github.fake.deliveries_are_sent().await;
    indexed("SHOP-2").await;
    let all = worked_off(&server, &id).await;
    let push = all.iter().find(|one| one["event"] == "push").expect("a push");
    assert_eq!((&push["state"], &push["outcome"]), (&json!("done"), &json!("the repository is looked at")));

    let ship = github.add(&server, "ship", &["SHIP-1 sails"]);
    github.fake.deliveries_are_sent().await;
    indexed("SHIP-1").await;
    github.fake.rename_repository(ship, "boat");
    github.fake.deliveries_are_sent().await;
    soon("it is called otherwise", || async {
        repositories(&server, &id).await.iter().any(|row| row["name"] == "acme/boat")
    })
    .await;
    github.fake.delete_repository(ship);
    github.fake.deliveries_are_sent().await;
    soon("it is gone", || async {
        repositories(&server, &id).await.iter().all(|row| row["name"] != "acme/boat" || row["state"] == "forgotten")
    })
    .await;
    for (event, status, _) in github.fake.deliveries(github.app.id) {
        assert_eq!(status, 202, "{event}");
    }
    worked_off(&server, &id).await;
    settled(&server, &github).await;
}

async fn a_suspension_there_is_heard_and_lifted(server: Server) {
    let github = Github::start(&server).await;
    github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = hooked(&server, &github).await;
    settled(&server, &github).await;
    // Late, doubled, and in another order.
    github.fake.set_sending(Sending { copies: 2, shuffled: true, ..Sending::default() });
    for _ in 0..3 {
        github.fake.suspend_by(github.installation, "ada");
        github.fake.unsuspend(github.installation);
    }
    github.fake.suspend_by(github.installation, "ada");
    github.fake.deliveries_are_sent().await;
    worked_off(&server, &id).await;
    becomes(&server, &id, "suspended").await;
    settled(&server, &github).await;
    github.fake.unsuspend(github.installation);
    github.fake.deliveries_are_sent().await;
    becomes(&server, &id, "active").await;
    worked_off(&server, &id).await;
    settled(&server, &github).await;
    github.fake.uninstall(github.installation);
    github.fake.deliveries_are_sent().await;
    becomes(&server, &id, "uninstalled").await;
    worked_off(&server, &id).await;
    settled(&server, &github).await;
}

async fn a_delivery_is_looked_at_and_worked_off_again(server: Server) {
    let github = Github::start(&server).await;
    let id = connected(&server, &github).await;
    let (secret, delivery) = (github.app.webhook_secret.as_str(), Uuid::from_u128(3));
    let body = br#"{"zen":"Keep it logically awesome.","name":"Zo\u00eb"}"#;
    let sent =
        request(&server, &id, "ping", delivery).header("Authorization", "Bearer kt_no").header("X-Gateway", "pass");
    let sent = sent.header("X-Hub-Signature-256", signature(secret.as_bytes(), body)).body(body.to_vec());
    answer(sent).await.with(StatusCode::ACCEPTED);
    worked_off(&server, &id).await;
    let one = format!("/api/v1/integrations/{id}/deliveries/{delivery}");
    let whole = server.get(&one).await.with(StatusCode::OK);
    assert_eq!(whole.body["body"]["name"], "Zoë");
    assert_eq!((&whole.body["state"], &whole.body["origin"]), (&json!("done"), &json!("sent")));
    assert_eq!(whole.body["headers"]["x-github-event"], "ping");
    for hidden in ["authorization", "x-gateway", "x-hub-signature-256"] {
        assert_eq!(whole.body["headers"][hidden], "…", "{}", whole.text);
    }
    let again = server.post(&format!("{one}/replay"), json!({})).await.with(StatusCode::OK);
    assert_eq!(again.id(), delivery.to_string());
    worked_off(&server, &id).await;
    assert_eq!(server.get(&one).await.body["state"], "done");

    let list = format!("/api/v1/integrations/{id}/deliveries");
    assert_eq!(server.get(&format!("{list}?event=ping&state=done")).await.items().len(), 1);
    assert!(server.get(&format!("{list}?event=push")).await.items().is_empty());
    server.get(&format!("{list}?state=lost")).await.refused(400, "query_invalid");
    let nothing = Uuid::from_u128(99);
    server.get(&format!("{list}/{nothing}")).await.refused(404, "delivery_unknown");
    server.post(&format!("{list}/{nothing}/replay"), json!({})).await.refused(404, "delivery_unknown");
    server.get(&format!("/api/v1/integrations/{nothing}/deliveries")).await.refused(404, "integration_unknown");
    let auditor = server.token("auditor").await;
    let as_auditor = |path: &str| answer(server.request(Method::GET, path).bearer_auth(&auditor));
    as_auditor(&list).await.with(StatusCode::OK);
    // The body names persons.
    as_auditor(&one).await.refused(403, "role_insufficient");
}

async fn what_did_not_get_here_is_fetched(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = hooked(&server, &github).await;
    settled(&server, &github).await;
    github.fake.set_sending(Sending { on: false, ..Sending::default() });
    let work = server.elsewhere.join("shop");
    repository::git(&work, &["commit", "-q", "--allow-empty", "-m", "SHOP-2 while we were away"]);
    server.pass_days(1);
    github.fake.set_clock(server.app.clock.now().seconds());
    github.fake.push(shop, &work);
    github.fake.add_repository("acme", "new");
    github.fake.deliveries_are_sent().await;
    assert!(worked_off(&server, &id).await.iter().all(|one| one["event"] == "ping"));
    server.post(&format!("/api/v1/integrations/{id}/installation/repair"), json!({})).await.with(StatusCode::OK);
    let all = worked_off(&server, &id).await;
    assert!(all.iter().any(|one| one["event"] == "push" && one["origin"] == "fetched"), "{all:?}");
    assert!(all.iter().all(|one| one["state"] != "failed"), "{all:?}");
    soon("the push is indexed", || async { server.get("/api/v1/issues/SHOP-2").await.status == StatusCode::OK }).await;
    soon("the repository is there", || async {
        repositories(&server, &id).await.iter().any(|row| row["name"] == "acme/new")
    })
    .await;
    settled(&server, &github).await;
}
