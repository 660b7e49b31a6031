//! How many connections repositories over SSH cost their host, counted by a relay before a real OpenSSH server: one for a
//! look that finds nothing, and never more at once than it may have.

use std::path::Path;

use keytrail_test_support::{
    postgres,
    server::{Home, Options, Server},
    sshd::{Config, HostKeyKind, Sshd},
    web_server::{Fault, Relay},
};
use serde_json::{Value, json};

use crate::{
    metrics::{metrics, value},
    quiet_looks::{NOTHING, READ, looked_at, made, otherwise, written},
    repository,
    server::soon,
};

const REPOSITORIES: usize = 100;
/// What the host may have at once.
const CONNECTIONS: usize = 2;

/// A server of SSH, and the relay before it.
struct Host {
    sshd: Sshd,
    relay: Relay,
}

impl Host {
    /// It lets the only key of a server in, which trusts it.
    async fn of(server: &Server, lines: &[&str]) -> Self {
        let made = posted(server, "/api/v1/ssh-keys/generate", &json!({ "name": "deploy" })).await;
        let config = Config {
            host_keys: vec![HostKeyKind::Ed25519],
            authorized: vec![made["public_key"].as_str().expect("a public half").to_owned()],
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let sshd = Sshd::start(config).expect("install the Debian package openssh-server");
        let relay = Relay::start(sshd.address(), Fault::None);
        let host_key = sshd.host_key(HostKeyKind::Ed25519).expect("it has one");
        let known_hosts = format!("[127.0.0.1]:{} {host_key}\n", relay.address().port());
        posted(server, "/api/v1/host-keys/import", &json!({ "known_hosts": known_hosts })).await;
        Self { sshd, relay }
    }

    async fn add(&self, server: &Server, name: &str, path: &Path) {
        let url = format!("ssh://{}@{}{}", self.sshd.user(), self.relay.address(), path.display());
        let body = json!({ "name": name, "connection": { "kind": "git", "url": url } });
        posted(server, "/api/v1/integrations", &body).await;
    }
}

async fn posted(server: &Server, path: &str, body: &Value) -> Value {
    let answer = server.client().post(path, None, body).await.expect("the server serves");
    assert!(answer.is_done(), "{path}: {}", answer.body);
    answer.body
}

/// A home whose server may come to this machine, and looks after so many seconds.
fn home(database_url: Option<String>, poll_seconds: &str, more: &[(&str, &str)]) -> Home {
    let env = [("GIT__HOSTS", "[\"127.0.0.1\"]"), ("GIT__FREE_BYTES", "0"), ("ACCESS__REQUESTS_PER_MINUTE", "0")];
    let polls = [("GIT__SHORTEST_POLL_SECONDS", poll_seconds), ("GIT__LONGEST_POLL_SECONDS", poll_seconds)];
    let env = env.iter().chain(&polls).chain(more);
    let env = env.map(|(name, value)| (format!("KEYTRAIL__{name}"), (*value).to_owned())).collect();
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { database_url, env, ..Options::default() })
}

async fn indexed(server: &Server) -> usize {
    server.client().list("/api/v1/repositories?state=indexed").await.map_or(0, |all| all.len())
}

async fn a_hundred_repositories_keep_within_what_their_host_may_have(database_url: Option<String>) {
    let connections = CONNECTIONS.to_string();
    // More runs at once than connections, so that they have to wait for them; and none of them again.
    let home =
        home(database_url, "3600", &[("SSH__CONNECTIONS_PER_HOST", connections.as_str()), ("JOBS__WORKERS", "8")]);
    let place = |number: usize| home.folder().join(format!("served/{number}"));
    for number in 1..=REPOSITORIES {
        repository::with_commits(&place(number), &[&format!("SHOP-{number} begins")]);
    }
    let server = home.start().await;
    // It sends more away itself; one beside them is whoever looked whether it listens. Its usual exchange of keys would take
    // most of the time.
    let full = CONNECTIONS + 1;
    let host = Host::of(&server, &[&format!("MaxStartups {full}:100:{full}"), "KexAlgorithms curve25519-sha256"]).await;
    for number in 1..=REPOSITORIES {
        host.add(&server, &format!("shop-{number}"), &place(number)).await;
    }
    let mut done = 0;
    while done < REPOSITORIES {
        soon("one more is indexed", || async { indexed(&server).await > done }).await;
        done = indexed(&server).await;
    }
    for number in 1..=REPOSITORIES {
        let issue = format!("/api/v1/issues/SHOP-{number}");
        let commits =
            async || server.client().get(&issue).await.map_or(Value::Null, |issue| issue.body["commits"].clone());
        soon(&format!("{issue} has its commit"), || async { commits().await == 1 }).await;
    }
    assert_eq!(host.relay.most_open(), CONNECTIONS, "as many as it may have, and never more");
    let logins = host.sshd.log().matches("Accepted publickey").count();
    assert_eq!(host.relay.came(), logins as u64, "nobody was sent away");
    let (_, ended) = server.terminate().await;
    assert!(ended.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_repositories_never_have_more_connections_open_than_their_host_may() {
    a_hundred_repositories_keep_within_what_their_host_may_have(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_repositories_never_have_more_connections_open_than_their_host_may_on_postgresql() {
    let database = postgres::database().await;
    a_hundred_repositories_keep_within_what_their_host_may_have(Some(database.url())).await;
}

async fn one_connection_and_nothing_else(database_url: Option<String>) {
    let is_embedded = database_url.is_none();
    let home = home(database_url, "1", &[]);
    let repository = made(&home.folder().join("served/shop.git"));
    let server = home.start().await;
    let host = Host::of(&server, &[]).await;
    posted(&server, "/api/v1/ssh-keys/generate", &json!({ "name": "spare", "common": false })).await;
    host.add(&server, "shop", &repository.path).await;
    soon("it is indexed", || async { indexed(&server).await == 1 }).await;
    looked_at(&server, 2).await;
    let before = metrics(&server).await;
    let (looks, came) = (value(&before, NOTHING), host.relay.came());
    looked_at(&server, 4).await;
    let after = metrics(&server).await;
    let (more, connections) = (value(&after, NOTHING) - looks, (host.relay.came() - came) as f64);
    // A look that goes on has come, and has not found anything yet.
    assert!((connections - more).abs() <= 1.0, "{connections} connections for {more} looks");
    assert_eq!((value(&before, READ), value(&after, READ)), (0.0, 0.0), "no commit was walked");
    assert_eq!(written(&before, is_embedded), written(&after, is_embedded));
    assert_eq!(otherwise(&before), otherwise(&after), "every look found nothing");
    let keys = ["keytrail_ssh_keys{store=\"server\"}", "keytrail_ssh_keys_never_used"];
    assert_eq!(keys.map(|series| value(&after, series)), [2.0, 1.0], "one of the two was taken");
    assert!(value(&after, "keytrail_ssh_key_last_used_seconds") >= 0.0);
    let (_, ended) = server.terminate().await;
    assert!(ended.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_over_ssh_that_finds_nothing_is_one_connection_and_reads_and_writes_nothing() {
    one_connection_and_nothing_else(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_over_ssh_that_finds_nothing_is_one_connection_and_reads_and_writes_nothing_on_postgresql() {
    let database = postgres::database().await;
    one_connection_and_nothing_else(Some(database.url())).await;
}
