//! A command with the moment at which it was accepted. `decide` has no other clock.

use crate::timestamp::Timestamp;

/// A wish, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped<C> {
    /// What is wished.
    pub command: C,
    /// When it was accepted, by the clock of the node that accepted it.
    pub at: Timestamp,
}
