//! Each repository is one node's, and any node shows what a commit changed.

use keytrail::jobs::{Asked, Part, commit_changes};
use keytrail_domain::{id::RepositoryId, service::Connection};
use keytrail_projections::{
    issue_commits,
    repository_list::{self, RepositoryState},
};
use keytrail_test_support::repositories::Repository;

use super::stage::{Stage, Way, is_indexed, only, remembers, run, share};
use crate::{nodes::connect, server::soon};

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
        let node = &nodes[number / 2 % 2];
        node.jobs.look_now(*id, node.clock.now());
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
    // One view may be ahead of another: the list says that it is indexed, and the index is asked.
    soon("the index shows it all", || async {
        let read = issue_commits::top_projects(true, None, 1);
        other.read_at_least(row.position, read).await.is_ok()
    })
    .await;
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
