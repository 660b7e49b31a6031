//! What `/metrics` shows of an app of a GitHub of one's own: what is left of its budget, its limits, what was delivered.

use std::collections::BTreeSet;

use keytrail::{git::services::github::webhook::signature, telemetry::METRICS};
use keytrail_test_support::{
    fake_github::{FakeGithub, Limit, RegisteredApp, Selection},
    postgres,
    server::{Home, Options, Server},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    metrics::{OF_APPS, metrics, shown, value},
    repository,
    server::soon,
};

/// Delivers an event by its number; the status of the answer.
async fn delivered(url: &str, (event, number): (&str, u128), signature: &str, body: &str) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let request = http.post(url).header("Content-Type", "application/json").header("X-GitHub-Event", event);
    let request = request.header("X-GitHub-Delivery", Uuid::from_u128(number).to_string());
    let answer = request.header("X-Hub-Signature-256", signature).body(body.to_owned()).send().await;
    answer.expect("an answer").status().as_u16()
}

/// Connected and taken over, with one repository that is indexed; its integration.
async fn adopted(server: &Server, fake: &FakeGithub, app: &RegisteredApp) -> String {
    let client = server.client();
    let work = server.home().folder().join("shop");
    repository::with_commits(&work, &["SHOP-1 begins"]);
    let id = fake.add_repository("acme", "shop");
    fake.serve_repository(id, &work);
    let place = json!({ "kind": "github_app", "host": fake.url(), "organisation": "acme" });
    let added = client.post("/api/v1/integrations", None, &json!({ "name": "acme", "connection": place })).await;
    let added = added.expect("an answer");
    assert_eq!(added.status, 201, "{}", added.body);
    let at = format!("/api/v1/integrations/{}", added.id());
    let body = json!({ "app_id": app.id, "key": app.key.pkcs1, "webhook_secret": app.webhook_secret });
    let taken = client.post(&format!("{at}/installation/adopt"), None, &body).await.expect("an answer");
    assert_eq!(taken.status, 200, "{}", taken.body);
    soon("it is indexed", || async {
        client.list("/api/v1/repositories?state=indexed").await.is_ok_and(|all| all.len() == 1)
    })
    .await;
    added.id().to_owned()
}

async fn look(database_url: Option<String>) {
    let env = [("HOSTS", r#"["127.0.0.1"]"#), ("ALLOW_HTTP", "true"), ("FREE_BYTES", "0")];
    let env = env.map(|(name, value)| (format!("KEYTRAIL__GIT__{name}"), value.to_owned())).to_vec();
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { database_url, env, ..Options::default() });
    let (server, fake) = (home.start().await, FakeGithub::start().await);
    let app = fake.register_app("acme", "Keytrail acme");
    let installation = fake.install(app.id, "acme", Selection::All);
    let id = adopted(&server, &fake, &app).await;

    let (url, body) = (format!("{}/webhooks/github/{id}", server.client().url()), r#"{"zen":"Keep it simple."}"#);
    let signed = |secret: &str| signature(secret.as_bytes(), body.as_bytes());
    assert_eq!(delivered(&url, ("ping", 1), &signed("of somebody else"), body).await, 401);
    assert_eq!(delivered(&url, ("ping", 1), &signed(&app.webhook_secret), body).await, 202);
    let worked = "keytrail_webhooks_worked_total{event=\"ping\",outcome=\"done\"}";
    soon("it is worked off", || async { metrics(&server).await.contains(worked) }).await;
    let text = metrics(&server).await;
    assert_eq!(value(&text, worked), 1.0);
    // One that nobody here knows is taken and counted, by no word of its own.
    assert_eq!(delivered(&url, ("of_tomorrow", 2), &signed(&app.webhook_secret), body).await, 202);
    let ignored = "keytrail_webhooks_worked_total{event=\"other\",outcome=\"ignored\"}";
    soon("it is not worked on", || async { metrics(&server).await.contains(ignored) }).await;
    let text = metrics(&server).await;
    assert_eq!(value(&text, ignored), 1.0);
    assert_eq!(value(&text, "keytrail_webhooks_total{event=\"other\",outcome=\"stored\"}"), 1.0);
    for outcome in ["stored", "refused"] {
        assert_eq!(value(&text, &format!("keytrail_webhooks_total{{event=\"ping\",outcome=\"{outcome}\"}}")), 1.0);
    }
    let labels = format!("host=\"{}\",installation=\"{installation}\"", fake.name());
    let left = value(&text, &format!("keytrail_github_budget_remaining{{{labels}}}"));
    assert!((1.0..5_000.0).contains(&left), "{left}");

    fake.limit(installation, Limit::Primary { reset_in: 3_600 }, 403);
    let repair = format!("/api/v1/integrations/{id}/installation/repair");
    server.client().post(&repair, None, &json!({})).await.expect("an answer");
    let limits = format!("keytrail_github_limits_total{{{labels}}}");
    soon("a limit is met", || async { metrics(&server).await.contains(&limits) }).await;
    let text = metrics(&server).await;
    assert!(value(&text, &limits) >= 1.0);

    let shown = shown(&text);
    for metric in METRICS.iter().filter(|metric| OF_APPS.iter().any(|begins| metric.name.starts_with(begins))) {
        let wanted: BTreeSet<String> = metric.labels.iter().map(|label| (*label).to_owned()).collect();
        assert_eq!(shown.get(metric.name), Some(&BTreeSet::from([wanted])), "{}", metric.name);
    }
    assert!(!text.contains("acme") && !text.contains("shop"), "a metric names a thing");
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_does_is_shown_on_the_embedded_store() {
    look(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_does_is_shown_on_postgresql() {
    let database = postgres::database().await;
    look(Some(database.url())).await;
}
