//! What a mirror is made of, and what becomes of it.

use keytrail_test_support::repositories::Repository;

use super::*;

fn made() -> (tempfile::TempDir, Mirror) {
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = Mirror::open_or_make(&folder.path().join("7")).expect("a mirror");
    (folder, mirror)
}

fn sha(byte: u8) -> CommitSha {
    CommitSha([byte; 20])
}

#[test]
fn a_mirror_is_a_bare_repository_to_git() {
    let (_folder, mirror) = made();
    let repository = Repository { path: mirror.path().to_owned() };
    assert_eq!(repository.git_line(&["rev-parse", "--is-bare-repository"]).expect("git"), "true");
    repository.git(&["fsck", "--strict"]).expect("nothing is wrong with it");
    for filter in [Filter::Trees, Filter::Blobs, Filter::Everything] {
        mirror.remember(Memory { transport: TransportKind::GitProgram, filter }).expect("a writable folder");
        let found = repository.git_line(&["config", "--default", "", "remote.origin.partialclonefilter"]);
        assert_eq!(found.expect("git"), filter.specification().unwrap_or_default());
        assert_eq!(repository.git_line(&["config", "--default", "", "remote.origin.url"]).expect("git"), "");
    }
}

#[test]
fn what_an_interrupted_making_left_is_thrown_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let half_made = folder.path().join("7.making");
    fs::create_dir_all(half_made.join("objects")).expect("a folder");
    fs::write(half_made.join("objects/old"), "x").expect("a file");
    let mirror = Mirror::open_or_make(&folder.path().join("7")).expect("a mirror");
    assert!(!half_made.exists() && !mirror.path().join("objects/old").exists());
    assert!(mirror.open().is_ok());
}

#[test]
fn tips_are_replaced_as_a_whole_and_read_by_git() {
    let (_folder, mirror) = made();
    let repository = Repository { path: mirror.path().to_owned() };
    let tip = repository.commit("refs/heads/x", "one", &[]).expect("a commit");
    let tip: CommitSha = tip.parse().expect("a name");
    repository.git(&["update-ref", "-d", "refs/heads/x"]).expect("a branch");
    mirror.keep(&[tip].into()).expect("a writable folder");
    assert_eq!(mirror.kept().expect("refs"), [tip].into());
    let found = repository.git_line(&["for-each-ref", "--format=%(refname)"]).expect("refs");
    assert_eq!(found, format!("refs/keytrail/kept/{tip}"));
    mirror.keep(&[sha(2), sha(1)].into()).expect("a writable folder");
    assert_eq!(mirror.kept().expect("refs"), [sha(1), sha(2)].into());
}

#[test]
fn a_mirror_remembers_who_filled_it_once_it_holds_something() {
    let (_folder, mirror) = made();
    let memory = Memory { transport: TransportKind::GitProgram, filter: Filter::Trees };
    mirror.remember(memory).expect("a writable folder");
    assert_eq!(mirror.filled_by().expect("memory"), None);
    mirror.keep(&[sha(1)].into()).expect("a writable folder");
    let again = Mirror::open_or_make(mirror.path()).expect("a mirror");
    assert_eq!(again.filled_by().expect("memory"), Some((Filter::Trees, TransportKind::GitProgram)));
}

#[test]
fn a_mirror_is_measured_and_deleted() {
    let (_folder, mirror) = made();
    let before = mirror.bytes().expect("a mirror");
    fs::write(mirror.packs().join("x"), [0; 1000]).expect("a file");
    assert_eq!(mirror.bytes().expect("a mirror"), before + 1000);
    let path = mirror.path().to_owned();
    mirror.clone().delete().expect("a mirror");
    assert!(!path.exists());
    mirror.delete().expect("it is gone already");
}

#[test]
fn only_one_has_the_lock() {
    let (_folder, mirror) = made();
    let lock = mirror.lock().expect("nobody else");
    assert!(matches!(mirror.lock(), Err(GitError::Fetch(FetchError::MirrorBusy))));
    assert!(matches!(mirror.clone().delete(), Err(GitError::Fetch(FetchError::MirrorBusy))));
    drop(lock);
    assert!(mirror.lock().is_ok());
}

#[test]
fn only_mirrors_of_ours_are_recognised() {
    let (folder, mirror) = made();
    assert_eq!(Mirror::recognised(mirror.path()), Some(mirror.clone()));
    mirror.remember(Memory { transport: TransportKind::GitProgram, filter: Filter::Trees }).expect("a writable folder");
    assert_eq!(Mirror::recognised(mirror.path()), Some(mirror.clone()));
    // A link may lead to an original, and so may a folder that a person made.
    let link = folder.path().join("8");
    std::os::unix::fs::symlink(mirror.path(), &link).expect("a link");
    let theirs = folder.path().join("9");
    keytrail_test_support::repositories::generate(&theirs, &keytrail_test_support::repositories::Shape::default())
        .expect("git works");
    for other in [link, theirs, folder.path().join("10"), folder.path().to_owned()] {
        assert_eq!(Mirror::recognised(&other), None, "{}", other.display());
    }
}

#[test]
fn a_half_made_mirror_is_removed_and_a_whole_one_stays() {
    let (folder, mirror) = made();
    let half_made = folder.path().join("7.making");
    fs::create_dir_all(half_made.join("objects")).expect("a folder");
    assert!(Mirror::remove_half_made(mirror.path()).expect("a writable folder") && !half_made.exists());
    assert!(!Mirror::remove_half_made(mirror.path()).expect("a writable folder") && mirror.path().exists());
}
