//! An app whose GitHub is reached through a proxy that wants to know who asks: taken away with its integration all the
//! same, looked after where its key was kept, and nothing of it stays sealed.

use keytrail::store::{Area, Statement};
use keytrail_test_support::web_server::ForwardProxy;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::{Github, act, adopt, becomes, remove, settled, shown},
    github_troubles::{repaired, sealed},
    server::{Server, answer, on_both_engines},
};

/// Through a proxy that lets its user through and nobody else.
fn place(github: &Github, proxy: &ForwardProxy) -> Value {
    let login = json!({ "user": ForwardProxy::USER, "password": ForwardProxy::PASSWORD });
    json!({
        "kind": "github_app", "host": github.fake.url(), "organisation": "acme",
        "proxy": { "url": proxy.url(), "credential": login },
    })
}

async fn connected(server: &Server, github: &Github, proxy: &ForwardProxy) -> String {
    let id = server.connect("acme", place(github, proxy)).await.with(StatusCode::CREATED).id();
    assert_eq!(server.sealed().await, ["proxy_credential"]);
    id
}

/// The same, taken over, running, and with a token that is good.
async fn running(server: &Server, github: &Github, proxy: &ForwardProxy) -> String {
    let id = connected(server, github, proxy).await;
    adopt(server, &id, github.app.id, &github.app.key.pkcs1).await.with(StatusCode::OK);
    becomes(server, &id, "active").await;
    settled(server, &[&github.fake]).await;
    assert_eq!(repaired(server, &id).await, ("active".to_owned(), Value::Null));
    assert!(github.fake.live_tokens() > 0, "its repositories were listed with it");
    github.fake.forget_requests();
    id
}

/// Uninstalled at GitHub, and its token was taken back there.
#[track_caller]
fn is_taken_away(github: &Github) {
    assert_eq!(github.fake.installation(github.installation), None);
    let asked = github.fake.requests();
    let revoked = asked
        .iter()
        .any(|one| one.method == "DELETE" && one.path.ends_with("/installation/token") && one.status == 204);
    assert!(revoked, "{asked:?}");
    assert_eq!(github.fake.live_tokens(), 0);
}

async fn nothing_is_sealed(server: &Server) -> bool {
    server.sealed().await.is_empty() && sealed(server).await.is_empty()
}

async fn it_is_taken_away_through_the_proxy_and_all_its_secrets_are_forgotten(server: Server) {
    let (github, proxy) = (Github::start(&server).await, ForwardProxy::start());
    let id = running(&server, &github, &proxy).await;
    let removed = remove(&server, &id).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], false, "{}", removed.text);
    is_taken_away(&github);
    assert!(nothing_is_sealed(&server).await);
    settled(&server, &[&github.fake]).await;
}

async fn with_its_secrets_kept_it_is_followed_through_the_proxy_until_it_is_gone(server: Server) {
    let (github, proxy) = (Github::start(&server).await, ForwardProxy::start());
    let id = running(&server, &github, &proxy).await;
    let kept = format!("/api/v1/integrations/{id}?secrets=kept");
    let removed = answer(server.local(Method::DELETE, &kept).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], false, "{}", removed.text);
    is_taken_away(&github);
    assert_eq!(server.sealed().await, ["proxy_credential"], "whoever asks again needs it");
    github.fake.rename_app(github.app.id, "Another name");
    let now = act(&server, &id, "repair").await.with(StatusCode::OK).body;
    assert_eq!(now["remainder"]["app_name"], "Another name", "{now}");
    github.fake.delete_app(github.app.id);
    let now = act(&server, &id, "repair").await.with(StatusCode::OK).body;
    assert_eq!((&now["remainder"], &now["secrets_kept"]), (&Value::Null, &json!(false)), "{now}");
    assert!(nothing_is_sealed(&server).await);
    settled(&server, &[&github.fake]).await;
}

async fn whoever_says_that_it_is_gone_has_the_login_of_the_proxy_forgotten_too(server: Server) {
    let (github, proxy) = (Github::start(&server).await, ForwardProxy::start());
    let id = running(&server, &github, &proxy).await;
    let kept = format!("/api/v1/integrations/{id}?secrets=kept");
    answer(server.local(Method::DELETE, &kept).header("If-Match", "*")).await.with(StatusCode::OK);
    assert!(!nothing_is_sealed(&server).await);
    act(&server, &id, "confirm-gone").await.with(StatusCode::OK);
    assert!(nothing_is_sealed(&server).await);
    assert_eq!(shown(&server, &id).await["secrets_kept"], false);
    settled(&server, &[&github.fake]).await;
}

async fn a_login_that_cannot_be_opened_is_told_apart_from_the_key_and_given_again(server: Server) {
    let (github, proxy) = (Github::start(&server).await, ForwardProxy::start());
    let id = running(&server, &github, &proxy).await;
    let damaged = "UPDATE secrets SET sealed = data_keys.wrapped FROM data_keys WHERE field = 'proxy_credential'";
    server.app.db.write(Area::Log, vec![Statement::new(damaged, vec![])]).await.expect("it is damaged");
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("proxy_credential_unreadable")));
    let told = shown(&server, &id).await;
    assert!(told["action"].as_str().is_some_and(|action| action.contains("login of the proxy")), "{told}");
    assert!(told["text"].as_str().is_some_and(|text| !text.contains("key")), "{told}");
    // Who gives a key is told so, too: the key is not what is wrong.
    let key = server.local(Method::PUT, &format!("/api/v1/integrations/{id}/installation/key"));
    let refused = answer(key.json(&json!({ "key": github.app.key.pkcs1 }))).await.refused(422, "github_refused");
    assert_eq!(refused.body["reason"], "proxy_credential_unreadable", "{}", refused.text);
    let at = format!("/api/v1/integrations/{id}/connection");
    let body = json!({ "connection": place(&github, &proxy) });
    answer(server.local(Method::PUT, &at).header("If-Match", "*").json(&body)).await.with(StatusCode::OK);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn what_was_never_registered_is_forgotten_at_once(server: Server) {
    let (github, proxy) = (Github::start(&server).await, ForwardProxy::start());
    let id = connected(&server, &github, &proxy).await;
    // There is nothing at GitHub, so nothing is kept for asking there.
    let kept = format!("/api/v1/integrations/{id}?secrets=kept");
    answer(server.local(Method::DELETE, &kept).header("If-Match", "*")).await.with(StatusCode::OK);
    assert!(nothing_is_sealed(&server).await);
    settled(&server, &[&github.fake]).await;
    assert!(github.fake.requests().is_empty(), "{:?}", github.fake.requests());
}

on_both_engines!(reaching_this_machine;
    it_is_taken_away_through_the_proxy_and_all_its_secrets_are_forgotten,
    with_its_secrets_kept_it_is_followed_through_the_proxy_until_it_is_gone,
    whoever_says_that_it_is_gone_has_the_login_of_the_proxy_forgotten_too,
    a_login_that_cannot_be_opened_is_told_apart_from_the_key_and_given_again,
    what_was_never_registered_is_forgotten_at_once,
);
