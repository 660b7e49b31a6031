//! Copies of repositories: looked after, made anew when they are damaged, deleted or kept when their integration goes.
//! Originals are never touched.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use keytrail::{
    app::{App, Context},
    clock::Clock,
    git::Mirror,
};
use keytrail_domain::{
    git_remote::GitRemote,
    id::{IntegrationId, RepositoryId},
    index_run::{self, IndexRun},
    integration::{Command, Integration, MirrorsAfter},
    ref_selection::RefSelection,
    remote_url::RemoteUrl,
    service::{Connection, Reading},
};
use keytrail_projections::repository_list::{self, Repository as Row, RepositoryState};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    server::{Home, Options},
    web_server::WebServer,
};
use reqwest::{Method, StatusCode};

use crate::{
    command_line::{done, lines, text},
    nodes::{connect, node_with},
    repository,
    server::{Server, answer, on_both_engines, soon},
    transports::{Transport, by_both_transports},
};

/// A node that looks after its copies every second, and a repository that it may read.
struct Stage {
    folder: tempfile::TempDir,
    app: Arc<App>,
    repository: Repository,
}

impl Stage {
    async fn new(upkeep_seconds: u64, transport: Transport) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        fs::create_dir(&root).expect("a folder");
        let shape = Shape { commits: 60, keyed_percent: 50, ..Shape::default() };
        let repository = generate(&root.join("shop.git"), &shape).expect("git works");
        let app = node_with(folder.path(), None, Clock::System, |config| {
            config.git.hosts = vec!["127.0.0.1".to_owned()];
            config.git.allow_http = true;
            config.git.free_bytes = 0;
            config.git.upkeep_seconds = upkeep_seconds;
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
            transport.set(&mut config.git);
        })
        .await;
        transport.is_used_by(&app);
        Self { folder, app, repository }
    }

    fn place(&self, reading: Reading) -> Connection {
        let path = self.repository.path.to_str().expect("UTF-8").to_owned();
        Connection::Path { path, reading, refs: RefSelection::default() }
    }

    /// Adds it, and waits until it is indexed.
    async fn indexed(&self, connection: Connection) -> (IntegrationId, RepositoryId) {
        let integration = connect(&self.app, "shop", connection).await;
        soon("it is indexed", || async { self.only().await.is_some_and(|row| row.state == RepositoryState::Indexed) })
            .await;
        (integration, self.only().await.expect("a repository").id)
    }

    async fn only(&self) -> Option<Row> {
        let rows = self.app.read(repository_list::page(None, None, None, 10)).await.ok()?;
        rows.into_iter().next().map(|listed| listed.repository)
    }

    async fn wish(&self, integration: IntegrationId, command: Command) {
        let context = Context::server("case", 0);
        self.app.dispatch::<Integration>(integration.0, command, context, Vec::new()).await.expect("it may be wished");
    }

    fn mirror(&self, id: RepositoryId) -> PathBuf {
        self.app.caches.mirror(id)
    }

    fn graph(&self, id: RepositoryId) -> PathBuf {
        self.app.caches.graph(id)
    }
}

/// Every file below a folder, with its bytes.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

async fn a_removed_integration_takes_its_copies_along_and_nothing_else(transport: Transport) {
    let stage = Stage::new(1, transport).await;
    let original = contents(&stage.repository.path);
    let (integration, id) = stage.indexed(stage.place(Reading::Mirrored)).await;
    // It is written when the run has ended already.
    soon("both are there", || async { stage.mirror(id).is_dir() && stage.graph(id).is_file() }).await;
    // What is not ours stays, whatever it is called.
    let mirrors = stage.app.caches.mirrors();
    let theirs = mirrors.join("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b.git");
    generate(&theirs, &Shape { commits: 3, ..Shape::default() }).expect("git works");
    let linked = mirrors.join("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c.git");
    std::os::unix::fs::symlink(&stage.repository.path, &linked).expect("a link");
    let half_made = mirrors.join(format!("{id}.git.making"));
    fs::create_dir_all(half_made.join("objects")).expect("a folder");

    // As a look at what a commit changed leaves it.
    let objects = stage.app.caches.objects();
    fs::create_dir_all(&objects).expect("a folder");
    let objects = Mirror::open_or_make(&objects.join(format!("{id}.git"))).expect("a repository");
    soon("what is half made is gone", || async { !half_made.exists() }).await;
    assert!(stage.mirror(id).is_dir() && objects.path().is_dir(), "they are needed");
    let head = stage.app.log.feed().head().position;
    stage.wish(integration, Command::Remove { mirrors: MirrorsAfter::Deleted, secrets: Default::default() }).await;
    soon("the copy is gone", || async { !stage.mirror(id).exists() && !stage.graph(id).exists() }).await;
    assert!(!objects.path().exists(), "with what was fetched beside it");
    assert!(theirs.join("HEAD").is_file() && linked.join("HEAD").is_file());
    assert_eq!(contents(&stage.repository.path), original, "originals are never touched");
    let written = stage.app.log.feed().head().position - head;
    assert_eq!(written, 2, "the removal and what is forgotten with it; the upkeep says nothing");
    stage.app.stop().await;
}

async fn a_removed_integration_leaves_its_copies_when_that_is_wished(transport: Transport) {
    let stage = Stage::new(1, transport).await;
    let (integration, id) = stage.indexed(stage.place(Reading::Mirrored)).await;
    stage.wish(integration, Command::Remove { mirrors: MirrorsAfter::Kept, secrets: Default::default() }).await;
    let nobody = RepositoryId(uuid::Uuid::from_u128(7));
    soon("it is forgotten", || async { stage.only().await.is_some_and(|row| row.state == RepositoryState::Forgotten) })
        .await;
    // Once the second is gone, a whole round came by.
    for _ in 0..2 {
        fs::write(stage.graph(nobody), "of nobody").expect("a file");
        soon("what nobody needs is gone", || async { !stage.graph(nobody).exists() }).await;
    }
    assert!(stage.mirror(id).is_dir() && stage.graph(id).is_file());
    let findings = keytrail::doctor::examine(&stage.app).await;
    let kept = findings
        .iter()
        .map(|(_, finding)| finding)
        .find(|finding| finding.id == "mirrors_kept")
        .expect("it is looked at");
    let path = stage.mirror(id);
    assert!(kept.sentence.contains(path.to_str().expect("UTF-8")), "{}", kept.sentence);
    assert!(kept.sentence.contains("1 copy (1 MB)"), "with its size: {}", kept.sentence);
    stage.app.stop().await;
}

async fn the_choice_is_made_with_the_removal(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    for (query, kept) in [("?mirrors=kept", true), ("?mirrors=deleted", false), ("", false)] {
        let id = server.add("shop", &path).await.with(StatusCode::CREATED).id();
        let remove = |query: &str| {
            server.local(Method::DELETE, &format!("/api/v1/integrations/{id}{query}")).header("If-Match", "*")
        };
        answer(remove("?mirrors=moved")).await.refused(400, "query_invalid");
        let removed = answer(remove(query)).await.with(StatusCode::OK);
        assert_eq!(removed.body["state"], "removed");
        let events = server.get(&format!("/api/v1/streams/integration/{id}/events")).await.with(StatusCode::OK);
        let last = events.items().iter().find(|event| event["event_type"] == "integration.removed");
        assert_eq!(last.expect("it was removed").to_string().contains(r#""mirrors":"kept""#), kept, "{}", events.text);
    }
}

on_both_engines!(the_choice_is_made_with_the_removal);

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_the_choice_too() {
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default());
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let server = home.start().await;
    for (flag, kept) in [(Some("--keep-mirrors"), true), (None, false)] {
        let added = done(home.run(["integration", "add", text(&path), "--name", "shop", "--json"]).await);
        let id = lines(&added)[0]["id"].as_str().expect("an id").to_owned();
        let said = done(home.run(["integration", "remove", &id, "--yes"].into_iter().chain(flag)).await);
        assert_eq!(said.contains("keytrail doctor"), kept, "{said}");
        let events = done(home.run(["events", "--json", "--stream", &id]).await);
        assert_eq!(events.contains(r#""mirrors":"kept""#), kept, "{events}");
    }
    drop(server);
}

async fn a_copy_of_what_is_read_in_place_now_is_deleted_and_its_commits_stay_known(transport: Transport) {
    let stage = Stage::new(1, transport).await;
    let (integration, id) = stage.indexed(stage.place(Reading::Mirrored)).await;
    let connection = stage.place(Reading::InPlace);
    stage.wish(integration, Command::ChangeConnection { connection }).await;
    soon("the copy is gone", || async { !stage.mirror(id).exists() }).await;
    assert!(stage.graph(id).is_file());
    let parent = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.repository.commit("refs/heads/main", "SHOP-1 more", &[&parent]).expect("a commit");
    let before = stage.only().await.expect("a repository").indexed_at;
    soon("it is indexed again", || async {
        stage.only().await.is_some_and(|row| row.state == RepositoryState::Indexed && row.indexed_at > before)
    })
    .await;
    assert!(!stage.mirror(id).exists());
    stage.app.stop().await;
}

async fn a_neglected_copy_is_tended_while_the_server_runs(transport: Transport) {
    let stage = Stage::new(1, transport).await;
    let (_, id) = stage.indexed(stage.place(Reading::Mirrored)).await;
    let torn = stage.mirror(id).join("objects/pack/tmp_pack_torn");
    fs::write(&torn, "torn").expect("a file");
    soon("what was torn is gone", || async { !torn.exists() }).await;
    stage.app.stop().await;
}

async fn a_damaged_copy_is_fetched_anew(transport: Transport) {
    let stage = Stage::new(3_600, transport).await;
    let server = WebServer::start(stage.folder.path().join("root").as_path());
    let url = RemoteUrl::parse(&server.url("shop.git")).expect("a URL").url;
    let (_, id) = stage.indexed(Connection::Git(GitRemote::at(url).into())).await;
    let before = stage.only().await.expect("a repository");
    let packs = stage.mirror(id).join("objects/pack");
    for entry in fs::read_dir(&packs).expect("packs") {
        fs::remove_file(entry.expect("a pack").path()).expect("it can be removed");
    }
    let parent = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.repository.commit("refs/heads/main", "SHOP-1 more", &[&parent]).expect("a commit");
    soon("it is indexed again", || async {
        stage
            .only()
            .await
            .is_some_and(|row| row.state == RepositoryState::Indexed && row.indexed_at > before.indexed_at)
    })
    .await;
    let whole = Repository { path: stage.mirror(id) };
    let [here, there] = [&whole, &stage.repository].map(|repository| {
        let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        repository.git_line(&["rev-list", tip.trim()]).expect("its history")
    });
    assert_eq!(here, there, "every commit is there again");
    let after = stage.only().await.expect("a repository");
    assert_eq!(after.number, before.number, "it is the same repository, and nothing was recorded twice");
    stage.app.stop().await;
}

async fn a_copy_that_lacks_commits_of_long_ago_is_fetched_anew_when_they_are_read_again(transport: Transport) {
    let stage = Stage::new(3_600, transport).await;
    let (_, id) = stage.indexed(stage.place(Reading::Mirrored)).await;
    let packs = stage.mirror(id).join("objects/pack");
    let old: Vec<PathBuf> = fs::read_dir(&packs).expect("packs").map(|entry| entry.expect("a pack").path()).collect();
    let first = stage.only().await.expect("a repository");
    let parent = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.repository.commit("refs/heads/main", "SHOP-1 more", &[&parent]).expect("a commit");
    let again = |before: Row| {
        let stage = &stage;
        async move {
            soon("it is indexed again", || async {
                stage
                    .only()
                    .await
                    .is_some_and(|row| row.state == RepositoryState::Indexed && row.indexed_at > before.indexed_at)
            })
            .await;
            stage.only().await.expect("a repository")
        }
    };
    let second = again(first).await;
    old.iter().for_each(|file| fs::remove_file(file).expect("it can be removed"));
    let reset = index_run::Command::Request { repository: id, cause: index_run::Cause::Reset };
    let context = Context::server("case", 0);
    stage.app.dispatch::<IndexRun>(keytrail::ids::new_id(), reset, context, Vec::new()).await.expect("it is asked for");
    let third = again(second).await;
    assert_eq!(third.failure, None);
    let [here, there] = [stage.mirror(id), stage.repository.path.clone()].map(|path| {
        let repository = Repository { path };
        repository.git_line(&["rev-list", "--count", parent.trim()]).expect("its history")
    });
    assert_eq!(here, there, "every commit is there again");
    stage.app.stop().await;
}

by_both_transports!(
    a_removed_integration_takes_its_copies_along_and_nothing_else,
    a_removed_integration_leaves_its_copies_when_that_is_wished,
    a_copy_of_what_is_read_in_place_now_is_deleted_and_its_commits_stay_known,
    a_neglected_copy_is_tended_while_the_server_runs,
    a_damaged_copy_is_fetched_anew,
    a_copy_that_lacks_commits_of_long_ago_is_fetched_anew_when_they_are_read_again,
);
