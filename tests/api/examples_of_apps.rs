//! The part of the tour that leads through the operations of apps: one is taken over, given another key, suspended, resumed,
//! delivered to and removed.

use keytrail::git::services::github::webhook::signature;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    examples::Tour,
    github_app::{Github, becomes, connect},
    server::{Server, answer, soon},
};

/// What GitHub's documentation signs with.
const SECRET: &str = "It's a Secret to Everybody";
const DELIVERY: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

pub(crate) async fn walk(tour: &mut Tour, server: &Server) {
    let github = Github::start(server).await;
    let shop = github.add(server, "shop", &["SHOP-1 begins"]);
    let pull = github.fake.open_pull(shop, "SHOP-1: a cart that remembers", "feature/SHOP-1-cart", "main", "ada");
    github.fake.review_pull(shop, pull, "grace", "approved");
    let id = connect(server, &github.fake).await.with(StatusCode::CREATED).id();
    let of_it = [("id", id.as_str())];
    tour.call("ConnectGithubApp", &of_it, Some(json!({ "app_name": "Keytrail acme" }))).await;
    let body = json!({ "app_id": github.app.id, "key": github.app.key.pkcs1, "webhook_secret": SECRET });
    tour.call("AdoptGithubApp", &[("id", &id), ("Idempotency-Key", "take-over")], Some(body)).await;
    becomes(server, &id, "active").await;
    let pulls = "/api/v1/issues/SHOP-1/pull-requests";
    soon("its pull request is there", || async { server.get(pulls).await.items().len() == 1 }).await;
    server.look_behind().await;
    tour.call("ListIssuePullRequests", &[("key", "SHOP-1"), ("limit", "10")], None).await;
    tour.call("GetInstallation", &of_it, None).await;
    tour.call("RepairInstallation", &of_it, None).await;
    tour.call("PreviewFilter", &of_it, Some(json!({ "filter": "repositories[?!archived]" }))).await;
    let key = github.fake.add_key(github.app.id).pkcs1;
    tour.call("RotatePemKey", &of_it, Some(json!({ "key": key }))).await;
    tour.call("SuspendInstallation", &[("id", &id), ("Idempotency-Key", "suspend")], None).await;
    becomes(server, &id, "suspended").await;
    server.look_behind().await;
    tour.call("ResumeInstallation", &[("id", &id), ("Idempotency-Key", "resume")], None).await;
    becomes(server, &id, "active").await;
    server.look_behind().await;

    let body = json!({ "zen": "Keep it logically awesome.", "hook_id": 109_948_940 });
    let signed = signature(SECRET.as_bytes(), body.to_string().as_bytes());
    let delivered = [
        ("id", id.as_str()),
        ("X-GitHub-Event", "ping"),
        ("X-GitHub-Delivery", DELIVERY),
        ("X-Hub-Signature-256", signed.as_str()),
    ];
    tour.call("ReceiveGithubWebhook", &delivered, Some(body)).await;
    let list = format!("/api/v1/integrations/{id}/deliveries?state=done");
    soon("it is worked off", || async { server.get(&list).await.items().iter().any(|one| one["id"] == DELIVERY) })
        .await;
    let of_delivery = [("id", id.as_str()), ("delivery", DELIVERY)];
    tour.call("ListDeliveries", &[("id", &id), ("state", "done"), ("limit", "10")], None).await;
    tour.call("GetDelivery", &of_delivery, None).await;
    tour.call("ReplayDelivery", &of_delivery, None).await;
    soon("it is worked off again", || async {
        server.get(&list).await.items().iter().any(|one| one["id"] == DELIVERY)
    })
    .await;
    tour.call("RotateWebhookSecret", &of_it, None).await;
    removed(server, &id).await;
    tour.call("ConfirmGone", &[("id", &id), ("Idempotency-Key", "it-is-gone")], None).await;
    confirm(tour, server).await;
}

/// Takes over an app that sees more than anybody wants without a word, and says the word.
async fn confirm(tour: &mut Tour, server: &Server) {
    let github = Github::start(server).await;
    for number in 0..1_001 {
        let id = github.fake.add_repository("acme", &format!("old-{number:04}"));
        github.fake.archive_repository(id, true);
    }
    let id = connect(server, &github.fake).await.with(StatusCode::CREATED).id();
    let body = json!({ "app_id": github.app.id, "key": github.app.key.pkcs1 });
    let at = format!("/api/v1/integrations/{id}/installation");
    server.post(&format!("{at}/adopt"), body).await.with(StatusCode::OK);
    soon("a person is asked", || async { server.get(&at).await.body["cause"] == "confirmation_wanted" }).await;
    tour.call("ConfirmRepositories", &[("id", &id), ("Idempotency-Key", "all-of-them")], None).await;
    removed(server, &id).await;
}

async fn removed(server: &Server, id: &str) {
    let at = format!("/api/v1/integrations/{id}");
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    server.look_behind().await;
}
