//! Access: who may come in. One stream is one token; the token itself is never here, only what it may do.

mod command;
mod error;
mod event;
mod role;
mod scope;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::{
    command::Command,
    error::Error,
    event::Event,
    role::{NoSuchRole, Role},
    scope::{NoSuchScope, Scope, Scopes},
};
use crate::{aggregate::Aggregate, event_sourced, stamped::Stamped, timestamp::Timestamp};

/// The longest life of a token, in microseconds: a year and a day, so that "in a year" is never refused.
const LONGEST_LIFE: i64 = 366 * 24 * 3600 * 1_000_000;

/// Where a token is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Access {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// It works until it expires.
    Issued {
        /// What its holder may do.
        role: Role,
        /// The part of that; all of it when nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scopes: Option<Scopes>,
        /// When it stops working.
        expires_at: Timestamp,
    },
    /// It works no more.
    Revoked,
}

impl Aggregate for Access {
    const TYPE: &'static str = "access";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        Ok(match (stamped.command, self) {
            (Command::IssueToken { name, role, scopes, expires_at, prefix }, Self::Absent) => {
                if !(1..=100).contains(&name.as_str().chars().count()) {
                    return Err(Error::BadName);
                }
                if expires_at <= stamped.at || expires_at > stamped.at.plus_micros(LONGEST_LIFE) {
                    return Err(Error::BadExpiry);
                }
                let beyond = |scope: Scope| !role.is_at_least(scope.least_role());
                if scopes.as_ref().is_some_and(|scopes| scopes.iter().any(beyond)) {
                    return Err(Error::BadScopes);
                }
                vec![Event::TokenIssued { name, role, scopes, expires_at, prefix }]
            }
            (Command::IssueToken { .. }, Self::Issued { .. } | Self::Revoked) => return Err(Error::AlreadyIssued),
            (Command::RevokeToken, Self::Issued { .. }) => vec![Event::TokenRevoked {}],
            (Command::RevokeToken, Self::Revoked) => Vec::new(),
            (Command::RevokeToken, Self::Absent) => return Err(Error::Unknown),
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TokenIssued { role, scopes, expires_at, .. } => {
                *self = Self::Issued { role: *role, scopes: scopes.clone(), expires_at: *expires_at };
            }
            Event::TokenRevoked {} => *self = Self::Revoked,
        }
    }
}

event_sourced!(Access);
