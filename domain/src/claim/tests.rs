//! Claims over several streams: what the table holds after any sequence of wishes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, prelude::*};

use super::{Claim, ClaimChange, ClaimScope};
use crate::{
    aggregate::Aggregate,
    index_run::{self, IndexRun},
    integration::{self, Integration},
    stamped::Stamped,
    timestamp::Timestamp,
};

/// A claim of another stream stands in the way.
#[derive(Debug, PartialEq, Eq)]
struct Held;

/// Who holds what; a stream is a small number here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table(BTreeMap<Claim, usize>);

impl Table {
    /// All changes or none, in their order, as one transaction does.
    fn change(&mut self, stream: usize, changes: &[ClaimChange]) -> Result<(), Held> {
        let mut after = self.clone();
        for change in changes {
            match change {
                ClaimChange::Take(claim) => {
                    if *after.0.entry(claim.clone()).or_insert(stream) != stream {
                        return Err(Held);
                    }
                }
                ClaimChange::Release(claim) => {
                    assert_eq!(after.0.remove(claim), Some(stream), "{claim:?} was not held by who releases it");
                }
            }
        }
        *self = after;
        Ok(())
    }

    fn held_by(&self, stream: usize) -> BTreeSet<Claim> {
        self.0.iter().filter(|(_, holder)| **holder == stream).map(|(claim, _)| claim.clone()).collect()
    }
}

/// Some aggregates of one kind, a log, and the table that is kept beside it.
struct World<A: Aggregate> {
    states: Vec<A>,
    log: Vec<(usize, A::Event)>,
    table: Table,
}

impl<A: Aggregate> World<A> {
    fn play(wishes: Vec<(usize, A::Command)>) -> Self {
        let mut world = Self { states: vec![A::default(); 4], log: Vec::new(), table: Table::default() };
        for (stream, command) in wishes {
            world.wish(stream, command);
        }
        world
    }

    fn wish(&mut self, stream: usize, command: A::Command) {
        let stamped = Stamped { command, at: Timestamp::from_seconds(1_000_000) };
        let Ok(events) = self.states[stream].decide(stamped) else { return };
        let changes: Vec<ClaimChange> = events.iter().flat_map(A::claims).collect();
        let before = self.table.clone();
        let blocked = changes.iter().any(|change| {
            matches!(change, ClaimChange::Take(claim) if before.0.get(claim).is_some_and(|holder| *holder != stream))
        });
        match self.table.change(stream, &changes) {
            Ok(()) => assert!(!blocked, "what another holds was taken"),
            Err(Held) => {
                assert!(blocked, "refused although nobody holds it");
                assert_eq!(self.table, before);
                return;
            }
        }
        for event in events {
            self.states[stream].evolve(&event);
            self.log.push((stream, event));
        }
    }

    fn rebuilt(&self) -> Table {
        let mut table = Table::default();
        for (stream, event) in &self.log {
            table.change(*stream, &A::claims(event)).expect("the log was accepted once");
        }
        table
    }
}

fn claim(scope: ClaimScope, key: impl Into<String>) -> Claim {
    ClaimChange::take(scope, key).claim().clone()
}

proptest! {
    #[test]
    fn a_live_integration_holds_its_name_and_its_place_and_nothing_else(
        wishes in vec((0..4_usize, integration::tests::any_command()), 0..80)
    ) {
        let world = World::<Integration>::play(wishes);
        for (stream, state) in world.states.iter().enumerate() {
            let wanted = match state {
                Integration::Absent | Integration::Removed { .. } => BTreeSet::new(),
                Integration::Active { name, connection, .. } | Integration::Paused { name, connection, .. } => [
                    claim(ClaimScope::IntegrationName, name.folded()),
                    claim(ClaimScope::Connection, connection.natural_key()),
                ]
                .into(),
            };
            prop_assert_eq!(world.table.held_by(stream), wanted);
        }
        prop_assert_eq!(world.rebuilt(), world.table);
    }

    #[test]
    fn a_run_that_has_not_ended_holds_its_repository(
        wishes in vec((0..4_usize, index_run::tests::any_command()), 0..80)
    ) {
        let world = World::<IndexRun>::play(wishes);
        for (stream, state) in world.states.iter().enumerate() {
            let wanted = match state {
                IndexRun::Absent | IndexRun::Completed | IndexRun::Failed | IndexRun::Cancelled => BTreeSet::new(),
                IndexRun::Requested { repository } | IndexRun::Running { repository, .. } => {
                    [claim(ClaimScope::ActiveRun, repository.to_string())].into()
                }
            };
            prop_assert_eq!(world.table.held_by(stream), wanted);
        }
        prop_assert_eq!(world.rebuilt(), world.table);
    }

    #[test]
    fn a_key_fits_an_index_and_still_tells_its_thing_from_others(key in "[a-z/é]{0,400}", other in "[a-z/é]{0,400}") {
        let [one, two] = [&key, &other].map(|key| claim(ClaimScope::Connection, key.repeat(2)));
        prop_assert!(one.key.len() <= Claim::MAX_BYTES);
        prop_assert_eq!(one == two, key == other);
    }
}

#[test]
fn a_name_that_another_holds_is_refused_whatever_its_case() {
    let mut table = Table::default();
    table.change(0, &[ClaimChange::take(ClaimScope::IntegrationName, "kafka")]).expect("free");
    assert_eq!(table.change(1, &[ClaimChange::take(ClaimScope::IntegrationName, "kafka")]), Err(Held));
    assert_eq!(table.change(1, &[ClaimChange::take(ClaimScope::Connection, "kafka")]), Ok(()));
    assert_eq!(table.change(0, &[ClaimChange::take(ClaimScope::IntegrationName, "kafka")]), Ok(()));
}

#[test]
fn the_stored_words_of_scopes_stay() {
    let words = [ClaimScope::IntegrationName, ClaimScope::Connection, ClaimScope::ActiveRun].map(ClaimScope::as_str);
    assert_eq!(words, ["integration_name", "connection", "active_run"]);
    // Hashed keys stand in the table of claims: how they are made never changes.
    assert_eq!(claim(ClaimScope::Connection, "a".repeat(512)).key, "a".repeat(512));
    assert_eq!(
        claim(ClaimScope::Connection, "a".repeat(513)).key,
        "sha256:02425c0f5b0dabf3d2b9115f3f7723a02ad8bcfb1534a0d231614fd42b8188f6"
    );
}
