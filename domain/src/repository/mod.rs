//! A repository: one history of commits that an integration sees.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{command::Command, error::Error, event::Event};
use crate::{
    aggregate::Aggregate, display_text::DisplayText, event_sourced, id::IntegrationId, index_run::FailureCode,
    service::Connection, stamped::Stamped,
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
        /// Why looking at it fails, while it does.
        #[serde(default)]
        trouble: Option<FailureCode>,
        /// Whether its service lets nobody change it.
        #[serde(default)]
        archived: bool,
    },
    /// An integration sees it and cannot index it.
    Refused {
        /// Why.
        code: FailureCode,
    },
    /// No integration sees it any more.
    Forgotten,
}

impl Repository {
    fn set_archived(&mut self, now: bool) {
        if let Self::Known { archived, .. } = self {
            *archived = now;
        }
    }

    fn set_trouble(&mut self, now: Option<FailureCode>) {
        if let Self::Known { trouble, .. } = self {
            *trouble = now;
        }
    }
}

impl Aggregate for Repository {
    const TYPE: &'static str = "repository";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        Ok(match (stamped.command, self) {
            (Command::Discover { name, location, .. }, Self::Known { name: called, location: at, .. }) => {
                // What names a repository by its place cannot see it at another one.
                if name == *called && location == *at { Vec::new() } else { vec![Event::Moved { name, location }] }
            }
            (Command::Forget, Self::Forgotten) => Vec::new(),
            (
                Command::Discover { integration, name, location },
                Self::Absent | Self::Forgotten | Self::Refused { .. },
            ) => {
                vec![Event::Discovered { integration, name, location }]
            }
            // One that is known stays so: looking at it says what is wrong with it.
            (Command::Refuse { .. }, Self::Known { .. }) => Vec::new(),
            (Command::Refuse { code, .. }, Self::Refused { code: known }) if code == *known => Vec::new(),
            (
                Command::Refuse { integration, name, location, code, text },
                Self::Absent | Self::Forgotten | Self::Refused { .. },
            ) => {
                vec![Event::Refused { integration, name, location, code, text }]
            }
            (Command::Forget, Self::Known { .. } | Self::Refused { .. }) => vec![Event::Forgotten {}],
            // A poll that was under way when the repository was forgotten has nothing to say.
            (
                Command::ReportUnreachable { .. } | Command::ReportReachable | Command::ReportArchived { .. },
                Self::Forgotten | Self::Refused { .. },
            ) => Vec::new(),
            (Command::ReportArchived { archived }, Self::Known { archived: known, .. }) => match (archived, known) {
                (true, false) => vec![Event::Archived {}],
                (false, true) => vec![Event::Unarchived {}],
                (true, true) | (false, false) => Vec::new(),
            },
            (Command::ReportUnreachable { code, .. }, Self::Known { trouble: Some(known), .. }) if code == *known => {
                Vec::new()
            }
            (Command::ReportUnreachable { code, text }, Self::Known { .. }) => vec![Event::Unreachable { code, text }],
            (Command::ReportReachable, Self::Known { trouble: None, .. }) => Vec::new(),
            (Command::ReportReachable, Self::Known { .. }) => vec![Event::Reachable {}],
            (
                Command::Forget
                | Command::ReportUnreachable { .. }
                | Command::ReportReachable
                | Command::ReportArchived { .. },
                Self::Absent,
            ) => {
                return Err(Error::Unknown);
            }
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Discovered { integration, name, location } => {
                *self = Self::Known {
                    integration: *integration,
                    name: name.clone(),
                    location: location.clone(),
                    trouble: None,
                    archived: false,
                };
            }
            Event::Moved { name, location } => {
                if let Self::Known { name: called, location: at, .. } = self {
                    called.clone_from(name);
                    at.clone_from(location);
                }
            }
            Event::Refused { code, .. } => *self = Self::Refused { code: *code },
            Event::Forgotten {} => *self = Self::Forgotten,
            Event::Unreachable { code, .. } => self.set_trouble(Some(*code)),
            Event::Reachable {} => self.set_trouble(None),
            Event::Archived {} => self.set_archived(true),
            Event::Unarchived {} => self.set_archived(false),
        }
    }
}

event_sourced!(Repository);
