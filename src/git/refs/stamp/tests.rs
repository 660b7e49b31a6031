//! A stamp changes with everything that changes the list of refs, and is not trusted where it might not.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use keytrail_test_support::repositories::{Repository, Shape, generate};

use super::*;
use crate::git::{Graph, MAX_REFS, RefList, list_refs, transport::LocalRepository};

/// Long after whatever a test wrote.
const LATER: i128 = 4_000_000_000 * 1_000_000_000;

fn stamp(path: &Path) -> RefsStamp {
    RefsStamp::take(path, LATER).expect("a repository")
}

fn listed(path: &Path) -> RefList {
    let opened = LocalRepository::InPlace(path.to_owned()).open().expect("a repository");
    list_refs(&opened, &Graph::empty(), &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
        .expect("refs")
}

fn with_refs() -> (tempfile::TempDir, Repository, [String; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(&folder.path().join("r.git"), &["--bare"]).expect("a repository");
    let one = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    let two = repository.commit("refs/heads/main", "two", &[&one]).expect("a commit");
    repository.git(&["update-ref", "refs/heads/a/b/c", &one]).expect("a ref");
    repository.git(&["update-ref", "refs/tags/v1", &one]).expect("a ref");
    (folder, repository, [one, two])
}

#[test]
fn nothing_moved_gives_an_equal_stamp_and_every_move_another() {
    let (_folder, repository, [one, two]) = with_refs();
    let path = &repository.path;
    let mut before = stamp(path);
    assert!(stamp(path).shows_nothing_moved_since(&before));
    let git = |arguments: &[&str]| drop(repository.git(arguments).expect("git works"));
    let steps: [(&str, &dyn Fn()); 11] = [
        ("a new branch", &|| git(&["update-ref", "refs/heads/new", &one])),
        ("a moved branch", &|| git(&["update-ref", "refs/heads/new", &two])),
        ("a moved branch far below", &|| git(&["update-ref", "refs/heads/a/b/c", &two])),
        ("a deleted branch", &|| git(&["update-ref", "-d", "refs/heads/new"])),
        ("a tag", &|| git(&["tag", "-a", "-m", "x", "v2", &two])),
        ("a pull request", &|| git(&["update-ref", "refs/pull/1/head", &two])),
        ("another default branch", &|| git(&["symbolic-ref", "HEAD", "refs/heads/a/b/c"])),
        ("packing", &|| git(&["pack-refs", "--all"])),
        ("a packed branch that is gone", &|| git(&["update-ref", "-d", "refs/heads/a/b/c"])),
        ("a branch written in place", &|| {
            fs::create_dir_all(path.join("refs/heads")).expect("a folder");
            fs::write(path.join("refs/heads/main"), format!("{one}\n")).expect("a file");
        }),
        ("another format", &|| git(&["config", "core.something", "else"])),
    ];
    for (what, step) in steps {
        step();
        let after = stamp(path);
        assert!(!after.shows_nothing_moved_since(&before), "{what}");
        assert!(stamp(path).shows_nothing_moved_since(&after), "after {what}");
        before = after;
    }
    // What is no ref does not count: objects come and go.
    repository.git_with_input(&["hash-object", "-w", "--stdin"], b"x").expect("a blob");
    assert!(stamp(path).shows_nothing_moved_since(&before));
}

#[test]
fn what_was_written_a_moment_ago_is_not_trusted_yet() {
    let (_folder, repository, [one, _]) = with_refs();
    let written = |name: &str| file_mark(&repository.path.join(name)).expect("a file").content;
    let last = ["refs/heads/main", "refs/tags/v1", "refs/tags", "HEAD"].map(written).into_iter().max().expect("four");
    let second = 1_000_000_000;
    // Later than all of them, whatever took long.
    let at = |now: i128| RefsStamp::take(&repository.path, now).expect("a repository");
    let (fresh, settled) = (at(last + second), at(last + 600 * second));
    assert!(!settled.shows_nothing_moved_since(&fresh), "it may have moved in the same tick");
    assert!(settled.shows_nothing_moved_since(&settled));
    assert!(fresh.shows_nothing_moved_since(&settled), "what was settled and is the same now did not move");
    // A share whose clock is ahead of ours.
    let file = fs::File::options().write(true).open(repository.path.join("refs/tags/v1")).expect("a file");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(5_000_000_000)).expect("a time");
    assert!(!stamp(&repository.path).shows_nothing_moved_since(&stamp(&repository.path)));
    file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
    assert!(stamp(&repository.path).shows_nothing_moved_since(&stamp(&repository.path)));
    // What a link leads to is not looked at.
    fs::write(repository.path.join("outside"), format!("{one}\n")).expect("a file");
    symlink("../../outside", repository.path.join("refs/heads/link")).expect("a link");
    assert!(!stamp(&repository.path).shows_nothing_moved_since(&stamp(&repository.path)));
}

#[test]
fn every_kind_of_repository_has_a_stamp_and_what_is_none_has_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(&folder.path().join("r"), &[]).expect("a repository");
    let one = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    let linked = folder.path().join("linked");
    let arguments = ["worktree", "add", "--quiet", "-b", "side", linked.to_str().expect("a plain path"), "main"];
    repository.git(&arguments).expect("a working tree");
    let paths = [repository.path.clone(), repository.path.join(".git"), linked];
    let before = paths.each_ref().map(|path| stamp(path));
    repository.git(&["update-ref", "refs/heads/new", &one]).expect("a ref");
    for (path, before) in paths.iter().zip(&before) {
        assert!(!stamp(path).shows_nothing_moved_since(before), "{}", path.display());
    }
    for nothing in ["absent", "r/.git/refs"] {
        let error = RefsStamp::take(&folder.path().join(nothing), LATER).expect_err("no repository");
        assert!(matches!(error, GitError::NotARepository { .. }), "{error}");
    }
}

#[test]
fn an_equal_stamp_comes_with_an_equal_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.git");
    let repository = generate(&path, &Shape::default()).expect("git fast-import works");
    let shas = repository.git_line(&["rev-list", "--max-count=7", "refs/heads/main"]).expect("commits");
    let shas: Vec<_> = shas.lines().collect();
    let (mut list, mut last) = (listed(&path), stamp(&path));
    for step in 0..60_usize {
        let (name, sha) = (format!("refs/heads/step-{}", step % 5), shas[step % 7]);
        match step % 4 {
            0 | 1 => drop(repository.git(&["update-ref", &name, sha]).expect("a ref")),
            2 => drop(repository.git(&["pack-refs", "--all"]).expect("packed refs")),
            // Nothing happens.
            _ => {}
        }
        let (now, after) = (listed(&path), stamp(&path));
        assert!(now == list || !after.shows_nothing_moved_since(&last), "step {step}");
        assert!(step % 4 != 3 || after.shows_nothing_moved_since(&last), "step {step}");
        (list, last) = (now, after);
    }
}
