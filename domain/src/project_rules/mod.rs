//! Which candidates count: the projects that Jira has, and the names that only look like projects. One stream for an
//! installation. Every candidate is recorded whatever the rules say; views apply them when they are asked, so that a rule
//! may change without anything being read again.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{command::Command, error::Error, event::Event};
use crate::{
    aggregate::Aggregate,
    event_sourced,
    issue_key::DENIED_PROJECTS,
    project_key::{Denied, ProjectKey},
    stamped::Stamped,
};

/// The rules. Before anybody changed them every project counts but those of the list that this program brings along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRules {
    /// The projects that count; when there is none, every project does.
    pub known: BTreeSet<ProjectKey>,
    /// What is left out. No project is in both lists.
    pub denied: BTreeSet<Denied>,
}

impl ProjectRules {
    /// The id of the only stream.
    pub const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    /// The bound of each of the two lists.
    pub const MOST: usize = 5_000;

    /// What is denied until somebody says otherwise. A later version of the program may bring another list.
    pub fn brought_along() -> BTreeSet<Denied> {
        DENIED_PROJECTS.iter().filter_map(|project| project.parse().ok()).collect()
    }
}

impl Default for ProjectRules {
    fn default() -> Self {
        Self { known: BTreeSet::new(), denied: Self::brought_along() }
    }
}

impl Aggregate for ProjectRules {
    const TYPE: &'static str = "project_rules";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        let Command::Set { known, denied } = stamped.command;
        if known.len() > Self::MOST || denied.len() > Self::MOST {
            return Err(Error::TooMany);
        }
        if known.iter().any(|project| denied.contains(&Denied::Project(project.clone()))) {
            return Err(Error::Contradiction);
        }
        if (&known, &denied) == (&self.known, &self.denied) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::Changed {
            known: known.difference(&self.known).cloned().collect(),
            no_longer_known: self.known.difference(&known).cloned().collect(),
            denied: denied.difference(&self.denied).cloned().collect(),
            no_longer_denied: self.denied.difference(&denied).cloned().collect(),
        }])
    }

    fn evolve(&mut self, event: &Event) {
        let Event::Changed { known, no_longer_known, denied, no_longer_denied } = event;
        self.known.retain(|project| !no_longer_known.contains(project));
        self.denied.retain(|entry| !no_longer_denied.contains(entry));
        self.known.extend(known.iter().cloned());
        self.denied.extend(denied.iter().cloned());
    }
}

event_sourced!(ProjectRules);
