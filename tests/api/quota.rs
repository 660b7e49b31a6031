//! A copy that has as many bytes as it may: nothing more is fetched into it, what was found is served, and it goes on
//! once the quota is raised.

use std::{path::Path, sync::Arc};

use keytrail::{
    app::App,
    clock::Clock,
    doctor,
    git::{Mirror, diff::Content},
    jobs::{Asked, CommitChanges, DiffTrouble, Part, commit_changes},
};
use keytrail_domain::{
    git_remote::GitRemote, index_run::FailureCode, issue_key::IssueKey, remote_url::RemoteUrl, service::Connection,
};
use keytrail_projections::{
    index_runs::{self, RunState},
    issue_commits,
    repository_list::{self, Repository as Row, RepositoryState},
};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    web_server::WebServer,
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
    transports::{Transport, by_both_transports},
};

const ENOUGH: u64 = 20_000_000_000;

async fn node(folder: &Path, quota_bytes: u64, transport: Transport) -> Arc<App> {
    let app = node_with(folder, None, Clock::System, |config| {
        config.git.hosts = vec!["127.0.0.1".to_owned()];
        config.git.allow_http = true;
        (config.git.free_bytes, config.git.quota_bytes) = (0, quota_bytes);
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
        config.git.upkeep_seconds = 1;
        transport.set(&mut config.git);
    })
    .await;
    transport.is_used_by(&app);
    app
}

async fn only(app: &App) -> Row {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.expect("the view is live");
    rows.into_iter().next().expect("a repository").repository
}

/// Once the view is there and this is so of the repository.
async fn comes_to(app: &App, what: &str, is: impl Fn(&Row) -> bool) {
    soon(what, || async {
        let rows = app.read(repository_list::page(None, None, None, 10)).await.unwrap_or_default();
        rows.first().is_some_and(|listed| is(&listed.repository))
    })
    .await;
}

async fn is_indexed(app: &App) {
    comes_to(app, "it is indexed", |row| row.state == RepositoryState::Indexed).await;
}

async fn changes(app: &Arc<App>, commit: &str) -> Result<Arc<CommitChanges>, DiffTrouble> {
    let asked = Asked { commit: commit.parse().expect("a name"), parent: None, part: Part::Files };
    commit_changes(app, &only(app).await, asked).await
}

/// How many commits of this issue are shown.
async fn commits_of(app: &App, key: &str) -> usize {
    let key: IssueKey = key.parse().expect("a key");
    app.read(issue_commits::commits_of_issue(&key, None, None, 10)).await.expect("the view is live").len()
}

fn bytes(folder: &Path) -> u64 {
    Mirror::recognised(folder).map_or(0, |mirror| mirror.bytes().expect("it can be measured"))
}

fn push(repository: &Repository, commits: usize, key: &str) {
    for _ in 0..commits {
        let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        repository.commit("refs/heads/main", &format!("{key} again"), &[&tip]).expect("a commit");
    }
}

async fn a_full_copy_is_served_and_goes_on_when_it_may(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let shape = Shape { commits: 60, files_per_commit: 2, ..Shape::default() };
    let repository = generate(&root.join("shop.git"), &shape).expect("git works");
    push(&repository, 1, "SHOP-1");
    let names = repository.git_line(&["rev-list", "--max-count=4", "refs/heads/main"]).expect("commits");
    let names: Vec<&str> = names.lines().skip(1).collect();
    let server = WebServer::start(&root);
    let app = node(folder.path(), ENOUGH, transport).await;
    let url = RemoteUrl::parse(&server.url("shop.git")).expect("a URL").url;
    connect(&app, "shop", Connection::Git(GitRemote::at(url).into())).await;
    is_indexed(&app).await;
    let row = only(&app).await;
    let (mirror, objects) = (app.caches.mirror(row.id), app.caches.objects_of(row.id));
    let shown = changes(&app, names[0]).await.expect("there is room");
    assert!(matches!(shown.files.files[0].content, Content::Text { .. }));
    let held = bytes(&mirror);
    assert!(bytes(&objects) > 0 || !transport.leaves_files_out(), "what is left out is fetched for a diff");
    app.stop().await;
    drop(app);

    // What was fetched for diffs counts, and goes first.
    let app = node(folder.path(), held, transport).await;
    comes_to(&app, "it is listed", |_| true).await;
    soon("it gave way", || async { !objects.exists() }).await;
    match changes(&app, names[1]).await {
        Ok(_) => assert!(!transport.leaves_files_out(), "there is no room"),
        Err(DiffTrouble::Unreadable { code: Some(FailureCode::QuotaExceeded), .. }) => {
            assert!(transport.leaves_files_out(), "everything is there");
        }
        Err(trouble) => panic!("{trouble:?}"),
    }
    push(&repository, 20, "SHOP-2");
    comes_to(&app, "the run says why it failed", |row| {
        row.failure.as_ref().is_some_and(|(code, _)| *code == FailureCode::QuotaExceeded)
    })
    .await;
    assert!(bytes(&mirror) <= held + 4096, "a lock and a memory, and no pack");
    assert_eq!((commits_of(&app, "SHOP-1").await, commits_of(&app, "SHOP-2").await), (1, 0), "it is served on");
    app.stop().await;
    drop(app);

    // Less than it has already.
    let app = node(folder.path(), held / 2, transport).await;
    comes_to(&app, "it is listed", |_| true).await;
    let found = doctor::examine(&app).await;
    let mirrors =
        found.iter().map(|(_, finding)| finding).find(|finding| finding.id == "mirrors").expect("it looks at copies");
    assert!(mirrors.state == doctor::State::Warn && mirrors.sentence.contains("git.quota_bytes"), "{mirrors:?}");
    assert_eq!(commits_of(&app, "SHOP-1").await, 1);
    app.stop().await;
    drop(app);

    let app = node(folder.path(), ENOUGH, transport).await;
    comes_to(&app, "what is new is there", |row| row.state == RepositoryState::Indexed && row.failure.is_none()).await;
    assert_eq!(commits_of(&app, "SHOP-2").await, 10, "as many as were asked for");
    changes(&app, names[1]).await.expect("there is room");
    app.stop().await;
}

/// How many runs failed.
async fn failed(app: &App) -> usize {
    let filter = index_runs::Filter { state: Some(RunState::Failed), ..index_runs::Filter::default() };
    let read = index_runs::page(filter, index_runs::Order::NewestFirst, None, 100);
    app.read(read).await.unwrap_or_default().len()
}

async fn what_is_too_large_is_looked_at_and_not_fetched_again_until_something_changes(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let shape = Shape { commits: 2_000, ..Shape::default() };
    let repository = generate(&root.join("shop.git"), &shape).expect("git works");
    let server = WebServer::start(&root);
    let app = node(folder.path(), 10_000, transport).await;
    let url = RemoteUrl::parse(&server.url("shop.git")).expect("a URL").url;
    connect(&app, "shop", Connection::Git(GitRemote::at(url).into())).await;
    let rests_after = async |runs: usize| {
        soon("the run failed", || async { failed(&app).await == runs }).await;
        let (head, asked) = (app.log.feed().head().position, server.git_requests());
        // Each look is one request.
        soon("it is looked at", || async { server.git_requests() >= asked + 4 }).await;
        assert_eq!((failed(&app).await, app.log.feed().head().position), (runs, head), "no run is asked for");
    };
    rests_after(1).await;
    push(&repository, 1, "SHOP-1");
    rests_after(2).await;
    app.jobs.look_now(only(&app).await.id, app.clock.now());
    rests_after(3).await;
    let (code, text) = only(&app).await.failure.expect("it says why");
    assert!(code == FailureCode::QuotaExceeded && text.as_str().contains("git.quota_bytes"), "{text:?}");
    app.stop().await;
    drop(app);
    let app = node(folder.path(), ENOUGH, transport).await;
    is_indexed(&app).await;
    app.stop().await;
}

by_both_transports!(
    a_full_copy_is_served_and_goes_on_when_it_may,
    what_is_too_large_is_looked_at_and_not_fetched_again_until_something_changes,
);
