//! What is sealed of an app and cannot be opened any more: told, each with words of its own, and mended by giving it again.

use keytrail::store::{Area, Statement};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::{Github, active, settled, shown},
    github_troubles::repaired,
    server::{Answer, Server, answer, on_both_engines},
};

/// Damages what is sealed in this field of every app.
async fn damage(server: &Server, field: &str) {
    let sql = format!(
        "UPDATE secrets SET sealed = data_keys.wrapped FROM data_keys WHERE owner_kind = 'installation' AND field = '{field}'"
    );
    server.app.db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("it is damaged");
}

async fn give(server: &Server, id: &str, key: &str) -> Answer {
    let at = format!("/api/v1/integrations/{id}/installation/key");
    answer(server.local(Method::PUT, &at).json(&json!({ "key": key }))).await.with(StatusCode::OK)
}

async fn a_key_that_cannot_be_opened_is_given_again(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    github.fake.deliveries_are_sent().await;
    settled(&server, &[&github.fake]).await;
    // The same that is as it was is nothing new.
    let before = shown(&server, &id).await["version"].clone();
    assert_eq!(give(&server, &id, &github.app.key.pkcs8).await.body["version"], before);
    damage(&server, "app_key").await;
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("secret_unreadable")));
    give(&server, &id, &github.app.key.pkcs1).await;
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    let now = shown(&server, &id).await;
    assert_eq!(now["app"]["key_fingerprint"], format!("SHA256:{}", github.app.key.fingerprint));
    settled(&server, &[&github.fake]).await;
}

async fn a_webhook_secret_that_cannot_be_opened_is_told_and_changed(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    github.fake.deliveries_are_sent().await;
    settled(&server, &[&github.fake]).await;
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    let before = github.fake.hook_secret(github.app.id);
    damage(&server, "webhook_secret").await;
    for _ in 0..2 {
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("webhook_secret_unreadable")));
    }
    let told = shown(&server, &id).await;
    assert!(told["action"].as_str().is_some_and(|action| action.contains("webhook secret changed")), "{told}");
    let at = format!("/api/v1/integrations/{id}/installation/webhook-secret");
    answer(server.local(Method::PUT, &at)).await.with(StatusCode::OK);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    assert_ne!(github.fake.hook_secret(github.app.id), before, "GitHub was told of another one");
    // The one that is known no more is not in the way of the next change.
    server.pass_seconds(2 * 3_600);
    github.fake.set_clock(server.app.clock.now().seconds());
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    answer(server.local(Method::PUT, &at)).await.with(StatusCode::OK);
    settled(&server, &[&github.fake]).await;
}

on_both_engines!(known reaching_this_machine;
    a_key_that_cannot_be_opened_is_given_again,
    a_webhook_secret_that_cannot_be_opened_is_told_and_changed,
);
