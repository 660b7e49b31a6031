//! A repository is followed as it changes: by every way of reading it, what is new is found, what was thrown away is
//! marked, and what comes back counts again. When nothing happens, nothing is written.

use std::{path::Path, sync::Arc, time::Duration};

use keytrail::{app::App, clock::Clock};
use keytrail_domain::{
    git_remote::GitRemote,
    issue_key::IssueKey,
    ref_selection::RefSelection,
    remote_url::RemoteUrl,
    service::{Connection, Reading},
};
use keytrail_projections::{
    index_runs::{self, Filter, Order},
    issue_commits::{self, IssueCommit},
    repository_list::{self, Repository as Row, RepositoryState},
};
use keytrail_test_support::{
    postgres::database,
    repositories::{Repository, Shape, generate},
    web_server::WebServer,
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
    transports::Transport,
};

/// How the repository is read, and who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    InPlace,
    CopiedByGit,
    CopiedInProcess,
    OverHttpByGit,
    OverHttpInProcess,
}

impl Way {
    fn transport(self) -> Transport {
        match self {
            Self::InPlace | Self::CopiedByGit | Self::OverHttpByGit => Transport::GitProgram,
            Self::CopiedInProcess | Self::OverHttpInProcess => Transport::InProcess,
        }
    }

    fn is_remote(self) -> bool {
        matches!(self, Self::OverHttpByGit | Self::OverHttpInProcess)
    }

    fn connection(self, repository: &Repository, server: &WebServer) -> Connection {
        let path = repository.path.to_str().expect("UTF-8").to_owned();
        let reading = if self == Self::InPlace { Reading::InPlace } else { Reading::Mirrored };
        if self.is_remote() {
            return Connection::git(GitRemote::at(RemoteUrl::parse(&server.url("shop.git")).expect("a URL").url));
        }
        Connection::Path { path, reading, refs: RefSelection::default() }
    }
}

async fn followed(way: Way, database_url: Option<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("it is there").join("root");
    std::fs::create_dir(&root).expect("a folder");
    let shape = Shape { commits: 300, keyed_percent: 50, ..Shape::default() };
    let repository = generate(&root.join("shop.git"), &shape).expect("git works");
    // What names a file has nothing to walk from, today and the next time.
    let file = repository.git_with_input(&["hash-object", "-w", "--stdin"], b"no commit").expect("a file");
    repository.git(&["tag", "file", String::from_utf8_lossy(&file).trim()]).expect("a tag");
    let server = WebServer::start(&root);
    let app = node_with(folder.path(), database_url.as_deref(), Clock::System, |config| {
        config.git.hosts = vec!["127.0.0.1".to_owned()];
        config.git.allow_http = true;
        config.git.free_bytes = 0;
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
        way.transport().set(&mut config.git);
    })
    .await;
    way.transport().is_used_by(&app);
    connect(&app, "shop", way.connection(&repository, &server)).await;
    soon("it is indexed", || async { only(&app).await.is_some_and(|row| row.state == RepositoryState::Indexed) }).await;
    let row = only(&app).await.expect("a repository");
    let keyed = repository.git_line(&["log", "--all", "--format=%H", "-E", "--grep=[A-Z]+-[0-9]+"]).expect("a log");
    let listed = app.read(repository_list::by_id(row.id)).await.expect("the list");
    assert_eq!(listed[0].keyed, keyed.lines().count() as u64, "{way:?}");

    let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch").trim().to_owned();
    let thrown = repository.commit("refs/heads/main", "SHOP-1 thrown away", &[&tip]).expect("a commit");
    soon("the new commit is found", || async { is(&app, "SHOP-1", false).await }).await;

    let kept = repository.commit("refs/heads/main", "SHOP-2 instead", &[&tip]).expect("a commit");
    soon("what was thrown away is marked", || async {
        is(&app, "SHOP-1", true).await && is(&app, "SHOP-2", false).await
    })
    .await;
    repository.git(&["update-ref", "refs/heads/back", &thrown]).expect("a branch");
    soon("what came back counts again", || async { is(&app, "SHOP-1", false).await }).await;
    repository.git(&["update-ref", "-d", "refs/heads/back"]).expect("no branch");
    soon("what is gone again is marked again", || async { is(&app, "SHOP-1", true).await }).await;
    assert_eq!(commits(&app, "SHOP-2").await[0].sha.to_string(), kept);

    soon("the last run has ended", || async {
        only(&app).await.is_some_and(|row| row.state == RepositoryState::Indexed)
    })
    .await;
    let newest = index_runs::page(Filter::default(), Order::NewestFirst, None, 100);
    let runs = app.read_at_least(app.log.feed().head().position, newest).await.expect("the runs");
    assert!(runs.len() > 2 && runs.iter().all(|run| run.counts.lost_refs == 0), "{runs:?}");
    let head = app.log.feed().head().position;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_eq!(app.log.feed().head().position, head, "{way:?}: when nothing happens nothing is written");

    if way.is_remote() {
        drop(server);
        soon("the trouble is told", || async {
            only(&app).await.and_then(|row| row.trouble).is_some_and(|trouble| trouble.text.contains("127.0.0.1"))
        })
        .await;
        let head = app.log.feed().head().position;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(app.log.feed().head().position, head, "{way:?}: the same trouble is told once");
    }
    app.stop().await;
}

async fn only(app: &Arc<App>) -> Option<Row> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.ok()?;
    rows.into_iter().next().map(|listed| listed.repository)
}

async fn commits(app: &Arc<App>, key: &str) -> Vec<IssueCommit> {
    let key: IssueKey = key.parse().expect("a key");
    app.read(issue_commits::commits_of_issue(&key, None, None, 10)).await.expect("the view")
}

/// Whether there is one commit, and whether it counts as superseded.
async fn is(app: &Arc<App>, key: &str, superseded: bool) -> bool {
    matches!(&commits(app, key).await[..], [one] if one.superseded_position.is_some() == superseded)
}

fn run(case: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(case);
}

#[test]
fn a_repository_that_is_read_in_place_is_followed() {
    run(followed(Way::InPlace, None));
}

#[test]
fn a_repository_that_git_copies_is_followed() {
    run(followed(Way::CopiedByGit, None));
}

#[test]
fn a_repository_that_is_copied_in_process_is_followed() {
    run(followed(Way::CopiedInProcess, None));
}

#[test]
fn a_repository_of_a_server_is_followed() {
    run(followed(Way::OverHttpByGit, None));
}

#[test]
fn a_repository_of_a_server_is_followed_without_a_git_program() {
    run(followed(Way::OverHttpInProcess, None));
}

#[test]
fn a_repository_of_a_server_is_followed_over_postgresql() {
    run(async {
        let database = database().await;
        followed(Way::OverHttpByGit, Some(database.url())).await;
    });
}

#[test]
fn a_repository_of_a_server_is_followed_over_postgresql_without_a_git_program() {
    run(async {
        let database = database().await;
        followed(Way::OverHttpInProcess, Some(database.url())).await;
    });
}

/// What a forced push threw away is found also when the run that saw the push could not be finished.
#[test]
fn a_run_that_fails_after_it_recorded_refs_hides_nothing_from_the_next() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().canonicalize().expect("it is there").join("shop.git");
        let repository = Repository::init(&path, &["--bare"]).expect("a repository");
        let first = repository.commit("refs/heads/main", "SHOP-1 first", &[]).expect("a commit");
        repository.commit("refs/heads/main", "SHOP-2 thrown away", &[&first]).expect("a commit");
        let app = node_with(folder.path(), None, Clock::System, |config| {
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 2);
        })
        .await;
        connect(&app, "shop", Connection::path(path.to_str().expect("UTF-8"))).await;
        let state = async |wanted| only(&app).await.is_some_and(|row| row.state == wanted);
        soon("it is indexed", || state(RepositoryState::Indexed)).await;

        // A branch whose history lacks a commit.
        let lost = repository.commit("refs/heads/aside", "SHOP-3 lost for a while", &[&first]).expect("a commit");
        repository.git(&["update-ref", "-d", "refs/heads/aside"]).expect("no branch");
        repository.commit("refs/heads/main", "SHOP-4 instead", &[&lost]).expect("a commit");
        let object = path.join("objects").join(&lost[..2]).join(&lost[2..]);
        let away = folder.path().join("away");
        std::fs::rename(&object, &away).expect("a loose object");
        soon("the run fails", || state(RepositoryState::Failed)).await;

        std::fs::rename(&away, &object).expect("it is put back");
        soon("it is indexed again", || state(RepositoryState::Indexed)).await;
        assert!(is(&app, "SHOP-2", true).await, "it was thrown away by the push that the failed run saw");
        assert!(is(&app, "SHOP-3", false).await && is(&app, "SHOP-4", false).await);
        app.stop().await;
    });
}

/// The folder of a case, so that a tracked one can be filled and emptied.
#[test]
fn the_repositories_of_a_tracked_folder_come_and_go() {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        let make = |name: &str| {
            let path: &Path = &root.join(name);
            generate(path, &Shape { commits: 20, ..Shape::default() }).expect("git works")
        };
        std::fs::create_dir_all(root.join("team")).expect("a folder");
        make("team/one.git");
        let app = node_with(folder.path(), None, Clock::System, |config| {
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
            config.git.roots = vec![root.clone()];
        })
        .await;
        let path = root.to_str().expect("UTF-8").to_owned();
        let refs = RefSelection::default();
        connect(&app, "all", Connection::Folder { path, depth: 2, reading: Reading::InPlace, refs }).await;
        soon("the first is indexed", || async { states(&app).await == [("team/one", RepositoryState::Indexed)] }).await;

        make("two.git");
        let refused = make("three.git");
        std::fs::write(refused.path.join("objects/info/alternates"), "/etc\n").expect("a file");
        let expected = [
            ("team/one", RepositoryState::Indexed),
            ("three", RepositoryState::Refused),
            ("two", RepositoryState::Indexed),
        ];
        soon("the others are seen", || async { states(&app).await == expected }).await;

        std::fs::remove_file(refused.path.join("objects/info/alternates")).expect("a file");
        std::fs::remove_dir_all(root.join("two.git")).expect("a folder");
        let expected = [
            ("team/one", RepositoryState::Indexed),
            ("three", RepositoryState::Indexed),
            ("two", RepositoryState::Forgotten),
        ];
        soon("one is good, one is gone", || async { states(&app).await == expected }).await;

        // A share that is not mounted.
        std::fs::rename(&root, folder.path().join("unmounted")).expect("a folder");
        std::fs::create_dir(&root).expect("a folder");
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(states(&app).await.len(), 3);
        assert!(states(&app).await.iter().filter(|(_, state)| *state == RepositoryState::Forgotten).count() == 1);
        app.stop().await;
        let kept = folder.path().join("unmounted/team/one.git/HEAD");
        assert!(kept.is_file(), "originals are never touched");
    });
}

/// The repositories by name.
async fn states(app: &Arc<App>) -> Vec<(&'static str, RepositoryState)> {
    let rows = app.read(repository_list::page(None, None, None, 100)).await.unwrap_or_default();
    let mut states: Vec<_> = rows
        .into_iter()
        .map(|listed| {
            let names = ["team/one", "three", "two"];
            let name = names.into_iter().find(|name| *name == listed.repository.name);
            (name.unwrap_or("another"), listed.repository.state)
        })
        .collect();
    states.sort_by_key(|(name, _)| *name);
    states
}
