//! A person whom commits name as author. One stream is one person, and its id is the person's; it begins when somebody
//! asks that the person be forgotten. Name and address are never here: they stand in a table beside the log.

mod command;
mod error;
mod event;
mod person_id;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{command::Command, error::Error, event::Event, person_id::PersonId};
use crate::{aggregate::Aggregate, event_sourced, stamped::Stamped};

/// Whether the server may know who a person is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Person {
    /// Nobody asked for anything.
    #[default]
    Known,
    /// Name and address are gone, and do not come back.
    Forgotten,
}

impl Aggregate for Person {
    const TYPE: &'static str = "person";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        Ok(match (stamped.command, self) {
            (Command::Forget, Self::Known) => vec![Event::Forgotten {}],
            (Command::Forget, Self::Forgotten) => Vec::new(),
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Forgotten {} => *self = Self::Forgotten,
        }
    }
}

event_sourced!(Person);
