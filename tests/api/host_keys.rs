//! Host keys from outside, of a real SSH server: looked at, compared, trusted, changed, accepted, refused, imported. Its
//! fingerprints are told by `ssh-keygen`.

use std::{io::Write as _, net::TcpListener, process::Command};

use keytrail_domain::{host_key::HostKeyId, recorded::StreamId};
use keytrail_test_support::sshd::{Config, HostKeyKind, Sshd};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Answer, Server, answer, on_both_engines};

const KEYS: &str = "/api/v1/host-keys";
/// A line of known_hosts, of a server that is nowhere.
pub(crate) const KNOWN: &str =
    "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n";

pub(crate) fn sshd() -> Sshd {
    Sshd::start(Config::default()).expect("sshd runs: install the Debian package openssh-server")
}

/// What `ssh-keygen -l` says of a host key of a server, with this kind of hash.
fn told_by_ssh_keygen(server: &Sshd, kind: HostKeyKind, hash: &str) -> String {
    let file = server.host_key_file(kind).with_extension("pub");
    let output = Command::new("ssh-keygen").args(["-l", "-E", hash, "-f"]).arg(file).output().expect("ssh-keygen");
    let line = String::from_utf8(output.stdout).expect("a text");
    line.split(' ').nth(1).expect("a fingerprint").to_owned()
}

async fn scan(server: &Server, sshd: &Sshd) -> Answer {
    server.post(&format!("{KEYS}/scan"), json!({ "host": "127.0.0.1", "port": sshd.port })).await
}

fn fingerprints(keys: &Value) -> Vec<String> {
    let all = keys.as_array().expect("keys").iter();
    all.map(|key| key["fingerprint_sha256"].as_str().expect("a fingerprint").to_owned()).collect()
}

async fn trust(server: &Server, sshd: &Sshd, fingerprints: &[String]) -> Answer {
    server.post(KEYS, json!({ "host": "127.0.0.1", "port": sshd.port, "fingerprints": fingerprints })).await
}

/// Trusts what it shows. Where it is from then on.
async fn trusted(server: &Server, sshd: &Sshd) -> String {
    let scanned = scan(server, sshd).await.with(StatusCode::OK);
    let added = trust(server, sshd, &fingerprints(&scanned.body["keys"])).await.with(StatusCode::CREATED);
    added.header("location")
}

async fn events_of(server: &Server, sshd: &Sshd) -> Vec<&'static str> {
    let stream = StreamId::new("host_key", HostKeyId::of("127.0.0.1", sshd.port).0);
    let events = server.app.log.stream(stream, i64::MAX).await.expect("its events");
    events.iter().map(|event| event.fact.name()).collect()
}

async fn a_server_is_looked_at_compared_and_trusted_with_all_its_keys(server: Server) {
    let sshd = sshd();
    let scanned = scan(&server, &sshd).await.with(StatusCode::OK);
    assert_eq!(scanned.text_of("verdict"), "unknown");
    let keys = scanned.body["keys"].as_array().expect("keys");
    for kind in [HostKeyKind::Ed25519, HostKeyKind::Ecdsa, HostKeyKind::Rsa] {
        let key = keys.iter().find(|key| key["algorithm"] == kind.algorithm()).expect("a key of each kind");
        assert_eq!(key["fingerprint_sha256"], told_by_ssh_keygen(&sshd, kind, "sha256"));
        assert_eq!(key["fingerprint_md5"], told_by_ssh_keygen(&sshd, kind, "md5"));
        let line = format!("[127.0.0.1]:{} {}", sshd.port, sshd.host_key(kind).expect("it has it"));
        assert_eq!((&key["known_hosts"], &key["trusted"]), (&json!(line), &json!(false)));
    }
    // A look leaves nothing behind, and nothing is trusted that was not seen.
    assert_eq!((keys.len(), server.get(KEYS).await.items().len()), (3, 0));
    let all = fingerprints(&scanned.body["keys"]);
    let other = format!("SHA256:{}", "A".repeat(43));
    for wrong in [vec![], vec![other.clone()], [&all[..2], &[other]].concat()] {
        let refused = trust(&server, &sshd, &wrong).await.refused(409, "host_key_other_fingerprints");
        assert_eq!(refused.body["fingerprints"].as_array().map(Vec::len), Some(3), "{}", refused.text);
    }
    assert_eq!(events_of(&server, &sshd).await, [""; 0]);

    let added = trust(&server, &sshd, &all).await.with(StatusCode::CREATED);
    assert_eq!((added.text_of("state"), added.text_of("trusted_how")), ("trusted".into(), "person".into()));
    let told: Vec<_> = fingerprints(&added.body["trusted"]);
    assert_eq!((&told, added.header("etag")), (&all, "\"1\"".to_owned()));
    let one = server.get(&added.header("location")).await.with(StatusCode::OK);
    assert_eq!(one.body, added.body);
    let again = scan(&server, &sshd).await.with(StatusCode::OK);
    assert_eq!(again.text_of("verdict"), "trusted");
    assert!(again.body["keys"].as_array().expect("keys").iter().all(|key| key["trusted"] == true), "{}", again.text);
    assert_eq!(events_of(&server, &sshd).await, ["host_key.trusted"]);
}

async fn only_the_keys_that_are_named_are_trusted(server: Server) {
    let sshd = sshd();
    let all = fingerprints(&scan(&server, &sshd).await.with(StatusCode::OK).body["keys"]);
    let added = trust(&server, &sshd, &all[1..2]).await.with(StatusCode::CREATED);
    assert_eq!(fingerprints(&added.body["trusted"]), all[1..2], "{}", added.text);
    let again = scan(&server, &sshd).await.with(StatusCode::OK);
    let trusted: Vec<_> =
        again.body["keys"].as_array().expect("keys").iter().map(|key| key["trusted"] == true).collect();
    assert_eq!((again.text_of("verdict"), trusted), ("trusted".into(), vec![false, true, false]));
    // The others are named later, each beside none or beside all.
    let added = trust(&server, &sshd, &all).await.with(StatusCode::CREATED);
    assert_eq!(fingerprints(&added.body["trusted"]).len(), 3, "{}", added.text);
}

async fn a_changed_key_is_an_alarm_until_a_person_accepts_it(server: Server) {
    let mut sshd = sshd();
    let at = trusted(&server, &sshd).await;
    let before = told_by_ssh_keygen(&sshd, HostKeyKind::Ed25519, "sha256");
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    let after = told_by_ssh_keygen(&sshd, HostKeyKind::Ed25519, "sha256");
    assert_eq!(scan(&server, &sshd).await.with(StatusCode::OK).text_of("verdict"), "changed");
    let changed = server.get(&format!("{KEYS}?state=changed")).await.with(StatusCode::OK);
    let changed = changed.items().first().expect("the alarm").clone();
    assert_eq!(fingerprints(&changed["offered"]), [after.as_str()]);
    assert!(fingerprints(&changed["trusted"]).contains(&before), "{changed}");
    // Seen twice it is one alarm, and nobody gets around it.
    scan(&server, &sshd).await.with(StatusCode::OK);
    let shown = fingerprints(&scan(&server, &sshd).await.body["keys"]);
    trust(&server, &sshd, &shown).await.refused(409, "host_key_alarmed");
    assert_eq!(events_of(&server, &sshd).await, ["host_key.trusted", "host_key.changed"]);

    let accept = format!("{at}/accept");
    let other = json!({ "fingerprints": [before] });
    server.post(&accept, other).await.refused(409, "host_key_other_fingerprints");
    let right = json!({ "fingerprints": [after] });
    let stale = server.local(Method::POST, &accept).header("If-Match", "\"1\"").json(&right);
    answer(stale).await.refused(412, "version_stale");
    let accepted = server.post(&accept, right.clone()).await.with(StatusCode::OK);
    assert_eq!(accepted.text_of("state"), "trusted");
    let trusted = fingerprints(&accepted.body["trusted"]);
    assert!(trusted.contains(&after) && !trusted.contains(&before) && trusted.len() == 3, "{}", accepted.text);
    server.post(&accept, right).await.refused(409, "host_key_no_change");
    assert_eq!(scan(&server, &sshd).await.text_of("verdict"), "trusted");
    let last = events_of(&server, &sshd).await.pop();
    assert_eq!(last, Some("host_key.change_accepted"));
}

async fn a_refused_key_is_not_trusted_and_raises_no_alarm_again(server: Server) {
    let only = Config { host_keys: vec![HostKeyKind::Ed25519], ..Config::default() };
    let mut sshd = Sshd::start(only).expect("sshd");
    let at = trusted(&server, &sshd).await;
    let before = told_by_ssh_keygen(&sshd, HostKeyKind::Ed25519, "sha256");
    server.post(&format!("{at}/refuse"), json!({})).await.refused(409, "host_key_no_change");
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    let refused = told_by_ssh_keygen(&sshd, HostKeyKind::Ed25519, "sha256");
    assert_eq!(scan(&server, &sshd).await.text_of("verdict"), "changed");
    let shown = server.post(&format!("{at}/refuse"), json!({})).await.with(StatusCode::OK);
    assert_eq!(fingerprints(&shown.body["trusted"]), [before.as_str()]);
    assert_eq!(
        (fingerprints(&shown.body["refused"]), shown.text_of("state")),
        (vec![refused.clone()], "trusted".into())
    );
    assert_eq!(scan(&server, &sshd).await.text_of("verdict"), "refused");
    trust(&server, &sshd, std::slice::from_ref(&refused)).await.refused(409, "host_key_refused");
    // A third key is another alarm.
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    assert_eq!(scan(&server, &sshd).await.text_of("verdict"), "changed");
    let happened = events_of(&server, &sshd).await;
    assert_eq!(happened, ["host_key.trusted", "host_key.changed", "host_key.change_refused", "host_key.changed"]);
}

async fn a_refused_key_is_trusted_by_no_file(server: Server) {
    let mut sshd = sshd();
    let at = trusted(&server, &sshd).await;
    sshd.replace_host_key(HostKeyKind::Ed25519).expect("it starts again");
    scan(&server, &sshd).await.with(StatusCode::OK);
    server.post(&format!("{at}/refuse"), json!({})).await.with(StatusCode::OK);
    let body = json!({ "known_hosts": sshd.known_hosts().expect("its keys") });
    let imported = server.post(&format!("{KEYS}/import"), body).await.with(StatusCode::OK);
    let told = &imported.body["servers"][0];
    assert_eq!((&told["trusted"], &told["code"]), (&json!(false), &json!("host_key_refused")), "{}", imported.text);
    assert_eq!(events_of(&server, &sshd).await.last(), Some(&"host_key.change_refused"));
}

async fn a_forgotten_server_is_met_anew(server: Server) {
    let mut sshd = sshd();
    let at = trusted(&server, &sshd).await;
    answer(server.local(Method::DELETE, &at)).await.refused(428, "if_match_missing");
    let forgotten = answer(server.local(Method::DELETE, &at).header("If-Match", "\"1\"")).await.with(StatusCode::OK);
    assert_eq!((forgotten.text_of("state"), forgotten.body["trusted"].clone()), ("forgotten".into(), json!([])));
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.refused(404, "host_key_unknown");
    sshd.replace_host_key(HostKeyKind::Rsa).expect("it starts again");
    assert_eq!(scan(&server, &sshd).await.text_of("verdict"), "unknown");
    assert_eq!(trusted(&server, &sshd).await, at);
    let nobody = HostKeyId::of("nobody.example.com", 22);
    server.get(&format!("{KEYS}/{nobody}")).await.refused(404, "host_key_unknown");
}

async fn trusting_again_with_the_same_idempotency_key_is_done_once(server: Server) {
    let mut sshd = sshd();
    let shown = fingerprints(&scan(&server, &sshd).await.body["keys"]);
    let body = json!({ "host": "127.0.0.1", "port": sshd.port, "fingerprints": shown });
    let send = || answer(server.local(Method::POST, KEYS).header("Idempotency-Key", "once").json(&body));
    send().await.with(StatusCode::CREATED);
    // Whatever it shows meanwhile: it is the same request.
    sshd.stop();
    let again = send().await.with(StatusCode::CREATED);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(events_of(&server, &sshd).await, ["host_key.trusted"]);
}

/// The same file with its names hashed, as `ssh-keygen` writes it.
pub(crate) fn hashed(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("known_hosts");
    std::fs::write(&file, text).expect("a file");
    let done = Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().expect("ssh-keygen");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read_to_string(&file).expect("a file")
}

async fn a_known_hosts_file_is_trusted_line_by_line_and_the_rest_is_said(server: Server) {
    let sshd = sshd();
    let of_sshd = hashed(&sshd.known_hosts().expect("its keys"));
    assert!(!of_sshd.contains("127.0.0.1"), "{of_sshd}");
    let key = KNOWN.split_once(' ').expect("a line").1.trim();
    let other = key.replace("AQEBAQEB", "AgICAgIC");
    let text = format!(
        "# comment\n{KNOWN}*.example.com {key}\n@cert-authority a.example.com {key}\n@revoked b.example.com {other}\n\
         c.example.com {other}\nd.example.com nonsense\n{of_sshd}"
    );
    let import = async |hosts: &[&str]| {
        let body = json!({ "known_hosts": text, "hosts": hosts });
        server.post(&format!("{KEYS}/import"), body).await.with(StatusCode::OK)
    };
    let first = import(&[]).await;
    let why = |answer: &Answer| -> Vec<(u64, String)> {
        let all = answer.body["not_taken"].as_array().expect("lines").iter();
        all.map(|one| (one["line"].as_u64().expect("a number"), one["code"].as_str().expect("a code").to_owned()))
            .collect()
    };
    let said = |lines: &[(u64, &str)]| -> Vec<(u64, String)> {
        lines.iter().map(|(line, code)| (*line, (*code).to_owned())).collect()
    };
    let never = [(3, "wildcard"), (4, "cert_authority"), (5, "revoked"), (6, "revoked"), (7, "bad_key")];
    let hashed_lines = [(8, "hashed_unknown"), (9, "hashed_unknown"), (10, "hashed_unknown")];
    assert_eq!(why(&first), said(&[&never[..], &hashed_lines].concat()), "{}", first.text);
    assert_eq!(first.body["servers"][0]["host"], "git.example.com");
    assert_eq!(first.body["servers"].as_array().map(Vec::len), Some(1));

    // A person names the server that is hashed: it is pinned with all its kinds.
    let named = import(&[&format!("127.0.0.1:{}", sshd.port)]).await;
    assert_eq!(why(&named), said(&never), "{}", named.text);
    let id = HostKeyId::of("127.0.0.1", sshd.port);
    let at = named.body["position"].as_i64().expect("a position");
    let row = server.get(&format!("{KEYS}/{id}?min_position={at}")).await.with(StatusCode::OK);
    assert_eq!((row.text_of("trusted_how"), fingerprints(&row.body["trusted"]).len()), ("known_hosts".into(), 3));
    assert_eq!(scan(&server, &sshd).await.text_of("verdict"), "trusted");
    // Servers that are known by now need not be named; and another key for one of them is not taken in silence.
    assert_eq!(why(&import(&[]).await), said(&never));
    let moved = json!({ "known_hosts": format!("git.example.com {other}\n") });
    let moved = server.post(&format!("{KEYS}/import"), moved).await.with(StatusCode::OK);
    let refused = &moved.body["servers"][0];
    assert_eq!((&refused["trusted"], &refused["code"]), (&json!(false), &json!("host_key_differs")), "{}", moved.text);
}

/// A line that vouches for so many servers.
fn of_many(servers: usize) -> String {
    let names: Vec<_> = (0..servers).map(|n| format!("host{n:04}.example.com")).collect();
    format!("{} {}", names.join(","), KNOWN.split_once(' ').expect("a line").1)
}

async fn a_hashed_name_is_found_among_all_servers_that_are_known_and_not_forgotten(server: Server) {
    // More than a page of them.
    for part in [of_many(500), of_many(500).replace("host", "more")] {
        server.post(&format!("{KEYS}/import"), json!({ "known_hosts": part })).await.with(StatusCode::OK);
    }
    let last = "more0499.example.com";
    let body = json!({ "known_hosts": hashed(&KNOWN.replace("git.example.com", last)) });
    let import = async || server.post(&format!("{KEYS}/import"), body.clone()).await.with(StatusCode::OK);
    let found = import().await;
    assert_eq!(found.body["servers"][0]["host"], last, "{}", found.text);
    let at = format!("{KEYS}/{}", HostKeyId::of(last, 22));
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    let forgotten = import().await;
    assert_eq!(forgotten.body["not_taken"][0]["code"], "hashed_unknown", "{}", forgotten.text);
}

async fn what_is_no_known_hosts_file_is_refused(server: Server) {
    let import = async |text: String| server.post(&format!("{KEYS}/import"), json!({ "known_hosts": text })).await;
    import(String::new()).await.refused(422, "known_hosts_empty");
    import("# nothing\n\n".to_owned()).await.refused(422, "known_hosts_empty");
    import(KNOWN.repeat(1_000)).await.refused(422, "known_hosts_too_large");
    import(of_many(501)).await.refused(422, "known_hosts_too_many");
    let body = json!({ "known_hosts": KNOWN, "hosts": ["-oProxyCommand=x"] });
    server.post(&format!("{KEYS}/import"), body).await.refused(422, "ssh_host_invalid");
    assert_eq!(server.get(KEYS).await.items().len(), 0);
}

/// Something that listens, says this to whoever comes, and closes.
fn speaker(says: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(says.as_bytes());
        }
    });
    port
}

async fn what_cannot_be_looked_at_is_said_with_a_code(server: Server) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let web = speaker("HTTP/1.1 400 Bad Request\r\n\r\n");
    let old = speaker("SSH-1.5-old\r\n");
    let mute = speaker("SSH-2.0-mute\r\n");
    for (host, port, code) in [
        ("-oProxyCommand=touch x", 22, "ssh_host_invalid"),
        ("a b", 22, "ssh_host_invalid"),
        ("a\nb", 22, "ssh_host_invalid"),
        ("a\u{0}", 22, "ssh_host_invalid"),
        ("git.example.com:22", 22, "ssh_host_invalid"),
        ("127.1", 22, "ssh_host_invalid"),
        ("127.0.0.1", 0, "ssh_host_invalid"),
        ("127.0.0.2", 22, "address_denied"),
        ("::1", 22, "address_denied"),
        ("169.254.169.254", 22, "address_denied"),
        ("nosuch.invalid", 22, "ssh_host_unknown"),
        ("127.0.0.1", free, "ssh_host_unreachable"),
        ("127.0.0.1", web, "ssh_host_not_ssh"),
        ("127.0.0.1", old, "ssh_host_not_ssh"),
        ("127.0.0.1", mute, "ssh_host_not_ssh"),
    ] {
        let body = json!({ "host": host, "port": port });
        server.post(&format!("{KEYS}/scan"), body).await.refused(422, code);
        let body = json!({ "host": host, "port": port, "fingerprints": [] });
        server.post(KEYS, body).await.refused(422, code);
    }
    assert_eq!(server.get(KEYS).await.items().len(), 0);
}

async fn who_accepts_and_says_nothing_is_not_waited_for(server: Server) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let body = json!({ "host": "127.0.0.1", "port": port });
    server.post(&format!("{KEYS}/scan"), body).await.refused(422, "ssh_host_unreachable");
}

async fn only_administrators_look_and_trust(server: Server) {
    let viewer = server.token("viewer").await;
    server.post(&format!("{KEYS}/import"), json!({ "known_hosts": KNOWN })).await.with(StatusCode::OK);
    let ask = |method: Method, path: String| server.request(method, &path).bearer_auth(&viewer);
    let listed = answer(ask(Method::GET, KEYS.to_owned())).await.with(StatusCode::OK);
    assert_eq!(listed.items()[0]["name"], "git.example.com");
    let at = format!("{KEYS}/{}", HostKeyId::of("git.example.com", 22));
    answer(ask(Method::GET, at.clone())).await.with(StatusCode::OK);
    for path in [
        KEYS.to_owned(),
        format!("{KEYS}/scan"),
        format!("{KEYS}/import"),
        format!("{at}/accept"),
        format!("{at}/refuse"),
    ] {
        answer(ask(Method::POST, path).json(&json!({}))).await.refused(403, "role_insufficient");
    }
    answer(ask(Method::DELETE, at).header("If-Match", "*")).await.refused(403, "role_insufficient");
}

on_both_engines!(
    reaching_this_machine;
    a_server_is_looked_at_compared_and_trusted_with_all_its_keys,
    only_the_keys_that_are_named_are_trusted,
    a_changed_key_is_an_alarm_until_a_person_accepts_it,
    a_refused_key_is_not_trusted_and_raises_no_alarm_again,
    a_refused_key_is_trusted_by_no_file,
    a_forgotten_server_is_met_anew,
    trusting_again_with_the_same_idempotency_key_is_done_once,
    a_known_hosts_file_is_trusted_line_by_line_and_the_rest_is_said,
    a_hashed_name_is_found_among_all_servers_that_are_known_and_not_forgotten,
    what_is_no_known_hosts_file_is_refused,
    what_cannot_be_looked_at_is_said_with_a_code,
    who_accepts_and_says_nothing_is_not_waited_for,
    only_administrators_look_and_trust,
);
