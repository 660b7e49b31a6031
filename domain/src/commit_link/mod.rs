//! What persons decided about a commit and issues: that it belongs to one which it does not name, or not to one that it
//! names. One stream is one commit of one repository, whatever number the repository has: so a decision outlives a reset.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    command::Command,
    error::Error,
    event::{Event, LinkedCommit},
};
use crate::{
    aggregate::Aggregate, event_sourced, id::RepositoryId, index_run::batch::CommitSha, issue_key::IssueKey,
    stamped::Stamped,
};

/// What was decided last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It belongs to the issue, whether it names it or not.
    Linked,
    /// It does not belong to the issue, whether it names it or not.
    Unlinked,
}

/// The decisions about a commit, by issue; where there is none, what the commit names counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitLink {
    /// What holds.
    pub decisions: BTreeMap<IssueKey, Decision>,
}

impl CommitLink {
    /// The id of the stream of this commit.
    pub fn id(repository: RepositoryId, sha: CommitSha) -> Uuid {
        Uuid::new_v5(&repository.0, &sha.0)
    }
}

impl Aggregate for CommitLink {
    const TYPE: &'static str = "commit_link";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        let decided = |issue: &IssueKey| self.decisions.get(issue).copied();
        Ok(match stamped.command {
            Command::Link { issue, .. } if decided(&issue) == Some(Decision::Linked) => Vec::new(),
            Command::Link { repository, sha, issue, commit } => {
                vec![Event::Linked { repository, sha, issue, commit }]
            }
            Command::Unlink { repository, sha, issue, named } => match decided(&issue) {
                Some(Decision::Unlinked) => Vec::new(),
                None if !named => return Err(Error::NotLinked),
                None | Some(Decision::Linked) => vec![Event::Unlinked { repository, sha, issue }],
            },
            Command::Restore { issue, .. } if decided(&issue).is_none() => Vec::new(),
            Command::Restore { repository, sha, issue } => vec![Event::Restored { repository, sha, issue }],
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Linked { issue, .. } => self.decisions.insert(issue.clone(), Decision::Linked),
            Event::Unlinked { issue, .. } => self.decisions.insert(issue.clone(), Decision::Unlinked),
            Event::Restored { issue, .. } => self.decisions.remove(issue),
        };
    }
}

event_sourced!(CommitLink);
