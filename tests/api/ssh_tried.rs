//! Connections over SSH that are tried out before anything is added: each step with its outcome, and none is said to be done
//! that nobody did; and a node without the program.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail::{
    app::Context,
    clock::Clock,
    jobs::{self, KeysToTry, TestStep},
    ssh_keys::Target,
    store::{Area, Statement},
};
use keytrail_domain::{
    git_remote::GitRemote,
    host_key::{Command, Endpoint, HostKeys, HostPublicKey, How},
    index_run::FailureCode,
    remote_url::RemoteUrl,
    service::Connection,
};
use keytrail_projections::repository_list;
use keytrail_test_support::sshd::HostKeyKind;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    nodes::{connect, node_with},
    server::{Answer, Server, answer, on_both_engines, soon},
    ssh_keys::{self, written},
    ssh_transport::{Served, TEST, id, key, trust},
};

/// The steps with their outcomes, and the code of the one that failed.
fn steps(tested: &Answer) -> (Vec<String>, Value) {
    let steps = tested.body["steps"].as_array().expect("steps");
    let told = |step: &Value| {
        format!("{} {}", step["step"].as_str().expect("a name"), step["state"].as_str().expect("a word"))
    };
    let code = steps.iter().map(|step| step["code"].clone()).find(|code| !code.is_null()).unwrap_or_default();
    (steps.iter().map(told).collect(), code)
}

async fn a_connection_is_tried_out_step_by_step_and_nothing_is_kept(server: Server) {
    let served = Served::new(&server, &[]);
    let url = served.url("shop.git");
    let tried = async |body: Value| server.post(TEST, body).await.with(StatusCode::OK);
    let fails = async |body: Value, step: &str, wanted: &str| {
        let (told, code) = steps(&tried(body).await);
        assert_eq!(code, wanted, "{told:?}");
        let at = told.iter().position(|line| *line == format!("{step} failed")).expect(step);
        assert!(told[..at].iter().all(|line| line.ends_with(" ok")), "{told:?}");
        assert!(told[at + 1..].iter().all(|line| line.ends_with(" not_reached")), "{told:?}");
        assert_eq!(told.len(), 5);
    };
    let head = || server.app.log.feed().head().position;
    let begun = head();
    fails(json!({ "url": "ssh://git@no-such-host.invalid/shop" }), "resolve", "host_unknown").await;
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port");
    fails(json!({ "url": format!("ssh://git@{closed}/shop") }), "connect", "connection_refused").await;
    assert_eq!(head(), begun, "nothing was recorded");
    let (wrong, right) = (key(&server, "wrong").await, key(&server, "right").await);
    served.lets_in(&[&right]);
    fails(json!({ "url": url }), "host_key", "host_key_unknown").await;
    trust(&server, &served.sshd).await;
    let begun = head();
    fails(json!({ "url": url, "ssh_key": wrong["id"] }), "authentication", "ssh_auth_failed").await;
    fails(json!({ "url": served.url("absent.git") }), "repository", "remote_not_found").await;
    let well = tried(json!({ "url": url })).await;
    assert_eq!((&well.body["ok"], &well.body["accepted"], &well.body["refs"]), (&json!(true), &right["id"], &json!(1)));
    assert_eq!(well.body["offered"], json!([wrong["id"], right["id"]]));
    assert!(steps(&well).0.iter().all(|line| line.ends_with(" ok")), "{}", well.text);
    assert_eq!(head(), begun, "nothing was recorded");
    let used = server.get(&format!("/api/v1/ssh-keys/{}", id(&right))).await;
    assert_eq!(used.body["never_used"], true, "nor written down");
    let viewer = server.token("viewer").await;
    let asked = server.request(Method::POST, TEST).bearer_auth(viewer).json(&json!({ "url": url }));
    answer(asked).await.refused(403, "role_insufficient");
}

async fn a_step_that_nobody_did_is_not_said_to_be_done(server: Server) {
    let served = Served::new(&server, &[]);
    let tried = async || steps(&server.post(TEST, json!({ "url": served.url("shop.git") })).await.with(StatusCode::OK));
    let not_proved =
        ["resolve ok", "connect ok", "host_key not_reached", "authentication failed", "repository not_reached"];
    trust(&server, &served.sshd).await;
    let (told, code) = tried().await;
    assert_eq!((told, code), (not_proved.map(str::to_owned).to_vec(), json!("ssh_no_key")), "without any key");
    let only = key(&server, "only").await;
    served.lets_in(&[&only]);
    assert_eq!(tried().await.1, Value::Null, "it is let in");
    let lost = Statement::new("DELETE FROM secrets WHERE owner_kind = 'ssh_key'", vec![]);
    server.app.db.write(Area::Log, vec![lost]).await.expect("they are gone");
    let (told, code) = tried().await;
    assert_eq!((told, code), (not_proved.map(str::to_owned).to_vec(), json!("internal")), "with one that is lost");
}

async fn a_host_with_another_key_raises_its_alarm_when_it_is_tried_out(server: Server) {
    let mut served = Served::new(&server, &[]);
    let only = key(&server, "only").await;
    served.lets_in(&[&only]);
    trust(&server, &served.sshd).await;
    served.sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    let tested = server.post(TEST, json!({ "url": served.url("shop.git") })).await.with(StatusCode::OK);
    assert_eq!(steps(&tested).1, "host_key_changed");
    assert_eq!(tested.body["recommendation"], Value::Null, "nobody knows this host");
    soon("the alarm is told", || async {
        server.get("/api/v1/host-keys?state=changed").await.with(StatusCode::OK).items().len() == 1
    })
    .await;
}

/// It is no key of the pool: that the host would take a common one does not help.
async fn a_private_key_that_is_given_is_tried_alone_and_nothing_of_it_is_kept(server: Server) {
    let served = Served::new(&server, &[]);
    let common = key(&server, "common").await;
    let own = ssh_keys::key(7);
    let word = "correct horse battery";
    let (locked, open) = (written(&own, Target::OpenSsh, Some(word)), written(&own, Target::Pem, None));
    let packed = STANDARD.encode(&open);
    served.lets_in(&[&common]);
    trust(&server, &served.sshd).await;
    let url = served.url("shop.git");
    let with = |url: &str, more: &Value| {
        let mut body = json!({ "url": url });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        server.post(TEST, body)
    };
    let head = || server.app.log.feed().head().position;
    let begun = head();
    let given =
        |accepted: bool| json!({ "fingerprint_sha256": own.public().sha256(), "offered": true, "accepted": accepted });
    let refused = with(&url, &json!({ "private_key": locked, "passphrase": word })).await.with(StatusCode::OK);
    assert_eq!((steps(&refused).1, &refused.body["key_given"]), (json!("ssh_auth_failed"), &given(false)));
    assert_eq!((&refused.body["offered"], &refused.body["accepted"]), (&json!([]), &Value::Null), "{}", refused.text);
    assert!(!served.sshd.log().contains("Accepted publickey"), "the common key was not offered");
    served.lets_in(&[&json!({ "public_key": own.public().openssh("") })]);
    for body in [json!({ "private_key": locked, "passphrase": word }), json!({ "private_key_base64": packed })] {
        let well = with(&url, &body).await.with(StatusCode::OK);
        assert_eq!((&well.body["ok"], &well.body["key_given"]), (&json!(true), &given(true)), "{}", well.text);
    }

    let needed = with(&url, &json!({ "private_key": locked })).await.refused(422, "ssh_key_passphrase_needed");
    let command = needed.body["next"]["commands"][0].as_str().expect("a command");
    assert!(command.starts_with("keytrail integration test "), "{command}");
    let tests = served.connections();
    for (body, code) in [
        (json!({ "private_key": locked, "passphrase": "another" }), "ssh_key_passphrase_wrong"),
        (json!({ "private_key": common["public_key"] }), "ssh_key_public"),
        (json!({ "private_key_base64": "no base64" }), "ssh_key_unknown_format"),
        (json!({ "passphrase": word }), "ssh_key_empty"),
        (json!({ "private_key": open, "private_key_base64": packed }), "ssh_key_twice"),
        (json!({ "private_key": open, "ssh_key": common["id"] }), "ssh_key_twice"),
    ] {
        let refused = with(&url, &body).await.refused(422, code);
        assert!(!refused.text.contains(word), "{}", refused.text);
    }
    let over_https = with("https://git.example.com/shop.git", &json!({ "private_key": open })).await;
    over_https.refused(422, "credential_invalid");
    assert_eq!(served.connections(), tests, "nobody came to the host");
    assert_eq!((head(), ssh_keys::sealed(&server).await), (begun, 1), "nothing was recorded, and no other key is kept");
    assert_eq!(server.get("/api/v1/ssh-keys").await.items().len(), 1);
    server.look_behind().await;
}

on_both_engines!(
    reaching_this_machine;
    a_private_key_that_is_given_is_tried_alone_and_nothing_of_it_is_kept,
    a_connection_is_tried_out_step_by_step_and_nothing_is_kept,
    a_host_with_another_key_raises_its_alarm_when_it_is_tried_out,
    a_step_that_nobody_did_is_not_said_to_be_done,
);

#[tokio::test(flavor = "multi_thread")]
async fn without_the_program_it_is_said_what_cannot_be_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let app = node_with(folder.path(), None, Clock::System, |config| {
        crate::server::reaching_this_machine(&mut config.git);
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
        config.ssh.program = Some("/nowhere/ssh".into());
    })
    .await;
    let trusts = async |url: &RemoteUrl| {
        let blob = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[0, 0, 0, 1, 7]].concat();
        let keys = vec![HostPublicKey { algorithm: "ssh-ed25519".to_owned(), blob }];
        let server = Endpoint { host: url.host().clone(), port: url.port() };
        let id = server.id().0;
        let trusted = Command::Trust { host: server.host, port: server.port, keys, how: How::Person };
        app.dispatch::<HostKeys>(id, trusted, Context::server("case", 0), Vec::new()).await.expect("it is trusted");
    };
    let url = RemoteUrl::parse("ssh://git@127.0.0.1:1/shop").expect("a URL").url;
    trusts(&url).await;
    connect(&app, "shop", Connection::git(GitRemote::at(url))).await;
    soon("it is said", || async {
        let rows = app.read(repository_list::page(None, None, None, 10)).await.unwrap_or_default();
        rows.first().is_some_and(|row| {
            let failure = row.repository.failure.as_ref();
            failure.is_some_and(|(code, text)| *code == FailureCode::SshProgramMissing && text.contains("ssh.program"))
        })
    })
    .await;
    let rows = app.read(repository_list::page(None, None, None, 10)).await.expect("a list");
    let offers = jobs::ssh_offers_of(&app.db, rows[0].repository.id).await.expect("a read");
    assert!(offers.offered.is_empty() && offers.at.is_none(), "{offers:?}");

    // Who the host is comes first, and is not said to be proved by nobody.
    let listens = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listens.local_addr().expect("an address").port();
    let url = RemoteUrl::parse(&format!("ssh://git@127.0.0.1:{port}/shop")).expect("a URL").url;
    let tried = async || {
        let tested = jobs::test_connection(&app, &url, KeysToTry::Common).await.expect("it is tried out");
        (tested.failed.map(|(step, code, _)| (step, code)), tested.is_proved)
    };
    assert_eq!(tried().await, (Some((TestStep::HostKey, FailureCode::HostKeyUnknown)), false));
    trusts(&url).await;
    assert_eq!(tried().await, (Some((TestStep::Authentication, FailureCode::SshProgramMissing)), false));
    app.stop().await;
}
