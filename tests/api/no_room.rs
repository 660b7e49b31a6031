//! No room for a copy: the run stops and says so, the server serves on, and once there is room the run comes to its end
//! without anybody's help.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use keytrail::{app::App, clock::Clock, store::Area};
use keytrail_domain::{git_remote::GitRemote, index_run::FailureCode, remote_url::RemoteUrl, service::Connection};
use keytrail_projections::repository_list::{self, Repository as Row, RepositoryState};
use keytrail_test_support::{
    repositories::{Shape, generate},
    web_server::WebServer,
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
    transports::{Transport, by_both_transports},
};

struct Stage {
    transport: Transport,
    folder: tempfile::TempDir,
    server: WebServer,
}

impl Stage {
    fn new(transport: Transport) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("root");
        std::fs::create_dir(&root).expect("a folder");
        let shape = Shape { commits: 2_000, keyed_percent: 50, ..Shape::default() };
        generate(&root.join("shop.git"), &shape).expect("git works");
        let server = WebServer::start(&root);
        Self { transport, folder, server }
    }

    async fn node(&self, free_bytes: u64, quota_bytes: u64) -> Arc<App> {
        let transport = self.transport;
        let app = node_with(self.folder.path(), None, Clock::System, |config| {
            config.git.hosts = vec!["127.0.0.1".to_owned()];
            config.git.allow_http = true;
            (config.git.free_bytes, config.git.quota_bytes) = (free_bytes, quota_bytes);
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
            transport.set(&mut config.git);
        })
        .await;
        transport.is_used_by(&app);
        app
    }

    async fn connect(&self, app: &App) {
        let url = RemoteUrl::parse(&self.server.url("shop.git")).expect("a URL").url;
        connect(app, "shop", Connection::Git(GitRemote::at(url).into())).await;
    }
}

async fn only(app: &App) -> Option<Row> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.ok()?;
    rows.into_iter().next().map(|listed| listed.repository)
}

async fn comes_to(app: &App, state: RepositoryState) {
    soon("it comes to this state", || async { only(app).await.is_some_and(|row| row.state == state) }).await;
}

/// Why the run is tried again.
async fn stopped_because(app: &App, words: &[&str]) {
    soon("the run says why it waits", || async {
        let sql = "SELECT last_error FROM jobs WHERE kind = 'index_repository' AND last_error IS NOT NULL";
        let jobs = format!("{:?}", app.db.read(Area::Log, sql, &[]).await.expect("the jobs"));
        words.iter().any(|word| jobs.contains(word))
    })
    .await;
    assert_eq!(only(app).await.map(|row| row.state), Some(RepositoryState::Indexing), "the server serves on");
}

async fn a_run_stops_at_the_floor_and_goes_on_once_there_is_room(transport: Transport) {
    let stage = Stage::new(transport);
    let app = stage.node(9_000_000_000_000_000_000, 20_000_000_000).await;
    stage.connect(&app).await;
    stopped_because(&app, &["MB that are kept free"]).await;
    app.stop().await;
    drop(app);
    let app = stage.node(0, 20_000_000_000).await;
    comes_to(&app, RepositoryState::Indexed).await;
    app.stop().await;
}

async fn a_run_over_the_quota_fails_with_its_code_and_is_tried_again_later(transport: Transport) {
    let stage = Stage::new(transport);
    let app = stage.node(0, 10_000).await;
    stage.connect(&app).await;
    soon("it failed", || async {
        let failure = only(&app).await.and_then(|row| row.failure);
        failure.is_some_and(|(code, _)| code == FailureCode::QuotaExceeded)
    })
    .await;
    app.stop().await;
    drop(app);
    let app = stage.node(0, 20_000_000_000).await;
    comes_to(&app, RepositoryState::Indexed).await;
    assert_eq!(only(&app).await.expect("a repository").failure, None);
    app.stop().await;
}

async fn a_run_whose_disk_is_full_goes_on_once_there_is_room(transport: Transport) {
    goes_on_by_itself(transport, 0, fill, &["is full", "No space left"]).await;
}

async fn a_run_stops_at_the_floor_of_a_small_disk_and_goes_on_by_itself(transport: Transport) {
    // Of 16 MB these leave four, where eight are kept free.
    let most = |ballast: &Path| std::fs::write(ballast, vec![0; 12 << 20]).expect("there is room for it");
    goes_on_by_itself(transport, 8_000_000, most, &["MB that are kept free"]).await;
}

/// On a small disk that something lies on, so that a run waits, until that is taken away.
async fn goes_on_by_itself(transport: Transport, free_bytes: u64, lay: impl Fn(&Path), words: &[&str]) {
    let stage = Stage::new(transport);
    let mirrors = stage.folder.path().join("data/caches/mirrors");
    std::fs::create_dir_all(&mirrors).expect("a folder");
    let Some(mount) = Mount::try_make(&mirrors) else {
        println!("DID NOT RUN: a file system can be mounted by root only; the variant with the floor ran");
        return;
    };
    let ballast = mount.0.join("ballast");
    lay(&ballast);
    let app = stage.node(free_bytes, 20_000_000_000).await;
    stage.connect(&app).await;
    stopped_because(&app, words).await;
    std::fs::remove_file(&ballast).expect("the ballast is there");
    comes_to(&app, RepositoryState::Indexed).await;
    app.stop().await;
    drop(mount);
}

by_both_transports!(
    a_run_stops_at_the_floor_and_goes_on_once_there_is_room,
    a_run_over_the_quota_fails_with_its_code_and_is_tried_again_later,
    a_run_whose_disk_is_full_goes_on_once_there_is_room,
    a_run_stops_at_the_floor_of_a_small_disk_and_goes_on_by_itself,
);

fn fill(ballast: &Path) {
    let mut dd = Command::new("dd");
    dd.args(["if=/dev/zero", "bs=4096"]).arg(format!("of={}", ballast.display())).stderr(Stdio::null());
    assert!(!dd.status().expect("dd is part of every system").success(), "the file system did not become full");
}

/// A small file system of its own, in memory.
struct Mount(PathBuf);

impl Mount {
    fn try_make(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"]).arg(folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
