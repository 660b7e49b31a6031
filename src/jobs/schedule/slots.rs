//! Which looks may begin, so that places which do not answer keep no others waiting. Asked by the schedule, which tells the
//! time; a place is a server, or a file system of this machine.
//!
//! The rule: of eight looks at once, two at one place, at most four are at places that did not answer within ten seconds
//! the last time (or were never asked), one at each; a look that goes on for longer counts as one of those from then on.
//! What a look waits for because of this node's own bounds is no silence of the place.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{task::Id, time::Instant};

/// Looks at once.
pub(super) const AT_ONCE: usize = 8;
/// How many of these may be at one place that answers.
pub(super) const OF_ONE_PLACE: usize = 2;
/// How many may be at places that do not: the others are kept for those that do.
pub(super) const QUIET: usize = AT_ONCE / 2;
/// Whoever takes as long as this does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// With those that were begun at places which answered, and then did not.
const MOST: usize = 4 * AT_ONCE;

/// The place at which the apps of a host are asked after: its API answers, or does not, whatever git does there, and
/// neither waits for the other.
pub(super) fn of_apps(host: &str) -> Arc<str> {
    format!("the apps of {host}").into()
}

/// How long a look has waited until now for what this node allows itself at its place.
pub(super) type Waited = Box<dyn Fn() -> Duration + Send + Sync>;

/// The looks that go on.
#[derive(Default)]
pub(super) struct Slots {
    looks: HashMap<Id, Look>,
    /// The places whose last look was over soon.
    answer: HashSet<Arc<str>>,
}

/// A look that goes on.
struct Look {
    place: Arc<str>,
    began: Instant,
    waited: Waited,
}

impl Look {
    fn is_over_long(&self, now: Instant) -> bool {
        now.duration_since(self.began).saturating_sub((self.waited)()) >= PATIENCE
    }
}

impl Slots {
    /// Whether a look at this place may begin now.
    pub(super) fn admits(&self, place: &str, now: Instant) -> bool {
        let here = self.looks.values().filter(|look| *look.place == *place).count();
        let quiet = self.looks.values().filter(|look| !self.is_answered(look, now)).count();
        let waited_for = self.looks.values().any(|look| *look.place == *place && look.is_over_long(now));
        if self.answer.contains(place) && !waited_for {
            let well = self.looks.len() - quiet;
            return here < OF_ONE_PLACE && well + quiet.min(QUIET) < AT_ONCE && self.looks.len() < MOST;
        }
        here == 0 && quiet < QUIET && self.looks.len() < AT_ONCE
    }

    /// A look at this place began.
    pub(super) fn begin(&mut self, look: Id, place: Arc<str>, now: Instant, waited: Waited) {
        self.looks.insert(look, Look { place, began: now, waited });
    }

    /// It ended, well or not; where it did not come to its place, that says nothing of whether this answers.
    pub(super) fn end(&mut self, look: Id, now: Instant, came_there: bool) {
        let Some(look) = self.looks.remove(&look) else { return };
        if look.is_over_long(now) {
            self.answer.remove(&look.place);
        } else if came_there {
            self.answer.insert(look.place);
        }
    }

    fn is_answered(&self, look: &Look, now: Instant) -> bool {
        self.answer.contains(&look.place) && !look.is_over_long(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks that go on, each with a name of the runtime's.
    struct Stage {
        slots: Slots,
        now: Instant,
        tasks: tokio::task::JoinSet<()>,
    }

    impl Stage {
        fn new() -> Self {
            Self { slots: Slots::default(), now: Instant::now(), tasks: tokio::task::JoinSet::new() }
        }

        fn begin(&mut self, place: &str) -> Option<Id> {
            self.begin_waiting(place, Duration::ZERO)
        }

        /// One that waits so long for what this node allows itself.
        fn begin_waiting(&mut self, place: &str, waited: Duration) -> Option<Id> {
            let id = self.tasks.spawn(std::future::pending()).id();
            let is_admitted = self.slots.admits(place, self.now);
            is_admitted.then(|| self.slots.begin(id, place.into(), self.now, Box::new(move || waited)))?;
            Some(id)
        }

        /// As many as may begin at these places in turn.
        fn fill(&mut self, places: &[String]) -> Vec<Id> {
            (0..AT_ONCE).flat_map(|_| places).filter_map(|place| self.begin(place)).collect()
        }

        fn answered(&mut self, place: &str) {
            let look = self.begin(place).expect("there is room");
            self.slots.end(look, self.now, true);
        }
    }

    fn places(name: &str, count: usize) -> Vec<String> {
        (0..count).map(|number| format!("https://{name}{number}")).collect()
    }

    #[tokio::test]
    async fn places_that_never_answered_have_one_look_each_and_half_of_all() {
        let mut stage = Stage::new();
        stage.answered("https://well");
        assert_eq!(stage.fill(&places("silent", 20)).len(), QUIET);
        for _ in 0..OF_ONE_PLACE {
            assert!(stage.begin("https://well").is_some(), "this one answers");
        }
        assert_eq!(stage.begin("https://well"), None, "and has as many as anybody");
    }

    #[tokio::test]
    async fn one_that_answered_has_two_looks_and_one_again_when_it_fell_silent() {
        let mut stage = Stage::new();
        let first = stage.begin("https://one").expect("there is room");
        assert_eq!(stage.begin("https://one"), None, "nobody knows yet whether it answers");
        stage.slots.end(first, stage.now, true);
        let looks = stage.fill(&["https://one".to_owned()]);
        assert_eq!(looks.len(), OF_ONE_PLACE);
        stage.now += PATIENCE;
        stage.slots.end(looks[0], stage.now, true);
        assert_eq!(stage.begin("https://one"), None, "the other look is waited for");
        stage.slots.end(looks[1], stage.now, true);
        assert!(stage.begin("https://one").is_some());
        assert_eq!(stage.begin("https://one"), None);
    }

    #[tokio::test]
    async fn to_wait_for_what_this_node_allows_itself_is_no_silence_of_the_place() {
        let mut stage = Stage::new();
        stage.answered("ssh://one");
        let waits = stage.begin_waiting("ssh://one", Duration::from_secs(1)).expect("there is room");
        stage.now += PATIENCE;
        assert!(stage.begin("ssh://one").is_some(), "nine seconds of it were the place's");
        stage.now += Duration::from_secs(1);
        assert_eq!(stage.begin("ssh://one"), None, "and these are ten");
        stage.slots.end(waits, stage.now, true);
        let looks: Vec<_> = stage.slots.looks.keys().copied().collect();
        looks.into_iter().for_each(|look| stage.slots.end(look, stage.now, true));
        assert_eq!(stage.fill(&["ssh://one".to_owned()]).len(), OF_ONE_PLACE, "the last one answered soon");
    }

    #[tokio::test]
    async fn a_look_that_did_not_come_to_its_place_leaves_open_whether_that_answers() {
        let mut stage = Stage::new();
        for (answered, at_once) in [(false, 1), (true, OF_ONE_PLACE)] {
            if answered {
                stage.answered("ssh://one");
            }
            let turned_away = stage.begin_waiting("ssh://one", 3 * PATIENCE).expect("there is room");
            stage.now += 3 * PATIENCE;
            stage.slots.end(turned_away, stage.now, false);
            let looks = stage.fill(&["ssh://one".to_owned()]);
            assert_eq!(looks.len(), at_once);
            looks.into_iter().for_each(|look| stage.slots.end(look, stage.now, false));
        }
    }

    #[tokio::test]
    async fn apps_do_not_wait_for_the_repositories_of_their_host() {
        let mut stage = Stage::new();
        let host = "https://one";
        stage.answered(host);
        assert_eq!(stage.fill(&[host.to_owned()]).len(), OF_ONE_PLACE);
        assert_eq!(stage.begin(host), None);
        assert!(stage.begin(&of_apps(host)).is_some());
        assert_eq!(stage.begin(&of_apps(host)), None, "who has not answered yet is waited for once");
    }

    #[tokio::test]
    async fn places_that_fall_silent_together_make_room_for_those_that_answer() {
        let mut stage = Stage::new();
        let (silent, well) = (places("silent", 4), places("well", 4));
        silent.iter().chain(&well).for_each(|place| stage.answered(place));
        assert_eq!(stage.fill(&silent).len(), AT_ONCE, "all there are");
        assert!(stage.fill(&well).is_empty());
        stage.now += PATIENCE;
        assert_eq!(stage.fill(&well).len(), AT_ONCE - QUIET);
        assert!(stage.fill(&silent).is_empty() && stage.fill(&places("new", 1)).is_empty());
    }

    #[tokio::test]
    async fn looks_that_never_end_are_bounded() {
        let mut stage = Stage::new();
        let all = places("silent", 60);
        all.iter().for_each(|place| stage.answered(place));
        let mut hung = 0;
        for _ in 0..20 {
            hung += stage.fill(&all).len();
            stage.now += PATIENCE;
        }
        assert_eq!(hung, MOST);
    }
}
