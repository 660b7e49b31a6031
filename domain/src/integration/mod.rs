//! An integration: one connection to a git service or folder, as an administrator set it up.

mod command;
mod error;
mod event;
mod mirrors_after;
mod name;
mod secrets_after;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::{
    command::Command,
    error::Error,
    event::Event,
    mirrors_after::MirrorsAfter,
    name::{BadName, IntegrationName},
    secrets_after::SecretsAfter,
};
use crate::{
    aggregate::Aggregate,
    claim::{ClaimChange, ClaimScope},
    event_sourced,
    recorded::Position,
    service::Connection,
    stamped::Stamped,
    web_links::WebLinks,
};

/// Where an integration is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Integration {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// It looks for changes.
    Active {
        /// Its name.
        name: IntegrationName,
        /// Where its repositories are.
        connection: Connection,
        /// Where it was asked to index all of them again, of what is not wanted any more.
        cancelled: BTreeSet<Position>,
        /// Which links its repositories have.
        #[serde(default, skip_serializing_if = "WebLinks::is_usual")]
        web_links: WebLinks,
    },
    /// A person stopped it.
    Paused {
        /// Its name.
        name: IntegrationName,
        /// Where its repositories are.
        connection: Connection,
        /// Where it was asked to index all of them again, of what is not wanted any more.
        cancelled: BTreeSet<Position>,
        /// Which links its repositories have.
        #[serde(default, skip_serializing_if = "WebLinks::is_usual")]
        web_links: WebLinks,
    },
    /// It is gone for good.
    Removed {
        /// Where its repositories were. Whoever takes its app away asks there for the last time.
        connection: Connection,
        /// What becomes of the copies of its repositories.
        #[serde(default)]
        mirrors: MirrorsAfter,
        /// What becomes of the secrets of its app.
        #[serde(default, skip_serializing_if = "SecretsAfter::are_forgotten")]
        secrets: SecretsAfter,
    },
}

impl Integration {
    fn live(&self) -> Result<(&IntegrationName, &Connection), Error> {
        match self {
            Self::Absent => Err(Error::Unknown),
            Self::Removed { .. } => Err(Error::Removed),
            Self::Active { name, connection, .. } | Self::Paused { name, connection, .. } => Ok((name, connection)),
        }
    }

    /// Whether indexing all of its repositories again, which was asked for at this position, is not wanted any more.
    pub fn has_cancelled(&self, asked: Position) -> bool {
        match self {
            Self::Absent => false,
            Self::Active { cancelled, .. } | Self::Paused { cancelled, .. } => cancelled.contains(&asked),
            Self::Removed { .. } => true,
        }
    }

    /// Which links its repositories have, while it is there.
    pub const fn web_links(&self) -> Option<&WebLinks> {
        match self {
            Self::Active { web_links, .. } | Self::Paused { web_links, .. } => Some(web_links),
            Self::Absent | Self::Removed { .. } => None,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut IntegrationName, &mut Connection)) {
        if let Self::Active { name, connection, .. } | Self::Paused { name, connection, .. } = self {
            change(name, connection);
        }
    }
}

impl Aggregate for Integration {
    const TYPE: &'static str = "integration";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        if let Command::Add { name, connection, web_links } = stamped.command {
            return match self {
                Self::Absent if web_links.as_ref().is_some_and(|links| !links.fits(&connection)) => {
                    Err(Error::NoWebLinks)
                }
                Self::Absent => {
                    let links = web_links.filter(|links| !links.is_usual());
                    let set = links.map(|web_links| Event::WebLinksSet { web_links });
                    Ok([Event::Added { name, connection }].into_iter().chain(set).collect())
                }
                Self::Removed { .. } => Err(Error::Removed),
                Self::Active { .. } | Self::Paused { .. } => Err(Error::AlreadyAdded),
            };
        }
        if matches!((self, &stamped.command), (Self::Removed { .. }, Command::Remove { .. })) {
            return Ok(Vec::new());
        }
        let (now, here) = self.live()?;
        let paused = matches!(self, Self::Paused { .. });
        Ok(match stamped.command {
            Command::Add { .. } => Vec::new(),
            Command::Rename { name } if name == *now => Vec::new(),
            Command::Rename { name } => vec![Event::Renamed { name, previous: now.clone() }],
            Command::ChangeConnection { connection } if connection == *here => Vec::new(),
            Command::ChangeConnection { connection } if connection.kind() != here.kind() => {
                return Err(Error::OtherKind);
            }
            Command::ChangeConnection { connection } if connection.carries_credentials_away_from(here) => {
                return Err(Error::CredentialElsewhere);
            }
            Command::ChangeConnection { connection } => {
                vec![Event::ConnectionChanged { connection, previous: here.clone() }]
            }
            Command::SetWebLinks { web_links } if !web_links.fits(here) => return Err(Error::NoWebLinks),
            Command::SetWebLinks { web_links } if Some(&web_links) == self.web_links() => Vec::new(),
            Command::SetWebLinks { web_links } => vec![Event::WebLinksSet { web_links }],
            Command::Pause if paused => Vec::new(),
            Command::Pause => vec![Event::Paused {}],
            Command::Resume if paused => vec![Event::Resumed {}],
            Command::Resume => Vec::new(),
            Command::Reindex | Command::Reset if paused => return Err(Error::Paused),
            Command::Reindex => vec![Event::ReindexRequested {}],
            Command::Reset => vec![Event::ResetRequested {}],
            Command::CancelIndexing { asked } if self.has_cancelled(asked) => Vec::new(),
            Command::CancelIndexing { asked } => vec![Event::IndexingCancelled { asked }],
            Command::Remove { mirrors, secrets } => {
                vec![Event::Removed { name: now.clone(), connection: here.clone(), mirrors, secrets }]
            }
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Added { name, connection } => {
                let (name, connection, web_links) = (name.clone(), connection.clone(), WebLinks::default());
                *self = Self::Active { name, connection, cancelled: BTreeSet::new(), web_links };
            }
            Event::Renamed { name, .. } => self.change(|now, _| now.clone_from(name)),
            Event::ConnectionChanged { connection, .. } => self.change(|_, here| here.clone_from(connection)),
            Event::Paused {} => {
                if let Self::Active { name, connection, cancelled, web_links } = self {
                    let (name, connection, web_links) = (name.clone(), connection.clone(), web_links.clone());
                    *self = Self::Paused { name, connection, cancelled: std::mem::take(cancelled), web_links };
                }
            }
            Event::Resumed {} => {
                if let Self::Paused { name, connection, cancelled, web_links } = self {
                    let (name, connection, web_links) = (name.clone(), connection.clone(), web_links.clone());
                    *self = Self::Active { name, connection, cancelled: std::mem::take(cancelled), web_links };
                }
            }
            Event::WebLinksSet { web_links: set } => {
                if let Self::Active { web_links, .. } | Self::Paused { web_links, .. } = self {
                    web_links.clone_from(set);
                }
            }
            // What comes of it is the repositories'.
            Event::ReindexRequested {} | Event::ResetRequested {} => {}
            Event::IndexingCancelled { asked } => {
                if let Self::Active { cancelled, .. } | Self::Paused { cancelled, .. } = self {
                    cancelled.insert(*asked);
                }
            }
            Event::Removed { connection, mirrors, secrets, .. } => {
                *self = Self::Removed { connection: connection.clone(), mirrors: *mirrors, secrets: *secrets };
            }
        }
    }

    fn claims(event: &Event) -> Vec<ClaimChange> {
        use ClaimScope::{Connection as Place, IntegrationName as Name};
        match event {
            Event::Added { name, connection } => {
                vec![ClaimChange::take(Name, name.folded()), ClaimChange::take(Place, connection.natural_key())]
            }
            // Only the case of letters changed: the claim stays as it is.
            Event::Renamed { name, previous } if name.folded() == previous.folded() => Vec::new(),
            Event::Renamed { name, previous } => {
                vec![ClaimChange::release(Name, previous.folded()), ClaimChange::take(Name, name.folded())]
            }
            // The same place is reached in another way.
            Event::ConnectionChanged { connection, previous } if connection.natural_key() == previous.natural_key() => {
                Vec::new()
            }
            Event::ConnectionChanged { connection, previous } => vec![
                ClaimChange::release(Place, previous.natural_key()),
                ClaimChange::take(Place, connection.natural_key()),
            ],
            Event::Paused {}
            | Event::Resumed {}
            | Event::ReindexRequested {}
            | Event::ResetRequested {}
            | Event::WebLinksSet { .. }
            | Event::IndexingCancelled { .. } => Vec::new(),
            Event::Removed { name, connection, mirrors: _, secrets: _ } => {
                vec![ClaimChange::release(Name, name.folded()), ClaimChange::release(Place, connection.natural_key())]
            }
        }
    }
}

event_sourced!(Integration);
