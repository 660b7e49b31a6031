//! Servers that keep a fetch busy: with words, or with a few bytes now and then. No fetch is without an end.

use std::time::Duration;

use keytrail_test_support::web_server::{Door, Ending, Fault, Relay, Scripted};

use super::{
    stage::{Running, remote},
    *,
};
use crate::git::remote::{
    Limits,
    pkt_line::{push_flush, push_line},
};

#[tokio::test]
async fn a_server_that_only_talks_has_as_long_as_a_listing() {
    let mut advertised = Vec::new();
    for line in ["version 2", "agent=git/2", "ls-refs", "fetch=shallow filter", "object-format=sha1"] {
        push_line(&mut advertised, line);
    }
    push_flush(&mut advertised);
    let mut said = advertised.clone();
    push_line(&mut said, "packfile");
    (0..200).for_each(|_| push_line(&mut said, "\u{2}."));
    let server = Scripted::start(&said, Ending::Stays);
    // Three times a second it says that it lives.
    let relay = Relay::start(server.address(), Fault::Trickles(advertised.len() as u64));
    let url = relay.url(&server.url("made.git")).replace("http://", "git://");
    for way in WAYS {
        let mut stage = Stage::new(Server::Daemon, &Shape { commits: 10, ..Shape::default() });
        let listing = Duration::from_secs(2);
        stage.from(Remote { limits: Limits { listing, ..Limits::default() }, ..remote(&url) });
        let error = stage.fetch(way).await.expect_err("it is stopped");
        assert_eq!(
            (error.failure_code(), error.is_transient()),
            (Some(FailureCode::RemoteSlow), true),
            "{way:?} {error}"
        );
        assert!(error.to_string().contains("to begin to send"), "{way:?} {error}");
        assert!(stage.mirror.kept().expect("refs").is_empty());
    }
}

#[tokio::test]
async fn a_pack_that_trickles_on_and_on_is_stopped() {
    for (server, way) in
        [Server::Web(Door::Open), Server::Daemon].into_iter().flat_map(|one| WAYS.map(|way| (one, way)))
    {
        let mut stage = Stage::new(server, &Shape { commits: 800, files_per_commit: 1, ..Shape::default() });
        let (address, url) = match &stage.running {
            Running::Web(web) => (web.address(), web.url("made.git")),
            Running::Daemon(daemon) => (daemon.address(), daemon.url("made.git")),
            Running::Nothing => panic!("nothing serves"),
        };
        // Nobody waits for silence.
        stage.limits.window = Duration::from_secs(2);
        let relay = Relay::start(address, Fault::Trickles(20_000));
        stage.from(remote(&relay.url(&url)));
        let error = stage.fetch(way).await.expect_err("it is stopped");
        assert_eq!(error.failure_code(), Some(FailureCode::RemoteSlow), "{server:?} {way:?}: {error}");
        assert!(error.is_transient() && error.to_string().contains("256 KiB"), "{server:?} {way:?}: {error}");
        assert!(stage.mirror.kept().expect("refs").is_empty());
        assert_eq!(stage.processes_in_the_mirror(), 0);
        stage.limits.window = FetchLimits::default().window;
        stage.from(remote(&url));
        stage.fetch(way).await.expect("the server is well again");
        assert_eq!((stage.in_the_mirror(), stage.torn()), (stage.on_the_server(), Vec::<String>::new()));
    }
}
