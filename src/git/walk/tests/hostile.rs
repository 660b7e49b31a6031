//! What is broken or made to hurt is named, and never faults the walk.

use std::fs;

use keytrail_domain::index_run::FailureCode;

use super::*;

/// A repository with loose objects only: root, middle and tip on `main`.
fn three_commits() -> (TempDir, Repository, [String; 3]) {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(folder.path(), &["--bare"]).expect("a repository");
    let root = repository.commit("refs/heads/main", "ROOT-1", &[]).expect("a commit");
    let middle = repository.commit("refs/heads/main", "MIDDLE-1", &[&root]).expect("a commit");
    let tip = repository.commit("refs/heads/main", "TIP-1", &[&middle]).expect("a commit");
    (folder, repository, [root, middle, tip])
}

fn loose(repository: &Repository, sha: &str) -> std::path::PathBuf {
    repository.path.join("objects").join(&sha[..2]).join(&sha[2..])
}

fn failure(repository: &Repository) -> GitError {
    match try_seen(&repository.path, &Graph::empty(), None, Bounds::default()) {
        Ok(_) => panic!("the walk should fail"),
        Err(error) => error,
    }
}

fn literal(repository: &Repository, kind: &str, bytes: &[u8]) -> String {
    let arguments = ["hash-object", "-t", kind, "-w", "--stdin", "--literally"];
    let sha = repository.git_with_input(&arguments, bytes).expect("git writes what it is told");
    String::from_utf8_lossy(&sha).trim().to_owned()
}

/// Points a ref to something that git itself would refuse.
fn point(repository: &Repository, name: &str, sha: &str) {
    let path = repository.path.join(name);
    fs::create_dir_all(path.parent().expect("below the repository")).expect("a folder");
    fs::write(path, format!("{sha}\n")).expect("a file");
}

#[test]
fn a_missing_parent_is_named() {
    let (_folder, repository, [root, ..]) = three_commits();
    fs::remove_file(loose(&repository, &root)).expect("a loose object");
    let error = failure(&repository);
    assert!(matches!(&error, GitError::MissingObject { sha } if sha.to_string() == root), "{error}");
    assert_eq!(error.failure_code(), Some(FailureCode::MissingObject));
}

#[test]
fn a_corrupt_object_is_named() {
    let (_folder, repository, [_, middle, _]) = three_commits();
    let path = loose(&repository, &middle);
    let whole = fs::read(&path).expect("a loose object");
    fs::remove_file(&path).expect("a loose object");
    let mut flipped = whole.clone();
    flipped[20] ^= 0x55;
    for bytes in [&whole[..whole.len() / 2], b"not zlib at all", b"", &flipped] {
        fs::write(&path, bytes).expect("a file");
        let error = failure(&repository);
        assert!(matches!(&error, GitError::CorruptObject { sha, .. } if sha.to_string() == middle), "{error}");
        assert_eq!(error.failure_code(), Some(FailureCode::CorruptObject));
    }
}

#[test]
fn a_corrupt_pack_never_faults_the_walk() {
    let (_folder, repository) = generated(&Shape { commits: 60, ..Shape::default() });
    repository.git(&["repack", "-q", "-a", "-d"]).expect("a pack");
    let packs = fs::read_dir(repository.path.join("objects/pack")).expect("a folder");
    let pack = packs
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|ending| ending == "pack"))
        .expect("one pack");
    let whole = fs::read(&pack).expect("a pack");
    fs::remove_file(&pack).expect("a pack");
    let mut failures = 0;
    for at in (12..whole.len()).step_by(97) {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        fs::write(&pack, broken).expect("a file");
        match try_seen(&repository.path, &Graph::empty(), None, Bounds::default()) {
            Ok(_) => {}
            Err(GitError::CorruptObject { .. } | GitError::MissingObject { .. }) => failures += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(failures > 10, "{failures}");
}

#[test]
fn a_parent_that_is_no_commit_is_named_and_a_tip_that_is_none_is_counted() {
    let (_folder, repository, [_, _, tip]) = three_commits();
    let blob = literal(&repository, "blob", b"no commit");
    point(&repository, "refs/heads/blob", &blob);
    let seen = seen(&repository.path, &Graph::empty(), Bounds::default());
    assert_eq!((seen.walked.commits, seen.not_commits), (3, 1));

    let tree = repository.git_line(&["rev-parse", &format!("{tip}^{{tree}}")]).expect("a tree");
    let child = literal(&repository, "commit", format!("tree {tree}\nparent {blob}\n\nx\n").as_bytes());
    point(&repository, "refs/heads/child", &child);
    let error = failure(&repository);
    assert!(matches!(&error, GitError::CorruptObject { sha, .. } if sha.to_string() == blob), "{error}");
}

#[test]
fn a_commit_without_a_tree_is_named() {
    let (_folder, repository, _) = three_commits();
    let sha = literal(&repository, "commit", b"author A <a@x> 1 +0000\n\nBAD-1\n");
    point(&repository, "refs/heads/bad", &sha);
    let error = failure(&repository);
    assert!(matches!(&error, GitError::CorruptObject { sha: named, .. } if named.to_string() == sha), "{error}");
}

/// An object that lies about its name can close a circle; a walk must end nevertheless.
#[test]
fn a_circle_of_commits_is_named() {
    let (_folder, repository, [root, _, tip]) = three_commits();
    let tree = repository.git_line(&["rev-parse", &format!("{tip}^{{tree}}")]).expect("a tree");
    let liar = literal(&repository, "commit", format!("tree {tree}\nparent {tip}\n\nliar\n").as_bytes());
    fs::remove_file(loose(&repository, &root)).expect("a loose object");
    fs::copy(loose(&repository, &liar), loose(&repository, &root)).expect("a copy");
    let error = failure(&repository);
    assert!(matches!(&error, GitError::CorruptObject { .. }), "{error}");
}

#[test]
fn a_commit_of_very_many_parents_is_walked() {
    let (_folder, repository, [root, middle, tip]) = three_commits();
    let tree = repository.git_line(&["rev-parse", &format!("{tip}^{{tree}}")]).expect("a tree");
    let mut commit = format!("tree {tree}\n");
    for _ in 0..50_000 {
        for parent in [&root, &middle, &tip] {
            commit += &format!("parent {parent}\n");
        }
    }
    let octopus = literal(&repository, "commit", (commit + "\nOCTOPUS-1\n").as_bytes());
    point(&repository, "refs/heads/octopus", &octopus);
    let seen = seen(&repository.path, &Graph::empty(), Bounds::default());
    assert_eq!(seen.walked.commits, 4);
    assert_eq!(seen.walked.new.cursor(3).map(|cursor| cursor.generation), Some(4));
}

/// Grafts and replacement refs change what git shows, not what was committed.
#[test]
fn replacement_refs_are_ignored() {
    let (_folder, repository, [root, _, tip]) = three_commits();
    repository.git(&["update-ref", &format!("refs/replace/{tip}"), &root]).expect("a replacement");
    let seen = seen(&repository.path, &Graph::empty(), Bounds::default());
    assert_eq!(seen.walked.commits, 3);
    assert!(seen.commits().iter().any(|commit| commit.subject.as_str() == "TIP-1"));
}
