//! What the configuration says of who may come in with a signed token: whose tokens, and which keys vouch for them. One
//! stream for an installation. The server says what its configuration holds whenever that is not what was said last; keys
//! themselves are never here, only what they are known by.

mod command;
mod error;
mod event;
mod services;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    command::Command,
    error::Error,
    event::Event,
    services::{Algorithm, BadFingerprint, KeyFingerprint, Services, TrustedKey},
};
use crate::{aggregate::Aggregate, event_sourced, stamped::Stamped};

/// As it was last said. Before anything was, no service comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessSettings {
    /// Whose tokens let services in; nobody's when there is nothing.
    pub services: Option<Services>,
}

impl AccessSettings {
    /// The id of the only stream.
    pub const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002);
}

impl Aggregate for AccessSettings {
    const TYPE: &'static str = "access_settings";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        let Command::Say { services } = stamped.command;
        Ok(if services == self.services { Vec::new() } else { vec![Event::Changed { services }] })
    }

    fn evolve(&mut self, event: &Event) {
        let Event::Changed { services } = event;
        self.services.clone_from(services);
    }
}

event_sourced!(AccessSettings);
