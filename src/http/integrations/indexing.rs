//! How far an integration's repositories are with being indexed for the first time, and when that will be done, where
//! that can be said honestly.

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::{integration_list::IntegrationState, repository_list};
use serde::Serialize;
use utoipa::ToSchema;

/// Fewer repositories than these tell nothing of the others.
const FEWEST: u64 = 5;
/// One in so many must be done before the others are told by them.
const SHARE: u64 = 10;

/// How far the repositories of an integration are with being indexed for the first time: `indexed` of `repositories`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::http) struct Indexing {
    /// Repositories that it sees.
    repositories: u64,
    /// Of these, those of which a run completed.
    indexed: u64,
    /// Of these, those of which no run completed, and the last one failed.
    failed: u64,
    /// The others: a run of theirs is to come, or under way.
    waiting: u64,
    /// Seconds until none will wait any more, at the pace of those that were done since the first of them began to wait.
    /// Null while that would be a guess: with fewer than five done since, or fewer than one in ten, since one large
    /// repository among so few would make it wrong by far; while some cannot be reached or the integration is paused; and
    /// when nothing waits.
    eta_seconds: Option<u64>,
}

impl Indexing {
    pub(super) fn of(found: &repository_list::Indexing, state: IntegrationState, now: Timestamp) -> Self {
        let waiting = found.waiting();
        let done = found.indexed_since;
        let honest = state == IntegrationState::Active
            && waiting > 0
            && found.stuck == 0
            && done >= FEWEST
            && done * SHARE >= done + waiting;
        let elapsed = found.waiting_since.and_then(|since| u64::try_from(now.0 - since.0).ok());
        let eta = elapsed.filter(|_| honest).map(|micros| u128::from(micros) * u128::from(waiting) / u128::from(done));
        Self {
            repositories: found.repositories,
            indexed: found.indexed,
            failed: found.failed,
            waiting,
            eta_seconds: eta.and_then(|micros| u64::try_from(micros.div_ceil(1_000_000)).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVE: IntegrationState = IntegrationState::Active;

    /// `done` of `repositories`, all of which began to wait at 100 seconds.
    fn found(repositories: u64, done: u64) -> repository_list::Indexing {
        let waiting_since = (done < repositories).then_some(Timestamp::from_seconds(100));
        repository_list::Indexing {
            repositories,
            indexed: done,
            waiting_since,
            indexed_since: done,
            ..repository_list::Indexing::default()
        }
    }

    fn eta(found: &repository_list::Indexing, state: IntegrationState, second: i64) -> Option<u64> {
        Indexing::of(found, state, Timestamp::from_seconds(second)).eta_seconds
    }

    #[test]
    fn the_rest_takes_as_long_as_what_was_done() {
        assert_eq!(eta(&found(40, 10), ACTIVE, 160), Some(180));
        assert_eq!(eta(&found(11, 10), ACTIVE, 101), Some(1));
        // Nothing happens: the longer that lasts, the longer it will.
        assert_eq!(eta(&found(40, 10), ACTIVE, 1_060), Some(2_880));
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!(eta(&found(10, 10), ACTIVE, 160), None);
        assert_eq!(eta(&found(10, 4), ACTIVE, 160), None);
        assert_eq!(eta(&found(1_000, 20), ACTIVE, 160), None);
        assert_eq!(eta(&found(40, 10), IntegrationState::Paused, 160), None);
        assert_eq!(eta(&repository_list::Indexing { stuck: 1, ..found(40, 10) }, ACTIVE, 160), None);
        // Those that were done long ago say nothing of those that came today.
        assert_eq!(eta(&repository_list::Indexing { indexed_since: 0, ..found(40, 30) }, ACTIVE, 160), None);
        // A clock that was set back.
        assert_eq!(eta(&found(40, 10), ACTIVE, 50), None);
        assert_eq!(eta(&repository_list::Indexing::default(), ACTIVE, 160), None);
    }

    #[test]
    fn every_repository_is_counted_once() {
        let found = repository_list::Indexing { failed: 3, ..found(40, 10) };
        let shown = Indexing::of(&found, ACTIVE, Timestamp::from_seconds(160));
        assert_eq!((shown.indexed, shown.failed, shown.waiting), (10, 3, 27));
    }
}
