//! The shape of an aggregate: state, `decide`, `evolve`; synchronous and total.

use std::convert::Infallible;

use serde::{Serialize, de::DeserializeOwned};

use crate::{claim::ClaimChange, stamped::Stamped};

/// An event that can be stored: its name and version never change once written.
pub trait StoredEvent: Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug + Send + Sync {
    /// Every name and version that this build writes.
    const TYPES: &'static [(&'static str, &'static str)];

    /// The stored name, for example `integration.added`.
    fn name(&self) -> &'static str;

    /// The version of the payload's shape.
    fn version(&self) -> &'static str;
}

/// The user's words for why a command was refused.
pub trait Refusal: std::error::Error + Send + Sync + 'static {
    /// A stable code in snake_case; the API, the command line and the documents use it.
    fn code(&self) -> &'static str;
}

/// Of what is never refused.
impl Refusal for Infallible {
    fn code(&self) -> &'static str {
        match *self {}
    }
}

/// One unit of consistency: everything `decide` needs is in its own stream.
pub trait Aggregate: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored word of the type.
    const TYPE: &'static str;
    /// What can be wished of it.
    type Command: Clone + Send + Sync + std::fmt::Debug + 'static;
    /// What can happen to it.
    type Event: StoredEvent + 'static;
    /// Why a wish is refused.
    type Error: Refusal;

    /// Which events the wish leads to; none when it is already so.
    fn decide(&self, stamped: Stamped<Self::Command>) -> Result<Vec<Self::Event>, Self::Error>;

    /// The state after the event. Takes every event that `decide` or any earlier build ever emitted.
    fn evolve(&mut self, event: &Self::Event);

    /// What the event takes or releases of what may exist only once. A function of the event alone, so that the
    /// table of claims can be rebuilt from the log.
    fn claims(_event: &Self::Event) -> Vec<ClaimChange> {
        Vec::new()
    }
}
