//! Writes a pack and its index into a mirror, by libgit2. Called on a thread that may be busy for a while. What is not
//! finished leaves nothing behind.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::git::{
    GitError,
    transport::{
        FetchError, FetchLimits, FetchPhase, FetchProgress,
        fetch::{Brought, FetchRequest},
        room,
    },
};

/// How many bytes come between two looks at the free room.
const LOOK_EVERY: u64 = 8 * 1024 * 1024;

/// What the thread that writes and the task that asks know of each other.
pub(super) struct Shared {
    /// Nobody wants it any more.
    pub(super) stop: AtomicBool,
    pub(super) limits: FetchLimits,
    mirror: PathBuf,
    received: AtomicU64,
    objects: AtomicU64,
    total: AtomicU64,
    resolving: AtomicBool,
}

impl Shared {
    pub(super) fn new(request: &FetchRequest<'_>) -> Self {
        Self {
            stop: AtomicBool::new(false),
            limits: request.limits,
            mirror: request.mirror.path().to_owned(),
            received: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            total: AtomicU64::new(0),
            resolving: AtomicBool::new(false),
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn check_stop(&self) -> Result<(), GitError> {
        if self.stop.load(Ordering::Relaxed) { Err(GitError::Cancelled) } else { Ok(()) }
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
        room::check_quota(received, &self.limits)?;
        if before / LOOK_EVERY != received / LOOK_EVERY {
            room::check_free(&self.mirror, &self.limits)?;
        }
        Ok(())
    }
}

/// A pack that is being written.
pub(super) struct PackSink<'a> {
    indexer: git2::Indexer<'a>,
    /// Objects and bytes of packs that this fetch brought before.
    before: (u64, u64),
    /// The indexer looks into it until its own end, and does not hold it: it stands behind.
    _objects: git2::Odb<'a>,
    shared: &'a Shared,
}

impl<'a> PackSink<'a> {
    pub(super) fn new(mirror: &Path, shared: &'a Arc<Shared>) -> Result<Self, GitError> {
        let objects = mirror.join("objects");
        // Opened as objects only: a repository would bring the configuration of the user and of the machine along.
        let odb = odb(&objects)?;
        // Checked for being complete: everything that an object names is in the pack or here already.
        let mut indexer = git2::Indexer::new(Some(&odb), &objects.join("pack"), 0, true)
            .map_err(|error| GitError::transient("writing what was fetched", error))?;
        let before = (shared.total.load(Ordering::Relaxed), shared.received());
        indexer.progress(move |progress| {
            shared.objects.store(before.0 + progress.received_objects() as u64, Ordering::Relaxed);
            shared.total.store(before.0 + progress.total_objects() as u64, Ordering::Relaxed);
            let all = progress.total_objects() > 0 && progress.received_objects() == progress.total_objects();
            shared.resolving.store(all, Ordering::Relaxed);
            !shared.stop.load(Ordering::Relaxed)
        });
        Ok(Self { indexer, before, _objects: odb, shared })
    }

    /// Takes the next bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), GitError> {
        self.shared.take_in(bytes.len())?;
        self.indexer.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Makes the pack readable.
    pub(super) fn finish(self) -> Result<Brought, GitError> {
        let Self { indexer, before, _objects: objects, shared } = self;
        if shared.total.load(Ordering::Relaxed) == before.0 {
            // A server that has nothing new sends an empty pack, which needs not be kept.
            return Ok(Brought::default());
        }
        let committed = indexer.commit();
        drop(objects);
        match committed {
            Ok(_) => {
                let objects = shared.total.load(Ordering::Relaxed) - before.0;
                Ok(Brought { bytes: shared.received() - before.1, objects })
            }
            Err(error) => Err(damaged(shared, error.class())),
        }
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
        _ => FetchError::CorruptPack.into(),
    }
}

/// The objects in a folder, and in those that it names as alternates.
pub(super) fn odb<'a>(objects: &Path) -> Result<git2::Odb<'a>, GitError> {
    let opening = |error: git2::Error| GitError::transient("opening the objects", error);
    let odb = git2::Odb::new().map_err(opening)?;
    let Some(path) = objects.to_str() else {
        let reason = "its path is not valid UTF-8; rename the folder".to_owned();
        return Err(GitError::Denied { path: objects.to_owned(), reason });
    };
    odb.add_disk_alternate(path).map_err(opening)?;
    Ok(odb)
}
