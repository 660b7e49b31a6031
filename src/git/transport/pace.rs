//! Whether a fetch still moves, and fast enough. Asked by both transports; it only counts.

use std::time::{Duration, Instant};

use super::{FetchRequest, FetchSource, LEAST_OF_A_WINDOW, SLOWEST_BYTES};
use crate::git::remote::RemoteTrouble;

/// Before objects come, any word is progress, within a time for all questions together; then only [`SLOWEST_BYTES`] of
/// objects are, and [`LEAST_OF_A_WINDOW`] in each window.
pub(super) struct Pace {
    silence: Duration,
    window: Duration,
    /// How long servers may be asked before objects come. A folder of this machine may take its time.
    asking: Option<Duration>,
    /// How long questions before this one took.
    asked: Duration,
    bytes: u64,
    progressed: Instant,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Asking { since: Instant },
    Coming { since: Instant, before: u64 },
    Came,
}

impl Pace {
    pub(super) fn new(request: &FetchRequest<'_>) -> Self {
        let asking = match request.source {
            FetchSource::Remote(remote) => Some(remote.limits.listing),
            FetchSource::Local(_) => None,
        };
        Self::of(request.limits.silence, request.limits.window, asking)
    }

    fn of(silence: Duration, window: Duration, asking: Option<Duration>) -> Self {
        let now = Instant::now();
        let (asked, stage) = (Duration::ZERO, Stage::Asking { since: now });
        Self { silence, window, asking, asked, bytes: 0, progressed: now, stage }
    }

    /// Another question is asked.
    pub(super) fn ask(&mut self) {
        self.word();
        self.stage = Stage::Asking { since: Instant::now() };
    }

    /// So long it was waited for a place at the host, which is not the server's fault. It has said something since.
    pub(super) fn waited(&mut self, waited: Duration) {
        self.word();
        if let Stage::Asking { since } = &mut self.stage {
            *since += waited;
        }
    }

    /// Something was said.
    pub(super) fn word(&mut self) {
        self.progressed = Instant::now();
    }

    /// The first bytes of objects are there.
    pub(super) fn begin(&mut self) {
        if let Stage::Asking { since } = self.stage {
            self.asked += since.elapsed();
            self.stage = Stage::Coming { since: Instant::now(), before: self.bytes };
        }
    }

    /// All objects came; what is done now is done on this machine.
    pub(super) fn end(&mut self) {
        self.stage = Stage::Came;
    }

    /// So many bytes of objects came until now; whether these are enough to count.
    pub(super) fn bytes(&mut self, received: u64) -> bool {
        if let Stage::Coming { before, .. } = self.stage
            && received >= before + LEAST_OF_A_WINDOW
        {
            self.stage = Stage::Coming { since: Instant::now(), before: received };
        }
        let enough = received >= self.bytes + SLOWEST_BYTES;
        if enough {
            self.bytes = received;
            self.word();
        }
        enough
    }

    /// How long to wait for the next word at most.
    pub(super) fn patience(&self) -> Duration {
        let left = match (self.stage, self.asking) {
            (Stage::Asking { since }, Some(asking)) => asking.saturating_sub(self.asked + since.elapsed()),
            (Stage::Coming { since, .. }, Some(_)) => self.window.saturating_sub(since.elapsed()),
            (Stage::Asking { .. } | Stage::Coming { .. } | Stage::Came, _) => self.silence,
        };
        left.min(self.silence)
    }

    /// What is wrong with it.
    pub(super) fn trouble(&self) -> Option<RemoteTrouble> {
        if self.progressed.elapsed() > self.silence {
            return Some(RemoteTrouble::Silent);
        }
        let asking = self.asking?;
        match self.stage {
            Stage::Asking { since } if self.asked + since.elapsed() > asking => {
                Some(RemoteTrouble::SlowToSend { bound: asking })
            }
            Stage::Coming { since, .. } if since.elapsed() > self.window => {
                Some(RemoteTrouble::Trickles { bytes: LEAST_OF_A_WINDOW, window: self.window })
            }
            Stage::Asking { .. } | Stage::Coming { .. } | Stage::Came => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn later(pace: &Pace) -> Option<RemoteTrouble> {
        std::thread::sleep(Duration::from_millis(2));
        pace.trouble()
    }

    #[test]
    fn no_word_gives_a_server_more_time_before_objects_come() {
        let mut pace = Pace::of(LONG, LONG, Some(Duration::ZERO));
        pace.word();
        let slow = Some(RemoteTrouble::SlowToSend { bound: Duration::ZERO });
        assert_eq!((later(&pace), pace.patience()), (slow.clone(), Duration::ZERO));
        pace.begin();
        assert_eq!(later(&pace), None);
        pace.ask();
        assert_eq!(later(&pace), slow, "what questions took is added up");
    }

    #[test]
    fn a_wait_for_a_place_at_the_host_is_no_part_of_it() {
        let mut pace = Pace::of(LONG, LONG, Some(Duration::ZERO));
        assert!(later(&pace).is_some());
        pace.waited(LONG);
        assert_eq!(later(&pace), None);
    }

    #[test]
    fn too_few_objects_in_a_window_are_a_trickle_until_all_came() {
        let mut pace = Pace::of(LONG, Duration::ZERO, Some(LONG));
        assert_eq!(later(&pace), None, "no objects are due yet");
        pace.begin();
        pace.bytes(LEAST_OF_A_WINDOW - 1);
        assert!(matches!(later(&pace), Some(RemoteTrouble::Trickles { .. })));
        pace.window = LONG;
        pace.bytes(LEAST_OF_A_WINDOW);
        assert!(matches!(pace.stage, Stage::Coming { before: LEAST_OF_A_WINDOW, .. }), "the next window begins");
        pace.window = Duration::ZERO;
        pace.end();
        assert_eq!(later(&pace), None);
    }

    #[test]
    fn a_folder_of_this_machine_may_take_its_time() {
        let mut pace = Pace::of(LONG, Duration::ZERO, None);
        assert_eq!(later(&pace), None);
        pace.begin();
        assert_eq!((later(&pace), pace.patience()), (None, LONG));
    }
}
