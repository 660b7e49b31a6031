//! Looks at repositories that somebody asked for, and what came of them. Written by the schedule, read by who asked. In
//! memory of this node: after a restart every repository is looked at anyway.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use keytrail_domain::{id::RepositoryId, timestamp::Timestamp};

/// How many are remembered; those that ended first go first.
const MOST: usize = 1_000;

/// The latest look at a repository that somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// When it was asked for first.
    pub asked_at: Timestamp,
    /// When it ended, and how.
    pub ended: Option<(Timestamp, LookOutcome)>,
}

/// How a look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookOutcome {
    /// Nothing is new.
    Nothing,
    /// A run was asked for, or is under way.
    Run,
    /// The repository could not be looked at; its row says why when that lasts.
    Failed,
    /// Another node looks after it, and was told.
    PassedOn,
    /// It is not looked at: no integration that is active sees it, or it cannot be indexed.
    NotWatched,
}

/// The looks of this node.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<HashMap<RepositoryId, Look>>);

impl Looks {
    fn all(&self) -> MutexGuard<'_, HashMap<RepositoryId, Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody asks. One that is under way will do.
    pub(super) fn ask(&self, repository: RepositoryId, now: Timestamp) {
        let mut all = self.all();
        if all.get(&repository).is_some_and(|look| look.ended.is_none()) {
            return;
        }
        if all.len() >= MOST {
            let ended = |(id, look): (&RepositoryId, &Look)| look.ended.map(|(at, _)| (at, *id));
            if let Some((_, oldest)) = all.iter().filter_map(ended).min() {
                all.remove(&oldest);
            }
        }
        all.insert(repository, Look { asked_at: now, ended: None });
    }

    /// It ended, if somebody asked for it.
    pub(super) fn end(&self, repository: RepositoryId, outcome: LookOutcome, now: Timestamp) {
        if let Some(look) = self.all().get_mut(&repository) {
            look.ended.get_or_insert((now, outcome));
        }
    }

    /// The latest of a repository.
    pub(super) fn of(&self, repository: RepositoryId) -> Option<Look> {
        self.all().get(&repository).copied()
    }

    /// All of them, the repositories in their order.
    pub(super) fn list(&self) -> Vec<(RepositoryId, Look)> {
        let mut all: Vec<_> = self.all().iter().map(|(id, look)| (*id, *look)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(second)
    }

    fn id(n: u128) -> RepositoryId {
        RepositoryId(Uuid::from_u128(n))
    }

    #[test]
    fn a_look_ends_once_and_is_asked_for_anew() {
        let looks = Looks::default();
        looks.end(id(1), LookOutcome::Nothing, at(1));
        assert_eq!(looks.of(id(1)), None, "nobody asked");
        looks.ask(id(1), at(2));
        looks.ask(id(1), at(3));
        assert_eq!(looks.of(id(1)), Some(Look { asked_at: at(2), ended: None }));
        looks.end(id(1), LookOutcome::Run, at(4));
        looks.end(id(1), LookOutcome::Nothing, at(5));
        assert_eq!(looks.of(id(1)).and_then(|look| look.ended), Some((at(4), LookOutcome::Run)));
        looks.ask(id(1), at(6));
        assert_eq!(looks.of(id(1)), Some(Look { asked_at: at(6), ended: None }));
    }

    #[test]
    fn the_first_that_ended_makes_room() {
        let looks = Looks::default();
        for n in 0..MOST as u128 {
            looks.ask(id(n), at(0));
        }
        looks.end(id(7), LookOutcome::Nothing, at(1));
        looks.end(id(3), LookOutcome::Nothing, at(2));
        looks.ask(id(5_000), at(3));
        assert_eq!((looks.of(id(7)), looks.list().len()), (None, MOST));
        assert!(looks.of(id(3)).is_some());
    }
}
