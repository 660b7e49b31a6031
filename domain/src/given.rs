//! Given what happened, when this is wished, then that follows: how the tests of aggregates read.

use crate::{
    aggregate::{Aggregate, Refusal},
    stamped::Stamped,
    timestamp::Timestamp,
};

/// The history before the wish.
pub struct Given<A>(A);

/// What the wish led to.
pub struct Then<A: Aggregate>(Result<Vec<A::Event>, A::Error>);

/// Starts from these events.
pub fn given<A: Aggregate>(events: &[A::Event]) -> Given<A> {
    let mut state = A::default();
    for event in events {
        state.evolve(event);
    }
    Given(state)
}

impl<A: Aggregate> Given<A> {
    /// Wishes it at second 1,000,000.
    pub fn when(&self, command: A::Command) -> Then<A> {
        self.when_at(Timestamp::from_seconds(1_000_000), command)
    }

    /// Wishes it at that moment.
    pub fn when_at(&self, at: Timestamp, command: A::Command) -> Then<A> {
        Then(self.0.decide(Stamped { command, at }))
    }
}

impl<A: Aggregate> Then<A> {
    /// These events, in this order.
    ///
    /// # Panics
    /// When something else followed.
    pub fn then(self, expected: &[A::Event]) {
        assert_eq!(self.0.expect("the command to be accepted"), expected);
    }

    /// Nothing: it is already so.
    ///
    /// # Panics
    /// When something followed.
    pub fn then_nothing(self) {
        self.then(&[]);
    }

    /// A refusal with this code.
    ///
    /// # Panics
    /// When it was accepted, or refused for another reason.
    pub fn then_refused(self, code: &str) {
        assert_eq!(self.0.expect_err("the command to be refused").code(), code);
    }
}
