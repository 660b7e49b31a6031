//! A pull request of a repository, as its git service tells it. One stream is one number of one repository, whatever the
//! repository is called: so a pull request outlives a rename, a transfer and a reset.

mod command;
mod error;
mod event;
mod snapshot;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    command::{Command, How},
    error::Error,
    event::Event,
    snapshot::{Places, Review, Snapshot, State, Verdict, named_by},
};
use crate::{aggregate::Aggregate, event_sourced, id::RepositoryId, issue_key::IssueKey, stamped::Stamped};

/// Reviews that are kept of one.
pub const MOST_REVIEWS: usize = 200;

/// What is known of a pull request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// The latest that was told of it; nothing before it was told of.
    pub latest: Option<Box<Snapshot>>,
    /// Its reviews, by their ids.
    pub reviews: BTreeMap<u64, Review>,
    /// Whether its service has it no more.
    pub deleted: bool,
}

impl PullRequest {
    /// The id of the stream of this pull request.
    pub fn id(repository: RepositoryId, number: u64) -> Uuid {
        Uuid::new_v5(&repository.0, format!("pull_request:{number}").as_bytes())
    }

    /// Whether it names an issue.
    pub fn names_any(&self) -> bool {
        self.latest.as_ref().is_some_and(|latest| !latest.keys.is_empty())
    }

    /// Whether a snapshot says something new. Its time decides, for they come in any order. Times are whole seconds: of two
    /// that were heard of one second the greater one holds, whichever came first, until the service is asked; what it
    /// answers then holds.
    fn is_news(&self, snapshot: &Snapshot, how: How) -> bool {
        match (self.latest.as_deref(), how) {
            (None, _) => true,
            // It is there: who was told otherwise was told wrong.
            (Some(_), How::Read) if self.deleted => true,
            // What was on its way when it was deleted.
            (Some(_), How::Heard) if self.deleted => false,
            (Some(known), How::Heard) => snapshot > known,
            (Some(known), How::Read) => snapshot != known && snapshot.updated_at >= known.updated_at,
        }
    }

    /// The reviews that are new, or have another verdict now.
    fn changed(&self, told: Vec<Review>) -> Vec<Review> {
        let mut changed = BTreeMap::new();
        for review in told {
            let known = changed.get(&review.id).or_else(|| self.reviews.get(&review.id));
            let room = self.reviews.len() + changed.len() < MOST_REVIEWS;
            if known.map_or(room, |known| review.outweighs(known)) {
                changed.insert(review.id, review);
            }
        }
        changed.into_values().collect()
    }
}

impl Aggregate for PullRequest {
    const TYPE: &'static str = "pull_request";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        Ok(match stamped.command {
            Command::Record { repository, number, snapshot, reviews, how } => {
                let mut events = Vec::new();
                if self.is_news(&snapshot, how) {
                    let before: BTreeSet<&IssueKey> = self.latest.iter().flat_map(|known| known.keys.keys()).collect();
                    let named_no_more =
                        before.into_iter().filter(|key| !snapshot.keys.contains_key(*key)).cloned().collect();
                    events.push(Event::Recorded { repository, number, latest: snapshot, named_no_more });
                } else if self.deleted {
                    return Ok(Vec::new());
                }
                let reviews = self.changed(reviews);
                if !reviews.is_empty() {
                    events.push(Event::Reviewed { repository, number, reviews });
                }
                events
            }
            Command::Delete { .. } if self.deleted || self.latest.is_none() => Vec::new(),
            Command::Delete { repository, number } => vec![Event::Deleted { repository, number }],
        })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Recorded { latest, .. } => {
                self.latest = Some(latest.clone());
                self.deleted = false;
            }
            Event::Reviewed { reviews, .. } => {
                self.reviews.extend(reviews.iter().map(|review| (review.id, review.clone())));
            }
            Event::Deleted { .. } => self.deleted = true,
        }
    }
}

event_sourced!(PullRequest);
