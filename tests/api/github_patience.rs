//! A person who asks something of an app while its GitHub says nothing is answered, and what was asked for goes on.

use keytrail_test_support::fake_github::Silence;
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    github_app::{Github, act, active, adopt, connect, settled, shown},
    server::{Server, on_both_engines},
};

async fn who_repairs_is_answered_while_github_says_nothing_and_it_is_repaired_behind_the_answer(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    github.fake.rename_app(github.app.id, "Another name");
    github.fake.set_silence(Some(Silence::Waits));
    let now = act(&server, &id, "repair").await.with(StatusCode::OK).body;
    assert_eq!((&now["status"], &now["app"]["name"]), (&json!("active"), &json!("Keytrail acme")), "{now}");
    // What is told is what was known before.
    assert!(now["next_step"].as_str().is_some_and(|next| next.contains("goes on asking")), "{now}");
    github.fake.set_silence(None);
    settled(&server, &[&github.fake]).await;
    assert_eq!(shown(&server, &id).await["app"]["name"], "Another name");
}

async fn who_takes_over_an_app_while_github_says_nothing_is_told_that_nothing_was_changed(server: Server) {
    let github = Github::start(&server).await;
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    github.fake.set_silence(Some(Silence::Waits));
    let refused = adopt(&server, &id, github.app.id, &github.app.key.pkcs1).await.refused(422, "github_refused");
    assert_eq!(refused.body["reason"], "github_unreachable", "{}", refused.text);
    assert_eq!(shown(&server, &id).await["status"], "registering");
    github.fake.set_silence(None);
    settled(&server, &[&github.fake]).await;
}

on_both_engines!(reaching_this_machine;
    who_repairs_is_answered_while_github_says_nothing_and_it_is_repaired_behind_the_answer,
    who_takes_over_an_app_while_github_says_nothing_is_told_that_nothing_was_changed,
);
