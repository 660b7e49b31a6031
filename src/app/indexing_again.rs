//! How far an integration is with indexing its repositories again, or from their beginning: an operation that is nothing
//! but the request in the log, a job that asks for the runs, and what the list of repositories says of them. Called by
//! `operations`.

use keytrail_domain::{
    id::IntegrationId,
    integration::Integration,
    recorded::{Position, StreamId},
    timestamp::Timestamp,
};
use keytrail_projections::{
    audit_trail::{self, AuditEntry, AuditFilter, EventType, Order},
    repository_list::{self, Again},
    view::Read,
};

use super::{App, Operation, OperationId, OperationProgress, OperationState, OperationTrouble};
use crate::jobs::{JobStanding, Kind};

/// Of each kind, so many of the latest requests are looked at when all operations are asked for.
const LATEST: u32 = 10;
/// Fewer repositories than these say nothing of how long the others take.
const FEWEST: u64 = 5;

/// What tells one of the two kinds from the other.
struct Sort {
    job: Kind,
    event: &'static str,
    id: fn(IntegrationId, Position) -> OperationId,
    far: fn(IntegrationId, Position) -> Read<Again>,
}

static SORTS: [Sort; 2] = [
    Sort {
        job: Kind::ReindexIntegration,
        event: "integration.reindex_requested",
        id: OperationId::ReindexIntegration,
        far: repository_list::reindexed,
    },
    Sort {
        job: Kind::ResetIntegration,
        event: "integration.reset_requested",
        id: OperationId::ResetIntegration,
        far: repository_list::reset,
    },
];

impl App {
    /// How it stands; `None` when nobody asked for it.
    pub(super) async fn operation_of_indexing_again(
        &self,
        id: &OperationId,
    ) -> Result<Option<Operation>, OperationTrouble> {
        let [reindex, reset] = &SORTS;
        let (sort, integration, asked) = match id {
            OperationId::ReindexIntegration(integration, asked) => (reindex, *integration, *asked),
            OperationId::ResetIntegration(integration, asked) => (reset, *integration, *asked),
            _ => return Ok(None),
        };
        if asked < 1 || asked > self.log.feed().head().position {
            return Ok(None);
        }
        let filter = AuditFilter {
            stream: Some(integration.0),
            event_type: Some(EventType::Exactly(sort.event.to_owned())),
            after: Some(asked - 1),
            until: Some(asked),
            ..AuditFilter::default()
        };
        let found = self.read_at_least(asked, audit_trail::page(&filter, Order::OldestFirst, 1)).await?;
        match found.first() {
            Some(request) => Ok(Some(self.indexing_again(sort, request).await?)),
            None => Ok(None),
        }
    }

    /// Those that have not ended, among the latest requests.
    pub(super) async fn indexing_again_under_way(&self) -> Result<Vec<Operation>, OperationTrouble> {
        let mut all = Vec::new();
        for sort in &SORTS {
            let event_type = Some(EventType::Exactly(sort.event.to_owned()));
            let filter = AuditFilter { event_type, ..AuditFilter::default() };
            for request in self.read(audit_trail::page(&filter, Order::NewestFirst, LATEST)).await? {
                let found = self.indexing_again(sort, &request).await?;
                all.extend((!found.state.has_ended()).then_some(found));
            }
        }
        Ok(all)
    }

    async fn indexing_again(&self, sort: &Sort, request: &AuditEntry) -> Result<Operation, OperationTrouble> {
        let (integration, asked) = (IntegrationId(request.stream_id), request.position);
        let reacted = crate::reactors::position(&self.db).await?;
        let job = self.jobs.standing(sort.job, &integration.to_string()).await?;
        let (state, _) = self.load::<Integration>(StreamId::new("integration", integration.0)).await?;
        // A view that is behind shows less than was done, never more.
        let far = self.read_at_least(asked, (sort.far)(integration, asked)).await?;
        let seen = Seen {
            is_removed: matches!(state, Integration::Removed { .. }),
            is_to_come: reacted < asked,
            job,
            far: far.into_iter().next().unwrap_or_default(),
        };
        Ok(seen.told((sort.id)(integration, asked), request.at, self.clock.now()))
    }
}

/// What is known of it.
struct Seen {
    is_removed: bool,
    /// The job may be about to be asked for.
    is_to_come: bool,
    job: Option<JobStanding>,
    far: Again,
}

impl Seen {
    fn told(self, id: OperationId, asked_at: Timestamp, now: Timestamp) -> Operation {
        let Again { repositories, ended, failed } = self.far;
        let asks = self.is_to_come || self.job.is_some();
        let state = if self.is_removed {
            OperationState::Cancelled
        } else if self.is_to_come {
            OperationState::Waiting
        } else if asks || ended < repositories {
            OperationState::Running
        } else if failed > 0 {
            OperationState::Failed
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
        let why_again = self.job.and_then(|job| job.last_error).map(|text| (String::new(), text));
        let problem = match state {
            OperationState::Failed => Some((String::new(), failures(failed, repositories))),
            OperationState::Cancelled => Some((String::new(), "the integration was removed meanwhile".to_owned())),
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
        Seen { is_removed: false, is_to_come: false, job: None, far: Again { repositories, ended, failed } }
    }

    fn asking(last_error: Option<&str>) -> Option<JobStanding> {
        Some(JobStanding {
            key: String::new(),
            is_running: false,
            last_error: last_error.map(str::to_owned),
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
