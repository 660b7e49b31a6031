//! A remote that is a shallow clone: what is wrong with it is said, and nothing of it is kept.

use keytrail_domain::ref_selection::RefSelection;
use keytrail_test_support::{repositories::Repository, web_server::Door};

use super::{stage::remote, *};
use crate::git::{MAX_REFS, remote::list_remote_refs};

/// A stage beside whose repository lies a shallow clone, and the one branch of that.
fn with_a_shallow_clone(server: Server, depth: u32) -> (Stage, Repository, WantedRef) {
    let stage = Stage::new(server, &Shape { commits: 20, pull_requests: 0, files_per_commit: 1, ..Shape::default() });
    let shallow = Repository { path: stage.source.path.with_file_name("shallow.git") };
    let (source, target) = (format!("file://{}", stage.source.path.display()), shallow.path.display().to_string());
    stage.source.git(&["clone", "--quiet", "--bare", &format!("--depth={depth}"), &source, &target]).expect("a clone");
    let tip = shallow.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    let wanted = WantedRef { name: b"refs/heads/main".to_vec(), target: tip.parse().expect("a name") };
    (stage, shallow, wanted)
}

async fn is_refused_until_it_is_completed(way: Way, server: Server, depth: u32) {
    let (mut stage, shallow, wanted) = with_a_shallow_clone(server, depth);
    let (wanted, about) = ([wanted], format!("{way:?} {server:?} {depth}"));
    stage.from(remote(&stage.remote().url.to_string().replace("made.git", "shallow.git")));
    for _ in 0..2 {
        let error = stage.fetch_these(way, &wanted).await.expect_err("a part of the history is missing");
        assert_eq!(error.failure_code(), Some(FailureCode::Shallow), "{about}: {error}");
        assert!(!error.is_transient() && error.to_string().contains("--unshallow"), "{about}: {error}");
        assert_eq!((stage.packs(), stage.mirror.kept().expect("refs").len()), (0, 0), "{about}");
    }
    shallow.git(&["fetch", "--quiet", "--unshallow", "origin"]).expect("the rest of the history");
    stage.fetch_these(way, &wanted).await.unwrap_or_else(|error| panic!("{about}: {error}"));
    assert!(stage.has(&wanted[0].target.to_string()) && !stage.mirror.is_cut(), "{about}");
}

#[tokio::test]
async fn a_shallow_remote_is_refused_whatever_it_speaks() {
    let servers = [Server::Web(Door::Open), Server::Web(Door::NoFilter), Server::Web(Door::Old), Server::Daemon];
    for (server, depth) in servers.into_iter().flat_map(|server| [1, 5].map(|depth| (server, depth))) {
        for way in WAYS {
            is_refused_until_it_is_completed(way, server, depth).await;
        }
    }
}

/// Git serves a history that is grafted as if it had been written so, and says nothing of it.
#[tokio::test]
async fn a_remote_whose_grafts_leave_commits_out_is_refused_once_and_its_code_says_what_is_missing() {
    for server in [Server::Web(Door::Open), Server::Web(Door::NoFilter), Server::Web(Door::Old), Server::Daemon] {
        let stage = Stage::new(server, &Shape { commits: 20, pull_requests: 0, ..Shape::default() });
        let tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        std::fs::create_dir_all(stage.source.path.join("info")).expect("a folder");
        let grafts = stage.source.path.join("info/grafts");
        std::fs::write(&grafts, format!("{}\n", tip.trim())).expect("a file");
        let wanted = [WantedRef { name: b"refs/heads/main".to_vec(), target: tip.trim().parse().expect("a name") }];
        let error = stage.fetch_these(Way::InProcess, &wanted).await.expect_err("its parents are missing");
        assert_eq!(
            (error.failure_code(), error.is_transient()),
            (Some(FailureCode::MissingObject), false),
            "{server:?}: {error}"
        );
        assert!(error.to_string().contains("grafts") && error.to_string().contains("shallow"), "{error}");
        assert_eq!((stage.packs(), stage.mirror.kept().expect("refs").len()), (0, 0), "{server:?}");
        std::fs::remove_file(&grafts).expect("a file");
        stage.fetch_these(Way::InProcess, &wanted).await.unwrap_or_else(|error| panic!("{server:?}: {error}"));
    }
}

/// Whoever was killed in the middle may have left where a history ends, in a mirror that has all of its own.
#[tokio::test]
async fn what_a_killed_fetch_wrote_down_of_a_shallow_clone_is_not_believed() {
    let stage = Stage::new(Server::Web(Door::Open), &Shape { commits: 20, ..Shape::default() });
    let tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    stage.fetch(Way::Program).await.expect("a fetch");
    std::fs::write(stage.mirror.path().join("shallow"), format!("{}\n", tip.trim())).expect("a file");
    stage.source.commit("refs/heads/main", "NEW-1", &[&tip]).expect("a commit");
    stage.fetch(Way::Program).await.expect("a fetch");
    assert_eq!((stage.in_the_mirror(), stage.mirror.is_cut()), (stage.on_the_server(), false));
}

#[tokio::test]
async fn an_old_server_tells_already_with_its_refs_that_it_is_shallow() {
    let (stage, ..) = with_a_shallow_clone(Server::Web(Door::Old), 1);
    let old = remote(&stage.web().url_at(Door::Old, "shallow.git"));
    let error = list_remote_refs(&old, &RefSelection::default(), MAX_REFS).await.expect_err("it says so");
    assert_eq!((error.failure_code(), error.is_transient()), (Some(FailureCode::Shallow), false), "{error}");
}
