//! A remote that is listed and then fetched, as a job does it.

use keytrail_domain::ref_selection::RefSelection;
use keytrail_test_support::web_server::Door;

use super::{
    stage::{SERVERS, remote},
    *,
};
use crate::git::{
    MAX_REFS,
    remote::{ListedRef, list_remote_refs},
};

fn wanted(refs: &[ListedRef]) -> Vec<WantedRef> {
    refs.iter().map(|item| WantedRef { name: item.name.clone(), target: item.target }).collect()
}

#[tokio::test]
async fn what_is_listed_is_what_git_lists_and_what_is_fetched() {
    for server in SERVERS.into_iter().filter(|server| *server != Server::Folder) {
        let stage = Stage::new(server, &Shape { commits: 100, ..Shape::default() });
        let listed = list_remote_refs(stage.remote(), &RefSelection::default(), MAX_REFS).await;
        let listed = listed.unwrap_or_else(|error| panic!("{server:?}: {error}"));
        let mut expected = stage.refs();
        expected.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(wanted(&listed.refs), expected, "{server:?}");
        assert_eq!(listed.head.as_deref(), Some(b"refs/heads/main".as_slice()));
        for way in WAYS {
            let mirror = stage.again(Remote { url: listed.final_url.clone(), ..stage.remote().clone() });
            mirror.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error}"));
        }
    }
}

#[tokio::test]
async fn a_repository_that_git_daemon_does_not_serve_is_not_found() {
    let stage = Stage::new(Server::Daemon, &Shape { commits: 10, ..Shape::default() });
    let mut absent = stage.remote().clone();
    absent.url = remote(&stage.remote().url.to_string().replace("made.git", "absent.git")).url;
    let error = list_remote_refs(&absent, &RefSelection::default(), MAX_REFS).await.expect_err("it is not there");
    assert_eq!(error.failure_code(), Some(FailureCode::RemoteNotFound), "{error}");
    for way in WAYS {
        let error = stage.again(absent.clone()).fetch(way).await.expect_err("it is not there");
        assert_eq!(error.failure_code(), Some(FailureCode::RemoteNotFound), "{way:?} {error:?}");
    }
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_listed_and_then_fetched_where_it_leads_to() {
    let stage = Stage::new(Server::Web(Door::Moved), &Shape { commits: 10, ..Shape::default() });
    let listed = list_remote_refs(stage.remote(), &RefSelection::default(), MAX_REFS).await.expect("a listing");
    assert_ne!(listed.final_url, stage.remote().url);
    for way in WAYS {
        let mirror = stage.again(Remote { url: listed.final_url.clone(), ..stage.remote().clone() });
        mirror.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
    }
}

#[tokio::test]
async fn more_refs_than_one_question_holds_are_all_fetched() {
    let shape = Shape { commits: 8_300, pull_requests: 0, ..Shape::default() };
    let mut stage = Stage::new(Server::Web(Door::Open), &shape);
    let commits = stage.source.git_line(&["rev-list", "refs/heads/main"]).expect("commits");
    // Written at once: git would write and sync a file for each. Without its first line the file needs no order.
    let file = stage.source.path.join("packed-refs");
    let packed = std::fs::read_to_string(&file).expect("a file of git's");
    let first = packed.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n"));
    let more = commits.lines().enumerate().map(|(number, sha)| format!("{sha} refs/pull/{number}/head\n"));
    std::fs::write(&file, first.chain(more).collect::<String>()).expect("a writable file");
    assert!(stage.refs().len() > 8_192);
    // In this process they are asked for by several questions. Little comes twice: what one brought, the next tells of.
    for way in WAYS {
        stage.empties_its_mirror();
        let fetched = stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert_eq!(stage.in_the_mirror(), stage.on_the_server(), "{way:?}");
        assert!(fetched.objects < 8_400, "{way:?} {fetched:?}");
        let tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        stage.source.commit("refs/heads/main", "NEW-1", &[&tip]).expect("a commit");
        let next = stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert!(next.objects <= 2, "{way:?} {next:?}");
    }
}
