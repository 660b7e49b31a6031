//! How far a fetch is. Written by the transports, read by whoever shows it; never decides anything.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use crate::git::Steps;

/// What a fetch is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FetchPhase {
    /// It has not begun.
    Waiting,
    /// It asks the server, which gathers what to send.
    Asking,
    /// Objects come.
    Receiving,
    /// What came is put together on this machine.
    Resolving,
    /// It is done.
    Done,
}

/// Counters that may be read at any time.
#[derive(Debug, Default)]
pub struct FetchProgress {
    phase: AtomicU8,
    objects: AtomicU64,
    total: AtomicU64,
    bytes: AtomicU64,
    steps: Arc<Steps>,
}

impl FetchProgress {
    /// Of a fetch that nobody has begun. What it reads on this machine tells these, and holds them.
    pub fn telling(steps: &Arc<Steps>) -> Self {
        Self { steps: steps.clone(), ..Self::default() }
    }

    /// How often the fetch got on: where this stays, it hangs or waits.
    pub fn count(&self) -> u64 {
        self.steps.count() + self.phase() as u64 + self.objects() + self.bytes()
    }

    /// What the fetch is doing.
    pub fn phase(&self) -> FetchPhase {
        match self.phase.load(Ordering::Relaxed) {
            0 => FetchPhase::Waiting,
            1 => FetchPhase::Asking,
            2 => FetchPhase::Receiving,
            3 => FetchPhase::Resolving,
            _ => FetchPhase::Done,
        }
    }

    /// Objects that came.
    pub fn objects(&self) -> u64 {
        self.objects.load(Ordering::Relaxed)
    }

    /// Objects that will come; 0 until the server says so.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Bytes of objects that came.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What else tells that the fetch gets on. What reads a folder of this machine for it holds them.
    pub fn steps(&self) -> &Arc<Steps> {
        &self.steps
    }

    pub(crate) fn enter(&self, phase: FetchPhase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub(crate) fn set_objects(&self, objects: u64, total: u64) {
        self.objects.store(objects, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn set_bytes(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}
