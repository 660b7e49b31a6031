//! What changes an app is sent again with its idempotency key, or with an ETag that is old: done once, or not at all.

use keytrail_test_support::fake_github::Silence;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_connect::Scene,
    server::{Answer, Server, answer, on_both_engines},
};

async fn sent(scene: &Scene, (method, rest): (Method, &str), header: (&str, &str), body: &Value) -> Answer {
    let at = format!("/api/v1/integrations/{}/installation/{rest}", scene.id);
    answer(scene.server.local(method, &at).header(header.0, header.1).json(body)).await
}

/// How often the log has this.
async fn count(scene: &Scene, event: &str) -> usize {
    let head = scene.server.app.log.feed().head().position;
    let at = format!("/api/v1/events?type=installation.{event}&min_position={head}");
    scene.server.get(&at).await.with(StatusCode::OK).items().len()
}

async fn a_link_that_is_asked_for_again_is_the_same_link(server: Server) {
    let scene = Scene::set(&server).await;
    let connect = (Method::POST, "connect");
    let ask = async |key: &str, body: Value| sent(&scene, connect.clone(), ("Idempotency-Key", key), &body).await;
    let first = ask("one", json!({ "app_name": "Keytrail" })).await.with(StatusCode::OK);
    let again = ask("one", json!({ "app_name": "Keytrail" })).await.with(StatusCode::OK);
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, "true".into()));
    assert_eq!(again.header("x-log-position"), first.header("x-log-position"));
    assert_eq!(count(&scene, "registration_opened").await, 1);
    ask("one", json!({})).await.refused(422, "idempotency_key_reused");
    let other = ask("two", json!({ "app_name": "Keytrail" })).await.with(StatusCode::OK);
    assert_ne!(other.body["url"], first.body["url"]);
    assert_eq!(count(&scene, "registration_opened").await, 2);
    // The name that is proposed where none was said is part of it.
    let first = ask("three", json!({})).await.with(StatusCode::OK);
    let again = ask("three", json!({})).await.with(StatusCode::OK);
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, "true".into()));
    assert!(first.text_of("url").contains("?name=Keytrail%20"), "{}", first.text);
    ask("three", json!({ "app_name": first.text_of("app_name") })).await.refused(422, "idempotency_key_reused");
    assert_eq!(count(&scene, "registration_opened").await, 3);
    // A link that would lead nowhere is told to nobody.
    let gone = scene.server.local(Method::DELETE, &format!("/api/v1/integrations/{}", scene.id));
    answer(gone.header("If-Match", "*")).await.with(StatusCode::OK);
    ask("three", json!({})).await.refused(409, "integration_removed");
    scene.end().await;
}

async fn a_link_that_was_made_is_told_again_while_github_does_not_answer(server: Server) {
    let scene = Scene::set(&server).await;
    let connect = (Method::POST, "connect");
    let ask = async |key: &str, body: Value| sent(&scene, connect.clone(), ("Idempotency-Key", key), &body).await;
    let first = ask("one", json!({ "app_name": "Keytrail" })).await.with(StatusCode::OK);
    let nameless = ask("nameless", json!({})).await.with(StatusCode::OK);
    scene.fake.set_silence(Some(Silence::Ends));
    let again = ask("one", json!({ "app_name": "Keytrail" })).await.with(StatusCode::OK);
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&first.body, "true".into()));
    assert_eq!(again.header("x-log-position"), first.header("x-log-position"));
    let again = ask("nameless", json!({})).await.with(StatusCode::OK);
    assert_eq!((&again.body, again.header("idempotency-replayed")), (&nameless.body, "true".into()));
    ask("one", json!({ "app_name": "Another" })).await.refused(422, "idempotency_key_reused");
    // A new one is made only where a person can go on with it.
    let new = ask("two", json!({ "app_name": "Keytrail" })).await.refused(422, "github_refused");
    assert_eq!(new.body["reason"], "github_unreachable", "{}", new.text);
    assert_eq!(count(&scene, "registration_opened").await, 2);
    scene.fake.set_silence(None);
    scene.end().await;
}

async fn a_secret_and_a_key_are_changed_once_however_often_that_is_sent(server: Server) {
    let scene = Scene::set(&server).await;
    let app = scene.connected().await;
    let (secret, key) = ((Method::PUT, "webhook-secret"), (Method::PUT, "key"));
    let new = json!({ "key": scene.fake.add_key(app).pkcs8 });
    for (place, body) in [(&secret, &json!({})), (&key, &new)] {
        sent(&scene, place.clone(), ("If-Match", "\"1\""), body).await.refused(412, "version_stale");
    }
    assert_eq!((count(&scene, "webhook_secret_rotated").await, count(&scene, "key_rotated").await), (0, 0));

    let once = async || sent(&scene, secret.clone(), ("Idempotency-Key", "one"), &json!({})).await;
    let first = once().await.with(StatusCode::OK);
    let told = scene.fake.hook_secret(app);
    let again = once().await.with(StatusCode::OK);
    assert_eq!(again.header("idempotency-replayed"), "true");
    // The position is the change's own, not that of what GitHub said to it.
    assert_eq!(again.header("x-log-position"), first.header("x-log-position"));
    assert_eq!((scene.fake.hook_secret(app), count(&scene, "webhook_secret_rotated").await), (told, 1));
    // One that is another request finds the first unfinished.
    let other = sent(&scene, secret.clone(), ("Idempotency-Key", "two"), &json!({})).await;
    other.refused(409, "webhook_secret_rotation_unfinished");

    let once = async |body: &Value| sent(&scene, key.clone(), ("Idempotency-Key", "three"), body).await;
    let changed = once(&new).await.with(StatusCode::OK);
    let again = once(&new).await.with(StatusCode::OK);
    assert_eq!(again.body["app"]["key_fingerprint"], changed.body["app"]["key_fingerprint"]);
    assert_eq!((again.header("idempotency-replayed"), count(&scene, "key_rotated").await), ("true".into(), 1));
    let another = json!({ "key": scene.fake.add_key(app).pkcs8 });
    once(&another).await.refused(422, "idempotency_key_reused");
    // With what was seen last it is changed.
    let version = scene.shown().await["version"].to_string();
    let seen = sent(&scene, key.clone(), ("If-Match", &format!("\"{version}\"")), &another).await;
    seen.with(StatusCode::OK);
    assert_eq!(count(&scene, "key_rotated").await, 2);
    scene.end().await;
}

on_both_engines!(known reaching_this_machine;
    a_link_that_is_asked_for_again_is_the_same_link,
    a_link_that_was_made_is_told_again_while_github_does_not_answer,
    a_secret_and_a_key_are_changed_once_however_often_that_is_sent,
);
