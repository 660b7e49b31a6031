//! How often work on a file system got on. Told by what reads there, looked at by who waits for it: a share whose server is
//! away answers nothing, and what reads from it makes no step. It decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter of steps. What may hang holds it for as long as it works, so that who keeps a weak pointer to it knows whether
/// anything hangs still.
#[derive(Debug, Default)]
pub struct Steps(AtomicU64);

impl Steps {
    /// It got on.
    pub fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it did.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
