//! A remote that is a shallow clone: what is wrong with it is said, and nothing of it is kept.

use keytrail_domain::ref_selection::RefSelection;
use keytrail_test_support::{repositories::Repository, web_server::Door};

use super::{stage::remote, *};
use crate::git::{MAX_REFS, remote::list_remote_refs};

/// A stage beside whose repository lies a shallow clone, and the one branch of that.
fn with_a_shallow_clone() -> (Stage, Repository, WantedRef) {
    let stage = Stage::new(Server::Web(Door::Open), &Shape { commits: 20, ..Shape::default() });
    let shallow = Repository { path: stage.source.path.with_file_name("shallow.git") };
    let (source, target) = (format!("file://{}", stage.source.path.display()), shallow.path.display().to_string());
    stage.source.git(&["clone", "--quiet", "--bare", "--depth=1", &source, &target]).expect("a clone");
    let tip = shallow.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
    let wanted = WantedRef { name: b"refs/heads/main".to_vec(), target: tip.parse().expect("a name") };
    (stage, shallow, wanted)
}

async fn is_refused_until_it_is_completed(way: Way, doors: &[Door]) {
    let (mut stage, shallow, wanted) = with_a_shallow_clone();
    let wanted = [wanted];
    for door in doors {
        stage.from(remote(&stage.web().url_at(*door, "shallow.git")));
        let error = stage.fetch_these(way, &wanted).await.expect_err("a part of the history is missing");
        assert_eq!(error.failure_code(), Some(FailureCode::Shallow), "{way:?} {door:?}: {error}");
        assert!(!error.is_transient() && error.to_string().contains("--unshallow"), "{error}");
        assert_eq!((stage.packs(), stage.mirror.kept().expect("refs").len()), (0, 0), "{way:?} {door:?}");
    }
    shallow.git(&["fetch", "--quiet", "--unshallow", "origin"]).expect("the rest of the history");
    stage.fetch_these(way, &wanted).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
    assert!(stage.has(&wanted[0].target.to_string()));
}

#[tokio::test]
async fn a_shallow_remote_is_refused_in_this_process() {
    is_refused_until_it_is_completed(Way::InProcess, &[Door::Open]).await;
}

#[tokio::test]
async fn an_old_server_tells_already_with_its_refs_that_it_is_shallow() {
    let (stage, ..) = with_a_shallow_clone();
    let old = remote(&stage.web().url_at(Door::Old, "shallow.git"));
    let error = list_remote_refs(&old, &RefSelection::default(), MAX_REFS).await.expect_err("it says so");
    assert_eq!((error.failure_code(), error.is_transient()), (Some(FailureCode::Shallow), false), "{error}");
}
