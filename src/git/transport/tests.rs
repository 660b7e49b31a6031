//! What is opened, and what is refused with which word.

pub(super) mod page;
mod places;

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use keytrail_domain::index_run::FailureCode;
use keytrail_test_support::repositories::Repository;

use super::*;

fn opened(path: &Path) -> Result<OpenedRepository, GitError> {
    LocalRepository::InPlace(path.to_owned()).open()
}

fn refusal(path: &Path) -> (FailureCode, String) {
    match opened(path) {
        Ok(_) => panic!("{} should be refused", path.display()),
        Err(error) => (error.failure_code().expect("nobody stopped it"), error.to_string()),
    }
}

fn init(options: &[&str]) -> (tempfile::TempDir, Repository) {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = Repository::init(&folder.path().join("r"), options).expect("a repository");
    (folder, repository)
}

#[test]
fn a_working_tree_its_folder_and_a_bare_repository_are_opened() {
    let (_folder, repository) = init(&[]);
    for path in [repository.path.clone(), repository.path.join(".git")] {
        assert_eq!(opened(&path).expect("a repository").default_branch(), Some(b"refs/heads/main".as_slice()));
    }
    let (_folder, bare) = init(&["--bare"]);
    assert!(opened(&bare.path).is_ok());
    // A bare repository without a configuration is one for git, too.
    fs::remove_file(bare.path.join("config")).expect("a file");
    assert!(opened(&bare.path).is_ok());
}

#[test]
fn a_linked_working_tree_is_opened_with_the_shared_objects() {
    let (folder, repository) = init(&[]);
    let sha = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    let linked = folder.path().join("linked");
    let path = linked.to_str().expect("a plain path");
    repository.git(&["worktree", "add", "--quiet", "-b", "side", path, "main"]).expect("a working tree");
    let opened = opened(&linked).expect("a repository");
    let list = crate::git::list_refs(
        &opened,
        &crate::git::Graph::empty(),
        &keytrail_domain::ref_selection::RefSelection::default(),
        10,
    )
    .expect("refs");
    let found: Vec<_> = list.refs.iter().map(|item| (&*item.name, item.commit.to_string())).collect();
    assert_eq!(found, [("refs/heads/main", sha.clone()), ("refs/heads/side", sha)]);
}

#[test]
fn a_detached_head_names_no_default_branch() {
    let (_folder, repository) = init(&["--bare"]);
    let sha = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    fs::write(repository.path.join("HEAD"), sha).expect("a file");
    assert_eq!(opened(&repository.path).expect("a repository").default_branch(), None);
}

#[test]
fn what_is_no_repository_is_refused_and_nothing_is_searched_above() {
    let (_folder, repository) = init(&[]);
    let below = repository.path.join("below");
    fs::create_dir(&below).expect("a folder");
    let file = repository.path.join("file");
    fs::write(&file, "x").expect("a file");
    for path in [below, file, repository.path.join("absent"), repository.path.join(".git/objects")] {
        assert_eq!(refusal(&path).0, FailureCode::NotARepository, "{}", path.display());
    }
}

#[test]
fn sha256_shallow_and_unknown_formats_are_refused() {
    let (_folder, repository) = init(&["--object-format=sha256"]);
    assert_eq!(refusal(&repository.path).0, FailureCode::Sha256Unsupported);

    let (folder, repository) = init(&["--bare"]);
    let root = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    repository.commit("refs/heads/main", "two", &[&root]).expect("a commit");
    let shallow = Repository { path: folder.path().join("shallow") };
    let source = format!("file://{}", repository.path.display());
    let target = shallow.path.to_str().expect("a plain path");
    repository.git(&["clone", "--quiet", "--bare", "--depth=1", &source, target]).expect("a clone");
    assert_eq!(refusal(&shallow.path).0, FailureCode::Shallow);

    let config = |text: &str| fs::write(repository.path.join("config"), text).expect("a file");
    config("[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n");
    assert!(refusal(&repository.path).1.contains("reftable"));
    config("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tsomethingNew = true\n");
    assert!(refusal(&repository.path).1.contains("somethingnew"));
    config("[core]\n\trepositoryformatversion = 2\n");
    assert!(refusal(&repository.path).1.contains("version 2"));
    config("[core]\n\trepositoryformatversion = 1\n[extensions]\n\tpartialClone = origin\n\tobjectFormat = sha1\n");
    assert!(opened(&repository.path).is_ok());
    config("[core\nno configuration");
    assert!(opened(&repository.path).is_err());
}

/// Needs root, which may give a folder away; says so when it is not.
#[test]
fn a_repository_of_another_owner_is_refused() {
    let (_folder, repository) = init(&["--bare"]);
    if chown(&repository.path, Some(12_345), None).is_err() {
        println!("ran without the change of owner: the test does not run as root");
        return;
    }
    let (code, sentence) = refusal(&repository.path);
    assert_eq!(code, FailureCode::Denied);
    assert!(sentence.contains("belongs to another user"), "{sentence}");

    let (_folder, repository) = init(&[]);
    chown(repository.path.join(".git"), Some(12_345), None).expect("root");
    assert_eq!(refusal(&repository.path).0, FailureCode::Denied);
}
