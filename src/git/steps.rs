//! How often work on a file system got on. Told by what reads there, looked at by who waits for it: a share whose server is
//! away answers nothing, and what reads from it makes no step. It decides nothing.

use std::{
    any::Any,
    sync::atomic::{AtomicU64, Ordering},
};

/// A counter of steps. What may hang holds it for as long as it works, so that who keeps a weak pointer to it knows whether
/// anything hangs still.
#[derive(Debug, Default)]
pub struct Steps {
    count: AtomicU64,
    /// Let go when nobody holds the steps any more.
    _held: Option<Box<dyn Any + Send + Sync>>,
}

impl Steps {
    /// None so far, of work that keeps this until it ends, however long it hangs.
    pub fn holding(held: impl Any + Send + Sync) -> Self {
        Self { count: AtomicU64::new(0), _held: Some(Box::new(held)) }
    }

    /// It got on.
    pub fn step(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it did.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
