//! Refs come in their rank, broken ones are counted, and differences come in bytewise order.

use std::{fs, path::Path};

use keytrail_test_support::repositories::{Repository, Shape, generate};

use super::*;
use crate::git::transport::LocalRepository;

fn listed(path: &Path, max_refs: usize) -> Result<RefList, GitError> {
    list_refs(
        &LocalRepository::InPlace(path.to_owned()).open()?,
        &Graph::empty(),
        &keytrail_domain::ref_selection::RefSelection::default(),
        max_refs,
    )
}

fn names(list: &RefList) -> Vec<&str> {
    list.refs.iter().map(|item| &*item.name).collect()
}

fn with_refs() -> (tempfile::TempDir, Repository, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(folder.path(), &["--bare"]).expect("a repository");
    let sha = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    for name in [
        "refs/heads/a",
        "refs/heads/z/KEY-1-x",
        "refs/tags/light",
        "refs/pull/7/head",
        "refs/pull/7/merge",
        "refs/pull/10/head",
        "refs/pull/head",
        "refs/pull/a/b/head",
        "refs/merge-requests/3/head",
        "refs/merge-requests/3/merge",
        "refs/keep-around/1",
        "refs/stash",
        "refs/remotes/origin/main",
        "refs/notes/x",
    ] {
        repository.git(&["update-ref", name, &sha]).expect("a ref");
    }
    (folder, repository, sha)
}

#[test]
fn refs_come_in_rank_and_only_those_that_count() {
    let (_folder, repository, sha) = with_refs();
    repository.git(&["tag", "-a", "-m", "tag", "annotated", &sha]).expect("a tag");
    repository.git(&["tag", "-a", "-m", "tag of a tag", "twice", "annotated"]).expect("a tag");
    for _ in ["loose", "packed"] {
        let list = listed(&repository.path, MAX_REFS).expect("refs");
        let expected = [
            "refs/heads/main",
            "refs/heads/a",
            "refs/heads/z/KEY-1-x",
            "refs/tags/annotated",
            "refs/tags/light",
            "refs/tags/twice",
            "refs/merge-requests/3/head",
            "refs/pull/10/head",
            "refs/pull/7/head",
        ];
        assert_eq!(names(&list), expected);
        assert!(list.refs.iter().all(|item| item.commit.to_string() == sha));
        assert_eq!((list.broken, list.not_commits), (0, 0));
        repository.git(&["pack-refs", "--all"]).expect("packed refs");
    }
}

#[test]
fn what_is_broken_is_counted_and_left_out() {
    let (_folder, repository, sha) = with_refs();
    let all = listed(&repository.path, MAX_REFS).expect("refs").refs.len();
    let blob = repository.git_with_input(&["hash-object", "-w", "--stdin"], b"x").expect("a blob");
    let blob = String::from_utf8_lossy(&blob).trim().to_owned();
    repository.git(&["tag", "blob", &blob]).expect("a tag of a blob");
    repository.git(&["tag", "-a", "-m", "x", "noted-blob", &blob]).expect("a tag of a blob");
    let write = |name: &str, text: &str| fs::write(repository.path.join(name), text).expect("a file");
    write("refs/heads/dangling", &format!("{}\n", "1".repeat(40)));
    write("refs/tags/dangling", &format!("{}\n", "2".repeat(40)));
    write("refs/heads/no-commit", &format!("{blob}\n"));
    write("refs/heads/garbage", "no name of anything");
    write("refs/heads/nowhere", "ref: refs/heads/absent\n");
    write("refs/heads/circle", "ref: refs/heads/circle\n");
    write("refs/heads/symbolic", "ref: refs/heads/main\n");
    let list = listed(&repository.path, MAX_REFS).expect("refs");
    assert_eq!((list.broken, list.not_commits, list.refs.len()), (5, 3, all + 1));
    let symbolic = list.refs.iter().find(|item| &*item.name == "refs/heads/symbolic").expect("it leads to main");
    assert_eq!(symbolic.commit.to_string(), sha);
}

#[test]
fn the_bound_is_told() {
    let (_folder, repository, _) = with_refs();
    let error = listed(&repository.path, 3).expect_err("too many");
    assert!(matches!(error, GitError::TooManyRefs { bound: 3 }));
    assert_eq!(listed(&repository.path, 7).expect("just enough").refs.len(), 7);
}

#[test]
fn every_entry_and_every_ref_is_a_step() {
    let (_folder, repository, _) = with_refs();
    let steps = std::sync::Arc::default();
    let opened = LocalRepository::InPlace(repository.path).open_telling(&steps).expect("a repository");
    let opening = steps.count();
    assert!(opening > 15, "each file of a ref was looked at: {opening}");
    let all = keytrail_domain::ref_selection::RefSelection::default();
    let list = list_refs(&opened, &Graph::empty(), &all, MAX_REFS).expect("refs");
    let listing = steps.count() - opening;
    assert!(listing >= list.refs.len() as u64, "{listing}");
    // Threads that read share the counter, so eight objects are a step.
    let mut reader = opened.reader();
    let commit = list.refs[0].commit;
    let before = steps.count();
    for _ in 0..16 {
        assert!(reader.read(commit).expect("it can be read").is_some());
    }
    assert_eq!(steps.count() - before, 2);
}

#[test]
fn what_is_known_is_not_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("made.git");
    generate(&path, &Shape { tags: 50, ..Shape::default() }).expect("git fast-import works");
    let list = listed(&path, MAX_REFS).expect("refs");
    assert!(list.objects_read > 0);
    // Every ref of the generator names a commit: the list is as long as git's own.
    let repository = Repository { path };
    let all = repository.git_line(&["for-each-ref", "--format=%(refname)"]).expect("refs");
    assert_eq!(list.refs.len(), all.lines().count());
}

fn named(name: &str, byte: u8) -> Ref {
    Ref { name: name.into(), commit: CommitSha([byte; 20]) }
}

#[test]
fn differences_are_new_moved_and_gone_in_bytewise_order() {
    let before = [named("refs/heads/main", 1), named("refs/heads/gone", 2), named("refs/tags/same-1", 3)];
    let now = [
        named("refs/tags/same-1", 3),
        named("refs/pull/1/head", 5),
        named("refs/heads/main", 4),
        named("refs/heads/jra-12_and_JRA-12/x", 6),
        named("refs/tags/JRA-13", 6),
    ];
    let moves = moved(&before, &now);
    let sha = |byte| Some(CommitSha([byte; 20]));
    let found: Vec<_> = moves.iter().map(|item| (item.name.as_str(), item.from, item.to)).collect();
    assert_eq!(
        found,
        [
            ("refs/heads/gone", sha(2), None),
            ("refs/heads/jra-12_and_JRA-12/x", None, sha(6)),
            ("refs/heads/main", sha(1), sha(4)),
            ("refs/pull/1/head", None, sha(5)),
            ("refs/tags/JRA-13", None, sha(6)),
        ]
    );
    let keys: Vec<Vec<String>> = moves.iter().map(|item| item.keys.iter().map(ToString::to_string).collect()).collect();
    assert_eq!(keys, [vec![], vec!["JRA-12".to_owned()], vec![], vec![], vec![]]);
    assert!(moved(&now, &now).is_empty());
}
