//! A host is asked whether it is the GitHub that it is taken for, before a link is given and before a way back is used up.

use keytrail_test_support::{
    fake_github::{Credential, FakeGithub, Selection, Silence},
    web_server::Scripted,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    browser::Browser,
    github_app::{act, adopt, becomes, remove, settled},
    github_connect::Scene,
    server::{Server, on_both_engines},
};

/// Refused for this reason, and nothing was begun.
async fn is_refused(server: &Server, host: &str, reason: &str) {
    let connection = json!({ "kind": "github_app", "host": host, "organisation": "acme" });
    let id = server.connect(reason, connection).await.with(StatusCode::CREATED).id();
    let at = format!("/api/v1/integrations/{id}/installation");
    let refused = server.post(&format!("{at}/connect"), json!({})).await.refused(422, "github_refused");
    assert_eq!(refused.body["reason"], reason, "{}", refused.text);
    let shown = server.get(&at).await.with(StatusCode::OK);
    assert_eq!((&shown.body["status"], &shown.body["version"]), (&json!("registering"), &json!(0)), "{}", shown.text);
    remove(server, &id).await.with(StatusCode::OK);
    server.look_behind().await;
}

async fn what_is_no_github_is_refused_before_a_link_is_given(server: Server) {
    // A page, a document of something else, a refusal that no GitHub writes, nobody.
    for (status, kind, body) in [
        ("200 OK", "text/html", b"<title>Sign in</title>".as_slice()),
        ("200 OK", "application/json", br#"{"version":"1.21.0"}"#),
        ("404 Not Found", "application/json", br#"{"message":"Not Found"}"#),
        ("401 Unauthorized", "application/json", br#"{"message":"Unauthorized"}"#),
    ] {
        let other = Scripted::answering(status, kind, body);
        is_refused(&server, &format!("http://{}", other.address()), "not_github").await;
    }
    let gone = Scripted::answering("200 OK", "text/html", b"");
    let nobody = format!("http://{}", gone.address());
    drop(gone);
    is_refused(&server, &nobody, "github_unreachable").await;
}

async fn a_github_of_another_edition_is_refused_and_named(server: Server) {
    let cloud = FakeGithub::start_cloud().await;
    is_refused(&server, &cloud.url(), "other_edition").await;
}

async fn one_that_tells_nothing_to_strangers_is_a_github_all_the_same(server: Server) {
    let scene = Scene::set(&server).await;
    for status in [403, 429, 401] {
        scene.fake.fail_next_at("/meta", status, 1);
        scene.post("/connect").await.with(StatusCode::OK);
    }
    scene.fake.fail_next_at("/meta", 503, 1);
    let refused = scene.post("/connect").await.refused(422, "github_refused");
    assert_eq!(refused.body["reason"], "github_troubled", "{}", refused.text);
    scene.end().await;
}

async fn an_organisation_that_github_does_not_know_is_refused_before_a_link_is_given(server: Server) {
    let scene = Scene::set(&server).await;
    let shop = scene.fake.add_repository("acme", "shop");
    scene.fake.open_pull(shop, "a change", "topic", "main", "ada");
    // One that is not there, and a person.
    for organisation in ["nowhere", "ada"] {
        scene.fake.forget_requests();
        let connection = json!({ "kind": "github_app", "host": scene.fake.url(), "organisation": organisation });
        let id = server.connect(organisation, connection).await.with(StatusCode::CREATED).id();
        let at = format!("/api/v1/integrations/{id}/installation");
        let ask = async || server.post(&format!("{at}/connect"), json!({})).await;
        let refused = ask().await.refused(422, "organisation_unknown");
        assert!(refused.text.contains(&format!("“{organisation}”")), "{}", refused.text);
        let shown = server.get(&at).await.with(StatusCode::OK);
        assert_eq!(
            (&shown.body["status"], &shown.body["version"]),
            (&json!("registering"), &json!(0)),
            "{}",
            shown.text
        );
        let asked = scene.fake.requests();
        assert!(asked.iter().all(|one| one.credential == Credential::Nothing), "{asked:?}");
        // What tells strangers nothing, or is asked too often, may have it.
        let place = format!("/orgs/{organisation}");
        for status in [401, 403, 429] {
            scene.fake.fail_next_at(&place, status, 1);
            ask().await.with(StatusCode::OK);
        }
        scene.fake.fail_next_at(&place, 503, 1);
        let refused = ask().await.refused(422, "github_refused");
        assert_eq!(refused.body["reason"], "github_troubled", "{}", refused.text);
        remove(&server, &id).await.with(StatusCode::OK);
    }
    scene.end().await;
}

async fn an_organisation_that_was_renamed_is_held_by_its_id_and_by_its_new_name(server: Server) {
    let fake = FakeGithub::start().await;
    fake.set_clock(server.app.clock.now().seconds());
    for (organisation, is_installed) in [("acme", true), ("apex", false)] {
        let (new, name) = (format!("{organisation}-two"), format!("Keytrail {organisation}"));
        let app = fake.register_app(organisation, &name);
        let of = |organisation: &str| json!({ "kind": "github_app", "host": fake.url(), "organisation": organisation });
        let first = server.connect(organisation, of(organisation)).await.with(StatusCode::CREATED).id();
        if is_installed {
            fake.install(app.id, organisation, Selection::All);
        }
        adopt(&server, &first, app.id, &app.key.pkcs1).await.with(StatusCode::OK);
        becomes(&server, &first, if is_installed { "active" } else { "installing" }).await;
        settled(&server, &[&fake]).await;
        // The name says nothing yet: there is no organisation that is called so.
        let second = server.connect(&new, of(&new)).await.with(StatusCode::CREATED).id();
        fake.rename_org(organisation, &new);
        let refused = act(&server, &second, "connect").await.refused(409, "organisation_taken");
        assert_eq!(refused.body["integration"], first, "{}", refused.text);
        assert!(refused.text.contains(&format!("“{organisation}”")), "{}", refused.text);
        let shown = server.get(&format!("/api/v1/integrations/{second}/installation")).await.with(StatusCode::OK);
        assert_eq!((&shown.body["status"], &shown.body["version"]), (&json!("registering"), &json!(0)));
        remove(&server, &second).await.with(StatusCode::OK);
        // Once GitHub was asked the name is enough.
        act(&server, &first, "repair").await.with(StatusCode::OK);
        let refused = server.connect("third", of(&new)).await.refused(409, "connection_taken");
        assert_eq!(refused.body["integration"], first, "{}", refused.text);
        remove(&server, &first).await.with(StatusCode::OK);
        becomes(&server, &first, "removed").await;
        let third = server.connect(&format!("{new} again"), of(&new)).await.with(StatusCode::CREATED).id();
        act(&server, &third, "connect").await.with(StatusCode::OK);
        settled(&server, &[&fake]).await;
    }
}

async fn a_way_back_is_not_used_up_while_github_cannot_be_asked(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let creating = scene.before_creating(&browser).await;
    scene.fake.set_silence(Some(Silence::Ends));
    let back = browser.press(&creating, "Create GitHub App", &[]).await.belongs_to_us(502).says("github_unreachable");
    assert!(back.html.contains("load this very page again"), "{}", back.html);
    assert!(!scene.events().await.contains("installation.registration_returned"));
    scene.fake.set_silence(None);
    let installing = browser.open(back.url.as_str()).await;
    assert!(installing.url.path().ends_with("/installations/new"), "{}", installing.url);
    scene.becomes("installing").await;
    scene.end().await;
}

on_both_engines!(known reaching_this_machine;
    what_is_no_github_is_refused_before_a_link_is_given,
    a_github_of_another_edition_is_refused_and_named,
    one_that_tells_nothing_to_strangers_is_a_github_all_the_same,
    an_organisation_that_github_does_not_know_is_refused_before_a_link_is_given,
    an_organisation_that_was_renamed_is_held_by_its_id_and_by_its_new_name,
    a_way_back_is_not_used_up_while_github_cannot_be_asked,
);
