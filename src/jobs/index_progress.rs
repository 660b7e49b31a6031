//! How far an index run is, as the API shows it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::git::{
    self, Phase,
    transport::{FetchPhase, FetchProgress},
};

/// What the parts of a run tell while they work.
#[derive(Debug, Default)]
pub(super) struct IndexProgress {
    pub(super) fetching: FetchProgress,
    /// What is walked only to be remembered on this machine: the log knows it.
    pub(super) catching_up: git::Progress,
    pub(super) walking: git::Progress,
    /// What was being done when somebody asked last, and when that was first so.
    since: Mutex<Option<(&'static str, Instant)>>,
}

/// What is left is told from what was done in at least this time.
const HONEST_AFTER: Duration = Duration::from_secs(2);
/// And when at least one part of so many was done.
const HONEST_PART: u64 = 50;

/// How far a run is. Zero totals are not known yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgressNow {
    /// What is being done, in a word: `listing`, `fetching`, `catching_up`, `discovering`, `ordering`, `recording`,
    /// `done`.
    pub phase: String,
    /// Objects that were fetched; of a folder that is copied those that were found, until all are.
    pub objects: u64,
    /// Objects that are to be fetched.
    pub objects_total: u64,
    /// Bytes that were fetched.
    pub bytes: u64,
    /// Commits looked at.
    pub commits: u64,
    /// Of these, with candidates.
    pub keyed: u64,
    /// Commits recorded or passed by.
    pub recorded: u64,
    /// Commits in all, once it is known.
    pub total: u64,
    /// Seconds that what is being done takes from now on, if it goes on as fast; nothing while that is a guess.
    pub eta_seconds: Option<u64>,
}

impl IndexProgress {
    /// As it is now.
    pub(super) fn now(&self) -> ProgressNow {
        let fetching = &self.fetching;
        let catches_up =
            self.walking.phase() == Phase::Waiting && !matches!(self.catching_up.phase(), Phase::Waiting | Phase::Done);
        let (phase, walking) = match catches_up {
            true => ("catching_up", &self.catching_up),
            false => (phase(fetching.phase(), self.walking.phase()), &self.walking),
        };
        let (done, all) = match phase {
            "fetching" if fetching.phase() == FetchPhase::Receiving => (fetching.objects(), fetching.total()),
            "recording" => (walking.emitted(), walking.total()),
            // How much there is to list, to discover and to order is known only when it is done.
            _ => (0, 0),
        };
        ProgressNow {
            phase: phase.to_owned(),
            eta_seconds: eta(self.in_phase(phase), done, all),
            objects: fetching.objects(),
            objects_total: fetching.total(),
            bytes: fetching.bytes(),
            commits: walking.seen(),
            keyed: walking.keyed(),
            recorded: walking.emitted(),
            total: walking.total(),
        }
    }

    /// How often the run got on: where this stays, it hangs or waits.
    pub(super) fn steps(&self) -> u64 {
        let walks = [&self.catching_up, &self.walking].map(|walk| walk.phase() as u64 + walk.seen() + walk.emitted());
        self.fetching.count() + walks.iter().sum::<u64>()
    }

    /// Whether the repository may be being read. To put commits in order is to think, and makes no step.
    pub(super) fn is_reading(&self) -> bool {
        ![&self.catching_up, &self.walking].iter().any(|walk| walk.phase() == Phase::Ordering)
    }

    /// How long this has been done. The worker asks every second.
    fn in_phase(&self, phase: &'static str) -> Duration {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match *since {
            Some((same, began)) if same == phase => began.elapsed(),
            _ => {
                *since = Some((phase, Instant::now()));
                Duration::ZERO
            }
        }
    }
}

/// Seconds until all is done, when enough was done to tell.
fn eta(elapsed: Duration, done: u64, all: u64) -> Option<u64> {
    if elapsed < HONEST_AFTER || done > all || done.saturating_mul(HONEST_PART) < all || done == 0 {
        return None;
    }
    Some((elapsed.as_secs_f64() * (all - done) as f64 / done as f64).ceil() as u64)
}

const fn phase(fetching: FetchPhase, walking: Phase) -> &'static str {
    match (walking, fetching) {
        (Phase::Waiting, FetchPhase::Waiting) => "listing",
        // What was fetched is looked through next.
        (Phase::Waiting, FetchPhase::Done) => "discovering",
        (Phase::Waiting, _) => "fetching",
        (Phase::Discovering, _) => "discovering",
        (Phase::Ordering, _) => "ordering",
        (Phase::Emitting, _) => "recording",
        (Phase::Done, _) => "done",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_when_enough_was_done() {
        let second = Duration::from_secs(1);
        assert_eq!(eta(second * 10, 100, 1_100), Some(100));
        assert_eq!(eta(second * 10, 1_000, 1_000), Some(0));
        for (elapsed, done, all) in [(1, 500, 1_000), (60, 0, 1_000), (60, 19, 1_000), (60, 0, 0), (60, 5, 0)] {
            assert_eq!(eta(second * elapsed, done, all), None, "{elapsed} {done} {all}");
        }
    }

    #[test]
    fn what_fetches_or_records_says_when_it_ends_and_what_lists_discovers_or_orders_cannot() {
        let progress = IndexProgress::default();
        let long_ago = Instant::now() - Duration::from_secs(60);
        let at = |phase: &'static str| {
            *progress.since.lock().expect("nobody panics") = Some((phase, long_ago));
            let now = progress.now();
            assert_eq!(now.phase, phase);
            now.eta_seconds
        };
        assert_eq!(at("listing"), None);
        progress.fetching.enter(FetchPhase::Receiving);
        progress.fetching.set_objects(900, 1_000);
        assert!(at("fetching").is_some_and(|seconds| (6..=8).contains(&seconds)));
        progress.fetching.enter(FetchPhase::Done);
        assert_eq!(at("discovering"), None, "though all objects are here");
        progress.walking.enter(Phase::Ordering);
        assert_eq!(at("ordering"), None);
        progress.walking.set_total(1_000);
        progress.walking.set_emitted(900);
        progress.walking.enter(Phase::Emitting);
        assert!(at("recording").is_some_and(|seconds| (6..=8).contains(&seconds)));
    }

    #[test]
    fn what_is_only_remembered_is_a_phase_of_its_own_until_the_walk_begins() {
        let progress = IndexProgress::default();
        progress.fetching.enter(FetchPhase::Done);
        progress.catching_up.enter(Phase::Discovering);
        assert_eq!(progress.now().phase, "catching_up");
        progress.catching_up.enter(Phase::Done);
        assert_eq!(progress.now().phase, "discovering");
        progress.catching_up.enter(Phase::Ordering);
        progress.walking.enter(Phase::Ordering);
        assert_eq!(progress.now().phase, "ordering");
    }

    #[test]
    fn whatever_gets_on_is_a_step_and_to_order_is_not_to_read() {
        let progress = IndexProgress::default();
        let mut before = progress.steps();
        assert_eq!(before, 0, "nothing was done");
        let acts: [&dyn Fn(); 6] = [
            &|| progress.fetching.steps().step(),
            &|| progress.fetching.enter(FetchPhase::Receiving),
            &|| progress.fetching.set_objects(1, 10),
            &|| progress.catching_up.enter(Phase::Discovering),
            &|| progress.catching_up.enter(Phase::Done),
            &|| progress.walking.enter(Phase::Discovering),
        ];
        for act in acts {
            act();
            let now = progress.steps();
            assert!(now > before && progress.is_reading());
            before = now;
        }
        progress.walking.enter(Phase::Ordering);
        assert!(!progress.is_reading());
        progress.walking.enter(Phase::Emitting);
        assert!(progress.is_reading());
    }

    #[test]
    fn each_phase_is_timed_from_its_own_beginning() {
        let progress = IndexProgress::default();
        assert_eq!(progress.now().phase, "listing");
        let before = progress.since.lock().expect("nobody panics").expect("it was asked").1;
        assert_eq!(progress.now().phase, "listing");
        assert_eq!(progress.since.lock().expect("nobody panics").expect("it was asked"), ("listing", before));
        assert_eq!(progress.in_phase("fetching"), Duration::ZERO);
    }
}
