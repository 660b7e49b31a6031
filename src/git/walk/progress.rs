//! How far a walk is. Written by the walk, read by whoever shows it; never decides anything.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// What a walk is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has not begun.
    Waiting,
    /// It reads the new commits.
    Discovering,
    /// It puts them in order.
    Ordering,
    /// It emits those with keys.
    Emitting,
    /// It is done.
    Done,
}

/// Counters that may be read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    seen: AtomicU64,
    keyed: AtomicU64,
    objects_read: AtomicU64,
    emitted: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// What the walk is doing.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Waiting,
            1 => Phase::Discovering,
            2 => Phase::Ordering,
            3 => Phase::Emitting,
            _ => Phase::Done,
        }
    }

    /// New commits that were read.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// New commits with keys that were read.
    pub fn keyed(&self) -> u64 {
        self.keyed.load(Ordering::Relaxed)
    }

    /// Objects that were read.
    pub fn objects_read(&self) -> u64 {
        self.objects_read.load(Ordering::Relaxed)
    }

    /// New commits that batches stand for.
    pub fn emitted(&self) -> u64 {
        self.emitted.load(Ordering::Relaxed)
    }

    /// All new commits; 0 until they are discovered.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(super) fn add_read(&self, seen: u64, keyed: u64, objects: u64) {
        self.seen.fetch_add(seen, Ordering::Relaxed);
        self.keyed.fetch_add(keyed, Ordering::Relaxed);
        self.objects_read.fetch_add(objects, Ordering::Relaxed);
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(crate) fn set_emitted(&self, emitted: u64) {
        self.emitted.store(emitted, Ordering::Relaxed);
    }
}
