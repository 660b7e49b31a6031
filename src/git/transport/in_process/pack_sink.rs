//! Writes a pack and its index, by libgit2, within bounds of memory, room and quota. Called on a thread that may be busy
//! for a while. What is not finished or not complete leaves nothing behind.

use std::{
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use keytrail_domain::index_run::batch::CommitSha;

use super::{incoming::Incoming, pack_gauge::PackGauge};
use crate::git::{
    GitError, Mirror, Steps,
    transport::{
        FetchError, FetchLimits, FetchPhase, FetchProgress,
        fetch::{FetchRequest, Fetched},
        room,
    },
};

/// How many bytes come between two looks at the free room.
const LOOK_EVERY: u64 = 8 * 1024 * 1024;

/// What the thread that writes and the task that asks know of each other.
pub(super) struct Shared {
    /// Nobody wants it any more.
    stop: AtomicBool,
    /// Held while it stops, and while packs become the mirror's: nothing does after that.
    taking_in: Mutex<()>,
    pub(super) limits: FetchLimits,
    mirror: PathBuf,
    received: AtomicU64,
    objects: AtomicU64,
    total: AtomicU64,
    resolving: AtomicBool,
    steps: Arc<Steps>,
}

impl Shared {
    pub(super) fn new(request: &FetchRequest<'_>) -> Self {
        Self {
            stop: AtomicBool::new(false),
            taking_in: Mutex::new(()),
            limits: request.limits,
            mirror: request.mirror.path().to_owned(),
            received: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            total: AtomicU64::new(0),
            resolving: AtomicBool::new(false),
            steps: request.progress.steps().clone(),
        }
    }

    /// Whoever works for the fetch tells these that it gets on.
    pub(super) fn steps(&self) -> &Steps {
        &self.steps
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Nothing becomes the mirror's from now on.
    pub(super) fn stop(&self) {
        let _nothing_is_taken_in = self.taking_in.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// While it is held nobody stops.
    pub(super) fn still_wanted(&self) -> Result<MutexGuard<'_, ()>, GitError> {
        let held = self.taking_in.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_stop().map(|()| held)
    }

    pub(super) fn check_stop(&self) -> Result<(), GitError> {
        if self.stop.load(Ordering::Relaxed) { Err(GitError::Cancelled) } else { Ok(()) }
    }

    /// So many objects are known to be new; how many there are in all is not known yet.
    pub(super) fn found(&self, objects: usize) {
        self.objects.store(objects as u64, Ordering::Relaxed);
    }

    /// Tells a person how far it is.
    pub(super) fn tell(&self, progress: &FetchProgress) {
        let received = self.received();
        progress.set_objects(self.objects.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        progress.set_bytes(received);
        if self.resolving.load(Ordering::Relaxed) {
            progress.enter(FetchPhase::Resolving);
        } else if received > 0 {
            progress.enter(FetchPhase::Receiving);
        }
    }

    fn take_in(&self, bytes: usize) -> Result<(), GitError> {
        let before = self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        let received = before + bytes as u64;
        self.check_stop()?;
        room::check_quota(received, self.limits.quota_bytes)?;
        if before / LOOK_EVERY != received / LOOK_EVERY {
            room::check_free(&self.mirror, self.limits.free_bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
impl Shared {
    /// Of a fetch into this mirror that nobody waits for.
    pub(super) fn alone(mirror: &Mirror) -> Self {
        use crate::git::transport::{LocalRepository, fetch::FetchSource};

        Self::new(&FetchRequest {
            mirror,
            source: FetchSource::Local(&LocalRepository::InPlace(PathBuf::new())),
            wanted: &[],
            program: None,
            limits: FetchLimits::default(),
            beside: 0,
            progress: &FetchProgress::default(),
            cancel: &AtomicBool::new(false),
        })
    }
}

/// A pack that is being written.
pub(super) struct PackSink<'a> {
    gauge: PackGauge,
    indexer: git2::Indexer<'a>,
    incoming: Incoming,
    /// Objects and bytes of packs that this fetch brought before.
    before: (u64, u64),
    shared: &'a Shared,
}

impl<'a> PackSink<'a> {
    pub(super) fn new(mirror: &Mirror, shared: &'a Arc<Shared>) -> Result<Self, GitError> {
        let incoming = Incoming::make(mirror)?;
        // It sees no other objects, and does not look into these: a pack stands alone, since differences to what is
        // here already are not asked for, and to look would hold each object whole.
        let mut indexer = git2::Indexer::new(None, &incoming.packs(), 0, false)
            .map_err(|error| GitError::transient("writing what was fetched", error))?;
        let before = (shared.total.load(Ordering::Relaxed), shared.received());
        indexer.progress(move |progress| {
            shared.steps.step();
            shared.objects.store(before.0 + progress.received_objects() as u64, Ordering::Relaxed);
            shared.total.store(before.0 + progress.total_objects() as u64, Ordering::Relaxed);
            let all = progress.total_objects() > 0 && progress.received_objects() == progress.total_objects();
            shared.resolving.store(all, Ordering::Relaxed);
            !shared.stop.load(Ordering::Relaxed)
        });
        Ok(Self { gauge: PackGauge::new(shared.limits.memory_bytes), indexer, incoming, before, shared })
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.shared.take_in(bytes.len())?;
        self.gauge.look(bytes)?;
        self.indexer.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Makes the pack the mirror's, when all is there that these tips lead to.
    pub(super) fn finish(self, tips: &[CommitSha]) -> Result<Fetched, GitError> {
        let Self { indexer, incoming, before, shared, .. } = self;
        let objects = shared.total.load(Ordering::Relaxed) - before.0;
        if objects == 0 {
            // A server that has nothing new sends an empty pack, which needs not be kept.
            return Ok(Fetched::default());
        }
        indexer.commit().map_err(|error| damaged(shared, error.class()))?;
        incoming.accept(tips, shared)?;
        Ok(Fetched { bytes: shared.received() - before.1, objects })
    }

    fn failed(&self, error: std::io::Error) -> GitError {
        if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
            return FetchError::DiskFull.into();
        }
        damaged(self.shared, git2::ErrorClass::Indexer)
    }
}

fn damaged(shared: &Shared, class: git2::ErrorClass) -> GitError {
    if let Err(stopped) = shared.check_stop() {
        return stopped;
    }
    match class {
        git2::ErrorClass::Os => {
            GitError::transient("writing what was fetched", std::io::Error::other("the disk failed"))
        }
        git2::ErrorClass::NoMemory => room::over_memory(shared.limits.memory_bytes).into(),
        _ => FetchError::CorruptPack.into(),
    }
}
