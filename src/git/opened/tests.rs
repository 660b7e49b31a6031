//! The owner of a repository that is read in place goes on working in it: packs come and go, refs are packed.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use keytrail_domain::person::PersonId;
use keytrail_test_support::repositories::{Repository, Shape, generate};
use uuid::Uuid;

use crate::git::{Bounds, Graph, MAX_REFS, Progress, WalkRequest, list_refs, transport::LocalRepository, walk};

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
    let mut reader = LocalRepository::InPlace(path).open().expect("a repository").reader();
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
            let opened = LocalRepository::InPlace(path.clone()).open().expect("a repository");
            let known = Graph::empty();
            let refs = list_refs(&opened, &known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
                .expect("refs");
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
fn no_ref_is_missed_while_the_owner_packs_a_few() {
    // They are gone before anybody looks for them among the loose ones.
    no_ref_is_missed_while_the_owner_packs(40);
}

#[test]
fn no_ref_is_missed_while_the_owner_packs_many() {
    // They go while somebody reads them.
    no_ref_is_missed_while_the_owner_packs(150);
}

/// What `git update-ref` and `git pack-refs` do to the files, without the time that programs take: each ref is loose or
/// packed at every moment, or both.
fn no_ref_is_missed_while_the_owner_packs(pulls: usize) {
    // They are read before those that are packed: so there is time between the packed refs and the loose ones.
    const HEADS: usize = 600;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.git");
    let repository = Repository::init(&path, &["--bare"]).expect("a repository");
    let sha = repository.commit("refs/heads/main", "one", &[]).expect("a commit");
    let pull = |number: usize| path.join(format!("refs/pull/{number}/head"));
    let put = |file: &Path, text: &str| {
        let lock = file.with_extension("lock");
        fs::write(&lock, text).expect("a file");
        fs::rename(&lock, file).expect("a file");
    };
    for number in 0..HEADS {
        fs::write(path.join(format!("refs/heads/h{number}")), format!("{sha}\n")).expect("a file");
    }
    let header = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    let mut names: Vec<_> = (0..pulls).map(|number| format!("{sha} refs/pull/{number}/head\n")).collect();
    names.sort_unstable();
    let all = header.clone() + &names.concat();
    put(&path.join("packed-refs"), &all);
    let pack = |_| {
        for number in 0..pulls {
            fs::create_dir_all(pull(number).parent().expect("a folder")).expect("a folder");
            put(&pull(number), &format!("{sha}\n"));
        }
        put(&path.join("packed-refs"), &header);
        thread::sleep(Duration::from_millis(3));
        put(&path.join("packed-refs"), &all);
        for number in 0..pulls {
            fs::remove_file(pull(number)).expect("a file");
            fs::remove_dir(pull(number).parent().expect("a folder")).expect("a folder");
        }
        thread::sleep(Duration::from_millis(15));
    };
    beside(pack, |begun| {
        let opened = LocalRepository::InPlace(path.clone()).open().expect("a repository");
        let mut listings = 0;
        while listings < 200 || !begun.load(Ordering::Relaxed) {
            match list_refs(
                &opened,
                &Graph::empty(),
                &keytrail_domain::ref_selection::RefSelection::default(),
                MAX_REFS,
            ) {
                Ok(list) => {
                    assert_eq!((list.refs.len(), list.broken), (HEADS + pulls + 1, 0), "after {listings} listings");
                    listings += 1;
                }
                // They are packed nearly without a pause here; a run would try again later.
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    });
}
