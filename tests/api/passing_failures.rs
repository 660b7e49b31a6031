//! A server that fails for a while when it is asked for what no ref leads to any more: nothing is taken for lost because of
//! that, since what is taken for lost stays lost.

use std::{path::Path, sync::Arc};

use keytrail::{
    app::{App, OperationId},
    clock::Clock,
    store::Area,
};
use keytrail_domain::{git_remote::GitRemote, remote_url::RemoteUrl, service::Connection};
use keytrail_projections::{index_runs, issue_commits};
use keytrail_test_support::{
    repositories::Repository,
    web_server::{Fault, Refusal, Relay, WebServer},
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
    transports::{Transport, by_both_transports},
};

async fn node(folder: &Path, transport: Transport) -> Arc<App> {
    node_with(folder, None, Clock::System, |config| {
        config.git.hosts = vec!["127.0.0.1".to_owned()];
        config.git.allow_http = true;
        config.git.free_bytes = 0;
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
        transport.set(&mut config.git);
    })
    .await
}

/// Whether the issue has one commit, and whether that counts as superseded.
async fn is(app: &App, key: &str, superseded: bool) -> bool {
    let read = issue_commits::commits_of_issue(&key.parse().expect("a key"), None, None, 10);
    // A view that is not built yet shows nothing.
    let commits = app.read(read).await.unwrap_or_default();
    matches!(&commits[..], [one] if one.superseded_position.is_some() == superseded)
}

/// Of each run, whether it completed, and how many refs it could not find again.
async fn runs(app: &App) -> Vec<(bool, u64)> {
    let read = index_runs::page(index_runs::Filter::default(), index_runs::Order::OldestFirst, None, 100);
    let runs = app.read(read).await.unwrap_or_default();
    runs.iter().map(|run| (run.state == index_runs::RunState::Completed, run.counts.lost_refs)).collect()
}

async fn nothing_is_lost(transport: Transport, how: Refusal, words: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    let repository = Repository::init(&root.join("shop.git"), &["--bare"]).expect("a repository");
    let base = repository.commit("refs/heads/main", "SHOP-9 begins", &[]).expect("a commit");
    let thrown = repository.commit("refs/heads/main", "SHOP-1 thrown away", &[&base]).expect("a commit");
    let server = WebServer::start(&root);
    let relay = Relay::start(server.address(), Fault::None);
    let url = RemoteUrl::parse(&relay.url(&server.url("shop.git"))).expect("a URL").url;
    let app = node(folder.path(), transport).await;
    connect(&app, "shop", Connection::git(GitRemote::at(url))).await;
    soon("it is seen", || is(&app, "SHOP-1", false)).await;
    soon("the run is over", || async { runs(&app).await == [(true, 0)] }).await;
    app.stop().await;
    drop(app);

    // What the node remembered is gone, and no ref leads to it any more.
    std::fs::remove_dir_all(folder.path().join("data/caches")).expect("a folder");
    repository.commit("refs/heads/main", "SHOP-2 instead", &[&base]).expect("a commit");
    relay.refuse(&format!("want {thrown}"), Some(how));
    let app = node(folder.path(), transport).await;
    soon("it is asked for again and again", || async {
        let sql = "SELECT last_error FROM jobs WHERE kind = 'index_repository' AND last_error IS NOT NULL";
        let told = format!("{:?}", app.db.read(Area::Log, sql, &[]).await.expect("the jobs"));
        relay.refusals() >= 2 && told.contains(words)
    })
    .await;
    let read = index_runs::page(index_runs::Filter::default(), index_runs::Order::NewestFirst, None, 1);
    let run = app.read(read).await.expect("the runs")[0].id;
    let told = app.operation(&OperationId::IndexRun(run)).await.expect("it is told of").expect("an operation");
    assert!(told.problem.is_some_and(|(_, why)| why.contains(words)), "a person is told why it is tried again");
    assert!(runs(&app).await.iter().all(|(_, lost)| *lost == 0), "{transport:?}, {how:?}");
    relay.refuse("", None);
    soon("all of it is seen", || async { is(&app, "SHOP-1", true).await && is(&app, "SHOP-2", false).await }).await;
    soon("the run is over", || async { runs(&app).await == [(true, 0), (true, 0)] }).await;
    app.stop().await;
}

async fn a_server_that_is_overloaded_for_a_while_loses_nothing(transport: Transport) {
    nothing_is_lost(transport, Refusal::Unavailable, "the status 503").await;
}

async fn a_server_that_hangs_up_for_a_while_loses_nothing(transport: Transport) {
    nothing_is_lost(transport, Refusal::HangsUp, "tried again").await;
}

by_both_transports!(
    a_server_that_is_overloaded_for_a_while_loses_nothing,
    a_server_that_hangs_up_for_a_while_loses_nothing,
);
