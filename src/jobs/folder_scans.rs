//! Scans of tracked folders: one at a file system at a time, and none is waited for that gets nowhere. So a share that hangs
//! holds one thread, and no worker for longer than its patience. Called by whoever discovers repositories.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{JobError, mounts::Mounts};
use crate::git::folder_scan::ScanWatch;

/// How long a scan waits for the one before it.
const TURN: Duration = Duration::from_secs(5);
/// How often it is looked whether a scan gets anywhere.
const LOOK: Duration = Duration::from_millis(500);

/// The scans of this node.
#[derive(Debug, Default)]
pub(super) struct FolderScans(Mutex<HashMap<Arc<str>, Arc<Semaphore>>>);

impl FolderScans {
    /// Scans the folder at this path on a thread of its own, which may hang for ever. It is given up when it made no step
    /// for as long as `patience`, and when the server stops.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        path: &Path,
        patience: Duration,
        stop: &CancellationToken,
        scan: impl FnOnce(&ScanWatch) -> R + Send + 'static,
    ) -> Result<R, JobError> {
        self.run_within(TURN.min(patience), path, patience, stop, scan).await
    }

    async fn run_within<R: Send + 'static>(
        &self,
        turn: Duration,
        path: &Path,
        patience: Duration,
        stop: &CancellationToken,
        scan: impl FnOnce(&ScanWatch) -> R + Send + 'static,
    ) -> Result<R, JobError> {
        let place = Mounts::lately().of(path);
        let turns = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(place.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let Ok(Ok(alone)) = tokio::time::timeout(turn, turns.acquire_owned()).await else {
            return Err(JobError::Later(format!("another folder of the file system at {place} is being looked at")));
        };
        let watch = Arc::new(ScanWatch::default());
        let mut scanning = tokio::task::spawn_blocking({
            let watch = watch.clone();
            move || {
                // As long as the thread hangs, and not only as long as somebody waits.
                let _alone = alone;
                scan(&watch)
            }
        });
        let (mut steps, mut since) = (0, Instant::now());
        loop {
            tokio::select! {
                ended = &mut scanning => return Ok(ended?),
                () = tokio::time::sleep(LOOK.min(patience)) => {}
                () = stop.cancelled() => {
                    watch.cancel.store(true, Ordering::Relaxed);
                    return Err(JobError::Left);
                }
            }
            let now = watch.steps.load(Ordering::Relaxed);
            if now != steps {
                (steps, since) = (now, Instant::now());
            } else if since.elapsed() >= patience {
                watch.cancel.store(true, Ordering::Relaxed);
                let seconds = patience.as_secs();
                return Err(JobError::Later(format!(
                    "the file system at {place} has not answered for {seconds} seconds"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(600);

    async fn scan<R: Send + 'static>(
        scans: &FolderScans,
        path: &str,
        patience: Duration,
        scan: impl FnOnce(&ScanWatch) -> R + Send + 'static,
    ) -> Result<R, JobError> {
        scans.run_within(MOMENT, Path::new(path), patience, &CancellationToken::new(), scan).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_system_that_hangs_holds_one_thread_and_nobody_who_looks_elsewhere() {
        let scans = FolderScans::default();
        let (release, held) = mpsc::channel::<()>();
        let hangs = move |_: &ScanWatch| held.recv().is_ok();
        let error = scan(&scans, "/proc/one", MOMENT, hangs).await.expect_err("it gets nowhere");
        assert!(matches!(&error, JobError::Later(why) if why.contains("/proc")), "{error:?}");
        for _ in 0..3 {
            let waits = scan(&scans, "/proc/two", LONG, |_| panic!("the thread before it hangs still")).await;
            assert!(matches!(waits, Err(JobError::Later(_))), "{waits:?}");
        }
        assert!(matches!(scan(&scans, "/no such folder", LONG, |_| 7).await, Ok(7)));
        release.send(()).expect("it is waited for");
        // The thread needs a moment to end.
        while scan(&scans, "/proc/two", LONG, |_| ()).await.is_err() {}
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_scan_that_gets_on_is_waited_for_however_long_it_takes() {
        let scans = FolderScans::default();
        let steps = |watch: &ScanWatch| {
            for _ in 0..20 {
                std::thread::sleep(MOMENT);
                watch.step();
            }
            watch.cancel.load(Ordering::Relaxed)
        };
        assert!(matches!(scan(&scans, "/proc/one", 10 * MOMENT, steps).await, Ok(false)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_that_stops_waits_for_no_scan() {
        let (scans, stop) = (FolderScans::default(), CancellationToken::new());
        stop.cancel();
        let (release, held) = mpsc::channel::<()>();
        let hangs = move |_: &ScanWatch| held.recv().is_ok();
        let left = scans.run(Path::new("/proc/one"), LONG, &stop, hangs).await;
        assert!(matches!(left, Err(JobError::Left)), "{left:?}");
        drop(release);
    }
}
