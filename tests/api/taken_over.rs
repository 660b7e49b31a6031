//! Several nodes over one database: each repository is one node's, and when that one dies another goes on so that nobody
//! could tell, from caches that know nothing of it.

use std::{collections::BTreeSet, sync::Arc};

use keytrail::{
    app::App,
    clock::Clock,
    jobs::{Asked, Part, commit_changes},
    store::{Area, Statement},
};
use keytrail_domain::{
    git_remote::GitRemote,
    id::RepositoryId,
    index_run::{Counts, batch::CommitSha},
    ref_selection::RefSelection,
    remote_url::RemoteUrl,
    service::{Connection, Reading},
};
use keytrail_projections::{
    index_runs,
    issue_commits::{self, IssueCommit},
    repository_list::{self, Listed, RepositoryState},
    value::Value,
};
use keytrail_test_support::{
    postgres::{Database, database},
    repositories::{Repository, Shape, generate},
    web_server::WebServer,
};
use tempfile::TempDir;

use crate::{
    nodes::{connect, node_with},
    server::soon,
};

/// How the repository is read, and who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    InPlace,
    CopiedByGit,
    OverHttpByGit,
    OverHttpInProcess,
}

/// A repository that is served, and nodes that look at it.
struct Stage {
    way: Way,
    folder: TempDir,
    repository: Repository,
    server: WebServer,
    url: String,
    _database: Database,
}

impl Stage {
    async fn set(way: Way) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        std::fs::create_dir(&root).expect("a folder");
        let shape = Shape { commits: 200, keyed_percent: 50, files_per_commit: 2, ..Shape::default() };
        let repository = generate(&root.join("shop.git"), &shape).expect("git works");
        let (server, database) = (WebServer::start(&root), database().await);
        let url = database.url();
        Self { way, folder, repository, server, url, _database: database }
    }

    fn connection(&self) -> Connection {
        let path = self.repository.path.to_str().expect("UTF-8").to_owned();
        let reading = if self.way == Way::InPlace { Reading::InPlace } else { Reading::Mirrored };
        if matches!(self.way, Way::OverHttpByGit | Way::OverHttpInProcess) {
            let url = RemoteUrl::parse(&self.server.url("shop.git")).expect("a URL").url;
            return Connection::git(GitRemote::at(url));
        }
        Connection::Path { path, reading, refs: RefSelection::default() }
    }

    /// A node with a folder of its own, over the database or embedded.
    async fn node(&self, name: &str, over_database: bool) -> Arc<App> {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let key = self.folder.path().join("root.key");
        if over_database {
            if !key.exists() {
                keytrail::secrets::RootKey::random().write_new(&key).expect("a root key");
            }
            std::fs::copy(&key, folder.join("root.key")).expect("a root key");
        }
        node_with(&folder, over_database.then_some(&*self.url), Clock::System, |config| {
            config.git.hosts = vec!["127.0.0.1".to_owned()];
            config.git.allow_http = true;
            config.git.free_bytes = 0;
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
            if self.way == Way::OverHttpInProcess {
                config.git.program = Some("/nowhere/git".into());
            }
        })
        .await
    }

    fn moves(&self, name: &str, message: &str, parent: &str) -> String {
        self.repository.commit(name, message, &[parent]).expect("a commit")
    }

    fn names(&self, arguments: &[&str]) -> BTreeSet<String> {
        let lines = self.repository.git_line(arguments).expect("git works");
        lines.lines().map(str::to_owned).collect()
    }

    fn keyed(&self) -> u64 {
        self.names(&["log", "--all", "--format=%H", "-E", "--grep=[A-Z]+-[0-9]+"]).len() as u64
    }
}

async fn only(app: &App) -> Option<Listed> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.ok()?;
    rows.into_iter().next()
}

async fn is_indexed(app: &App) {
    soon("it is indexed", || async {
        only(app).await.is_some_and(|row| row.repository.state == RepositoryState::Indexed)
    })
    .await;
}

async fn commits(app: &App, key: &str) -> Vec<IssueCommit> {
    let key = key.parse().expect("a key");
    // A view that is not built yet shows nothing.
    app.read(issue_commits::commits_of_issue(&key, None, None, 10)).await.unwrap_or_default()
}

/// Whether there is one commit, and whether it counts as superseded.
async fn is(app: &App, key: &str, superseded: bool) -> bool {
    matches!(&commits(app, key).await[..], [one] if one.superseded_position.is_some() == superseded)
}

/// What a person sees of the repository: counts, and which commits are superseded.
async fn told(app: &App) -> (u64, u64, Vec<CommitSha>, Vec<Vec<(CommitSha, bool)>>) {
    let row = only(app).await.expect("a repository");
    let read = issue_commits::superseded_of_repository(row.repository.number, None, 1_000);
    let superseded = app.read(read).await.expect("the view");
    let mut issues = Vec::new();
    for key in ["SHOP-1", "SHOP-2", "SHOP-3"] {
        let found = commits(app, key).await;
        issues.push(found.iter().map(|commit| (commit.sha, commit.superseded_position.is_some())).collect());
    }
    (row.commits, row.keyed, superseded, issues)
}

async fn counts(app: &App) -> Vec<Counts> {
    let runs = app.read(index_runs::page(None, None, None, 100)).await.unwrap_or_default();
    runs.into_iter().map(|run| run.counts).collect()
}

fn remembers(app: &App, repository: RepositoryId) -> bool {
    app.caches.graph(repository).exists()
}

/// Until two nodes have half of the repositories each.
async fn share(app: &App) {
    soon("they share", || async {
        let sql = "SELECT COUNT(*) FROM poll_shards WHERE owner IS NOT NULL GROUP BY owner";
        let rows = app.db.read(Area::Log, sql, &[]).await.expect("a table");
        rows == [[Value::Int(32)], [Value::Int(32)]]
    })
    .await;
}

/// The node falls silent; its leases end a moment later.
async fn dies(app: &App, survivor: &App) {
    app.stop().await;
    let now = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
    let dead = format!("UPDATE poll_shards SET owner = 'dead', lease_until = {now} + 2000000 WHERE owner IS NULL");
    survivor.db.write(Area::Log, vec![Statement::new(dead, vec![])]).await.expect("a change by hand");
}

async fn another_node_goes_on(way: Way) {
    let stage = Stage::set(way).await;
    let alone = stage.node("alone", false).await;
    let (first, second) = (stage.node("first", true).await, stage.node("second", true).await);
    share(&first).await;
    connect(&alone, "shop", stage.connection()).await;
    connect(&first, "shop", stage.connection()).await;
    is_indexed(&alone).await;
    is_indexed(&first).await;
    let id = only(&first).await.expect("a repository").repository.id;
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    let thrown = stage.moves("refs/heads/main", "SHOP-1 thrown away", &tip);
    for app in [&alone, &first] {
        soon("it is seen", || is(app, "SHOP-1", false)).await;
    }
    let instead = stage.moves("refs/heads/main", "SHOP-2 instead", &tip);
    for app in [&alone, &first] {
        soon("it is thrown away", || async { is(app, "SHOP-1", true).await && is(app, "SHOP-2", false).await }).await;
        is_indexed(app).await;
    }
    // Not before a run that completed is remembered.
    soon("one node remembers", || async { remembers(&first, id) || remembers(&second, id) }).await;
    assert!(!(remembers(&first, id) && remembers(&second, id)), "{way:?}: one node does the runs of a repository");
    let (owner, survivor) = if remembers(&first, id) { (&first, &second) } else { (&second, &first) };
    stage.moves("refs/heads/main", "no key at all", &instead);
    let all = stage.repository.git_line(&["rev-list", "--all", "--count"]).expect("a count");
    let all = all.trim().parse::<u64>().expect("a number") + 1;
    for app in [&alone, survivor] {
        soon("it is counted", || async { only(app).await.is_some_and(|row| row.commits == all) }).await;
        is_indexed(app).await;
    }

    dies(owner, survivor).await;
    stage.moves("refs/heads/main", "SHOP-3 in the end", &tip);
    stage.repository.git(&["update-ref", "refs/heads/back", &thrown]).expect("a branch");
    for app in [&alone, survivor] {
        soon("all of it is seen", || async {
            is(app, "SHOP-3", false).await && is(app, "SHOP-2", true).await && is(app, "SHOP-1", false).await
        })
        .await;
        is_indexed(app).await;
    }
    let (seen, expected) = (told(survivor).await, told(&alone).await);
    assert_eq!(seen, expected, "{way:?}");
    assert_eq!((seen.0, seen.2.len()), (all + 1, 2), "what names no issue is superseded, too");
    assert!(counts(survivor).await.iter().all(|counts| counts.lost_refs == 0));
    assert!(remembers(survivor, id));
    survivor.stop().await;
    alone.stop().await;
}

async fn what_is_gone_is_counted_anew_and_told(way: Way) {
    let stage = Stage::set(way).await;
    let first = stage.node("first", true).await;
    connect(&first, "shop", stage.connection()).await;
    is_indexed(&first).await;
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    let thrown = stage.moves("refs/heads/main", "SHOP-1 thrown away", &tip);
    soon("it is seen", || is(&first, "SHOP-1", false)).await;
    is_indexed(&first).await;
    first.stop().await;

    stage.moves("refs/heads/main", "SHOP-2 instead", &tip);
    stage.repository.git(&["reflog", "expire", "--expire=now", "--all"]).expect("git works");
    stage.repository.git(&["gc", "-q", "--prune=now"]).expect("git works");
    assert!(stage.repository.git(&["cat-file", "-e", &thrown]).is_err(), "nobody has it any more");
    let second = stage.node("second", true).await;
    soon("what is new is seen", || is(&second, "SHOP-2", false)).await;
    is_indexed(&second).await;
    assert!(is(&second, "SHOP-1", true).await, "{way:?}: no ref can lead to it");
    soon("the run says so", || async { counts(&second).await.iter().any(|counts| counts.lost_refs > 0) }).await;
    let row = only(&second).await.expect("a repository");
    let there = stage.names(&["rev-list", "--all"]).len() as u64;
    assert_eq!((row.commits, row.keyed), (there, stage.keyed()), "{way:?}: nothing is counted twice");

    // From here on it is as it was.
    stage.moves("refs/heads/more", "SHOP-3 goes on", &tip);
    soon("it goes on", || is(&second, "SHOP-3", false)).await;
    is_indexed(&second).await;
    let row = only(&second).await.expect("a repository");
    assert_eq!((row.commits, row.keyed), (there + 1, stage.keyed()), "{way:?}");
    let lost: u64 = counts(&second).await.iter().map(|counts| counts.lost_refs).sum();
    assert_eq!(lost, 1, "{way:?}: it is said once");
    second.stop().await;
}

/// A node alone that lost what it remembered catches up like another one.
async fn a_lost_memory_costs_a_walk_and_nothing_else(way: Way) {
    let stage = Stage::set(way).await;
    let app = stage.node("first", true).await;
    connect(&app, "shop", stage.connection()).await;
    is_indexed(&app).await;
    let id = only(&app).await.expect("a repository").repository.id;
    let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    stage.moves("refs/heads/main", "SHOP-1 thrown away", &tip);
    soon("it is seen", || is(&app, "SHOP-1", false)).await;
    let instead = stage.moves("refs/heads/main", "SHOP-2 instead", &tip);
    soon("it is thrown away", || is(&app, "SHOP-1", true)).await;
    is_indexed(&app).await;
    soon("it is remembered", || async { remembers(&app, id) }).await;
    std::fs::remove_file(app.caches.graph(id)).expect("a file");
    stage.moves("refs/heads/main", "SHOP-3 goes on", &instead);
    soon("it goes on", || is(&app, "SHOP-3", false)).await;
    is_indexed(&app).await;
    let row = only(&app).await.expect("a repository");
    let there = stage.names(&["rev-list", "--all"]).len() as u64;
    assert_eq!((row.commits, row.keyed), (there + 1, stage.keyed() + 1), "{way:?}: with the one that was thrown away");
    assert!(is(&app, "SHOP-1", true).await && is(&app, "SHOP-2", false).await);
    assert!(counts(&app).await.iter().all(|counts| counts.lost_refs == 0));
    app.stop().await;
}

/// Repositories are done by the nodes that look after them, whoever is asked.
async fn each_repository_is_one_nodes() {
    let stage = Stage::set(Way::InPlace).await;
    let nodes = [stage.node("first", true).await, stage.node("second", true).await];
    share(&nodes[0]).await;
    let mut paths = Vec::new();
    for number in 0..8 {
        let path = stage.folder.path().canonicalize().expect("a folder").join(format!("{number}.git"));
        let repository = Repository::init(&path, &["--bare"]).expect("a repository");
        repository.commit("refs/heads/main", &format!("SHOP-{} begins", number + 10), &[]).expect("a commit");
        connect(&nodes[number % 2], &format!("r{number}"), Connection::path(path.to_str().expect("UTF-8"))).await;
        paths.push(repository);
    }
    let list = async || nodes[0].read(repository_list::page(None, None, None, 100)).await.unwrap_or_default();
    let all_are = async |commits: u64| {
        let list = list().await;
        list.len() == 8
            && list.iter().all(|row| row.commits == commits && row.repository.state == RepositoryState::Indexed)
    };
    soon("all are indexed", || all_are(1)).await;
    let ids: Vec<RepositoryId> = list().await.iter().map(|row| row.repository.id).collect();
    let one_has = |id: &RepositoryId| nodes.iter().filter(|node| remembers(node, *id)).count() == 1;
    soon("each is remembered", || async { ids.iter().all(one_has) }).await;
    for repository in &paths {
        let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
        repository.commit("refs/heads/main", "SHOP-99 goes on", &[&tip]).expect("a commit");
    }
    // Whoever is asked, the one that looks after it looks.
    for (number, id) in ids.iter().enumerate() {
        nodes[number / 2 % 2].jobs.look_now(*id);
    }
    soon("all are looked at", || all_are(2)).await;
    assert!(ids.iter().all(one_has), "no node did another's");
    for node in &nodes {
        node.stop().await;
    }
}

/// What a commit changed is shown by a node without any copy of its repository.
async fn any_node_shows_what_a_commit_changed(way: Way) {
    let stage = Stage::set(way).await;
    let nodes = [stage.node("first", true).await, stage.node("second", true).await];
    share(&nodes[0]).await;
    connect(&nodes[0], "shop", stage.connection()).await;
    is_indexed(&nodes[0]).await;
    let row = only(&nodes[0]).await.expect("a repository").repository;
    soon("one node remembers", || async { nodes.iter().any(|node| remembers(node, row.id)) }).await;
    let owner = usize::from(remembers(&nodes[1], row.id));
    let other = &nodes[1 - owner];
    assert!(!other.caches.mirror(row.id).exists(), "it has no copy");
    let keyed = stage.repository.git_line(&["log", "--all", "--format=%H", "-E", "--grep=[A-Z]+-[0-9]+"]);
    for name in keyed.expect("a log").lines().step_by(17) {
        let asked = Asked { commit: name.parse().expect("a name"), parent: None, part: Part::Lines };
        let [ours, theirs] = [&nodes[owner], other].map(|node| commit_changes(node, &row, asked.clone()));
        let (ours, theirs) = (ours.await.expect("an answer"), theirs.await.expect("an answer"));
        assert_eq!((&ours.files, &ours.lines), (&theirs.files, &theirs.lines), "{way:?} {name}");
    }
    let plain = stage.names(&["log", "--all", "--format=%H", "-E", "--invert-grep", "--grep=[A-Z]+-[0-9]+"]);
    let plain = plain.first().expect("a commit without a key");
    let asked = Asked { commit: plain.parse().expect("a name"), parent: None, part: Part::Files };
    let refused = commit_changes(other, &row, asked).await.expect_err("only the other node knows of it");
    assert!(refused.to_string().contains("known to the node that indexes it"), "{refused}");
    for node in &nodes {
        node.stop().await;
    }
}

fn run(case: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(case);
}

#[test]
fn when_a_node_dies_another_goes_on_in_place_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::InPlace));
}

#[test]
fn when_a_node_dies_another_goes_on_with_a_copy_of_its_own_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::CopiedByGit));
}

#[test]
fn when_a_node_dies_another_goes_on_over_http_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::OverHttpByGit));
}

#[test]
fn when_a_node_dies_another_goes_on_over_http_without_git_so_that_nobody_can_tell() {
    run(another_node_goes_on(Way::OverHttpInProcess));
}

#[test]
fn what_is_gone_when_a_node_takes_over_in_place_is_counted_anew_and_told() {
    run(what_is_gone_is_counted_anew_and_told(Way::InPlace));
}

#[test]
fn what_is_gone_when_a_node_takes_over_over_http_is_counted_anew_and_told() {
    run(what_is_gone_is_counted_anew_and_told(Way::OverHttpByGit));
}

#[test]
fn a_lost_memory_of_what_is_read_in_place_costs_a_walk_and_nothing_else() {
    run(a_lost_memory_costs_a_walk_and_nothing_else(Way::InPlace));
}

#[test]
fn a_lost_memory_of_what_is_copied_costs_a_walk_and_nothing_else() {
    run(a_lost_memory_costs_a_walk_and_nothing_else(Way::OverHttpByGit));
}

#[test]
fn every_repository_is_looked_after_by_one_node_whoever_is_asked() {
    run(each_repository_is_one_nodes());
}

#[test]
fn a_node_without_a_copy_shows_what_a_commit_changed_over_http() {
    run(any_node_shows_what_a_commit_changed(Way::OverHttpByGit));
}

#[test]
fn a_node_without_a_copy_shows_what_a_commit_changed_in_a_folder() {
    run(any_node_shows_what_a_commit_changed(Way::CopiedByGit));
}
