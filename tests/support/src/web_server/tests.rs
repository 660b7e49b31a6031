//! The web server seen by git itself.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
};

use super::{Door, Fault, Relay, Shown, WebServer};
use crate::repositories::{Shape, generate};

/// What `git ls-remote` says, or what it complains about.
fn ls_remote(options: &[&str], url: &str) -> Result<String, String> {
    let output = Command::new("git")
        .args(options)
        .args(["ls-remote", url])
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "/bin/false")
        .env("LC_ALL", "C")
        .env_remove("GIT_SSL_CAINFO")
        .env_remove("GIT_SSL_CAPATH")
        .output()
        .expect("git is on PATH");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn with_repository(folder: &Path) -> WebServer {
    generate(&folder.join("demo.git"), &Shape { commits: 30, ..Shape::default() }).expect("a repository");
    WebServer::start(folder)
}

#[test]
fn git_itself_sees_every_door_as_it_is_meant() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = with_repository(folder.path());
    let refs = ls_remote(&[], folder.path().join("demo.git").to_str().expect("UTF-8")).expect("refs");
    for door in [Door::Open, Door::NoFilter, Door::Old, Door::Moved, Door::Away] {
        assert_eq!(ls_remote(&[], &server.url_at(door, "demo.git")).as_ref(), Ok(&refs), "{door:?}");
    }
    for (door, complaint) in [
        (Door::Private, "could not read Username"),
        (Door::Loop, "redirect"),
        (Door::Forbidden, "403"),
        (Door::RateLimited, "429"),
        (Door::Failing, "500"),
        (Door::Unavailable, "503"),
        (Door::SignIn, "redirect"),
    ] {
        let said = ls_remote(&[], &server.url_at(door, "demo.git")).expect_err("a refusal");
        assert!(said.contains(complaint), "{door:?}: {said}");
    }
    assert!(ls_remote(&[], &server.url("none.git")).expect_err("nothing there").contains("not found"));
    let known = server.url_at(Door::Private, "demo.git").replacen("://", "://alice:p%40ss%20w0rd@", 1);
    assert_eq!(ls_remote(&[], &known), Ok(refs));
}

#[test]
fn its_certificates_are_what_they_are_called() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = with_repository(folder.path());
    let file = folder.path().join("authority.pem");
    std::fs::write(&file, &*server.ca_pem()).expect("a file");
    let trust = format!("http.sslCAInfo={}", file.display());
    let ask = |shown| ls_remote(&["-c", &trust], &server.tls_url_at(shown, Door::Open, "demo.git"));
    let refs = ask(Shown::Good).expect("refs");
    assert!(refs.contains("refs/heads/main"), "{refs}");
    assert!(ask(Shown::Expired).is_err() && ask(Shown::WrongName).is_err());
    assert!(ls_remote(&[], &server.tls_url("demo.git")).is_err(), "nobody else trusts the authority");
}

#[test]
fn nothing_listens_any_more_when_it_is_dropped() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = with_repository(folder.path());
    let address = server.address();
    assert!(TcpStream::connect(address).is_ok());
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_relay_lets_only_a_part_through() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = with_repository(folder.path());
    let whole = Relay::start(server.address(), Fault::None);
    let refs = ls_remote(&[], &whole.url(&server.url("demo.git"))).expect("refs");
    assert!(refs.contains("refs/heads/main") && whole.answered() > refs.len() as u64);
    let dies = Relay::start(server.address(), Fault::Dies(200));
    assert!(ls_remote(&[], &dies.url(&server.url("demo.git"))).is_err());
}

#[test]
fn a_relay_counts_connections_and_how_many_are_open_at_once() {
    let upstream = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let relay = Relay::start(upstream.local_addr().expect("an address"), Fault::None);
    let come = || {
        let (before, stream) = (relay.came(), TcpStream::connect(relay.address()).expect("it listens"));
        // Given on: it was counted before.
        let given_on = upstream.accept().expect("a connection");
        assert_eq!(relay.came(), before + 1);
        (stream, given_on)
    };
    let both = (come(), come());
    assert_eq!(relay.most_open(), 2);
    drop(both);
    drop(come());
    assert_eq!((relay.came(), relay.most_open()), (3, 2), "who closed is not open");
}
