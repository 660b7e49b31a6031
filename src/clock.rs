//! The wall clock. Nothing else reads it; tests hand in one that stands still.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use keytrail_domain::timestamp::Timestamp;

/// Tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// One that is set by hand; for tests.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// One that stands at `at` until it is set.
    pub fn fixed(at: Timestamp) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(at.0)))
    }

    /// Now. A machine's clock before 1970 counts as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Fixed(at) => Timestamp(at.load(Ordering::Relaxed)),
        }
    }
}
