//! What goes wrong with an app at its GitHub: what is said of it, and that removing it works from everywhere.

use keytrail::store::Area;
use keytrail_projections::value::Cells;
use keytrail_test_support::fake_github::{FakeGithub, Limit, Selection, TokenShape};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    all_reads::Reader,
    github_app::{Github, act, active, adopt, becomes, connect, remove, repositories, settled, shown},
    host_keys::KNOWN,
    server::{Server, on_both_engines, soon},
};

/// Repaired now: the word and what stands in the way.
pub(crate) async fn repaired(server: &Server, id: &str) -> (String, Value) {
    let told = act(server, id, "repair").await.with(StatusCode::OK);
    (told.text_of("status"), told.body["cause"].clone())
}

async fn what_became_of_it_there_is_seen_and_mends_itself(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    // Suspended by the organisation, whom we cannot overrule.
    github.fake.suspend_by(github.installation, "boss");
    assert_eq!(repaired(&server, &id).await, ("suspended".to_owned(), Value::Null));
    let now = shown(&server, &id).await;
    assert_eq!(now["installation"]["suspended_by"], "boss");
    assert!(now["text"].as_str().is_some_and(|text| text.starts_with("boss suspended it")), "{now}");
    assert!(now["action"].as_str().is_some_and(|text| text.contains("suspend it here instead")), "{now}");
    act(&server, &id, "resume").await.with(StatusCode::OK);
    soon("it says why not", || async { shown(&server, &id).await["cause"] == "suspended_there" }).await;
    assert_eq!(shown(&server, &id).await["status"], "suspended");
    github.fake.unsuspend(github.installation);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    // Both stop it; each lifts only its own.
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    soon("GitHub knows", || async { github.fake.installation(github.installation) == Some(true) }).await;
    settled(&server, &[&github.fake]).await;
    github.fake.suspend_by(github.installation, "boss");
    act(&server, &id, "resume").await.with(StatusCode::OK);
    settled(&server, &[&github.fake]).await;
    assert_eq!(repaired(&server, &id).await.0, "suspended");
    github.fake.unsuspend(github.installation);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    assert_eq!(github.fake.installation(github.installation), Some(false));
    // A key that is gone there.
    let other = github.fake.add_key(github.app.id);
    github.fake.delete_key(github.app.id, &github.app.key.fingerprint);
    assert_eq!(repaired(&server, &id).await.0, "key_rejected");
    let at = format!("/api/v1/integrations/{id}/installation/key");
    let given = server.local(reqwest::Method::PUT, &at).json(&json!({ "key": other.pkcs1 }));
    crate::server::answer(given).await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    // Uninstalled, asked for, installed again under another id.
    github.fake.uninstall(github.installation);
    assert_eq!(repaired(&server, &id).await.0, "uninstalled");
    github.fake.request_approval(github.app.id, "acme", "member");
    assert_eq!(repaired(&server, &id).await.0, "approval_requested");
    let again = github.fake.install(github.app.id, "acme", Selection::All);
    assert_eq!(repaired(&server, &id).await.0, "active");
    assert_eq!(shown(&server, &id).await["installation"]["id"], again);
    // Renamed there: no link is dead.
    github.fake.rename_app(github.app.id, "Another name");
    assert_eq!(repaired(&server, &id).await.0, "active");
    let now = shown(&server, &id).await;
    assert_eq!(now["app"]["url"], format!("{}/github-apps/another-name", github.fake.url()));
    // The organisation is called something else: found by the id, and afterwards by the name.
    github.fake.rename_org("acme", "acme-two");
    for _ in 0..2 {
        assert_eq!(repaired(&server, &id).await.0, "active");
        assert_eq!(shown(&server, &id).await["installation"]["organisation"], "acme-two");
    }
    // Deleted.
    github.fake.delete_app(github.app.id);
    assert_eq!(repaired(&server, &id).await.0, "app_deleted");
    settled(&server, &[&github.fake]).await;
}

async fn an_organisation_that_two_integrations_have_by_two_names_is_said_to_be_taken(server: Server) {
    let github = Github::start(&server).await;
    let first = active(&server, &github).await;
    github.fake.rename_org("acme", "acme-two");
    let app = github.fake.register_app("acme-two", "Second");
    github.fake.install(app.id, "acme-two", Selection::All);
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "acme-two" });
    let second = server.connect("second", place).await.with(StatusCode::CREATED).id();
    adopt(&server, &second, app.id, &app.key.pkcs1).await.with(StatusCode::OK);
    soon("it is said", || async { shown(&server, &second).await["cause"] == "organisation_taken" }).await;
    let now = shown(&server, &second).await;
    assert_eq!(now["status"], "installing");
    assert_eq!(now["holder"], json!({ "integration": first, "name": "acme" }), "{now}");
    assert!(now["text"].as_str().is_some_and(|text| text.contains(&format!("“acme” ({first})"))), "{now}");
    remove(&server, &first).await.with(StatusCode::OK);
    becomes(&server, &first, "removed").await;
    assert_eq!(repaired(&server, &second).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn an_app_that_waits_in_an_organisation_that_another_integration_has_is_said_to_wait_in_vain(server: Server) {
    let github = Github::start(&server).await;
    let first = active(&server, &github).await;
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "acme-two" });
    let second = server.connect("second", place).await.with(StatusCode::CREATED).id();
    github.fake.rename_org("acme", "acme-two");
    let app = github.fake.register_app("acme-two", "Second");
    adopt(&server, &second, app.id, &app.key.pkcs1).await.with(StatusCode::OK);
    assert_eq!(repaired(&server, &second).await, ("installing".to_owned(), "organisation_taken".into()));
    let now = shown(&server, &second).await;
    assert_eq!(now["holder"]["integration"], first, "{now}");
    remove(&server, &first).await.with(StatusCode::OK);
    becomes(&server, &first, "removed").await;
    assert_eq!(repaired(&server, &second).await, ("installing".to_owned(), "not_installed".into()));
    settled(&server, &[&github.fake]).await;
}

async fn an_app_that_was_installed_anew_in_a_renamed_organisation_is_found(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    // No delivery comes here. Neither the name nor the installation is what it was.
    github.fake.uninstall(github.installation);
    github.fake.rename_org("acme", "acme-two");
    // Somebody else has the name now.
    github.fake.set_ip_allow_list("acme", false);
    let again = github.fake.install(github.app.id, "acme-two", Selection::All);
    assert_ne!(again, github.installation);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    let now = shown(&server, &id).await;
    let there = &now["installation"];
    assert_eq!((&there["id"], &there["organisation"]), (&again.into(), &"acme-two".into()), "{now}");
    // An organisation of the old name is another one, whatever is installed there.
    github.fake.uninstall(again);
    github.fake.install(github.app.id, "acme", Selection::All);
    assert_eq!(repaired(&server, &id).await, ("uninstalled".to_owned(), Value::Null));
    github.fake.install(github.app.id, "acme-two", Selection::All);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn an_organisation_that_was_renamed_before_the_app_was_installed_is_followed(server: Server) {
    let github = Github::start(&server).await;
    github.fake.uninstall(github.installation);
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    adopt(&server, &id, github.app.id, &github.app.key.pkcs1).await.with(StatusCode::OK);
    becomes(&server, &id, "installing").await;
    settled(&server, &[&github.fake]).await;
    github.fake.rename_org("acme", "acme-two");
    let there = github.fake.install(github.app.id, "acme-two", Selection::All);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    let now = shown(&server, &id).await["installation"].clone();
    assert_eq!((&now["id"], &now["organisation"]), (&there.into(), &"acme-two".into()), "{now}");
    settled(&server, &[&github.fake]).await;
}

async fn an_app_is_never_spoken_for_at_another_host(server: Server) {
    let (github, other) = (Github::start(&server).await, Github::start(&server).await);
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    other.fake.forget_requests();
    let place = json!({ "kind": "github_app", "host": other.fake.url(), "organisation": "acme" });
    let at = format!("/api/v1/integrations/{id}/connection");
    let moved = server.local(reqwest::Method::PUT, &at).header("If-Match", "*").json(&json!({ "connection": place }));
    crate::server::answer(moved).await.with(StatusCode::OK);
    act(&server, &id, "repair").await.with(StatusCode::OK);
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    assert!(other.fake.requests().is_empty(), "{:?}", other.fake.requests());
    let now = shown(&server, &id).await;
    assert_eq!(now["cause"], "app_elsewhere", "{now}");
    for member in ["text", "action"] {
        assert!(now[member].as_str().is_some_and(|text| text.contains(&github.fake.name())), "{member}: {now}");
    }
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], true, "{}", removed.text);
    settled(&server, &[&github.fake, &other.fake]).await;
    assert!(other.fake.requests().is_empty(), "{:?}", other.fake.requests());
}

async fn what_stands_in_the_way_is_said_and_goes_away_again(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    for (status, cause) in [(502, "waiting_for_service"), (503, "waiting_for_service")] {
        github.fake.fail_next(status, 1);
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), cause.into()));
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    }
    settled(&server, &[&github.fake]).await;
}

async fn a_token_that_is_taken_back_is_asked_for_anew(server: Server) {
    let github = Github::start(&server).await;
    github.fake.set_token_shape(TokenShape { seconds: 3_600, characters: 520 });
    github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = active(&server, &github).await;
    soon("it is indexed", || async {
        repositories(&server, &id).await.first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    settled(&server, &[&github.fake]).await;
    github.fake.revoke_tokens();
    let (before, row) = (github.fake.mints(), repositories(&server, &id).await.remove(0));
    let shop = row["id"].as_str().expect("an id");
    let run = server.post(&format!("/api/v1/repositories/{shop}/index-runs"), json!({})).await;
    assert!(run.status.is_success(), "{}", run.text);
    soon("it is indexed anew", || async {
        settled(&server, &[&github.fake]).await;
        let now = repositories(&server, &id).await.remove(0);
        assert_eq!(now["failure"], Value::Null, "{now}");
        now["state"] == "indexed" && now["last_run"] != row["last_run"]
    })
    .await;
    assert!(github.fake.mints() > before);
}

async fn a_limited_organisation_waits_and_comes_back(server: Server) {
    let github = Github::start(&server).await;
    github.fake.limit(github.installation, Limit::Secondary { retry_after: Some(1) }, 429);
    let id = active(&server, &github).await;
    soon("it met the limit", || async { github.fake.requests().iter().any(|asked| asked.status == 429) }).await;
    assert!(repositories(&server, &id).await.is_empty());
    github.add(&server, "shop", &["SHOP-1 begins"]);
    github.fake.lift_limit(github.installation);
    // The server's clock stands still in tests.
    server.pass_days(1);
    github.fake.set_clock(server.app.clock.now().seconds());
    soon("it is indexed", || async {
        repositories(&server, &id).await.first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    settled(&server, &[&github.fake]).await;
}

async fn removing_works_from_every_state(server: Server) {
    type Break = fn(&Github);
    let ways: [(&str, Break, bool); 6] = [
        ("active", |_| {}, true),
        ("suspended", |github| github.fake.suspend_by(github.installation, "boss"), true),
        ("uninstalled", |github| github.fake.uninstall(github.installation), true),
        ("app_deleted", |github| github.fake.delete_app(github.app.id), false),
        (
            "key_rejected",
            |github| {
                github.fake.add_key(github.app.id);
                github.fake.delete_key(github.app.id, &github.app.key.fingerprint);
            },
            true,
        ),
        ("active", |github| github.fake.fail_next_at("/app/installations", 502, 100), true),
    ];
    for (status, broken, remains) in ways {
        let github = Github::start(&server).await;
        let id = active(&server, &github).await;
        broken(&github);
        assert_eq!(repaired(&server, &id).await.0, status);
        remove(&server, &id).await.with(StatusCode::OK);
        becomes(&server, &id, "removed").await;
        let now = shown(&server, &id).await;
        assert_eq!(now["remainder"].is_object(), remains, "{status}: {now}");
        if remains {
            let link = format!("{}/organizations/acme/settings/apps", github.fake.url());
            assert_eq!((&now["remainder"]["link"], &now["remainder"]["owner"]), (&link.into(), &"acme".into()));
            assert_eq!(now["remainder"]["app_name"], "Keytrail acme", "{status}: {now}");
            let there = github.fake.installation(github.installation).is_some();
            assert_eq!(now["remainder"]["installed"], there, "{status}: {now}");
        }
        assert!(sealed(&server).await.is_empty(), "{status}: its secrets are forgotten");
        assert_eq!(github.fake.live_tokens(), 0, "{status}: no token is left");
        settled(&server, &[&github.fake]).await;
    }
}

/// The fields of all secrets that belong to apps.
pub(crate) async fn sealed(server: &Server) -> Vec<String> {
    let sql = "SELECT field FROM secrets WHERE owner_kind = 'installation' ORDER BY field";
    let rows = server.app.db.read(Area::Log, sql, &[]).await.expect("the secrets");
    rows.iter().map(|row| Cells::of(row).text().expect("a text").to_owned()).collect()
}

async fn removing_waits_for_nobody_who_is_not_there(server: Server) {
    // Nothing was registered.
    let fake = FakeGithub::start().await;
    let id = connect(&server, &fake).await.with(StatusCode::CREATED).id();
    remove(&server, &id).await.with(StatusCode::OK);
    assert!(fake.requests().is_empty());
    // The host is gone.
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let (key, app) = (github.app.key.pkcs1.clone(), github.app.id);
    drop(github);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), "unreachable".into()));
    remove(&server, &id).await.with(StatusCode::OK);
    becomes(&server, &id, "removed").await;
    let now = shown(&server, &id).await;
    assert_eq!(now["remainder"]["installed"], true, "{now}");
    let refused = adopt(&server, &id, app, &key).await;
    assert!(refused.status.is_client_error(), "{}", refused.text);
    // Twice is as once.
    let again = remove(&server, &id).await;
    assert!(again.status == StatusCode::OK || again.status == StatusCode::CONFLICT, "{}", again.text);
    settled(&server, &[]).await;
}

async fn no_secret_of_an_app_is_in_an_event_or_an_answer(server: Server) {
    let github = Github::start(&server).await;
    github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = active(&server, &github).await;
    soon("it is indexed", || async {
        repositories(&server, &id).await.first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    settled(&server, &[&github.fake]).await;
    let tokens = github.fake.secrets();
    assert!(tokens.len() > 2, "a token, a secret of the hook, one of the client");
    let body: String = github.app.key.pkcs1.lines().nth(5).expect("a line").to_owned();
    let secrets: Vec<String> = tokens.into_iter().chain([body]).collect();
    server.token("viewer").await;
    server.post("/api/v1/ssh-keys/generate", json!({ "name": "deploy" })).await.with(StatusCode::CREATED);
    server.post("/api/v1/host-keys/import", json!({ "known_hosts": KNOWN })).await.with(StatusCode::OK);
    let reader = Reader::of(&server);
    let mut values = reader.values("SHOP-1").await;
    values.insert("id", id.clone());
    for (operation, said) in reader.every_answer(&values).await {
        is_clean(operation, &said, &secrets);
    }
    is_clean("the app", &shown(&server, &id).await.to_string(), &secrets);
    let sql = "SELECT CAST(payload AS TEXT) FROM events";
    let rows = server.app.db.read(Area::Log, sql, &[]).await.expect("the events");
    assert!(rows.len() > 5);
    for row in rows {
        is_clean("an event", Cells::of(&row).text().unwrap_or_default(), &secrets);
    }
    github.fake.fail_next(502, 1);
    let told = act(&server, &id, "repair").await;
    is_clean("a refusal", &told.text, &secrets);
}

#[track_caller]
pub(crate) fn is_clean(what: &str, text: &str, secrets: &[String]) {
    for secret in secrets {
        assert!(!text.contains(secret.as_str()), "{what} holds {secret}");
    }
}

on_both_engines!(reaching_this_machine;
    what_became_of_it_there_is_seen_and_mends_itself,
    what_stands_in_the_way_is_said_and_goes_away_again,
    an_organisation_that_two_integrations_have_by_two_names_is_said_to_be_taken,
    an_app_that_waits_in_an_organisation_that_another_integration_has_is_said_to_wait_in_vain,
    an_app_that_was_installed_anew_in_a_renamed_organisation_is_found,
    an_organisation_that_was_renamed_before_the_app_was_installed_is_followed,
    an_app_is_never_spoken_for_at_another_host,
    a_token_that_is_taken_back_is_asked_for_anew,
    a_limited_organisation_waits_and_comes_back,
    removing_works_from_every_state,
    removing_waits_for_nobody_who_is_not_there,
    no_secret_of_an_app_is_in_an_event_or_an_answer,
);
