//! Repositories over SSH, at a real OpenSSH server: connected, indexed, followed, by the keys that may be offered and no
//! others; and what stands in the way, told by its code.

use keytrail_test_support::sshd::{Config, HostKeyKind, Sshd};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines, soon},
    transports::by_both_transports,
};

pub(crate) const TEST: &str = "/api/v1/connections/test";

/// A server of SSH, the bare repository `served/shop.git`, and the working tree that it was cloned from.
pub(crate) struct Served {
    pub(crate) sshd: Sshd,
    folder: std::path::PathBuf,
}

impl Served {
    pub(crate) fn new(server: &Server, lines: &[&str]) -> Self {
        let folder = server.elsewhere.clone();
        std::fs::create_dir_all(folder.join("served")).expect("a folder");
        repository::with_commits(&folder.join("work"), &["SHOP-1 begins", "SHOP-2 goes on"]);
        git(&folder.join("served"), &["clone", "-q", "--bare", "../work", "shop.git"]);
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let sshd = Sshd::start(Config { lines, ..Config::default() });
        Self { sshd: sshd.expect("install the Debian package openssh-server"), folder }
    }

    /// The same commits under another name.
    pub(crate) fn serve_another(&self, name: &str) {
        git(&self.folder.join("served"), &["clone", "-q", "--bare", "../work", name]);
    }

    pub(crate) fn url(&self, name: &str) -> String {
        let path = self.folder.join("served").join(name);
        format!("ssh://{}@127.0.0.1:{}{}", self.sshd.user(), self.sshd.port, path.display())
    }

    /// Lets these keys in, to fetch and nothing else.
    pub(crate) fn lets_in(&self, keys: &[&Value]) {
        let line = |key: &&Value| {
            let public = key["public_key"].as_str().expect("a public half");
            format!("restrict,command=\"git-shell -c \\\"$SSH_ORIGINAL_COMMAND\\\"\" {public}")
        };
        self.sshd.authorize(&keys.iter().map(line).collect::<Vec<_>>()).expect("a file");
    }

    pub(crate) fn connections(&self) -> usize {
        self.sshd.log().matches("Connection from").count()
    }

    pub(crate) fn commit(&self, message: &str) {
        let (work, bare) = (self.folder.join("work"), self.folder.join("served/shop.git"));
        repository::commit(&work, message);
        git(&work, &["push", "-q", bare.to_str().expect("UTF-8"), "main"]);
    }
}

pub(crate) async fn key(server: &Server, name: &str) -> Value {
    server.post("/api/v1/ssh-keys/generate", json!({ "name": name })).await.with(StatusCode::CREATED).body
}

pub(crate) async fn trust(server: &Server, sshd: &Sshd) {
    let known_hosts = sshd.known_hosts().expect("it has keys");
    server.post("/api/v1/host-keys/import", json!({ "known_hosts": known_hosts })).await.with(StatusCode::OK);
}

pub(crate) fn id(thing: &Value) -> String {
    thing["id"].as_str().expect("an id").to_owned()
}

/// The repository of an integration, as one is told.
pub(crate) async fn repository_of(server: &Server, integration: &str) -> Value {
    let list = format!("/api/v1/integrations/{integration}/repositories");
    let row = server.get(&list).await.with(StatusCode::OK).items().first().cloned().unwrap_or_default();
    match row["id"].as_str() {
        Some(one) => server.get(&format!("/api/v1/repositories/{one}")).await.body,
        None => row,
    }
}

pub(crate) async fn is_indexed(server: &Server, integration: &str) {
    // Which keys were offered is learnt a moment after what was read with one is recorded.
    soon("it is indexed", || async {
        let row = repository_of(server, integration).await;
        let is_over_ssh = row["location"].as_str().is_some_and(|at| at.starts_with("ssh://") || at.contains('@'));
        row["state"] == "indexed" && (!is_over_ssh || !row["ssh"].is_null())
    })
    .await;
}

async fn fetch(server: &Server, integration: &str) {
    let one = id(&repository_of(server, integration).await);
    server.post(&format!("/api/v1/repositories/{one}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
}

/// Looks until the reason why it fails is this.
pub(crate) async fn is_in_trouble(server: &Server, integration: &str, code: &str) {
    soon(&format!("it says {code}"), || async {
        let row = repository_of(server, integration).await;
        if row["trouble"]["code"] == code {
            return true;
        }
        if row["id"].is_string() && row["state"] != "indexing" {
            fetch(server, integration).await;
        }
        false
    })
    .await;
}

pub(crate) async fn change(server: &Server, integration: &str, connection: Value) -> Answer {
    let path = format!("/api/v1/integrations/{integration}/connection");
    answer(server.local(Method::PUT, &path).header("If-Match", "*").json(&json!({ "connection": connection }))).await
}

async fn a_repository_over_ssh_is_connected_indexed_and_followed(server: Server) {
    let served = Served::new(&server, &["AcceptEnv GIT_PROTOCOL"]);
    let (first, second) = (key(&server, "first").await, key(&server, "second").await);
    served.lets_in(&[&second]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let added = server.connect("shop", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED);
    assert_eq!((added.text_of("location"), &added.body["connection"]["ssh_key"]), (url, &Value::Null));
    let integration = added.id();
    is_indexed(&server, &integration).await;
    let issue = server.get("/api/v1/issues/SHOP-2").await.with(StatusCode::OK);
    assert_eq!(issue.body["commits"], 1, "{}", issue.text);
    // One key after the other, in the order of the pool.
    let row = repository_of(&server, &integration).await;
    let ssh = row["ssh"].clone();
    assert_eq!(ssh["offered"], json!([id(&first), id(&second)]), "{ssh}");
    assert_eq!(ssh["accepted"], id(&second), "{ssh}");
    let used = async |key: &Value| server.get(&format!("/api/v1/ssh-keys/{}", id(key))).await.body;
    let offered = used(&first).await;
    assert_eq!((&offered["never_used"], &offered["last_used_for"]), (&json!(true), &Value::Null));
    let taken = used(&second).await;
    assert!(taken["never_used"] == false && taken["last_used_at"] == ssh["at"], "{taken} {ssh}");
    assert_eq!(taken["last_used_for"], json!({ "id": row["id"], "name": row["name"] }));
    let listed = server.get("/api/v1/ssh-keys").await.items()[1].clone();
    assert_eq!((&listed["last_used_at"], &listed["last_used_for"]), (&ssh["at"], &Value::Null), "{listed}");

    // A look at what did not change comes with the key that was taken, and with no other.
    let logins = || served.sshd.log().matches("Accepted publickey").count();
    let (before, let_in) = (served.connections(), logins());
    fetch(&server, &integration).await;
    soon("it was looked at, by one connection for each look", || async {
        logins() > let_in && served.connections() - before == logins() - let_in
    })
    .await;
    assert_eq!(repository_of(&server, &integration).await["ssh"], ssh, "and is no news");
    served.commit("SHOP-3 is new");
    fetch(&server, &integration).await;
    soon("the new commit is found", || async { server.get("/api/v1/issues/SHOP-3").await.body["commits"] == 1 }).await;
    is_indexed(&server, &integration).await;
    server.look_behind().await;
    let left = server.data().join("caches/ssh");
    // A look that was asked for may be going on still.
    soon("nothing is left of the connections", || async {
        std::fs::read_dir(&left).expect("it was used").next().is_none()
    })
    .await;
}

/// Of the protocol before version 2, as most servers speak it over SSH.
async fn a_server_that_takes_no_environment_is_read_as_well(server: Server) {
    let served = Served::new(&server, &[]);
    let only = key(&server, "only").await;
    served.lets_in(&[&only]);
    trust(&server, &served.sshd).await;
    let added = server.connect("shop", json!({ "kind": "git", "url": served.url("shop.git") })).await;
    let integration = added.with(StatusCode::CREATED).id();
    is_indexed(&server, &integration).await;
    assert_eq!(server.get("/api/v1/issues/SHOP-1").await.body["commits"], 1);
    server.look_behind().await;
}

async fn what_a_connection_says_of_its_key_stays_and_is_said_again(server: Server) {
    let served = Served::new(&server, &[]);
    let (chosen, common) = (key(&server, "chosen").await, key(&server, "common").await);
    served.lets_in(&[&common]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let connection = json!({ "kind": "git", "url": url, "ssh_key": chosen["id"] });
    let added = server.connect("shop", connection).await.with(StatusCode::CREATED);
    assert_eq!(added.body["connection"]["ssh_key"], chosen["id"]);
    let integration = added.id();
    is_indexed(&server, &integration).await;
    let ssh = repository_of(&server, &integration).await["ssh"].clone();
    assert_eq!((&ssh["offered"], &ssh["accepted"]), (&json!([chosen["id"], common["id"]]), &common["id"]), "{ssh}");
    // What a person took from the common keys is offered to nobody else.
    let reserve = server.local(Method::PUT, &format!("/api/v1/ssh-keys/{}/common", id(&chosen)));
    let reserve = reserve.header("If-Match", "*").json(&json!({ "common": false }));
    answer(reserve).await.with(StatusCode::OK);
    let other = server.connect("other", json!({ "kind": "git", "url": served.url("other.git") })).await;
    let other = other.with(StatusCode::CREATED).id();
    is_in_trouble(&server, &other, "remote_not_found").await;
    assert_eq!(repository_of(&server, &other).await["ssh"]["offered"], json!([common["id"]]));

    // Left out of a change it stays; `null` offers the common ones alone.
    let refs = json!({ "kind": "git", "url": url, "refs": { "notes": true } });
    let changed = change(&server, &integration, refs).await.with(StatusCode::OK);
    assert_eq!(changed.body["connection"]["ssh_key"], chosen["id"]);
    let back = json!({ "kind": "git", "url": url, "ssh_key": null });
    let changed = change(&server, &integration, back).await.with(StatusCode::OK);
    assert_eq!(changed.body["connection"]["ssh_key"], Value::Null);
    let first = change(&server, &integration, json!({ "kind": "git", "url": url, "ssh_key": common["id"] })).await;
    first.with(StatusCode::OK);
    fetch(&server, &integration).await;
    is_indexed(&server, &integration).await;
    // From another scheme nobody comes to SSH without a word of keys.
    let elsewhere = json!({ "kind": "git", "url": "https://127.0.0.1:1/shop.git" });
    let elsewhere = server.connect("elsewhere", elsewhere).await.with(StatusCode::CREATED).id();
    let over_ssh = |more: Value| {
        let mut connection = json!({ "kind": "git", "url": served.url("elsewhere.git") });
        connection.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        connection
    };
    change(&server, &elsewhere, over_ssh(json!({}))).await.refused(422, "ssh_key_not_said");
    let changed = change(&server, &elsewhere, over_ssh(json!({ "ssh_key": null }))).await.with(StatusCode::OK);
    assert_eq!(changed.body["connection"]["ssh_key"], Value::Null);
    // Without it there is no falling back to another.
    let path = format!("/api/v1/ssh-keys/{}", id(&common));
    let retire = server.local(Method::DELETE, &format!("{path}?confirmed=true"));
    answer(retire.header("If-Match", "*")).await.with(StatusCode::OK);
    served.lets_in(&[&chosen]);
    is_in_trouble(&server, &integration, "ssh_no_key").await;
    let unusable = json!({ "kind": "git", "url": url, "ssh_key": common["id"] });
    server.connect("again", unusable).await.refused(422, "ssh_key_unusable");
    server.look_behind().await;
}

async fn a_changed_host_key_stops_everything_until_a_person_decides(server: Server) {
    let mut served = Served::new(&server, &[]);
    let only = key(&server, "only").await;
    served.lets_in(&[&only]);
    let added = server.connect("shop", json!({ "kind": "git", "url": served.url("shop.git") })).await;
    let integration = added.with(StatusCode::CREATED).id();
    let before = served.connections();
    is_in_trouble(&server, &integration, "host_key_unknown").await;
    assert_eq!(served.connections(), before, "whom nobody knows is not come to");
    // Nobody asks for a look, and the next poll is far.
    trust(&server, &served.sshd).await;
    is_indexed(&server, &integration).await;

    served.sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    is_in_trouble(&server, &integration, "host_key_changed").await;
    let hosts = async || server.get("/api/v1/host-keys").await.with(StatusCode::OK).items().to_vec();
    soon("the alarm is told", || async { hosts().await[0]["state"] == "changed" }).await;
    let accepted = || served.sshd.log().matches("Accepted publickey").count();
    let (logins, came) = (accepted(), served.connections());
    fetch(&server, &integration).await;
    server.look_behind().await;
    assert_eq!((accepted(), served.connections()), (logins, came), "nobody comes while it is in question");

    let host = hosts().await[0].clone();
    let offered: Vec<Value> =
        host["offered"].as_array().into_iter().flatten().map(|key| key["fingerprint_sha256"].clone()).collect();
    assert_eq!(offered.len(), 1, "{host}");
    let accept = format!("/api/v1/host-keys/{}/accept", id(&host));
    let request = server.local(Method::POST, &accept).header("If-Match", "*");
    answer(request.json(&json!({ "fingerprints": offered }))).await.with(StatusCode::OK);
    soon("it is read again", || async { repository_of(&server, &integration).await["trouble"].is_null() }).await;
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine;
    a_repository_over_ssh_is_connected_indexed_and_followed,
    a_server_that_takes_no_environment_is_read_as_well,
    what_a_connection_says_of_its_key_stays_and_is_said_again,
    a_changed_host_key_stops_everything_until_a_person_decides,
);

async fn what_cannot_be_meant_over_ssh_is_refused_and_keeps_nothing(server: Server) {
    let at = |url: &str| json!({ "kind": "git", "url": url });
    for (url, reason) in [
        ("ssh://git:geheim@git.example.com/shop", "url_has_credential"),
        ("ssh://-oProxyCommand=geheim/shop", "url_leading_dash"),
        ("ssh://-geheim@git.example.com/shop", "url_leading_dash"),
        ("ssh://git@git.example.com/-geheim", "url_leading_dash"),
        ("-oProxyCommand=geheim:shop", "url_leading_dash"),
        ("git@-oProxyCommand=geheim:shop", "url_leading_dash"),
        ("ext::ssh -oProxyCommand=geheim git.example.com", "url_remote_helper"),
        ("ssh://git@git.example.com/shop%0ageheim", "url_control_character"),
        ("git@git.example.com:shop\ngeheim", "url_control_character"),
        ("ssh://git@git.example.com/shop'geheim'", "url_unsafe_character"),
    ] {
        for (path, body) in
            [("/api/v1/integrations", json!({ "name": "shop", "connection": at(url) })), (TEST, json!({ "url": url }))]
        {
            let refused = server.post(path, body).await.refused(422, "url_invalid");
            assert_eq!(refused.text_of("reason"), reason, "{url}");
            assert!(!refused.text.contains("geheim"), "{}", refused.text);
        }
    }
    let with = |more: Value| {
        let mut connection = at("ssh://git@git.example.com/shop");
        connection.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        connection
    };
    let nobody = "01890000-0000-7000-8000-000000000000";
    for (connection, code) in [
        (with(json!({ "credential": { "user": "git", "password": "geheim" } })), "credential_invalid"),
        (with(json!({ "proxy": { "url": "http://proxy.example.com:3128" } })), "proxy_invalid"),
        (
            with(json!({ "trust": { "kind": "pinned", "key": format!("sha256//{}=", "A".repeat(43)) } })),
            "trust_invalid",
        ),
        (with(json!({ "ssh_key": nobody })), "ssh_key_unusable"),
        (json!({ "kind": "git", "url": "https://git.example.com/shop", "ssh_key": nobody }), "credential_invalid"),
        (at("ssh://git@10.1.2.3/shop"), "address_denied"),
    ] {
        server.connect("shop", connection).await.refused(422, code);
    }
    server
        .post(TEST, json!({ "url": "git@git.example.com:shop", "ssh_key": nobody }))
        .await
        .refused(422, "ssh_key_unusable");
    assert!(server.get("/api/v1/integrations").await.items().is_empty(), "nothing was made");
    assert!(server.sealed().await.is_empty());
}

on_both_engines!(what_cannot_be_meant_over_ssh_is_refused_and_keeps_nothing);
