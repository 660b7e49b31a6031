//! Which pull requests name which issue, how each is, and what was thought of it.
//!
//! Rows carry the repository's id and not its number: what a git service says outlives a reset of the index. They count
//! while the repository is there.

mod reads;
mod schema;
#[cfg(test)]
mod tests;

use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IntegrationId, RepositoryId},
    pull_request::{Event, Snapshot, State},
    recorded::Recorded,
    repository,
    service::Connection,
};

pub use self::reads::{
    IssuePullRequest, PullCursor, PullReview, PullState, numbers_of_repository, pull_requests_of_issue,
    reviews_of_issue,
};
use self::schema::{LINKS, PULLS, REPOSITORIES, REVIEWS, RULES};
use crate::{
    row,
    rows::{Keys, Rows},
    ruled,
    value::{Row, Value},
    view::{Table, View},
};

/// The view.
#[derive(Debug)]
pub struct PullRequests;

impl View for PullRequests {
    fn name(&self) -> &'static str {
        "pull_requests"
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [Table] {
        &[REPOSITORIES, PULLS, LINKS, REVIEWS, RULES]
    }

    fn keys(&self, fact: &Recorded<Fact>, keys: &mut Keys) {
        ruled::keys(&RULES, fact, keys);
        match &fact.fact {
            Fact::PullRequest(Event::Recorded { repository, number, latest, named_no_more }) => {
                keys.add(&PULLS, row![*repository, *number]);
                for key in latest.keys.keys().chain(named_no_more) {
                    keys.add(&LINKS, row![key.project.clone(), key.number, *repository, *number]);
                }
            }
            Fact::PullRequest(Event::Reviewed { repository, number, reviews }) => {
                reviews.iter().for_each(|review| keys.add(&REVIEWS, row![*repository, *number, review.id]));
            }
            Fact::PullRequest(Event::Deleted { repository, number }) => keys.add(&PULLS, row![*repository, *number]),
            Fact::Repository(
                repository::Event::Discovered { .. }
                | repository::Event::Moved { .. }
                | repository::Event::Forgotten {},
            ) => keys.add(&REPOSITORIES, row![fact.stream.id]),
            Fact::Repository(
                repository::Event::Refused { .. }
                | repository::Event::Unreachable { .. }
                | repository::Event::Reachable {}
                | repository::Event::Archived {}
                | repository::Event::Unarchived {},
            )
            | Fact::Integration(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }

    fn fold(&self, rows: &mut Rows, fact: &Recorded<Fact>) {
        ruled::fold(&RULES, rows, fact);
        match &fact.fact {
            Fact::PullRequest(Event::Recorded { repository, number, latest, named_no_more }) => {
                for key in named_no_more {
                    rows.end(&LINKS, &row![key.project.clone(), key.number, *repository, *number]);
                }
                for (key, places) in &latest.keys {
                    let link = row![key.project.clone(), key.number, *repository, *number];
                    let shown = row![latest.created_at, i64::from(places.0)];
                    rows.put(&LINKS, [link, shown].concat());
                }
                rows.put(&PULLS, pull(*repository, *number, latest));
            }
            Fact::PullRequest(Event::Reviewed { repository, number, reviews }) => {
                for review in reviews {
                    let verdict = Value::word(&review.verdict);
                    rows.put(&REVIEWS, row![*repository, *number, review.id, review.reviewer, verdict, review.at]);
                }
            }
            Fact::PullRequest(Event::Deleted { repository, number }) => {
                if let Some(mut row) = rows.get(&PULLS, &row![*repository, *number]).map(<[Value]>::to_vec) {
                    row[3] = PullState::Deleted.into();
                    row[12] = fact.metadata.at.into();
                    rows.put(&PULLS, row);
                }
            }
            Fact::Repository(repository::Event::Discovered { integration, name, location }) => {
                rows.put(&REPOSITORIES, seen(RepositoryId(fact.stream.id), *integration, name, location));
            }
            Fact::Repository(repository::Event::Moved { name, location }) => {
                let id = RepositoryId(fact.stream.id);
                let known = rows.get(&REPOSITORIES, &[id.into()]).map(|row| row[1].clone());
                if let Some(integration) = known {
                    rows.put(&REPOSITORIES, vec![id.into(), integration, name.into(), page(location).into()]);
                }
            }
            Fact::Repository(repository::Event::Forgotten {}) => rows.end(&REPOSITORIES, &row![fact.stream.id]),
            Fact::Repository(
                repository::Event::Refused { .. }
                | repository::Event::Unreachable { .. }
                | repository::Event::Reachable {}
                | repository::Event::Archived {}
                | repository::Event::Unarchived {},
            )
            | Fact::Integration(_)
            | Fact::IndexRun(_)
            | Fact::IndexBatch(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => {}
        }
    }
}

fn seen(id: RepositoryId, integration: IntegrationId, name: &DisplayText, location: &Connection) -> Row {
    row![id, integration, name, page(location)]
}

/// Where a browser finds the repository, as git services do it: the address of git without its ending.
fn page(location: &Connection) -> String {
    let location = location.location();
    location.strip_suffix(".git").unwrap_or(&location).to_owned()
}

fn pull(repository: RepositoryId, number: u64, latest: &Snapshot) -> Row {
    let state = match latest.state {
        State::Open => PullState::Open,
        State::Closed => PullState::Closed,
        State::Merged => PullState::Merged,
    };
    row![
        repository,
        number,
        &latest.title,
        state,
        latest.draft,
        &latest.source,
        &latest.target,
        latest.author,
        latest.created_at,
        latest.updated_at,
        latest.merged_at,
        latest.closed_at,
        Value::Null,
    ]
}
