//! An organisation of a GitHub through an app, against a GitHub of one's own: taken over, indexed, suspended, given
//! another key.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use keytrail::store::Area;
use keytrail_test_support::{
    fake_github::{AppKeyPair, Credential, FakeGithub, RegisteredApp, Selection, TokenShape, pem},
    issuer::Signer,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_troubles::sealed,
    repository,
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// A GitHub whose clock goes with the server's, with an app of `acme` that is installed for all repositories.
pub(crate) struct Github {
    pub(crate) fake: FakeGithub,
    pub(crate) app: RegisteredApp,
    pub(crate) installation: u64,
}

impl Github {
    pub(crate) async fn start(server: &Server) -> Self {
        let fake = FakeGithub::start().await;
        fake.set_clock(server.app.clock.now().seconds());
        let app = fake.register_app("acme", "Keytrail acme");
        let installation = fake.install(app.id, "acme", Selection::All);
        Self { fake, app, installation }
    }

    /// A repository of `acme` with these commits.
    pub(crate) fn add(&self, server: &Server, name: &str, messages: &[&str]) -> u64 {
        let work = server.elsewhere.join(name);
        repository::with_commits(&work, messages);
        let id = self.fake.add_repository("acme", name);
        self.fake.serve_repository(id, &work);
        id
    }
}

pub(crate) async fn connect(server: &Server, fake: &FakeGithub) -> Answer {
    let connection = json!({ "kind": "github_app", "host": fake.url(), "organisation": "acme" });
    server.connect("acme", connection).await
}

pub(crate) async fn adopt(server: &Server, id: &str, app: u64, key: &str) -> Answer {
    server.post(&format!("/api/v1/integrations/{id}/installation/adopt"), json!({ "app_id": app, "key": key })).await
}

pub(crate) async fn shown(server: &Server, id: &str) -> Value {
    server.get(&format!("/api/v1/integrations/{id}/installation")).await.body
}

pub(crate) async fn becomes(server: &Server, id: &str, status: &str) {
    soon(&format!("it is {status}"), || async { shown(server, id).await["status"] == status }).await;
}

/// All pages of them: what was seen once stays, forgotten.
pub(crate) async fn repositories(server: &Server, id: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let at = format!("/api/v1/integrations/{id}/repositories?limit=500{cursor}");
        let page = server.get(&at).await.with(StatusCode::OK);
        all.extend(page.items().to_vec());
        let Some(next) = page.body["next"].as_str() else { return all };
        cursor = format!("&cursor={next}");
    }
}

/// Waits until nothing is left to do. What is to be tried again later is, for days pass.
pub(crate) async fn settled(server: &Server, fakes: &[&FakeGithub]) {
    for _ in 0..600 {
        let jobs = server.app.db.read(Area::Log, "SELECT kind FROM jobs", &[]).await.expect("the jobs");
        if jobs.is_empty() {
            return server.look_behind().await;
        }
        // A job that is under way has a token, which a jump would end.
        let at_work = "SELECT kind FROM jobs WHERE state = 'running'";
        if !server.app.db.read(Area::Log, at_work, &[]).await.expect("the jobs").is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        }
        // A GitHub first: a token that was made before is over for both then.
        fakes.iter().for_each(|fake| fake.set_clock(server.app.clock.now().seconds() + 24 * 3_600));
        server.pass_days(1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("something is never done: {}", server.jobs_left().await);
}

/// Connected, taken over and running.
pub(crate) async fn active(server: &Server, github: &Github) -> String {
    let id = connect(server, &github.fake).await.with(StatusCode::CREATED).id();
    adopt(server, &id, github.app.id, &github.app.key.pkcs1).await.with(StatusCode::OK);
    becomes(server, &id, "active").await;
    id
}

pub(crate) async fn act(server: &Server, id: &str, word: &str) -> Answer {
    server.post(&format!("/api/v1/integrations/{id}/installation/{word}"), json!({})).await
}

pub(crate) async fn remove(server: &Server, id: &str) -> Answer {
    let at = format!("/api/v1/integrations/{id}");
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await
}

async fn an_app_that_is_there_is_taken_over_and_its_repositories_are_indexed(server: Server) {
    let github = Github::start(&server).await;
    github.add(&server, "shop", &["SHOP-1 begins", "SHOP-2 goes on"]);
    github.add(&server, "ship", &["SHIP-7 sails"]);
    let id = active(&server, &github).await;
    soon("both are indexed", || async {
        let all = repositories(&server, &id).await;
        all.len() == 2 && all.iter().all(|row| row["state"] == "indexed")
    })
    .await;
    let issue = server.get("/api/v1/issues/SHOP-2").await.with(StatusCode::OK);
    assert_eq!(issue.body["commits"], 1, "{}", issue.text);
    let now = shown(&server, &id).await;
    assert_eq!(now["app"]["id"], github.app.id);
    assert_eq!(now["app"]["key_fingerprint"], format!("SHA256:{}", github.app.key.fingerprint));
    assert_eq!(now["installation"]["id"], github.installation);
    assert_eq!(now["installation"]["organisation"], "acme");
    assert_eq!(now["installation"]["repositories"], "all");
    assert_eq!(now["cause"], Value::Null, "{now}");
    server.look_behind().await;
}

async fn every_form_of_its_key_proves_an_app(server: Server) {
    let github = Github::start(&server).await;
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    let pair = &github.app.key;
    for (form, text) in [
        ("PKCS#1", pair.pkcs1.clone()),
        ("PKCS#8", pair.pkcs8.clone()),
        ("CRLF", pair.pkcs1.replace('\n', "\r\n")),
        ("literal line ends", pair.pkcs1.replace('\n', "\\n")),
        ("quoted", format!("\"{}\"", pair.pkcs1)),
        ("one line", pair.pkcs1.replace('\n', " ")),
        ("base64", STANDARD.encode(&pair.pkcs1)),
    ] {
        let adopted = adopt(&server, &id, github.app.id, &text).await.with(StatusCode::OK);
        let shown = adopted.body["app"]["key_fingerprint"].clone();
        assert_eq!(shown, format!("SHA256:{}", pair.fingerprint), "{form}");
    }
    becomes(&server, &id, "active").await;
    server.look_behind().await;
}

async fn what_is_no_key_of_the_app_is_refused_with_a_word_of_its_own(server: Server) {
    let github = Github::start(&server).await;
    let id = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
    let pair = &github.app.key;
    let ssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n";
    let public = String::from_utf8(Signer::rsa().file()).expect("text");
    let ec = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    for (text, reason) in [
        ("", "key_empty"),
        ("not a key", "key_not_a_key"),
        (public.as_str(), "key_public"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me", "key_public"),
        (ssh, "key_ssh"),
        (&pair.pkcs1[..600], "key_damaged"),
        (&ec, "key_not_rsa"),
        (&pem("CERTIFICATE", b"anything"), "key_certificate"),
    ] {
        let refused = adopt(&server, &id, github.app.id, text).await.refused(422, "key_invalid");
        assert_eq!(refused.body["reason"], reason, "{}", refused.text);
    }
    assert!(github.fake.requests().is_empty(), "nothing was asked with what is no key");
    // A key, but another app's.
    let other = github.fake.register_app("elsewhere", "Another app");
    let refused = adopt(&server, &id, github.app.id, &other.key.pkcs1).await;
    assert_eq!(
        (refused.body["code"].as_str(), refused.body["reason"].as_str()),
        (Some("github_refused"), Some("app_key_rejected"))
    );
    // An app that is not there.
    let refused = adopt(&server, &id, 99, &pair.pkcs1).await;
    assert_eq!(refused.body["reason"], "app_deleted", "{}", refused.text);
    assert_eq!(shown(&server, &id).await["status"], "registering");
    server.look_behind().await;
}

async fn clocks_that_differ_keep_nobody_out(server: Server) {
    for ahead in [300, -300, 7_200] {
        let github = Github::start(&server).await;
        github.fake.set_clock(server.app.clock.now().seconds() + ahead);
        github.add(&server, &format!("shop{ahead}"), &["SHOP-1 begins"]);
        let id = active(&server, &github).await;
        soon("it is indexed", || async {
            repositories(&server, &id).await.first().is_some_and(|row| row["state"] == "indexed")
        })
        .await;
        assert_eq!(shown(&server, &id).await["cause"], Value::Null, "{ahead}");
        server.look_behind().await;
        remove(&server, &id).await.with(StatusCode::OK);
        becomes(&server, &id, "removed").await;
    }
}

async fn one_organisation_is_connected_once_and_the_second_asks_nobody(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    soon("nothing is under way", || async { shown(&server, &id).await["installation"].is_object() }).await;
    server.look_behind().await;
    github.fake.forget_requests();
    for organisation in ["acme", "ACME"] {
        let host = github.fake.url();
        let connection = json!({ "kind": "github_app", "host": host, "organisation": organisation });
        let refused = server.connect("again", connection).await.refused(409, "connection_taken");
        assert!(refused.text.contains(&id), "it says who has it: {}", refused.text);
        assert!(refused.text.contains("“acme” has an app") && !refused.text.contains("called"), "{}", refused.text);
    }
    // Suspended it is still taken.
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    becomes(&server, &id, "suspended").await;
    server.look_behind().await;
    github.fake.forget_requests();
    connect(&server, &github.fake).await.refused(409, "connection_taken");
    assert!(github.fake.requests().is_empty(), "{:?}", github.fake.requests());
    // Removed it is free.
    remove(&server, &id).await.with(StatusCode::OK);
    becomes(&server, &id, "removed").await;
    connect(&server, &github.fake).await.with(StatusCode::CREATED);
    server.look_behind().await;
}

async fn it_is_suspended_and_resumed_from_here(server: Server) {
    let github = Github::start(&server).await;
    github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = active(&server, &github).await;
    soon("it is indexed", || async {
        repositories(&server, &id).await.first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    server.look_behind().await;
    for _ in 0..2 {
        let told = act(&server, &id, "suspend").await.with(StatusCode::OK);
        assert_eq!((told.body["status"].as_str(), told.body["wish"].as_str()), (Some("suspended"), Some("suspend")));
    }
    soon("GitHub knows", || async { github.fake.installation(github.installation) == Some(true) }).await;
    server.look_behind().await;
    assert_eq!(github.fake.live_tokens(), 0, "what was given away is taken back");
    // The organisation cannot lift it.
    github.fake.unsuspend(github.installation);
    assert_eq!(github.fake.installation(github.installation), Some(true));
    act(&server, &id, "resume").await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    soon("GitHub knows", || async { github.fake.installation(github.installation) == Some(false) }).await;
    let now = shown(&server, &id).await;
    assert_eq!((&now["wish"], &now["cause"]), (&Value::Null, &Value::Null), "{now}");
    server.look_behind().await;
}

async fn whatever_is_wished_in_quick_succession_the_last_word_counts(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    server.look_behind().await;
    for word in ["suspend", "resume", "suspend", "resume"] {
        act(&server, &id, word).await.with(StatusCode::OK);
    }
    soon("it runs, here and there", || async {
        let now = shown(&server, &id).await;
        now["status"] == "active" && now["wish"].is_null() && now["cause"].is_null()
    })
    .await;
    settled(&server, &[&github.fake]).await;
    assert_eq!(github.fake.installation(github.installation), Some(false), "GitHub knows");
    // Who suspends it there is named, also when it was suspended from here before.
    act(&server, &id, "suspend").await.with(StatusCode::OK);
    act(&server, &id, "resume").await.with(StatusCode::OK);
    github.fake.suspend_by(github.installation, "boss");
    act(&server, &id, "repair").await.with(StatusCode::OK);
    settled(&server, &[&github.fake]).await;
    let now = shown(&server, &id).await;
    assert_eq!((&now["status"], &now["installation"]["suspended_by"]), (&"suspended".into(), &"boss".into()), "{now}");
    github.fake.unsuspend(github.installation);
    act(&server, &id, "repair").await.with(StatusCode::OK);
    becomes(&server, &id, "active").await;
    settled(&server, &[&github.fake]).await;
}

async fn a_key_is_changed_under_load_and_no_call_fails(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    server.look_behind().await;
    github.fake.forget_requests();
    // A token that is always over, so that every call needs the key.
    github.fake.set_token_shape(TokenShape { seconds: 30, characters: 700 });
    let at = format!("/api/v1/integrations/{id}/installation/key");
    let busy = async {
        for _ in 0..40 {
            let told = act(&server, &id, "repair").await.with(StatusCode::OK);
            assert_eq!(
                (told.body["status"].as_str(), &told.body["cause"]),
                (Some("active"), &Value::Null),
                "{}",
                told.text
            );
        }
    };
    let changing = async {
        for _ in 0..5 {
            let key = github.fake.add_key(github.app.id);
            let told = answer(server.local(Method::PUT, &at).json(&json!({ "key": key.pkcs8 }))).await;
            assert_eq!(told.with(StatusCode::OK).body["app"]["key_fingerprint"], format!("SHA256:{}", key.fingerprint));
        }
    };
    tokio::join!(busy, changing);
    server.look_behind().await;
    let failed: Vec<_> = github.fake.requests().into_iter().filter(|asked| asked.status >= 400).collect();
    assert!(failed.is_empty(), "{failed:?}");
    // The old ones can go now.
    let key = github.fake.add_key(github.app.id);
    answer(server.local(Method::PUT, &at).json(&json!({ "key": key.pkcs1 }))).await.with(StatusCode::OK);
    github.fake.delete_key(github.app.id, &github.app.key.fingerprint);
    let told = act(&server, &id, "repair").await.with(StatusCode::OK);
    assert_eq!((told.body["status"].as_str(), &told.body["cause"]), (Some("active"), &Value::Null), "{}", told.text);
    // Another app's changes nothing.
    let other = github.fake.register_app("elsewhere", "Another app");
    let refused = answer(server.local(Method::PUT, &at).json(&json!({ "key": other.key.pkcs1 }))).await;
    assert_eq!(refused.body["reason"], "app_key_rejected", "{}", refused.text);
    // Nor does one that GitHub does not know.
    let refused = answer(server.local(Method::PUT, &at).json(&json!({ "key": AppKeyPair::new().pkcs1 }))).await;
    assert_eq!(refused.body["reason"], "app_key_rejected", "{}", refused.text);
    let now = shown(&server, &id).await;
    assert_eq!(now["app"]["key_fingerprint"], format!("SHA256:{}", key.fingerprint));
    assert!(github.fake.requests().iter().any(|asked| asked.credential == Credential::Bad));
    server.look_behind().await;
}

async fn of_keys_that_are_changed_at_once_the_last_one_alone_stays_sealed(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    server.look_behind().await;
    let at = format!("/api/v1/integrations/{id}/installation/key");
    let keys: Vec<_> = (0..6).map(|_| github.fake.add_key(github.app.id)).collect();
    for _ in 0..3 {
        let change = |key: &AppKeyPair| answer(server.local(Method::PUT, &at).json(&json!({ "key": key.pkcs1 })));
        for changed in join_all(keys.iter().map(change)).await {
            changed.with(StatusCode::OK);
        }
        let fields = sealed(&server).await;
        let sealed_keys = fields.iter().filter(|field| *field == "app_key").count();
        assert_eq!(sealed_keys, 1, "those between are forgotten: {fields:?}");
        // And it is the one that is used.
        let told = act(&server, &id, "repair").await.with(StatusCode::OK);
        assert_eq!(
            (told.body["status"].as_str(), &told.body["cause"]),
            (Some("active"), &Value::Null),
            "{}",
            told.text
        );
    }
    server.look_behind().await;
}

on_both_engines!(reaching_this_machine;
    an_app_that_is_there_is_taken_over_and_its_repositories_are_indexed,
    every_form_of_its_key_proves_an_app,
    what_is_no_key_of_the_app_is_refused_with_a_word_of_its_own,
    clocks_that_differ_keep_nobody_out,
    one_organisation_is_connected_once_and_the_second_asks_nobody,
    it_is_suspended_and_resumed_from_here,
    whatever_is_wished_in_quick_succession_the_last_word_counts,
    a_key_is_changed_under_load_and_no_call_fails,
    of_keys_that_are_changed_at_once_the_last_one_alone_stays_sealed,
);
