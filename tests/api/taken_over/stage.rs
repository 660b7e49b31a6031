//! A repository, nodes that look at it, and what they tell of it.

use std::{collections::BTreeSet, sync::Arc};

use keytrail::{app::App, clock::Clock, store::Area};
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

use crate::{nodes::node_with, server::soon, transports::Transport};

/// How the repository is read, and who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    InPlace,
    CopiedByGit,
    OverHttpByGit,
    OverHttpInProcess,
}

/// A repository that is served, and nodes that look at it.
pub(super) struct Stage {
    pub(super) way: Way,
    pub(super) folder: TempDir,
    pub(super) repository: Repository,
    pub(super) server: WebServer,
    pub(super) url: String,
    _database: Database,
}

impl Stage {
    pub(super) async fn set(way: Way) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        std::fs::create_dir(&root).expect("a folder");
        let shape = Shape { commits: 200, keyed_percent: 50, files_per_commit: 2, ..Shape::default() };
        let repository = generate(&root.join("shop.git"), &shape).expect("git works");
        let (server, database) = (WebServer::start(&root), database().await);
        let url = database.url();
        Self { way, folder, repository, server, url, _database: database }
    }

    pub(super) fn connection(&self) -> Connection {
        let path = self.repository.path.to_str().expect("UTF-8").to_owned();
        let reading = if self.way == Way::InPlace { Reading::InPlace } else { Reading::Mirrored };
        if matches!(self.way, Way::OverHttpByGit | Way::OverHttpInProcess) {
            let url = RemoteUrl::parse(&self.server.url("shop.git")).expect("a URL").url;
            return Connection::git(GitRemote::at(url));
        }
        Connection::Path { path, reading, refs: RefSelection::default() }
    }

    /// A node with a folder of its own, over the database or embedded.
    pub(super) async fn node(&self, name: &str, over_database: bool) -> Arc<App> {
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
                Transport::InProcess.set(&mut config.git);
            }
        })
        .await
    }

    pub(super) fn moves(&self, name: &str, message: &str, parent: &str) -> String {
        self.repository.commit(name, message, &[parent]).expect("a commit")
    }

    pub(super) fn names(&self, arguments: &[&str]) -> BTreeSet<String> {
        let lines = self.repository.git_line(arguments).expect("git works");
        lines.lines().map(str::to_owned).collect()
    }

    pub(super) fn keyed(&self) -> u64 {
        self.names(&["log", "--all", "--format=%H", "-E", "--grep=[A-Z]+-[0-9]+"]).len() as u64
    }
}

pub(super) async fn only(app: &App) -> Option<Listed> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.ok()?;
    rows.into_iter().next()
}

pub(super) async fn is_indexed(app: &App) {
    soon("it is indexed", || async {
        only(app).await.is_some_and(|row| row.repository.state == RepositoryState::Indexed)
    })
    .await;
}

pub(super) async fn commits(app: &App, key: &str) -> Vec<IssueCommit> {
    let key = key.parse().expect("a key");
    // A view that is not built yet shows nothing.
    app.read(issue_commits::commits_of_issue(&key, None, None, 10)).await.unwrap_or_default()
}

/// Whether there is one commit, and whether it counts as superseded.
pub(super) async fn is(app: &App, key: &str, superseded: bool) -> bool {
    matches!(&commits(app, key).await[..], [one] if one.superseded_position.is_some() == superseded)
}

/// What a person sees of the repository: counts, and which commits are superseded.
pub(super) async fn told(app: &App) -> (u64, u64, Vec<CommitSha>, Vec<Vec<(CommitSha, bool)>>) {
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

pub(super) async fn counts(app: &App) -> Vec<Counts> {
    let runs = app
        .read(index_runs::page(index_runs::Filter::default(), index_runs::Order::NewestFirst, None, 100))
        .await
        .unwrap_or_default();
    runs.into_iter().map(|run| run.counts).collect()
}

pub(super) fn remembers(app: &App, repository: RepositoryId) -> bool {
    app.caches.graph(repository).exists()
}

/// Until two nodes have half of the repositories each.
pub(super) async fn share(app: &App) {
    soon("they share", || async {
        let sql = "SELECT COUNT(*) FROM poll_shards WHERE owner IS NOT NULL GROUP BY owner";
        let rows = app.db.read(Area::Log, sql, &[]).await.expect("a table");
        rows == [[Value::Int(32)], [Value::Int(32)]]
    })
    .await;
}

pub(super) fn run(case: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(case);
}
