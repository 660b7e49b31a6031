//! When something is looked at next: sooner where something happens, later and later where nothing does.

use std::time::Duration;

use tokio::time::Instant;

/// When something is looked at next.
pub(super) struct Timer {
    pub(super) due: Instant,
    pause: Duration,
    /// A look goes on.
    pub(super) busy: bool,
}

impl Timer {
    /// The first look is soon, and not at all of them at once.
    pub(super) fn new(shortest: Duration, seed: u8) -> Self {
        let spread = shortest.mul_f64(f64::from(seed) / 256.0);
        Self { due: Instant::now() + spread, pause: shortest, busy: false }
    }

    /// After a look: sooner again where something happened, later and later where nothing does.
    pub(super) fn rest(&mut self, happened: bool, at_least: Duration, shortest: Duration, longest: Duration) {
        self.pause = if happened { shortest } else { self.pause.mul_f64(1.5).clamp(shortest, longest) };
        self.due = Instant::now() + self.pause.max(at_least);
        self.busy = false;
    }

    /// Something happened: it is looked at within this time, and the pauses begin anew.
    pub(super) fn hurry(&mut self, within: Duration) {
        self.pause = within;
        self.due = self.due.min(Instant::now() + within);
    }
}
