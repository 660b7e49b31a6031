//! A repository: one history of commits that an integration sees.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{command::Command, error::Error, event::Event};
use crate::{
    aggregate::Aggregate, display_text::DisplayText, event_sourced, id::IntegrationId, service::Connection,
    stamped::Stamped,
};

/// Where a repository is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Repository {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// An integration sees it.
    Known {
        /// Which integration.
        integration: IntegrationId,
        /// What a person calls it.
        name: DisplayText,
        /// Where it is read from.
        location: Connection,
    },
    /// No integration sees it any more.
    Forgotten,
}

impl Aggregate for Repository {
    const TYPE: &'static str = "repository";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        Ok(match (stamped.command, self) {
            (Command::Discover { .. }, Self::Known { .. }) | (Command::Forget, Self::Forgotten) => Vec::new(),
            (Command::Discover { integration, name, location }, Self::Absent | Self::Forgotten) => {
                vec![Event::Discovered { integration, name, location }]
            }
            (Command::Forget, Self::Known { .. }) => vec![Event::Forgotten {}],
            (Command::Forget, Self::Absent) => return Err(Error::Unknown),
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Discovered { integration, name, location } => {
                *self = Self::Known { integration: *integration, name: name.clone(), location: location.clone() };
            }
            Event::Forgotten {} => *self = Self::Forgotten,
        }
    }
}

event_sourced!(Repository);
