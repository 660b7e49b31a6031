//! `ssh-keygen` and `ssh` judge what we say of host keys: fingerprints, lines of known_hosts, names that are hashed.

use keytrail::ssh_hosts::{self, Why};
use keytrail_domain::host_key::{Endpoint, HostPublicKey};
use keytrail_test_support::sshd::{Config, HostKeyKind, Sshd};

use crate::key_programs::Bench;

const KINDS: [(&str, &str); 5] =
    [("ed25519", "256"), ("rsa", "2048"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521")];
const SERVERS: [&str; 6] =
    ["git.example.com", "git.example.com:2222", "10.0.0.1", "[10.0.0.1]:2222", "::1", "[2001:db8::1]:7999"];

fn server(text: &str) -> Endpoint {
    ssh_hosts::endpoint(text).expect("a server")
}

/// A key that `ssh-keygen` makes, as we read its public half, and the file with that.
fn made(bench: &Bench, kind: &str, bits: &str) -> (HostPublicKey, String) {
    let name = format!("{kind}-{bits}");
    bench.run(&["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", "", "-f", &name]);
    let file = format!("{name}.pub");
    let text = bench.text(&file);
    let mut words = text.split_whitespace();
    let (algorithm, base64) = (words.next().expect("a kind"), words.next().expect("a key"));
    (HostPublicKey::read(algorithm, base64).expect("it is a key"), file)
}

#[test]
fn fingerprints_of_every_kind_are_those_of_ssh_keygen() {
    let bench = Bench::new();
    for (kind, bits) in KINDS {
        let (key, file) = made(&bench, kind, bits);
        for (hash, ours) in [("sha256", key.sha256()), ("md5", ssh_hosts::md5(&key))] {
            let told = bench.run(&["ssh-keygen", "-l", "-E", hash, "-f", &file]);
            assert_eq!(told.split(' ').nth(1), Some(ours.as_str()), "{kind} {bits}");
        }
    }
}

#[test]
fn ssh_keygen_finds_each_server_in_our_lines_and_no_other() {
    let bench = Bench::new();
    let (key, _) = made(&bench, "ed25519", "256");
    let lines: Vec<_> = SERVERS.iter().map(|text| key.known_hosts_line(&server(text).known_hosts_name())).collect();
    bench.write("known_hosts", lines.join("\n") + "\n");
    for (text, line) in SERVERS.iter().zip(&lines) {
        let name = server(text).known_hosts_name();
        let found = bench.run(&["ssh-keygen", "-F", &name, "-f", "known_hosts"]);
        let found: Vec<_> = found.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(found, [line], "{name}");
    }
    let none = bench.output(&["ssh-keygen", "-F", "[git.example.com]:2223", "-f", "known_hosts"]);
    assert!(!none.status.success() && none.stdout.is_empty());
}

#[test]
fn names_that_ssh_keygen_hashed_are_found_where_they_are_tried_and_not_else() {
    let bench = Bench::new();
    let (key, _) = made(&bench, "ed25519", "256");
    let lines = SERVERS.map(|text| key.known_hosts_line(&server(text).known_hosts_name()) + "\n");
    bench.write("known_hosts", lines.concat());
    bench.run(&["ssh-keygen", "-H", "-f", "known_hosts"]);
    let hashed = bench.text("known_hosts");
    assert!(hashed.lines().count() == SERVERS.len() && hashed.lines().all(|line| line.starts_with("|1|")), "{hashed}");
    let all = SERVERS.map(server);
    let found: Vec<_> = ssh_hosts::read(&hashed, &all).into_iter().map(|entry| entry.says).collect();
    assert_eq!(found, all.clone().map(|server| Ok::<_, Why>((server, key.clone()))));
    let none = ssh_hosts::read(&hashed, &[server("git.example.com:2223")]);
    assert!(none.iter().all(|entry| entry.says == Err(Why::HashedUnknown)), "{none:?}");
}

#[test]
fn ssh_knows_a_server_by_our_lines_and_stops_before_another_key() {
    let bench = Bench::new();
    let mut sshd = Sshd::start(Config::default()).expect("sshd runs: install the Debian package openssh-server");
    let keys = |sshd: &Sshd| {
        let text = sshd.known_hosts().expect("its keys");
        let read = ssh_hosts::read(&text, &[]).into_iter().map(|entry| entry.says.expect("it is taken"));
        read.map(|(server, key)| key.known_hosts_line(&server.known_hosts_name()) + "\n").collect::<String>()
    };
    bench.write("known_hosts", keys(&sshd));
    let port = sshd.port.to_string();
    let said = || {
        let output = bench.output(&[
            "ssh",
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "UserKnownHostsFile=known_hosts",
            "-o",
            "GlobalKnownHostsFile=/dev/null",
            "-p",
            &port,
            "127.0.0.1",
            "true",
        ]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    // Nobody may come in, but it is the server that is meant.
    let known = said();
    assert!(known.contains("Permission denied") && !known.contains("verification failed"), "{known}");
    for kind in [HostKeyKind::Ed25519, HostKeyKind::Ecdsa, HostKeyKind::Rsa] {
        sshd.replace_host_key(kind).expect("it starts again");
    }
    let other = said();
    assert!(other.contains("Host key verification failed"), "{other}");
}
