//! Servers that refuse, break, stall or lie. Whatever they do, the mirror is what it was, and the next fetch works.

use std::{sync::Arc, time::Duration};

use keytrail_domain::{ref_selection::RefSelection, remote_url::RemoteUrl};
use keytrail_test_support::web_server::{Door, Fault, Relay, Scripted, Shown, WebServer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    stage::{Running, git_program, remote},
    *,
};
use crate::git::{
    MAX_REFS,
    remote::{AddressPolicy, HttpCredential, Limits, Trust, list_remote_refs},
    transport::GitVersion,
};

fn large() -> Shape {
    Shape { commits: 800, files_per_commit: 1, ..Shape::default() }
}

fn code(result: Result<Fetched, GitError>) -> FailureCode {
    match result {
        Ok(fetched) => panic!("it should fail: {fetched:?}"),
        Err(error) => error.failure_code().unwrap_or_else(|| panic!("nobody stopped it: {error}")),
    }
}

/// Where nobody listens.
fn closed_door() -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    format!("http://{}/made.git", listener.local_addr().expect("a listener has an address"))
}

/// The address of what serves on this stage.
fn upstream(stage: &Stage) -> (std::net::SocketAddr, String) {
    match &stage.running {
        Running::Web(web) => (web.address(), web.url("made.git")),
        Running::Daemon(daemon) => (daemon.address(), daemon.url("made.git")),
        Running::Nothing | Running::Ssh { .. } => panic!("nothing serves that a relay could stand before"),
    }
}

const OVER_A_NETWORK: [Server; 2] = [Server::Web(Door::Open), Server::Daemon];

fn over_a_network() -> impl Iterator<Item = (Server, Way)> {
    OVER_A_NETWORK.into_iter().flat_map(|server| WAYS.map(|way| (server, way)))
}

#[tokio::test]
async fn a_server_that_dies_stalls_or_trickles_leaves_the_mirror_as_it_was() {
    for (server, way) in over_a_network() {
        let mut stage = Stage::new(server, &large());
        let (address, url) = upstream(&stage);
        let wanted = stage.refs();
        stage.fetch_these(way, &wanted[..1]).await.expect("a fetch");
        let before = stage.mirror.kept().expect("refs");
        for (fault, expected) in [
            (Fault::Dies(20_000), FailureCode::FetchBrokeOff),
            (Fault::Stalls(20_000), FailureCode::RemoteSilent),
            (Fault::Trickles(20_000), FailureCode::RemoteSilent),
        ] {
            // Only what is to be found silent is waited for.
            let silent = expected == FailureCode::RemoteSilent;
            stage.limits.silence = Duration::from_secs(if silent { 1 } else { 60 });
            let relay = Relay::start(address, fault);
            stage.from(remote(&relay.url(&url)));
            let error = stage.fetch(way).await.expect_err("it should fail");
            assert!(error.is_transient(), "{server:?} {way:?} {fault:?}: {error}");
            assert_eq!(error.failure_code(), Some(expected), "{server:?} {way:?} {fault:?}: {error}");
            assert_eq!(stage.mirror.kept().expect("refs"), before);
        }
        stage.limits = FetchLimits { free_bytes: 0, ..FetchLimits::default() };
        stage.from(remote(&url));
        stage.fetch(way).await.expect("the server is well again");
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
        assert_eq!(stage.torn(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_listing_that_never_stops_to_come_is_stopped() {
    let mut stage = Stage::new(Server::Web(Door::Old), &large());
    let (address, url) = (stage.web().address(), stage.web().url_at(Door::Old, "made.git"));
    // Twenty bytes a second are enough to be no silence.
    let relay = Relay::start(address, Fault::Trickles(400));
    let slow = |listing| Remote { limits: Limits { listing, ..Limits::default() }, ..remote(&relay.url(&url)) };
    let slow = slow(Duration::from_secs(1));
    let error = list_remote_refs(&slow, &RefSelection::default(), MAX_REFS).await.expect_err("it is stopped");
    assert_eq!((error.failure_code(), error.is_transient()), (Some(FailureCode::RemoteSlow), true), "{error}");
    relay.set(Fault::Trickles(0));
    stage.from(slow);
    assert_eq!(code(stage.fetch(Way::InProcess).await), FailureCode::RemoteSlow);
}

#[tokio::test]
async fn a_damaged_pack_is_thrown_away() {
    for (server, way) in over_a_network() {
        let mut stage = Stage::new(server, &large());
        let (address, url) = upstream(&stage);
        let relay = Relay::start(address, Fault::Spoils(20_000));
        stage.from(remote(&relay.url(&url)));
        let error = stage.fetch(way).await.expect_err("it should fail");
        // What is turned over may be the frame or the pack in it.
        let code = error.failure_code();
        let expected = [FailureCode::CorruptPack, FailureCode::Protocol, FailureCode::FetchBrokeOff];
        assert!(code.is_some_and(|code| expected.contains(&code)), "{server:?} {way:?}: {error:?}");
        assert!(stage.mirror.kept().expect("refs").is_empty());
        stage.from(remote(&url));
        stage.fetch(way).await.expect("the server is well again");
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    }
}

#[tokio::test]
async fn a_stopped_fetch_leaves_the_mirror_as_it_was_and_nothing_running() {
    for (server, way) in over_a_network() {
        let mut stage = Stage::new(server, &large());
        let (address, url) = upstream(&stage);
        let relay = Relay::start(address, Fault::Stalls(20_000));
        stage.from(remote(&relay.url(&url)));
        let stopped = tokio::join!(stage.fetch(way), async {
            while relay.answered() < 20_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stage.cancel.store(true, Ordering::Relaxed);
        });
        assert!(matches!(stopped.0, Err(GitError::Cancelled)), "{server:?} {way:?}: {:?}", stopped.0);
        assert!(stage.mirror.kept().expect("refs").is_empty());
        stage.cancel.store(false, Ordering::Relaxed);

        // Whoever drops the future stops it, too: the lock is free at once.
        let (mut fetching, before) = (Box::pin(stage.fetch(way)), relay.answered());
        while relay.answered() < before + 20_000 {
            let _ = tokio::time::timeout(Duration::from_millis(5), &mut fetching).await;
        }
        drop(fetching);
        stage.from(remote(&url));
        stage.fetch(way).await.expect("nobody holds the mirror");
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
        assert_eq!(stage.processes_in_the_mirror(), 0);
    }
}

#[tokio::test]
async fn what_servers_answer_has_one_word_each() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Web(Door::Open), &Shape { commits: 10, ..Shape::default() });
        stage.source.git(&["update-server-info"]).expect("the files of a dumb server");
        let cases: [(Door, FailureCode); 7] = [
            (Door::Private, FailureCode::Unauthorized),
            (Door::Forbidden, FailureCode::Forbidden),
            (Door::RateLimited, FailureCode::RateLimited),
            (Door::Failing, FailureCode::RemoteError),
            (Door::Unavailable, FailureCode::RemoteError),
            (Door::Away, FailureCode::RedirectedAway),
            (Door::Dumb, FailureCode::DumbServer),
        ];
        for (door, expected) in cases {
            let url = stage.web().url_at(door, "made.git");
            stage.from(remote(&url));
            assert_eq!(code(stage.fetch(way).await), expected, "{way:?} {door:?}");
        }
        stage.from(remote(&stage.web().url("absent.git")));
        assert_eq!(code(stage.fetch(way).await), FailureCode::RemoteNotFound, "{way:?}");
        stage.from(remote(&closed_door()));
        assert_eq!(code(stage.fetch(way).await), FailureCode::ConnectionRefused, "{way:?}");
        let page = Scripted::answering("200 OK", "text/html", b"<h1>Sign in</h1>");
        stage.from(remote(&page.url("made.git")));
        assert_eq!(code(stage.fetch(way).await), FailureCode::NotGit, "{way:?}");
        assert!(stage.mirror.kept().expect("refs").is_empty());
    }
}

#[tokio::test]
async fn a_credential_goes_to_its_server_and_into_no_sentence() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Web(Door::Private), &Shape { commits: 10, ..Shape::default() });
        let url = stage.web().url_at(Door::Private, "made.git");
        let with = |password: &str| {
            let password = Zeroizing::new(password.to_owned());
            let credential = Some(HttpCredential::new(WebServer::USER.to_owned(), password));
            Remote { credential, ..remote(&url) }
        };
        stage.from(with("wrong-secret"));
        let error = stage.fetch(way).await.expect_err("a wrong password");
        assert_eq!(error.failure_code(), Some(FailureCode::Unauthorized), "{way:?}");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("wrong-secret") && !text.contains(WebServer::USER), "{text}");
        }
        stage.from(with(WebServer::PASSWORD));
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
        assert!(!stage.text_in_the_mirror().contains(WebServer::PASSWORD));
    }
}

#[tokio::test]
async fn tls_is_trusted_by_an_authority_or_a_pinned_key_and_by_nothing_else() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Tls, &Shape { commits: 10, ..Shape::default() });
        let pin = |der: &[u8]| Trust::Pinned { spki_sha256: Sha256::digest(der).into() };
        let web = stage.web();
        let authority = Trust::Authority { pem: web.ca_pem() };
        let other = Trust::Authority { pem: web.other_ca_pem() };
        let (good, wrong) = (pin(web.public_key_der(Shown::Good)), pin(b"another key"));
        let expired = pin(web.public_key_der(Shown::Expired));
        let url = |shown| web.tls_url_at(shown, Door::Open, "made.git");
        let (plain, late, misnamed) = (url(Shown::Good), url(Shown::Expired), url(Shown::WrongName));
        let refused = [
            (&plain, Trust::WebPki, FailureCode::TlsUntrusted),
            (&plain, other, FailureCode::TlsUntrusted),
            (&plain, wrong.clone(), FailureCode::TlsPinMismatch),
            (&late, authority.clone(), FailureCode::TlsExpired),
            (&late, wrong, FailureCode::TlsPinMismatch),
            (&misnamed, authority.clone(), FailureCode::TlsWrongHost),
        ];
        for (url, trust, expected) in refused {
            stage.from(Remote { trust: trust.clone(), ..remote(url) });
            assert_eq!(code(stage.fetch(way).await), expected, "{way:?} {url} {trust:?}");
        }
        for (url, trust) in [(&plain, authority), (&plain, good), (&late, expired)] {
            let stage = stage.again(Remote { trust: trust.clone(), ..remote(url) });
            stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?} {url} {trust:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_never_connected_to() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Web(Door::Open), &Shape { commits: 10, ..Shape::default() });
        let policy = AddressPolicy { allow_git_scheme: true, allow_http: true, ..AddressPolicy::default() };
        let web = stage.web().url("made.git");
        let relay = Relay::start(stage.web().address(), Fault::None);
        for url in [relay.url(&web), relay.url(&web).replace("http://", "git://")] {
            stage.from(Remote { addresses: Arc::new(policy.clone()), ..remote(&url) });
            assert_eq!(code(stage.fetch(way).await), FailureCode::AddressDenied, "{way:?} {url}");
        }
        let closed = AddressPolicy { allow_http: false, allow_git_scheme: false, ..policy };
        for url in [relay.url(&web), relay.url(&web).replace("http://", "git://")] {
            stage.from(Remote { addresses: Arc::new(closed.clone()), ..remote(&url) });
            assert_eq!(code(stage.fetch(way).await), FailureCode::UrlNotAllowed, "{way:?} {url}");
        }
        assert_eq!(relay.answered(), 0);
    }
}

#[test]
fn what_could_be_an_option_is_no_url() {
    for text in ["--upload-pack=touch /tmp/x", "https://-oProxyCommand=x/a.git", "ext::sh -c id", "git://h/-a", "-u"] {
        assert!(RemoteUrl::parse(text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_folder_whose_name_looks_like_an_option_is_a_folder() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Folder, &Shape { commits: 10, ..Shape::default() });
        stage.move_source("--upload-pack=touch x;'$(touch y)'");
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    }
}

#[tokio::test]
async fn more_than_the_quota_and_less_room_than_the_floor_end_a_fetch() {
    for (server, way) in super::stage::all() {
        let mut stage = Stage::new(server, &large());
        stage.limits.quota_bytes = 10_000;
        assert_eq!(code(stage.fetch(way).await), FailureCode::QuotaExceeded, "{server:?} {way:?}");
        assert_eq!(stage.packs(), 0, "nothing of it is kept: {server:?} {way:?}");
        stage.limits = FetchLimits { free_bytes: u64::MAX, ..FetchLimits::default() };
        let error = stage.fetch(way).await.expect_err("no disk is that large");
        assert_eq!((error.failure_code(), error.is_transient()), (Some(FailureCode::DiskFloor), true));
        stage.limits.free_bytes = 0;
        stage.fetch(way).await.expect("there is room");
    }
}

#[tokio::test]
async fn a_server_without_filters_is_remembered_as_such() {
    let stage =
        Stage::new(Server::Web(Door::NoFilter), &Shape { commits: 50, files_per_commit: 1, ..Shape::default() });
    stage.fetch(Way::Program).await.expect("a fetch");
    assert_eq!(stage.mirror.filled_by().expect("memory"), Some((Filter::Everything, TransportKind::GitProgram)));
    assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    // What holds everything may be continued by anybody.
    let tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.source.commit("refs/heads/main", "NEW-1", &[&tip]).expect("a commit");
    stage.fetch(Way::InProcess).await.expect("a fetch");
    assert_eq!(stage.in_the_mirror(), stage.on_the_server());
}

#[tokio::test]
async fn a_server_that_refuses_one_filter_is_asked_for_the_next() {
    let stage = Stage::new(Server::Web(Door::Open), &Shape { commits: 50, files_per_commit: 1, ..Shape::default() });
    stage.source.git(&["config", "uploadpackfilter.tree.allow", "false"]).expect("a setting");
    stage.fetch(Way::Program).await.expect("a fetch");
    assert_eq!(stage.mirror.filled_by().expect("memory"), Some((Filter::Blobs, TransportKind::GitProgram)));
    assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    // A mirror without files cannot go on without a filter.
    stage.source.git(&["config", "uploadpackfilter.allow", "false"]).expect("a setting");
    let tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.source.commit("refs/heads/main", "NEW-1", &[&tip]).expect("a commit");
    assert_eq!(code(stage.fetch(Way::Program).await), FailureCode::MirrorUnusable);
}

#[tokio::test]
async fn a_mirror_of_the_git_program_is_not_continued_without_it() {
    let stage = Stage::new(Server::Web(Door::Open), &Shape { commits: 50, files_per_commit: 1, ..Shape::default() });
    stage.fetch(Way::Program).await.expect("a fetch");
    assert_eq!(code(stage.fetch(Way::InProcess).await), FailureCode::MirrorNeedsGit);
    let version = GitVersion(2, 30, 2);
    let old = GitProgram { version, verdict: super::super::git_program::Verdict::of(version), ..git_program().await };
    assert_eq!(code(stage.fetch_by(Some(&old), &stage.refs()).await), FailureCode::GitTooOld);
}

#[tokio::test]
async fn an_object_that_is_gone_since_it_was_listed_is_a_ref_that_moved() {
    for (server, way) in super::stage::all() {
        let stage = Stage::new(server, &Shape { commits: 10, ..Shape::default() });
        let gone = WantedRef { name: b"refs/heads/gone".to_vec(), target: CommitSha([7; 20]) };
        let error = stage.fetch_these(way, &[gone]).await.expect_err("nobody has it");
        assert_eq!(error.failure_code(), Some(FailureCode::RefsMoved), "{server:?} {way:?}: {error:?}");
        assert!(error.is_transient());
    }
}
