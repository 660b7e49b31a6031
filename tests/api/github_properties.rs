//! What must not change of an app, and what is mended when it did; the secret of its deliveries.

use keytrail_test_support::fake_github::Denial;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::settled,
    github_connect::Scene,
    github_troubles::sealed,
    server::{Answer, Server, answer, on_both_engines},
};

fn properties(shown: &Value) -> Vec<String> {
    let all = shown["differing"].as_array().expect("a list").iter();
    all.map(|one| one["property"].as_str().expect("a word").to_owned()).collect()
}

/// A property as it is shown now.
async fn property(scene: &Scene, word: &str) -> Value {
    let shown = scene.shown().await;
    let all = shown["properties"].as_array().expect("a list");
    assert_eq!(all.len(), 6, "{shown}");
    all.iter().find(|one| one["property"] == word).expect("it is told").clone()
}

/// Waits until the server saw by itself that one is as it is.
async fn comes_to(scene: &Scene, word: &str, state: &str) -> Value {
    for _ in 0..30 {
        // What is looked at by the clock is. A GitHub first: nothing that is asked then comes too early.
        scene.fake.set_clock(scene.server.app.clock.now().seconds() + 24 * 3_600);
        scene.server.pass_days(1);
        for _ in 0..30 {
            let one = property(scene, word).await;
            if one["state"] == state {
                return one;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
    panic!("{word} is not {state}: {}", scene.shown().await);
}

async fn each_of_the_six_properties_says_what_it_should_be_what_it_is_and_what_mends_it(server: Server) {
    let scene = Scene::set(&server).await;
    let app = scene.connected().await;
    scene.post("/repair").await.with(StatusCode::OK);
    let settings = |shown: &Value| {
        let slug = shown["app"]["url"].as_str().and_then(|url| url.rsplit('/').next()).expect("a slug").to_owned();
        format!("{}/organizations/acme/settings/apps/{slug}", scene.fake.url())
    };
    let shown = scene.shown().await;
    for one in shown["properties"].as_array().expect("a list") {
        let told = one["property"] != "post_installation";
        assert_eq!(one["state"], if told { "kept" } else { "not_told" }, "{one}");
        assert_eq!(one["actual"].is_string(), told, "{one}");
        assert_eq!(one["repair"].is_null(), told, "{one}");
        assert!(one["expected"].is_string() && one["link"].is_string(), "{one}");
    }
    let here = format!("http://{}/github/setup", scene.server.address);
    assert_eq!(property(&scene, "post_installation").await["expected"], here);
    // Deliveries go elsewhere: seen by the server itself, mended by repairing.
    let hook = scene.fake.hook_url(app).expect("it has one");
    scene.fake.set_hook(app, Some("http://127.0.0.1:9/elsewhere"));
    let found = comes_to(&scene, "webhook", "differs").await;
    assert!(found["expected"].as_str().is_some_and(|text| text.contains(&hook)), "{found}");
    assert!(found["actual"].as_str().is_some_and(|text| text.contains("127.0.0.1:9/elsewhere")), "{found}");
    assert!(found["repair"].as_str().is_some_and(|text| text.starts_with("Repair the installation")), "{found}");
    scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(property(&scene, "webhook").await["state"], "kept");
    // The app asks for more than the organisation gave: for the owner of each there is a link.
    let more = [("contents", "write"), ("issues", "read"), ("metadata", "read"), ("pull_requests", "write")];
    let events = ["create", "delete", "meta", "pull_request", "pull_request_review", "push", "repository"];
    scene.fake.ask_for(app, &more, &events);
    scene.post("/repair").await.with(StatusCode::OK);
    let found = property(&scene, "permissions_and_events").await;
    assert_eq!(
        (&found["state"], &found["link"]),
        (&json!("differs"), &json!(format!("{}/permissions", settings(&shown))))
    );
    let found = property(&scene, "installation_settings").await;
    let installation = shown["installation"]["id"].as_u64().expect("an id");
    let link = format!("{}/organizations/acme/settings/installations/{installation}", scene.fake.url());
    assert_eq!((&found["state"], &found["link"]), (&json!("differs"), &json!(link)));
    scene.fake.accept_permissions(installation);
    scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(property(&scene, "installation_settings").await["state"], "kept");
    // The name, and the links with it.
    scene.fake.rename_app(app, "Another name");
    scene.post("/repair").await.with(StatusCode::OK);
    let found = property(&scene, "name").await;
    let link = format!("{}/organizations/acme/settings/apps/another-name", scene.fake.url());
    assert_eq!((&found["actual"], &found["link"]), (&json!("Another name"), &json!(link)));
    // The key.
    let print = scene.shown().await["app"]["key_fingerprint"].as_str().expect("a text").to_owned();
    let other = scene.fake.add_key(app);
    scene.fake.delete_key(app, print.trim_start_matches("SHA256:"));
    scene.post("/repair").await.with(StatusCode::OK);
    let found = property(&scene, "private_key").await;
    assert_eq!((&found["state"], &found["expected"]), (&json!("differs"), &json!(print)));
    let at = format!("/api/v1/integrations/{}/installation/key", scene.id);
    let body = json!({ "key": other.pkcs1 });
    answer(scene.server.local(Method::PUT, &at).json(&body)).await.with(StatusCode::OK);
    scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(property(&scene, "private_key").await["state"], "kept");
    scene.end().await;
}

async fn a_webhook_that_may_not_be_read_differs_and_one_that_could_not_be_asked_for_is_as_it_was(server: Server) {
    let scene = Scene::set(&server).await;
    scene.connected().await;
    scene.post("/repair").await.with(StatusCode::OK);
    settled(&server, &[&scene.fake]).await;
    assert_eq!(property(&scene, "webhook").await["state"], "kept");
    scene.fake.forget_requests();
    scene.fake.fail_after("/app/hook/config", 0, 503);
    scene.post("/suspend").await.with(StatusCode::OK);
    settled(&server, &[&scene.fake]).await;
    let asked = scene.fake.requests();
    assert!(asked.iter().any(|one| one.path.ends_with("/app/hook/config")), "{asked:?}");
    assert_eq!(property(&scene, "webhook").await["state"], "kept");
    scene.fake.fail_no_more();
    scene.fake.deny_at("/app/hook/config", Denial::Permission);
    scene.post("/resume").await.with(StatusCode::OK);
    settled(&server, &[&scene.fake]).await;
    let found = property(&scene, "webhook").await;
    assert_eq!((&found["state"], &found["actual"]), (&json!("differs"), &json!("GitHub does not let it be read")));
    scene.fake.fail_no_more();
    scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(property(&scene, "webhook").await["state"], "kept");
    settled(&server, &[&scene.fake]).await;
    scene.end().await;
}

async fn rotate(scene: &Scene) -> Answer {
    let at = format!("/api/v1/integrations/{}/installation/webhook-secret", scene.id);
    answer(scene.server.local(Method::PUT, &at)).await
}

async fn what_was_changed_at_github_is_named_and_mended_as_far_as_it_goes(server: Server) {
    let scene = Scene::set(&server).await;
    let app = scene.connected().await;
    let shown = scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(properties(&shown.body), [""; 0], "{}", shown.text);
    let hook = scene.fake.hook_url(app).expect("it has one");
    scene.fake.set_hook(app, Some("http://127.0.0.1:9/elsewhere"));
    scene.fake.rename_app(app, "Another name");
    scene.fake.ask_for(app, &[("contents", "read")], &["push"]);
    let shown = scene.post("/repair").await.with(StatusCode::OK).body;
    assert_eq!(scene.fake.hook_url(app), Some(hook), "it was mended");
    assert_eq!(shown["app"]["name"], "Another name");
    let named = properties(&shown);
    assert!(named.contains(&"name".to_owned()) && named.contains(&"permissions_and_events".to_owned()), "{shown}");
    assert!(!named.contains(&"webhook".to_owned()), "{shown}");
    let name = &shown["differing"][0];
    assert!(name["expected"].as_str().is_some_and(|name| name.starts_with("Keytrail acme")), "{name}");
    assert_eq!(name["actual"], "Another name");
    scene.end().await;
}

async fn another_webhook_secret_is_told_to_github_and_both_are_good_for_a_while(server: Server) {
    let scene = Scene::set(&server).await;
    let app = scene.connected().await;
    let first = scene.fake.hook_secret(app);
    rotate(&scene).await.with(StatusCode::OK);
    let second = scene.fake.hook_secret(app);
    assert!(first != second && second.as_ref().is_some_and(|secret| secret.len() == 64));
    let refused = rotate(&scene).await.refused(409, "webhook_secret_rotation_unfinished");
    assert!(refused.text.contains("for an hour"), "{}", refused.text);
    assert_eq!(scene.fake.hook_secret(app), second);
    // GitHub is told again as long as both are good, and the old one goes after an hour.
    scene.server.pass_days(1);
    scene.fake.set_clock(scene.server.app.clock.now().seconds());
    scene.post("/repair").await.with(StatusCode::OK);
    rotate(&scene).await.with(StatusCode::OK);
    assert_ne!(scene.fake.hook_secret(app), second);
    let events = scene.server.get("/api/v1/events?type=installation.&limit=500").await.text;
    assert_eq!(events.matches("installation.webhook_secret_retired").count(), 1, "{events}");
    let kept = sealed(&scene.server).await.into_iter().filter(|field| field == "webhook_secret").count();
    assert_eq!(kept, 2, "the one before the last is forgotten");
    assert!(scene.fake.secrets().iter().all(|secret| !events.contains(secret)), "a secret got out");
    scene.end().await;
}

async fn an_app_that_is_taken_over_gets_its_deliveries_sent_here(server: Server) {
    let scene = Scene::set(&server).await;
    let app = scene.fake.register_app("acme", "An old one");
    scene.fake.set_hook(app.id, Some("http://127.0.0.1:9/elsewhere"));
    let at = format!("/api/v1/integrations/{}/installation/adopt", scene.id);
    let body = json!({ "app_id": app.id, "key": app.key.pkcs1 });
    scene.server.post(&at, body).await.with(StatusCode::OK);
    let hook = format!("http://{}/webhooks/github/{}", scene.server.address, scene.id);
    assert_eq!(scene.fake.hook_url(app.id), Some(hook));
    assert_ne!(scene.fake.hook_secret(app.id), Some(app.webhook_secret));
    scene.end().await;
}

on_both_engines!(known reaching_this_machine;
    each_of_the_six_properties_says_what_it_should_be_what_it_is_and_what_mends_it,
    a_webhook_that_may_not_be_read_differs_and_one_that_could_not_be_asked_for_is_as_it_was,
    what_was_changed_at_github_is_named_and_mended_as_far_as_it_goes,
    another_webhook_secret_is_told_to_github_and_both_are_good_for_a_while,
    an_app_that_is_taken_over_gets_its_deliveries_sent_here,
);
