//! The owner of a repository that is read in place goes on working in it: packs come and go, refs are packed.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use keytrail_domain::person::PersonId;
use keytrail_test_support::repositories::{Repository, Shape, generate};
use uuid::Uuid;

use crate::git::{Bounds, Graph, MAX_REFS, Progress, WalkRequest, list_refs, transport::Connection, walk};

/// Works in the repository until what is read has been read; at least one round of the work is done meanwhile.
fn beside<T>(work: impl Fn(usize) + Sync, read: impl FnOnce(&AtomicBool) -> T) -> T {
    let (done, begun) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0.. {
                work(round);
                begun.store(true, Ordering::Relaxed);
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(&begun)));
        done.store(true, Ordering::Relaxed);
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn what_was_packed_after_the_opening_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.git");
    let repository = Repository::init(&path, &["--bare"]).expect("a repository");
    let first = repository.commit("refs/heads/main", "first", &[]).expect("a commit");
    let mut reader = Connection::InPlace(path).open().expect("a repository").reader();
    assert!(reader.read(first.parse().expect("a name")).expect("readable").is_some());
    // More packs than the objects had room for when they were opened, and nothing loose.
    let mut names = vec![first];
    for number in 0..120 {
        let name = repository.commit("refs/heads/main", &format!("commit {number}"), &[]).expect("a commit");
        let pack = repository.path.join("objects/pack/pack");
        let arguments = ["pack-objects", "-q", pack.to_str().expect("a plain path")];
        repository.git_with_input(&arguments, format!("{name}\n").as_bytes()).expect("a pack");
        names.push(name);
    }
    repository.git(&["prune-packed", "-q"]).expect("git works");
    for name in &names {
        assert!(reader.exists(name.parse().expect("a name")), "{name}");
        assert!(reader.read(name.parse().expect("a name")).expect("readable").is_some(), "{name}");
    }
    repository.git(&["repack", "-a", "-d", "-q"]).expect("one pack");
    for name in names.iter().rev() {
        // The tip is in the one pack; what nothing leads to is gone, and is said to be.
        let found = reader.read(name.parse().expect("a name")).expect("readable").is_some();
        assert!(found || Some(name) != names.last(), "{name}");
    }
    let absent = "1".repeat(40).parse().expect("a name");
    assert!(!reader.exists(absent) && reader.read(absent).expect("no fault").is_none());
}

#[test]
fn a_walk_reads_every_commit_while_the_owner_repacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.git");
    let shape = Shape { commits: 3_000, files_per_commit: 0, ..Shape::default() };
    let repository = generate(&path, &shape).expect("git fast-import works");
    let repack = |round: usize| {
        let arguments: &[&str] = match round % 3 {
            0 => &["repack", "-q", "-a", "-d", "-f"],
            1 => &["repack", "-q", "-a", "-d", "--max-pack-size=1m"],
            _ => &["multi-pack-index", "write"],
        };
        repository.git(arguments).expect("git works");
    };
    beside(repack, |begun| {
        let mut walks = 0;
        while walks < 12 || !begun.load(Ordering::Relaxed) {
            let opened = Connection::InPlace(path.clone()).open().expect("a repository");
            let known = Graph::empty();
            let refs = list_refs(&opened, &known, MAX_REFS).expect("refs");
            assert_eq!(refs.broken, 0);
            let request = WalkRequest {
                refs: &refs,
                known: &known,
                after: None,
                identify: &|_| PersonId(Uuid::nil()),
                cancel: &AtomicBool::new(false),
                progress: &Progress::default(),
                bounds: Bounds { record_bytes: 0, ..Bounds::default() },
            };
            let walked = walk(&opened, &request, &mut |_| Ok(())).expect("every commit is there all the time");
            assert_eq!(walked.commits, 3_000);
            walks += 1;
        }
    });
}

#[test]
fn no_ref_is_missed_while_the_owner_packs_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.git");
    let shape = Shape { commits: 100, heads: 60, tags: 60, pull_requests: 60, ..Shape::default() };
    let repository = generate(&path, &shape).expect("git fast-import works");
    let all = repository.git_line(&["for-each-ref", "--format=%(refname) %(objectname)"]).expect("refs");
    // Each is written as a loose ref again, and packed again.
    let moves: String = all.lines().map(|line| format!("update {line}\n")).collect();
    let back = moves.clone();
    let root = repository.git_line(&["rev-list", "--max-parents=0", "refs/heads/main"]).expect("a root");
    let away: String =
        all.lines().filter_map(|line| line.split(' ').next()).map(|name| format!("update {name} {root}\n")).collect();
    let expected = repository.git_line(&["for-each-ref", "--format=%(refname)"]).expect("refs").lines().count();
    let pack = |_| {
        for stream in [&away, &back] {
            repository.git_with_input(&["update-ref", "--stdin"], stream.as_bytes()).expect("refs");
            repository.git(&["pack-refs", "--all"]).expect("packed refs");
        }
    };
    beside(pack, |begun| {
        let opened = Connection::InPlace(path.clone()).open().expect("a repository");
        let mut listings = 0;
        while listings < 150 || !begun.load(Ordering::Relaxed) {
            match list_refs(&opened, &Graph::empty(), MAX_REFS) {
                Ok(list) => {
                    assert_eq!((list.refs.len(), list.broken), (expected, 0), "after {listings} listings");
                    listings += 1;
                }
                // They are packed without a pause here; a run would try again later.
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    });
}
