//! Removing an integration before its app is installed, and while its GitHub says nothing.

use keytrail::store::{Area, Statement};
use keytrail_test_support::fake_github::{Credential, Selection, Silence};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::{Github, act, active, adopt, becomes, connect, remove, settled, shown},
    github_connect::Scene,
    github_troubles::sealed,
    server::{Server, answer, on_both_engines, soon},
};

/// Removed while GitHub says nothing, so that the app stays installed; its secrets are kept.
async fn removed_and_kept(server: &Server, github: &Github) -> String {
    let id = active(server, github).await;
    settled(server, &[&github.fake]).await;
    github.fake.set_silence(Some(Silence::Ends));
    let at = format!("/api/v1/integrations/{id}?secrets=kept");
    let removed = answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], true, "{}", removed.text);
    id
}

/// The page at GitHub.
async fn page(url: &str) -> (StatusCode, String) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.get(url).send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a page"))
}

async fn what_was_never_installed_is_removed_and_the_app_is_named(server: Server) {
    // A link was given, and nothing is at GitHub.
    let scene = Scene::set(&server).await;
    scene.post("/connect").await.with(StatusCode::OK);
    let removed = remove(&server, &scene.id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"], Value::Null, "{}", removed.text);
    // It was asked what it is, whether it has the organisation, and nothing else.
    let asked = scene.fake.requests();
    let before = |path: &str| path == "/api/v3/meta" || path == "/api/v3/orgs/acme";
    assert!(asked.iter().all(|one| before(&one.path) && one.credential == Credential::Nothing), "{asked:?}");
    scene.post("/connect").await.refused(409, "integration_removed");
    scene.end().await;
    for status in ["installing", "approval_requested"] {
        let github = Github::start(&server).await;
        github.fake.uninstall(github.installation);
        if status == "approval_requested" {
            github.fake.request_approval(github.app.id, "acme", "octo-member");
        }
        let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
        adopt(&server, &id, github.app.id, &github.app.key.pkcs1).await.with(StatusCode::OK);
        becomes(&server, &id, status).await;
        let removed = remove(&server, &id).await.with(StatusCode::OK);
        let left = &removed.body["remainder"];
        assert_eq!((&left["installed"], &left["owner"]), (&json!(false), &json!("acme")), "{status}: {left}");
        assert_eq!(shown(&server, &id).await["status"], "removed");
        settled(&server, &[&github.fake]).await;
    }
}

async fn what_is_stuck_is_removed(server: Server) {
    let github = Github::start(&server).await;
    github.fake.uninstall(github.installation);
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    adopt(&server, &id, github.app.id, &github.app.key.pkcs1).await.with(StatusCode::OK);
    becomes(&server, &id, "installing").await;
    settled(&server, &[&github.fake]).await;
    server.pass_days(1);
    github.fake.set_clock(server.app.clock.now().seconds());
    let at = format!("/api/v1/integrations/{id}/installation/repair");
    let shown_stuck = server.post(&at, json!({})).await.with(StatusCode::OK).body;
    assert_eq!(shown_stuck["status"], "stuck", "{shown_stuck}");
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["owner"], "acme", "{}", removed.text);
    assert_eq!(shown(&server, &id).await["status"], "removed");
    // The organisation is free for another.
    connect(&server, &github.fake).await.with(StatusCode::CREATED);
    settled(&server, &[&github.fake]).await;
}

async fn a_github_that_says_nothing_keeps_nobody_from_removing(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    github.fake.set_silence(Some(Silence::Waits));
    // It is never going to answer; who removes is answered all the same.
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], true, "{}", removed.text);
    assert_eq!(removed.body["remainder"]["owner"], "acme", "{}", removed.text);
    assert!(github.fake.installation(github.installation).is_some(), "it was not asked in vain");
    let now = shown(&server, &id).await;
    assert_eq!((&now["status"], &now["cause"]), (&json!("removed"), &json!("left_at_github")), "{now}");
    github.fake.set_silence(None);
    settled(&server, &[&github.fake]).await;
}

async fn a_token_that_github_does_not_take_back_keeps_no_app_installed(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    act(&server, &id, "repair").await.with(StatusCode::OK);
    assert!(github.fake.live_tokens() > 0, "its repositories were listed with it");
    github.fake.set_silence_at("/installation/token", Silence::Waits);
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], false, "{}", removed.text);
    assert_eq!(github.fake.installation(github.installation), None);
    github.fake.set_silence(None);
    settled(&server, &[&github.fake]).await;
}

async fn what_is_left_is_followed_with_the_key_that_was_kept(server: Server) {
    let github = Github::start(&server).await;
    let id = removed_and_kept(&server, &github).await;
    github.fake.set_silence(None);
    let looked = async || act(&server, &id, "repair").await.with(StatusCode::OK).body;
    let now = looked().await;
    assert_eq!((&now["status"], &now["remainder"]["installed"]), (&json!("removed"), &json!(true)), "{now}");
    assert!(github.fake.installation(github.installation).is_some(), "it may be somebody else's by now");
    github.fake.uninstall(github.installation);
    assert_eq!(looked().await["remainder"]["installed"], false);
    // Whatever it is called, and whatever its owner is: what is named leads there.
    github.fake.rename_app(github.app.id, "Another name");
    github.fake.rename_org("acme", "acme-two");
    let now = looked().await;
    let left = &now["remainder"];
    assert_eq!((&left["app_name"], &left["owner"]), (&json!("Another name"), &json!("acme-two")), "{now}");
    let (status, html) = page(left["link"].as_str().expect("a link")).await;
    assert!(status == StatusCode::OK && html.contains("Another name"), "{status} {html}");
    // A key that was deleted there tells nothing.
    let other = github.fake.add_key(github.app.id);
    github.fake.delete_key(github.app.id, &github.app.key.fingerprint);
    let now = looked().await;
    assert_eq!((now["remainder"].is_object(), &now["secrets_kept"]), (true, &json!(true)), "{now}");
    assert!(!other.fingerprint.is_empty() && !sealed(&server).await.is_empty());
    settled(&server, &[&github.fake]).await;
}

async fn what_is_left_is_found_in_an_organisation_that_was_renamed(server: Server) {
    let github = Github::start(&server).await;
    let id = removed_and_kept(&server, &github).await;
    github.fake.set_silence(None);
    let installed = async || {
        let now = act(&server, &id, "repair").await.with(StatusCode::OK).body;
        now["remainder"]["installed"].clone()
    };
    github.fake.uninstall(github.installation);
    assert_eq!(installed().await, false);
    // Neither the name nor the installation is what it was.
    github.fake.rename_org("acme", "acme-two");
    let again = github.fake.install(github.app.id, "acme-two", Selection::All);
    assert_ne!(again, github.installation);
    assert_eq!(installed().await, true);
    settled(&server, &[&github.fake]).await;
}

async fn when_github_says_that_an_app_is_gone_its_kept_secrets_are_forgotten(server: Server) {
    let github = Github::start(&server).await;
    let id = removed_and_kept(&server, &github).await;
    assert!(!sealed(&server).await.is_empty());
    // Nobody asks: the timer does.
    github.fake.delete_app(github.app.id);
    github.fake.set_silence(None);
    for _ in 0..600 {
        if shown(&server, &id).await["remainder"].is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let now = shown(&server, &id).await;
    assert_eq!((&now["remainder"], &now["secrets_kept"]), (&Value::Null, &json!(false)), "{now}");
    assert_eq!((&now["status"], &now["cause"], &now["next_at"]), (&json!("removed"), &Value::Null, &Value::Null));
    assert!(sealed(&server).await.is_empty(), "they are forgotten");
    let events = server.get(&format!("/api/v1/events?stream={id}&type=installation.&limit=500")).await;
    let gone: Vec<_> = events.items().iter().filter(|one| one["event_type"] == "installation.remainder_gone").collect();
    assert_eq!((gone.len(), &gone[0]["actor"]["kind"]), (1, &json!("server")), "{}", events.text);
    act(&server, &id, "repair").await.refused(409, "integration_removed");
    settled(&server, &[&github.fake]).await;
}

async fn the_link_to_what_is_left_outlives_another_name(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    // Renamed a moment before, and once more afterwards, when there is no key to ask with.
    github.fake.rename_app(github.app.id, "Another name");
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["app_name"], "Another name", "{}", removed.text);
    github.fake.rename_app(github.app.id, "A third name");
    let now = shown(&server, &id).await;
    let (status, html) = page(now["remainder"]["link"].as_str().expect("a link")).await;
    assert!(status == StatusCode::OK && html.contains("A third name"), "{status} {html}");
    // Where its owner has another name, what is to be done says where to look.
    github.fake.rename_org("acme", "acme-two");
    let start = format!("{}/settings/organizations", github.fake.url());
    assert!(now["action"].as_str().is_some_and(|action| action.contains(&start)), "{now}");
    let (status, html) = page(&start).await;
    assert!(status == StatusCode::OK && html.contains("acme-two"), "{status} {html}");
    settled(&server, &[&github.fake]).await;
}

async fn an_app_that_is_gone_when_its_integration_goes_leaves_nothing(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    github.fake.delete_app(github.app.id);
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"], Value::Null, "{}", removed.text);
    settled(&server, &[&github.fake]).await;
}

async fn a_key_that_cannot_be_read_for_now_is_waited_for(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let away = async |from: &str, to: &str| {
        let sql = format!("ALTER TABLE secrets RENAME COLUMN {from} TO {to}");
        server.app.db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("it is renamed");
    };
    away("sealed", "sealed_elsewhere").await;
    remove(&server, &id).await.with(StatusCode::OK);
    assert!(github.fake.installation(github.installation).is_some(), "nothing opens its key");
    let now = act(&server, &id, "repair").await.with(StatusCode::OK).body;
    assert_ne!(now["status"], "removed", "its app is not given up: {now}");
    away("sealed_elsewhere", "sealed").await;
    // Nobody asks for it again.
    settled(&server, &[&github.fake]).await;
    assert_eq!(github.fake.installation(github.installation), None);
    let now = shown(&server, &id).await;
    assert_eq!((&now["status"], &now["remainder"]["installed"]), (&json!("removed"), &json!(false)), "{now}");
    assert!(sealed(&server).await.is_empty(), "its key was forgotten when it was used");
}

async fn who_takes_an_app_over_ends_what_was_said_of_it_before(server: Server) {
    // At another GitHub an app may have the same id.
    let other = Github::start(&server).await;
    let left = removed_and_kept(&server, &other).await;
    let github = Github::start(&server).await;
    assert_eq!(other.app.id, github.app.id);
    for secrets in ["kept", "forgotten"] {
        let id = active(&server, &github).await;
        settled(&server, &[&github.fake, &other.fake]).await;
        github.fake.set_silence(Some(Silence::Ends));
        let at = format!("/api/v1/integrations/{id}?secrets={secrets}");
        let removed = answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
        assert_eq!(removed.body["remainder"]["installed"], true, "{}", removed.text);
        github.fake.set_silence(None);
        // With a key of its own: how it was removed before makes no difference.
        let again = active(&server, &github).await;
        soon("it is over", || async { shown(&server, &id).await["remainder"].is_null() }).await;
        let now = shown(&server, &id).await;
        assert_eq!((&now["status"], &now["cause"]), (&json!("removed"), &Value::Null), "{secrets}: {now}");
        assert_eq!(now["secrets_kept"], false, "{secrets}: {now}");
        assert!(now["action"].as_str().is_some_and(|action| !action.contains("delete")), "{secrets}: {now}");
        let keys = sealed(&server).await.into_iter().filter(|field| field == "app_key").count();
        assert_eq!(keys, 2, "{secrets}: its own, and the one of the app at the other GitHub");
        remove(&server, &again).await.with(StatusCode::OK);
        assert!(shown(&server, &again).await["remainder"].is_object());
        github.fake.install(github.app.id, "acme", Selection::All);
    }
    assert_eq!(shown(&server, &left).await["cause"], "left_at_github", "it is another app");
    other.fake.set_silence(None);
    settled(&server, &[&github.fake, &other.fake]).await;
}

on_both_engines!(known reaching_this_machine;
    what_was_never_installed_is_removed_and_the_app_is_named,
    what_is_stuck_is_removed,
    a_github_that_says_nothing_keeps_nobody_from_removing,
    a_token_that_github_does_not_take_back_keeps_no_app_installed,
    what_is_left_is_followed_with_the_key_that_was_kept,
    what_is_left_is_found_in_an_organisation_that_was_renamed,
    when_github_says_that_an_app_is_gone_its_kept_secrets_are_forgotten,
    the_link_to_what_is_left_outlives_another_name,
    an_app_that_is_gone_when_its_integration_goes_leaves_nothing,
    a_key_that_cannot_be_read_for_now_is_waited_for,
    who_takes_an_app_over_ends_what_was_said_of_it_before,
);
