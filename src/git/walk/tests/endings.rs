//! A walk that is stopped ends at once, in every phase.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::*;

/// Walks until `phase` is reached, wishes the end, and measures how long it takes.
fn stopped_in(phase: Phase, path: &Path) -> (Result<Walked, GitError>, Duration) {
    let repository = open(path);
    let known = Graph::empty();
    let refs = list_refs(&repository, &known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS)
        .expect("refs");
    let (cancel, progress) = (AtomicBool::new(false), Progress::default());
    let request = WalkRequest {
        refs: &refs,
        known: &known,
        after: None,
        identify: &identify,
        cancel: &cancel,
        progress: &progress,
        bounds: Bounds { batch_commits: 1, ..Bounds::default() },
    };
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while progress.phase() < phase {
                std::thread::yield_now();
            }
            cancel.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let result = walk(&repository, &request, &mut |_| {
            std::thread::sleep(Duration::from_millis(1));
            Ok(())
        });
        let ended = Instant::now();
        (result, ended.saturating_duration_since(watcher.join().expect("it only watches")))
    })
}

#[test]
fn the_wish_to_stop_is_met_in_every_phase() {
    let (_folder, repository) = generated(&Shape { commits: 60_000, ..Shape::default() });
    for phase in [Phase::Waiting, Phase::Discovering, Phase::Ordering, Phase::Emitting] {
        let (result, took) = stopped_in(phase, &repository.path);
        assert!(matches!(result, Err(GitError::Cancelled)), "{phase:?}");
        // Some milliseconds in a release build; the machine of a test may be busy.
        assert!(took < Duration::from_millis(500), "{phase:?} took {took:?}");
    }
}

#[test]
fn a_receiver_that_wants_no_more_ends_the_walk() {
    let (_folder, repository) = generated(&Shape::default());
    let opened = open(&repository.path);
    let known = Graph::empty();
    let refs =
        list_refs(&opened, &known, &keytrail_domain::ref_selection::RefSelection::default(), MAX_REFS).expect("refs");
    let request = WalkRequest {
        refs: &refs,
        known: &known,
        after: None,
        identify: &identify,
        cancel: &AtomicBool::new(false),
        progress: &Progress::default(),
        bounds: small_batches(),
    };
    let mut received = 0;
    let result = walk(&opened, &request, &mut |_| {
        received += 1;
        if received == 3 { Err(Stop) } else { Ok(()) }
    });
    assert!(matches!(result, Err(GitError::Cancelled)));
    assert_eq!(received, 3);
    assert_eq!(GitError::Cancelled.failure_code(), None);
}
