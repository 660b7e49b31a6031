//! A walk that is stopped ends at once, in every phase.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    super::{discover::discover, order::order},
    *,
};

fn all_refs(repository: &OpenedRepository) -> RefList {
    list_refs(repository, &Graph::empty(), &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
        .expect("refs")
}

/// A walk from these refs through everything.
fn whole<'a>(refs: &'a RefList, known: &'a Graph, cancel: &'a AtomicBool, progress: &'a Progress) -> WalkRequest<'a> {
    WalkRequest { refs, known, after: None, identify: &identify, cancel, progress, bounds: Bounds::default() }
}

/// Walks, and wishes the end when it first asks who somebody is: where that leaves it, and how often it asked.
fn stopped_at_the_first_person(path: &Path, bounds: Bounds) -> (Progress, usize) {
    let repository = open(path);
    let (refs, known) = (all_refs(&repository), Graph::empty());
    let (cancel, progress, asked) = (AtomicBool::new(false), Progress::default(), AtomicUsize::new(0));
    let wishing = |email: &[u8]| {
        asked.fetch_add(1, Ordering::Relaxed);
        cancel.store(true, Ordering::Relaxed);
        identify(email)
    };
    let request = WalkRequest { identify: &wishing, bounds, ..whole(&refs, &known, &cancel, &progress) };
    let result = walk(&repository, &request, &mut |_| panic!("nothing is emitted after the wish"));
    assert!(matches!(result, Err(GitError::Cancelled)));
    (progress, asked.into_inner())
}

#[test]
fn the_wish_to_stop_is_met_in_every_phase() {
    let (_folder, repository) = generated(&Shape { commits: 20_000, ..Shape::default() });
    let opened = open(&repository.path);
    let (refs, known) = (all_refs(&opened), Graph::empty());

    let (cancel, progress) = (AtomicBool::new(true), Progress::default());
    let request = whole(&refs, &known, &cancel, &progress);
    let result = walk(&opened, &request, &mut |_| panic!("it was not to begin"));
    assert!(matches!(result, Err(GitError::Cancelled)));
    assert_eq!((progress.phase(), progress.seen(), progress.objects_read()), (Phase::Discovering, 0, 0));

    // What is read is told by the hundred, and it does not come so far.
    let alone = Bounds { workers: NonZeroUsize::MIN, ..Bounds::default() };
    let (progress, asked) = stopped_at_the_first_person(&repository.path, alone);
    assert_eq!((progress.phase(), progress.seen(), asked), (Phase::Discovering, 0, 1));
    let (progress, _) = stopped_at_the_first_person(&repository.path, Bounds::default());
    assert_eq!(progress.phase(), Phase::Discovering, "the other reader stops, too");

    let (cancel, progress) = (AtomicBool::new(false), Progress::default());
    let request = whole(&refs, &known, &cancel, &progress);
    let discovered = discover(&opened, &request).expect("nobody wished it");
    cancel.store(true, Ordering::Relaxed);
    assert!(matches!(order(discovered, &request), Err(GitError::Cancelled)));

    // Where nothing is held, each commit is read again when its turn comes.
    let (progress, asked) = stopped_at_the_first_person(&repository.path, Bounds { record_bytes: 0, ..alone });
    assert_eq!((progress.phase(), progress.emitted(), asked), (Phase::Emitting, 0, 1));

    let (cancel, progress) = (AtomicBool::new(false), Progress::default());
    let bounds = Bounds { batch_commits: 1, ..Bounds::default() };
    let request = WalkRequest { bounds, ..whole(&refs, &known, &cancel, &progress) };
    let mut received = 0;
    let result = walk(&opened, &request, &mut |_| {
        received += 1;
        cancel.store(received == 3, Ordering::Relaxed);
        Ok(())
    });
    assert!(matches!(result, Err(GitError::Cancelled)));
    assert_eq!((progress.phase(), received), (Phase::Emitting, 3));
}

#[test]
fn a_receiver_that_wants_no_more_ends_the_walk() {
    let (_folder, repository) = generated(&Shape::default());
    let opened = open(&repository.path);
    let (refs, known) = (all_refs(&opened), Graph::empty());
    let (cancel, progress) = (AtomicBool::new(false), Progress::default());
    let request = WalkRequest { bounds: small_batches(), ..whole(&refs, &known, &cancel, &progress) };
    let mut received = 0;
    let result = walk(&opened, &request, &mut |_| {
        received += 1;
        if received == 3 { Err(Stop) } else { Ok(()) }
    });
    assert!(matches!(result, Err(GitError::Cancelled)));
    assert_eq!(received, 3);
    assert_eq!(GitError::Cancelled.failure_code(), None);
}
