//! Servers that keep a fetch waiting: with nothing, with words, or with a few bytes now and then. No fetch is without an
//! end, and what is told is why.

use std::{sync::Arc, time::Duration};

use keytrail_domain::ref_selection::RefSelection;
use keytrail_test_support::web_server::{Door, Ending, Fault, Relay, Scripted};

use super::{
    stage::{Running, remote},
    *,
};
use crate::git::{
    MAX_REFS,
    remote::{
        Limits, list_remote_refs,
        pkt_line::{push_flush, push_line},
    },
    ssh::{Places, SshAccess},
};

const SOON: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(3_600);

/// A mirror, and nobody yet to fetch from.
fn nobody() -> Stage {
    Stage::new(Server::Folder, &Shape { commits: 1, ..Shape::default() })
}

/// Fetches a commit that whoever is asked is said to have.
async fn refused(stage: &Stage, way: Way) -> GitError {
    let wanted = WantedRef { name: b"refs/heads/main".to_vec(), target: CommitSha([7; 20]) };
    let error = stage.fetch_these(way, &[wanted]).await.expect_err("nothing can come");
    assert!(error.is_transient(), "{way:?}: {error}");
    nothing_is_left(stage, &format!("{way:?}: {error}")).await;
    error
}

/// Nothing of a fetch that was ended: what was told to end does so in a moment.
async fn nothing_is_left(stage: &Stage, about: &str) {
    for _ in 0..1_000 {
        if stage.processes_in_the_mirror() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((stage.packs(), stage.torn(), stage.processes_in_the_mirror()), (0, Vec::new(), 0), "{about}");
    assert!(stage.mirror.kept().expect("refs").is_empty(), "{about}");
}

fn within(url: &str, listing: Duration) -> Remote {
    Remote { limits: Limits { listing, ..Limits::default() }, ..remote(url) }
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_silent_or_slow_whatever_runs_out_first() {
    let (web, git) = (Scripted::start(b"", Ending::Stays), Scripted::unasked(b"", Ending::Stays));
    let urls = [web.url("made.git"), git.url("made.git").replace("http://", "git://")];
    for (url, way) in urls.iter().flat_map(|url| WAYS.map(|way| (url, way))) {
        for (silence, listing, expected) in
            [(SOON, LONG, FailureCode::RemoteSilent), (LONG, SOON, FailureCode::RemoteSlow)]
        {
            let mut stage = nobody();
            stage.limits.silence = silence;
            stage.from(within(url, listing));
            let error = refused(&stage, way).await;
            assert_eq!(error.failure_code(), Some(expected), "{url} {way:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_server_that_only_talks_has_as_long_as_a_listing() {
    let mut advertised = Vec::new();
    for line in ["version 2", "agent=git/2", "ls-refs", "fetch=shallow filter", "object-format=sha1"] {
        push_line(&mut advertised, line);
    }
    push_flush(&mut advertised);
    let mut said = advertised.clone();
    push_line(&mut said, "packfile");
    (0..2_000).for_each(|_| push_line(&mut said, "\u{2}."));
    let server = Scripted::unasked(&said, Ending::Stays);
    // Three times a second it says that it lives.
    let relay = Relay::start(server.address(), Fault::Trickles(advertised.len() as u64));
    let url = relay.url(&server.url("made.git")).replace("http://", "git://");
    for way in WAYS {
        let mut stage = nobody();
        stage.from(within(&url, SOON * 2));
        let error = refused(&stage, way).await;
        assert_eq!(error.failure_code(), Some(FailureCode::RemoteSlow), "{way:?}: {error}");
        assert!(error.to_string().contains("to begin to send"), "{way:?}: {error}");
    }
}

/// A pack comes in frames of up to 64 KiB, and the git program writes whole ones: some have to be there before it stops.
const GOOD: u64 = 200_000;

#[tokio::test]
async fn a_pack_that_stops_or_trickles_in_the_middle_is_too_slow_however_long_silence_may_be() {
    for server in [Server::Web(Door::Open), Server::Daemon] {
        let shape = Shape { commits: 6_000, files_per_commit: 1, ..Shape::default() };
        let mut stage = Stage::new(server, &shape);
        let (address, url) = match &stage.running {
            Running::Web(web) => (web.address(), web.url("made.git")),
            Running::Daemon(daemon) => (daemon.address(), daemon.url("made.git")),
            Running::Nothing | Running::Ssh { .. } => panic!("nothing serves that a relay could stand before"),
        };
        for (way, fault) in
            WAYS.into_iter().flat_map(|way| [Fault::Stalls, Fault::Trickles].map(|one| (way, one(GOOD))))
        {
            (stage.limits.silence, stage.limits.window) = (LONG, SOON);
            let relay = Relay::start(address, fault);
            stage.from(remote(&relay.url(&url)));
            let error = stage.fetch(way).await.expect_err("it is stopped");
            let about = format!("{server:?} {way:?} {fault:?}: {error}");
            assert_eq!((error.failure_code(), error.is_transient()), (Some(FailureCode::RemoteSlow), true), "{about}");
            assert!(error.to_string().contains("256 KiB"), "{about}");
            assert!(relay.answered() >= GOOD, "{about}");
            nothing_is_left(&stage, &about).await;
        }
        stage.limits = FetchLimits { free_bytes: 0, ..FetchLimits::default() };
        stage.from(remote(&url));
        stage.fetch(Way::Program).await.expect("the server is well again");
        assert_eq!((stage.in_the_mirror(), stage.torn()), (stage.on_the_server(), Vec::<String>::new()));
    }
}

/// This work does not end for as long as no place at the host is free, however long that is over its bound.
async fn waits(ssh: &SshAccess, bound: Duration, work: impl Future) {
    let enough = ssh.waits().total() + 2 * bound;
    let waiting = async {
        while ssh.waits().total() < enough {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = work => panic!("there was no place"),
        () = waiting => {}
    }
}

#[tokio::test]
async fn a_host_whose_connections_are_all_in_use_is_no_slow_one() {
    const BOUND: Duration = Duration::from_secs(1);
    let mut stage = Stage::new(Server::Ssh, &Shape { commits: 1, ..Shape::default() });
    let mut remote = stage.remote().clone();
    remote.limits.listing = BOUND;
    let ssh = remote.ssh.clone().expect("it has keys");
    let all = ssh.places.take_up_to(2, &format!("127.0.0.1:{}", remote.url.port())).await;
    assert!(all.is_some(), "they are free");
    waits(&ssh, BOUND, list_remote_refs(&remote, &RefSelection::default(), MAX_REFS)).await;
    stage.from(remote);
    waits(&ssh, BOUND, stage.fetch(Way::InProcess)).await;
    waits(&ssh, BOUND, stage.fetch(Way::Program)).await;
    drop(all);
}

/// The same server with these places, and one key: a connection by another is not gone at once.
fn hurried(remote: Remote, places: &Arc<Places>) -> Remote {
    let ssh = remote.ssh.clone().expect("it has keys");
    let taken = (ssh.keys.last().copied().into_iter().collect(), None);
    let (program, keychain) = (ssh.program.clone(), ssh.keychain.clone());
    let hurried = SshAccess::new(program, ssh.folder.clone(), taken, keychain, ssh.host.clone(), places.clone());
    Remote { ssh: Some(Arc::new(hurried)), ..remote }
}

#[tokio::test]
async fn who_finds_no_connection_free_for_too_long_gives_up_and_is_let_in_later() {
    let mut stage = Stage::new(Server::Ssh, &Shape { commits: 1, ..Shape::default() });
    let places = Arc::new(Places::new(1).patient_for(Duration::ZERO));
    let remote = hurried(stage.remote().clone(), &places);
    let place = places.take_up_to(1, &format!("127.0.0.1:{}", remote.url.port())).await;
    assert!(place.is_some(), "it is free");
    let full = format!("127.0.0.1:{}", remote.url.port());
    let is_busy = |error: &GitError| {
        let is_trouble = error.failure_code().is_some() || !error.is_transient();
        matches!(error, GitError::HostBusy { host, most: 1 } if *host == full) && !is_trouble
    };
    let refs = RefSelection::default();
    let error = list_remote_refs(&remote, &refs, MAX_REFS).await.expect_err("no place is free");
    assert!(is_busy(&error), "{error}");
    stage.from(remote);
    for way in WAYS {
        let error = stage.fetch(way).await.expect_err("no place is free");
        assert!(is_busy(&error), "{way:?}: {error}");
        nothing_is_left(&stage, &format!("{way:?}")).await;
    }
    drop(place);
    list_remote_refs(stage.remote(), &refs, MAX_REFS).await.expect("it is free again");
}

#[tokio::test]
async fn what_came_is_not_thrown_away_because_no_other_connection_is_free() {
    const PATIENCE: Duration = Duration::from_millis(50);
    let mut stage = Stage::new(Server::Ssh, &Shape { commits: 8_300, pull_requests: 0, ..Shape::default() });
    let written = |arguments: &[&str], input: &str| {
        let name = stage.source.git_with_input(arguments, input.as_bytes()).expect("git works");
        String::from_utf8_lossy(&name).trim().to_owned()
    };
    let file = written(&["hash-object", "-w", "--stdin"], "a file");
    let folder = written(&["mktree"], &format!("100644 blob {file}\ta\n"));
    let tip =
        stage.source.git_line(&["commit-tree", "-m", "SHOP-1", "-p", "refs/heads/main", &folder]).expect("a commit");
    stage.source.git_line(&["update-ref", "refs/heads/main", &tip]).expect("a branch");
    let commits = stage.source.git_line(&["rev-list", "refs/heads/main"]).expect("commits");
    let named = |sha: &str| WantedRef { name: sha.as_bytes().to_vec(), target: sha.parse().expect("a name") };
    let wanted: Vec<WantedRef> = commits.lines().chain([folder.as_str()]).map(named).collect();
    let places = Arc::new(Places::new(1).patient_for(PATIENCE));
    let remote = hurried(stage.remote().clone(), &places);
    let (host, ssh) = (format!("127.0.0.1:{}", remote.url.port()), remote.ssh.clone().expect("it has a key"));
    stage.from(remote);
    // In this process these are more than one question holds; the program is given the folder, which the last commit has
    // as well, by another fetch.
    for way in WAYS {
        stage.empties_its_mirror();
        // No connection of the other way is left.
        drop(places.take_up_to(1, &host).await);
        let mut fetching = std::pin::pin!(stage.fetch_these(way, &wanted));
        let next = async {
            while places.open_at(&host) == 0 {
                tokio::task::yield_now().await;
            }
            places.take_up_to(1, &host).await
        };
        let place = tokio::select! {
            fetched = fetching.as_mut() => panic!("{way:?}: one connection was enough: {fetched:?}"),
            place = next => place,
        };
        waits(&ssh, 3 * PATIENCE, fetching.as_mut()).await;
        drop(place);
        fetching.await.unwrap_or_else(|error| panic!("{way:?}: {error:?}"));
        assert!(stage.has(&folder), "{way:?}");
    }
}
