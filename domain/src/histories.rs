//! What must hold of every aggregate over any sequence of wishes; its tests hand in the wishes.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::{
    aggregate::{Aggregate, Refusal, StoredEvent as _},
    stamped::Stamped,
    timestamp::Timestamp,
};

fn stamp<C>(command: C) -> Stamped<C> {
    Stamped { command, at: Timestamp::from_seconds(1_000_000) }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("states and events are JSON")
}

/// Wishes one after the other. Checks that what is emitted survives the log, that a state from a fresh fold decides as
/// the state that lived through it, and that no wish has an effect twice.
pub(crate) fn fold<A: Aggregate>(commands: Vec<A::Command>) -> Result<(), TestCaseError>
where
    A::Command: Clone,
{
    let (mut state, mut history) = (A::default(), Vec::<A::Event>::new());
    for command in commands {
        let mut fresh = A::default();
        for event in &history {
            fresh.evolve(event);
        }
        prop_assert_eq!(json(&fresh), json(&state));
        let read: A = serde_json::from_str(&json(&state)).expect("a state that was written is read");
        prop_assert_eq!(json(&read), json(&state));
        let again = fresh.decide(stamp(command.clone())).map_err(|refusal| refusal.code());
        let decided = state.decide(stamp(command.clone())).map_err(|refusal| refusal.code());
        prop_assert_eq!(&again, &decided);
        let before = json(&state);
        for event in decided.iter().flatten() {
            prop_assert!(A::Event::TYPES.contains(&(event.name(), event.version())));
            let read: A::Event = serde_json::from_str(&json(event)).expect("what was written");
            prop_assert_eq!(&read, event);
            state.evolve(&read);
        }
        let emitted = decided.unwrap_or_default();
        prop_assert_eq!(
            emitted.is_empty(),
            before == json(&state),
            "an event changes the state, and nothing else does"
        );
        let twice = state.decide(stamp(command)).unwrap_or_default();
        prop_assert!(twice.is_empty(), "{twice:?} a second time");
        history.extend(emitted);
    }
    Ok(())
}

/// Every refusal has a code and a sentence of its own.
pub(crate) fn refusals_differ<E: Refusal>(refusals: &[E]) {
    let codes: HashSet<_> = refusals.iter().map(Refusal::code).collect();
    let sentences: HashSet<_> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!((codes.len(), sentences.len()), (refusals.len(), refusals.len()));
    assert!(codes.iter().all(|code| code.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')));
}
