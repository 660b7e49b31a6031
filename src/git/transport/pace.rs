//! Whether a fetch still moves. Asked by both transports; it only counts.

use std::time::{Duration, Instant};

use super::SLOWEST_BYTES;

/// Before objects come, any word is progress; then only [`SLOWEST_BYTES`] of objects are.
pub(super) struct Pace {
    silence: Duration,
    bytes: u64,
    progressed: Instant,
}

impl Pace {
    pub(super) fn new(silence: Duration) -> Self {
        Self { silence, bytes: 0, progressed: Instant::now() }
    }

    /// Something was said.
    pub(super) fn word(&mut self) {
        self.progressed = Instant::now();
    }

    /// So many bytes of objects came until now; whether these are enough to count.
    pub(super) fn bytes(&mut self, received: u64) -> bool {
        let enough = received >= self.bytes + SLOWEST_BYTES;
        if enough {
            self.bytes = received;
            self.word();
        }
        enough
    }

    pub(super) fn is_silent(&self) -> bool {
        self.progressed.elapsed() > self.silence
    }
}
