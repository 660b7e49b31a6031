//! How far an integration is with indexing its repositories again, or from their beginning: an operation that is nothing
//! but the request in the log, a job that asks for the runs, and what the list of repositories says of them. Called by
//! `operations`.

use std::collections::BTreeMap;

use keytrail_domain::{
    id::IntegrationId,
    integration::Integration,
    recorded::{Position, StreamId},
    timestamp::Timestamp,
};
use keytrail_projections::{
    repository_list::{self, Again, Request},
    view::Read,
};
use uuid::Uuid;

use super::{App, Operation, OperationId, OperationProgress, OperationState, OperationTrouble};
use crate::jobs::{JobStanding, Kind};

/// Fewer repositories than these say nothing of how long the others take.
const FEWEST: u64 = 5;

/// What tells one of the two kinds from the other.
pub(super) struct Sort {
    job: Kind,
    is_reset: bool,
    id: fn(IntegrationId, Position) -> OperationId,
    far: fn(IntegrationId, Position) -> Read<Again>,
}

/// The last first, as lists have them.
pub(super) static SORTS: [Sort; 2] = [
    Sort {
        job: Kind::ResetIntegration,
        is_reset: true,
        id: OperationId::ResetIntegration,
        far: repository_list::reset,
    },
    Sort {
        job: Kind::ReindexIntegration,
        is_reset: false,
        id: OperationId::ReindexIntegration,
        far: repository_list::reindexed,
    },
];

impl App {
    /// How it stands; `None` when nobody asked for it.
    pub(super) async fn operation_of_indexing_again(
        &self,
        id: &OperationId,
    ) -> Result<Option<Operation>, OperationTrouble> {
        let [reset, reindex] = &SORTS;
        let (sort, integration, asked) = match id {
            OperationId::ReindexIntegration(integration, asked) => (reindex, *integration, *asked),
            OperationId::ResetIntegration(integration, asked) => (reset, *integration, *asked),
            _ => return Ok(None),
        };
        if asked < 1 || asked > self.log.feed().head().position {
            return Ok(None);
        }
        let found = self.read_at_least(asked, repository_list::request(sort.is_reset, integration, asked)).await?;
        match found.first() {
            Some(request) => Ok(Some(self.indexing_again(sort, request).await?)),
            None => Ok(None),
        }
    }

    /// Those that have not ended, from this operation down: the latest of the last integration first.
    pub(super) async fn indexing_again_under_way(
        &self,
        sort: &Sort,
        below: Option<&OperationId>,
        most: usize,
    ) -> Result<Vec<Operation>, OperationTrouble> {
        let ends = [(Uuid::nil(), 0), (Uuid::max(), Position::MAX)];
        let [first, last] = ends.map(|(integration, asked)| (sort.id)(IntegrationId(integration), asked));
        let mut below = below.filter(|below| **below < last).unwrap_or(&last).clone();
        let page = u32::try_from(most).unwrap_or(u32::MAX).saturating_add(1);
        let mut found = Vec::new();
        while found.len() < most && below > first {
            let Some(from) = below.request() else { break };
            let mut requests = BTreeMap::new();
            for request in self.read(repository_list::under_way(sort.is_reset, from, page)).await? {
                requests.insert((sort.id)(request.integration, request.asked), request);
            }
            // What is still asked for may be of no repository at all.
            for job in self.jobs.standings(sort.job, from.0.0, page).await? {
                let Ok(integration) = job.key.parse() else { continue };
                let read = repository_list::request(sort.is_reset, integration, job.caused_by);
                for request in self.read(read).await? {
                    requests.insert((sort.id)(integration, request.asked), request);
                }
            }
            requests.retain(|id, _| *id < below);
            if requests.is_empty() {
                break;
            }
            for (id, request) in requests.into_iter().rev().take(page as usize) {
                let operation = self.indexing_again(sort, &request).await?;
                // Its integration may be gone since.
                found.extend((!operation.state.has_ended()).then_some(operation));
                below = id;
            }
        }
        found.truncate(most);
        Ok(found)
    }

    async fn indexing_again(&self, sort: &Sort, request: &Request) -> Result<Operation, OperationTrouble> {
        let Request { integration, asked, asked_at } = *request;
        let reacted = crate::reactors::position(&self.db).await?;
        let job = self.jobs.standing(sort.job, &integration.to_string()).await?;
        let (state, _) = self.load::<Integration>(StreamId::new("integration", integration.0)).await?;
        // A view that is behind shows less than was done, never more.
        let far = self.read_at_least(asked, (sort.far)(integration, asked)).await?;
        let seen = Seen {
            is_removed: matches!(state, Integration::Removed { .. }),
            is_cancelled: state.has_cancelled(asked),
            is_to_come: reacted < asked,
            // What was asked for later is another one's.
            job: job.filter(|job| job.caused_by == asked),
            far: far.into_iter().next().unwrap_or_default(),
        };
        Ok(seen.told((sort.id)(integration, asked), asked_at, self.clock.now()))
    }
}

/// What is known of it.
struct Seen {
    is_removed: bool,
    is_cancelled: bool,
    /// The job may be about to be asked for.
    is_to_come: bool,
    job: Option<JobStanding>,
    far: Again,
}

impl Seen {
    fn told(self, id: OperationId, asked_at: Timestamp, now: Timestamp) -> Operation {
        let Again { repositories, ended, failed, cancelled } = self.far;
        let asks = self.is_to_come || self.job.is_some();
        let state = if self.is_removed || self.is_cancelled {
            OperationState::Cancelled
        } else if self.is_to_come {
            OperationState::Waiting
        } else if asks || ended < repositories {
            OperationState::Running
        } else if failed > 0 {
            OperationState::Failed
        } else if cancelled > 0 {
            OperationState::Cancelled
        } else {
            OperationState::Succeeded
        };
        let spent = u64::try_from((now.0 - asked_at.0) / 1_000_000).unwrap_or(0);
        let left = repositories.saturating_sub(ended);
        // One in ten must be done before the others are told by them.
        let honest = !asks && left > 0 && ended >= FEWEST && ended * 10 >= repositories;
        let progress = OperationProgress {
            phase: if asks { "asking" } else { "indexing" }.to_owned(),
            done: ended,
            total: repositories,
            unit: "repositories",
            eta_seconds: honest.then(|| (spent * left).div_ceil(ended)),
        };
        let why_again = self.job.as_ref().and_then(|job| job.last_error.clone()).map(|text| (String::new(), text));
        let problem = match state {
            OperationState::Failed => Some((String::new(), failures(failed, repositories))),
            OperationState::Cancelled => Some((String::new(), self.why_cancelled())),
            OperationState::Waiting | OperationState::Running | OperationState::Succeeded => why_again,
        };
        Operation {
            asked_at: Some(asked_at),
            progress: (!state.has_ended()).then_some(progress),
            problem,
            ..Operation::new(id, state)
        }
    }
}

impl Seen {
    fn why_cancelled(&self) -> String {
        let Again { repositories, cancelled, .. } = self.far;
        if self.is_removed {
            "the integration was removed meanwhile".to_owned()
        } else if self.is_cancelled {
            "somebody cancelled it; what had been recorded by then stays".to_owned()
        } else {
            format!("somebody cancelled the runs of {cancelled} of {repositories} repositories")
        }
    }
}

fn failures(failed: u64, repositories: u64) -> String {
    format!("{failed} of {repositories} repositories could not be indexed; the row of each says why")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn told(seen: Seen) -> Operation {
        let id = OperationId::ReindexIntegration(IntegrationId(Uuid::from_u128(7)), 9);
        seen.told(id, Timestamp::from_seconds(100), Timestamp::from_seconds(160))
    }

    fn seen(repositories: u64, ended: u64, failed: u64) -> Seen {
        Seen {
            is_removed: false,
            is_cancelled: false,
            is_to_come: false,
            job: None,
            far: Again { repositories, ended, failed, cancelled: 0 },
        }
    }

    fn asking(last_error: Option<&str>) -> Option<JobStanding> {
        Some(JobStanding {
            key: String::new(),
            is_running: false,
            last_error: last_error.map(str::to_owned),
            caused_by: 9,
            created_at: Timestamp::from_seconds(100),
        })
    }

    #[test]
    fn it_has_ended_when_a_run_of_each_repository_has() {
        for (seen, state) in [
            (seen(40, 39, 0), OperationState::Running),
            (seen(40, 40, 0), OperationState::Succeeded),
            (seen(40, 40, 3), OperationState::Failed),
            (seen(0, 0, 0), OperationState::Succeeded),
            (Seen { is_to_come: true, ..seen(40, 0, 0) }, OperationState::Waiting),
            (Seen { job: asking(None), ..seen(40, 40, 0) }, OperationState::Running),
            (Seen { is_removed: true, ..seen(0, 0, 0) }, OperationState::Cancelled),
            (Seen { is_cancelled: true, ..seen(40, 10, 0) }, OperationState::Cancelled),
            (Seen { far: Again { cancelled: 1, ..seen(40, 40, 0).far }, ..seen(40, 40, 0) }, OperationState::Cancelled),
        ] {
            assert_eq!(told(seen).state, state);
        }
    }

    #[test]
    fn it_says_how_far_it_is_and_guesses_nothing() {
        let now = told(seen(40, 10, 0)).progress.expect("it goes on");
        assert_eq!((now.phase.as_str(), now.done, now.total, now.unit), ("indexing", 10, 40, "repositories"));
        assert_eq!(now.eta_seconds, Some(180));
        assert_eq!(told(seen(40, 4, 0)).progress.and_then(|now| now.eta_seconds), None);
        assert_eq!(told(seen(1_000, 20, 0)).progress.and_then(|now| now.eta_seconds), None);
        let asked = told(Seen { job: asking(Some("the integration is paused")), ..seen(40, 10, 0) });
        assert_eq!(asked.progress.map(|now| (now.phase, now.eta_seconds)), Some(("asking".to_owned(), None)));
        assert_eq!(asked.problem.map(|(_, text)| text).as_deref(), Some("the integration is paused"));
        let failed = told(seen(40, 40, 3));
        assert_eq!(failed.progress, None);
        assert!(failed.problem.is_some_and(|(_, text)| text.starts_with("3 of 40 ")));
    }
}
