//! When something is looked at next: sooner where something happens, later and later where nothing does.

use std::time::Duration;

use tokio::time::Instant;

/// Looks that somebody asks for are so far apart at least: who pushes without end costs a host no more than this.
const APART: Duration = Duration::from_millis(500);

/// When something is looked at next.
pub(super) struct Timer {
    pub(super) due: Instant,
    pause: Duration,
    /// When the last look ended.
    looked: Option<Instant>,
    /// A look goes on.
    pub(super) busy: bool,
}

impl Timer {
    /// The first look is soon, and not at all of them at once.
    pub(super) fn new(shortest: Duration, seed: u8) -> Self {
        let spread = shortest.mul_f64(f64::from(seed) / 256.0);
        Self { due: Instant::now() + spread, pause: shortest, looked: None, busy: false }
    }

    /// After a look: sooner again where something happened, later and later where nothing does.
    pub(super) fn rest(&mut self, happened: bool, at_least: Duration, shortest: Duration, longest: Duration) {
        let now = Instant::now();
        self.pause = if happened { shortest } else { self.pause.mul_f64(1.5).clamp(shortest, longest) };
        self.due = now + self.pause.max(at_least);
        self.looked = Some(now);
        self.busy = false;
    }

    /// Somebody asks for a look: it is due now, or a moment after the last one.
    pub(super) fn ask(&mut self) {
        let now = Instant::now();
        self.due = self.due.min(self.looked.map_or(now, |at| now.max(at + APART)));
    }

    /// Something happened: it is looked at within this time, and the pauses begin anew.
    pub(super) fn hurry(&mut self, within: Duration) {
        self.pause = within;
        self.due = self.due.min(Instant::now() + within);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORTEST: Duration = Duration::from_secs(60);
    const LONGEST: Duration = Duration::from_secs(3_600);

    #[test]
    fn looks_are_rarer_where_nothing_happens_and_begin_anew_where_something_does() {
        let mut timer = Timer::new(SHORTEST, 7);
        let mut before = timer.pause;
        for _ in 0..20 {
            timer.busy = true;
            timer.rest(false, Duration::ZERO, SHORTEST, LONGEST);
            assert!(!timer.busy && (timer.pause > before || timer.pause == LONGEST), "{:?}", timer.pause);
            assert!(timer.pause <= LONGEST && timer.due <= Instant::now() + timer.pause);
            before = timer.pause;
        }
        assert_eq!(timer.pause, LONGEST);
        timer.rest(true, Duration::ZERO, SHORTEST, LONGEST);
        assert_eq!(timer.pause, SHORTEST);
        assert!(timer.due <= Instant::now() + SHORTEST, "and the look is as soon");
    }

    #[test]
    fn a_look_that_somebody_asks_for_is_at_once_and_not_on_the_heels_of_another() {
        let mut timer = Timer::new(SHORTEST, 255);
        timer.ask();
        assert!(timer.due <= Instant::now(), "nobody looked yet");
        let before = Instant::now();
        timer.rest(true, Duration::ZERO, SHORTEST, LONGEST);
        timer.ask();
        let soon = timer.due;
        assert!(soon >= before + APART && soon <= Instant::now() + APART);
        timer.ask();
        assert_eq!(timer.due, soon, "who asks again and again puts nothing off");
        timer.rest(true, Duration::ZERO, Duration::ZERO, LONGEST);
        let due = timer.due;
        timer.ask();
        assert_eq!(timer.due, due, "it is due before that anyway");
    }

    #[test]
    fn who_asks_to_be_left_alone_is_and_it_makes_no_pause_longer() {
        let mut timer = Timer::new(SHORTEST, 0);
        let earliest = Instant::now() + 10 * LONGEST;
        timer.rest(true, 10 * LONGEST, SHORTEST, LONGEST);
        assert!(timer.due >= earliest && timer.pause == SHORTEST);
        timer.hurry(Duration::from_secs(1));
        assert!(timer.due < earliest, "something happened meanwhile");
    }
}
