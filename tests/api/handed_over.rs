//! A repository that another node looks after by now: the copy that this one made goes when the other has its own, and not
//! before.

use std::{path::Path, sync::Arc};

use keytrail::{app::App, clock::Clock, git::Mirror};
use keytrail_domain::{
    id::RepositoryId,
    ref_selection::RefSelection,
    service::{Connection, Reading},
};
use keytrail_projections::repository_list::{self, Listed, RepositoryState};
use keytrail_test_support::{
    postgres::{Database, database},
    repositories::Repository,
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
};

/// A repository, and nodes over one database whose upkeep comes by every second.
struct Stage {
    folder: tempfile::TempDir,
    repository: Repository,
    tip: std::sync::Mutex<String>,
    database: Database,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().canonicalize().expect("it is there").join("shop.git");
        let repository = Repository::init(&path, &["--bare"]).expect("a repository");
        let tip = repository.commit("refs/heads/main", "SHOP-1 one", &[]).expect("a commit");
        Self { folder, repository, tip: tip.into(), database: database().await }
    }

    /// A node with the folder of this name, new or as it was left.
    async fn node(&self, name: &str, handed_over_seconds: u64, free_bytes: u64) -> Arc<App> {
        let folder = self.folder.path().join(name);
        let key = self.folder.path().join("root.key");
        if !key.exists() {
            keytrail::secrets::RootKey::random().write_new(&key).expect("a root key");
        }
        if !folder.exists() {
            std::fs::create_dir(&folder).expect("a folder");
            std::fs::copy(&key, folder.join("root.key")).expect("a root key");
        }
        node_with(&folder, Some(&self.database.url()), Clock::System, |config| {
            config.git.free_bytes = free_bytes;
            config.git.upkeep_seconds = 1;
            config.git.handed_over_seconds = handed_over_seconds;
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
        })
        .await
    }

    fn connection(&self) -> Connection {
        let path = self.repository.path.to_str().expect("UTF-8").to_owned();
        Connection::Path { path, reading: Reading::Mirrored, refs: RefSelection::default() }
    }

    /// One more commit, and until it is indexed by whichever node.
    async fn moves_on(&self, app: &App) {
        let all = {
            let mut tip = self.tip.lock().expect("nobody panics");
            *tip = self.repository.commit("refs/heads/main", "SHOP-1 more", &[&tip]).expect("a commit");
            self.repository.git_line(&["rev-list", "--all", "--count"]).expect("a count").trim().parse().ok()
        };
        soon("it is indexed", || async {
            only(app)
                .await
                .is_some_and(|row| Some(row.commits) == all && row.repository.state == RepositoryState::Indexed)
        })
        .await;
    }
}

async fn only(app: &App) -> Option<Listed> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.ok()?;
    rows.into_iter().next()
}

/// Until the upkeep of this node came by.
async fn a_round_came_by(app: &App) {
    let nobody = app.caches.graph(RepositoryId(uuid::Uuid::from_u128(7)));
    // Once the second is gone, a whole round is over.
    for _ in 0..2 {
        std::fs::write(&nobody, "of nobody").expect("a file");
        soon("what nobody needs is gone", || async { !nobody.exists() }).await;
    }
}

fn is_noted(mirror: &Path) -> bool {
    Mirror::recognised(mirror).is_some_and(|mirror| mirror.handed_over().is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_another_node_looks_after_goes_when_that_one_has_its_own() {
    let stage = Stage::set().await;
    let first = stage.node("first", 3_600, 0).await;
    connect(&first, "shop", stage.connection()).await;
    stage.moves_on(&first).await;
    let id = only(&first).await.expect("a repository").repository.id;
    let (mirror, graph) = (first.caches.mirror(id), first.caches.graph(id));
    a_round_came_by(&first).await;
    assert!(mirror.exists() && !is_noted(&mirror), "it is this node's");
    first.stop().await;

    // The other one takes it over, and keeps it when the first comes back.
    let second = stage.node("second", 3_600, 0).await;
    stage.moves_on(&second).await;
    soon("it remembers", || async { second.caches.graph(id).exists() }).await;
    let first = stage.node("first", 0, 0).await;
    soon("it is noted", || async { is_noted(&mirror) }).await;
    a_round_came_by(&first).await;
    assert!(mirror.exists() && graph.exists(), "nobody knows yet that the other node's copy is whole");
    let findings = keytrail::doctor::examine(&first).await;
    let told = findings.iter().map(|(_, finding)| finding).find(|finding| finding.id == "mirrors_handed_over");
    assert!(told.is_some_and(|told| told.sentence.contains("has 1 copy")), "{told:?}");
    stage.moves_on(&second).await;
    soon("the copy is gone", || async { !mirror.exists() && !graph.exists() }).await;
    assert!(second.caches.mirror(id).exists() && second.caches.graph(id).exists());
    first.stop().await;
    stage.moves_on(&second).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_what_another_node_looks_after_stays_for_its_time_unless_room_is_short() {
    let stage = Stage::set().await;
    let first = stage.node("first", 3_600, 0).await;
    connect(&first, "shop", stage.connection()).await;
    stage.moves_on(&first).await;
    let id = only(&first).await.expect("a repository").repository.id;
    let mirror = first.caches.mirror(id);
    first.stop().await;
    let second = stage.node("second", 3_600, 0).await;
    stage.moves_on(&second).await;
    soon("it remembers", || async { second.caches.graph(id).exists() }).await;
    let first = stage.node("first", 3_600, 0).await;
    soon("it is noted", || async { is_noted(&mirror) }).await;
    stage.moves_on(&second).await;
    a_round_came_by(&first).await;
    assert!(mirror.exists(), "its time is not over");
    first.stop().await;

    let first = stage.node("first", 3_600, u64::MAX).await;
    soon("the copy made room", || async { !mirror.exists() }).await;
    assert!(second.caches.mirror(id).exists());
    first.stop().await;
    second.stop().await;
}
