//! What is listed is what git itself lists, by both protocols.

use keytrail_domain::{
    index_run::FailureCode,
    ref_selection::{RefPattern, RefSelection},
};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    web_server::Door,
};

use super::{Stage, add_refs, by_git, list, list_remote_refs, refusal, remote, shown, usual};
use crate::git::GitError;

#[tokio::test]
async fn both_protocols_list_what_git_lists() {
    let stage = Stage::new();
    let expected = by_git(&stage.path("demo.git"), usual);
    assert!(expected.len() > 20 && expected.iter().any(|line| !line.ends_with(' ')), "{expected:?}");
    let mut bytes = Vec::new();
    for door in [Door::Open, Door::NoFilter, Door::Old] {
        let url = stage.server.url_at(door, "demo.git");
        let listed = list(&remote(&url)).await.expect("refs");
        assert_eq!(shown(&listed), expected, "{door:?}");
        assert_eq!(listed.head.as_deref(), Some(&b"refs/heads/main"[..]), "{door:?}");
        assert_eq!(listed.final_url.to_string(), url);
        bytes.push(listed.bytes);
    }
    assert!(bytes[0] != bytes[2], "the doors speak two protocols");
}

#[tokio::test]
async fn tags_are_given_with_what_they_lead_to() {
    let stage = Stage::new();
    let listed = list(&remote(&stage.server.url("demo.git"))).await.expect("refs");
    for one in &listed.refs {
        let name = format!("{}^{{}}", String::from_utf8_lossy(&one.name));
        let led = stage.demo().git_line(&["rev-parse", &name]).expect("an object");
        assert_eq!(one.leads_to().to_string(), led, "{name}");
    }
}

#[tokio::test]
async fn each_switch_brings_in_its_own_refs_by_both_protocols() {
    let stage = Stage::new();
    let pattern = |text: &str| vec![RefPattern::parse(text).expect("a pattern")];
    for (selection, extra) in [
        (RefSelection::new(true, false, Vec::new()), "refs/notes/commits"),
        (RefSelection::new(false, true, Vec::new()), "refs/changes/01/1/1"),
        (RefSelection::new(false, false, pattern("refs/pull-requests/*/from")), "refs/pull-requests/3/from"),
    ] {
        let selection = selection.expect("few patterns");
        let expected = by_git(&stage.path("demo.git"), |name| usual(name) || name == extra);
        for door in [Door::Open, Door::Old] {
            let remote = remote(&stage.server.url_at(door, "demo.git"));
            let listed = list_remote_refs(&remote, &selection, 1000).await.expect("refs");
            assert_eq!(shown(&listed), expected, "{extra} {door:?}");
        }
    }
}

#[tokio::test]
async fn protocol_2_spares_the_bytes_of_refs_that_nobody_asked_for() {
    let stage = Stage::new();
    let demo = stage.demo();
    let tip = demo.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
    add_refs(&demo, (0..3000).map(|n| format!("{tip} refs/environments/of/a/deployment/{n}")));
    let new = list(&remote(&stage.server.url_at(Door::Open, "demo.git"))).await.expect("refs");
    let old = list(&remote(&stage.server.url_at(Door::Old, "demo.git"))).await.expect("refs");
    assert_eq!(new.refs, old.refs);
    assert!(old.bytes > 3000 * 60 && new.bytes < 20_000, "{} and {}", old.bytes, new.bytes);
}

#[tokio::test]
async fn an_empty_repository_has_no_refs_and_perhaps_a_head() {
    let stage = Stage::new();
    Repository::init(&stage.path("empty.git"), &["--bare"]).expect("a repository");
    let new = list(&remote(&stage.server.url("empty.git"))).await.expect("no refs");
    assert_eq!((new.refs.len(), new.head.as_deref()), (0, Some(&b"refs/heads/main"[..])));
    let old = list(&remote(&stage.server.url_at(Door::Old, "empty.git"))).await.expect("no refs");
    assert_eq!(old.refs.len(), 0);
}

#[tokio::test]
async fn thousands_of_refs_come_whole_and_more_than_the_bound_are_refused() {
    let stage = Stage::new();
    let shape = Shape { commits: 10, tags: 0, heads: 0, pull_requests: 0, ..Shape::default() };
    let many = generate(&stage.path("many.git"), &shape).expect("a repository");
    let tip = many.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
    add_refs(&many, (1..4000).map(|n| format!("{tip} refs/pull/{n}/head")));
    for door in [Door::Open, Door::Old] {
        let remote = remote(&stage.server.url_at(door, "many.git"));
        let selection = RefSelection::default();
        let listed = list_remote_refs(&remote, &selection, 4000).await.expect("refs");
        assert_eq!(shown(&listed), by_git(&many.path, usual), "{door:?}");
        let error = list_remote_refs(&remote, &selection, 3999).await.expect_err("too many");
        assert!(matches!(error, GitError::TooManyRefs { bound: 3999 }), "{error}");
    }
}

#[tokio::test]
async fn a_repository_that_names_objects_by_sha_256_is_told_apart() {
    let stage = Stage::new();
    let new = Repository::init(&stage.path("new.git"), &["--bare", "--object-format=sha256"]).expect("a repository");
    for _ in 0..2 {
        for door in [Door::Open, Door::Old] {
            let remote = remote(&stage.server.url_at(door, "new.git"));
            assert_eq!(refusal(&remote).await, FailureCode::Sha256Unsupported, "{door:?}");
        }
        new.commit("refs/heads/main", "now with a ref", &[]).expect("a commit");
    }
}

#[tokio::test]
async fn names_that_are_no_text_come_byte_for_byte() {
    let stage = Stage::new();
    let demo = stage.demo();
    let tip = demo.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
    let line = [b"create refs/heads/caf\xe9 ", tip.as_bytes(), b"\n"].concat();
    demo.git_with_input(&["update-ref", "--stdin"], &line).expect("a branch");
    let listed = list(&remote(&stage.server.url("demo.git"))).await.expect("refs");
    assert!(listed.refs.iter().any(|one| one.name == b"refs/heads/caf\xe9"));
}
