//! Servers that keep a run waiting: it says what is the matter, is tried again, and comes to its end once they answer.

use keytrail::{clock::Clock, store::Area};
use keytrail_domain::{git_remote::GitRemote, remote_url::RemoteUrl, service::Connection};
use keytrail_projections::repository_list::{self, RepositoryState};
use keytrail_test_support::{
    repositories::{Shape, generate},
    web_server::{Fault, Relay, WebServer},
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
    transports::{Transport, by_both_transports},
};

/// Bytes in which refs are listed, and a part of the pack comes.
const GOOD: u64 = 200_000;

async fn a_run_that_a_server_keeps_waiting_says_so_and_goes_on(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let shape = Shape { commits: 6_000, files_per_commit: 1, ..Shape::default() };
    generate(&root.join("shop.git"), &shape).expect("git works");
    let server = WebServer::start(&root);
    for (fault, silence, listing, words) in [
        (Fault::Stalls(0), 2, 600, "said nothing for too long"),
        (Fault::Trickles(0), 600, 2, "took longer than 2 seconds to list"),
        (Fault::Stalls(GOOD), 2, 600, "said nothing for too long"),
    ] {
        let relay = Relay::start(server.address(), fault);
        let home = folder.path().join(format!("{fault:?}"));
        std::fs::create_dir(&home).expect("a folder");
        let app = node_with(&home, None, Clock::System, |config| {
            config.git.hosts = vec!["127.0.0.1".to_owned()];
            config.git.allow_http = true;
            config.git.free_bytes = 0;
            (config.git.silence_seconds, config.git.listing_seconds) = (silence, listing);
            transport.set(&mut config.git);
        })
        .await;
        transport.is_used_by(&app);
        let url = RemoteUrl::parse(&relay.url(&server.url("shop.git"))).expect("a URL").url;
        connect(&app, "shop", Connection::git(GitRemote::at(url))).await;
        soon(&format!("{fault:?} is told, {transport:?}"), || async {
            let sql = "SELECT last_error FROM jobs WHERE kind = 'index_repository' AND last_error IS NOT NULL";
            format!("{:?}", app.db.read(Area::Log, sql, &[]).await.expect("the jobs")).contains(words)
        })
        .await;
        assert!(
            relay.answered() >= if fault == Fault::Stalls(GOOD) { GOOD } else { 0 },
            "it was met where it should be"
        );
        relay.set(Fault::None);
        soon("it is indexed", || async {
            let rows = app.read(repository_list::page(None, None, None, 10)).await.unwrap_or_default();
            rows.first().is_some_and(|row| row.repository.state == RepositoryState::Indexed)
        })
        .await;
        app.stop().await;
    }
}

by_both_transports!(a_run_that_a_server_keeps_waiting_says_so_and_goes_on);
