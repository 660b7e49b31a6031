//! Which operations there are and how each stands: index runs, looks at repositories, discovering and forgetting them,
//! builds of views, verifications. Nothing is stored for it: what each part knows of its work is told in the same words.
//! Called by routes and by whoever streams how far something is.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    integration::Integration,
    recorded::StreamId,
};
use keytrail_projections::{
    index_runs::{self, IndexRun},
    repository_list,
};
use uuid::Uuid;

use super::{
    App, DispatchError, Operation, OperationId, OperationProgress, OperationResult, OperationState,
    indexing_again::SORTS, operation::word,
};
use crate::{
    jobs::{Kind, Look, LookOutcome, ProgressNow},
    store::StoreError,
    views::{BuildState, ViewError},
};

/// Why an operation cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum OperationTrouble {
    /// A view cannot be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stream cannot be read.
    #[error(transparent)]
    Stream(#[from] DispatchError),
}

/// From which thing down a kind goes on, of which these are the first and the last operation that could be; `None` when all
/// of it was told before.
fn highest(below: Option<&OperationId>, first: &OperationId, last: &OperationId) -> Option<Uuid> {
    let from = below.filter(|below| *below < last).unwrap_or(last);
    if from > first { from.thing() } else { None }
}

impl App {
    /// An operation as it stands now; `None` when there is no such operation.
    pub async fn operation(&self, id: &OperationId) -> Result<Option<Operation>, OperationTrouble> {
        Ok(match id {
            OperationId::IndexRun(run) => match self.read(index_runs::by_id(*run)).await?.pop() {
                Some(run) => Some(self.with_progress(&run).await?),
                None => None,
            },
            OperationId::FetchRepository(repository) => match self.jobs.look_at(*repository) {
                Some(look) => Some(self.operation_of_look(*repository, look).await?),
                None => None,
            },
            OperationId::DiscoverRepositories(integration) => {
                self.operation_of_job(id, Kind::DiscoverRepositories, *integration).await?
            }
            OperationId::ForgetRepositories(integration) => {
                self.operation_of_job(id, Kind::ForgetRepositories, *integration).await?
            }
            OperationId::ReindexIntegration(..) | OperationId::ResetIntegration(..) => {
                self.operation_of_indexing_again(id).await?
            }
            OperationId::RebuildView(view, number) => {
                self.views.build_of(view, *number).await?.map(|state| self.operation_of_build(id.clone(), state))
            }
            OperationId::RotateSshKey(key, asked) => self.operation_of_rotation(*key, *asked).await?,
            OperationId::VerifyViews(verification) => {
                let found = self.verification(*verification);
                found.map(|found| Operation::of_verification(&found, self.clock.now()))
            }
        })
    }

    /// Operations beside index runs, the last first, from this one down: those under way, and the looks and verifications of
    /// this node that have ended. `most` at most: when there are fewer, these are all.
    pub async fn operations_beside_runs(
        &self,
        below: Option<&OperationId>,
        most: u32,
    ) -> Result<Vec<Operation>, OperationTrouble> {
        let most = most as usize;
        let follows = |id: &OperationId| below.is_none_or(|below| id < below);
        let now = self.clock.now();
        let mut found: Vec<_> =
            self.verifications().iter().map(|known| Operation::of_verification(known, now)).collect();
        for (view, number) in self.views.under_construction().await? {
            found.extend(self.operation(&OperationId::RebuildView(view.to_owned(), number)).await?);
        }
        // These are few, too.
        found.extend(self.rotations_under_way(u32::MAX).await?);
        found.retain(|operation| follows(&operation.id));
        found.sort_by(|one, other| other.id.cmp(&one.id));
        // Of the others there may be thousands: only those of the page are looked at.
        for sort in &SORTS {
            found.extend(self.indexing_again_under_way(sort, below, most.saturating_sub(found.len())).await?);
        }
        for (kind, id) in [
            (Kind::ForgetRepositories, OperationId::ForgetRepositories as fn(IntegrationId) -> OperationId),
            (Kind::DiscoverRepositories, OperationId::DiscoverRepositories),
        ] {
            let id = |integration: Uuid| id(IntegrationId(integration));
            let Some(from) = highest(below, &id(Uuid::nil()), &id(Uuid::max())) else { continue };
            let left = most.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            // One more: the page before may have ended with the first of them.
            for job in self.jobs.standings(kind, from, u32::try_from(left + 1).unwrap_or(u32::MAX)).await? {
                let Ok(integration) = job.key.parse() else { continue };
                found.push(Operation::of_job(id(integration), Some(job)));
            }
            found.retain(|operation| follows(&operation.id));
        }
        let looks = self.jobs.looks().into_iter().rev();
        let looks = looks.filter(|(repository, _)| follows(&OperationId::FetchRepository(*repository)));
        for (repository, look) in looks.take(most.saturating_sub(found.len())) {
            found.push(self.operation_of_look(repository, look).await?);
        }
        found.truncate(most);
        Ok(found)
    }

    async fn with_progress(&self, run: &IndexRun) -> Result<Operation, StoreError> {
        let mut found = Operation::of_run(run);
        if !found.state.has_ended() {
            let job = self.jobs.standing(Kind::IndexRepository, &run.id.to_string()).await?;
            found.problem = job.and_then(|job| job.last_error).map(|text| (String::new(), text));
        }
        if found.state == OperationState::Running {
            let text = self.jobs.progress(Kind::IndexRepository, &run.id.to_string()).await?;
            // What a worker of another version wrote may have another shape: then nothing is known.
            let now = text.and_then(|text| serde_json::from_str::<ProgressNow>(&text).ok());
            found.progress = now.map(|now| {
                let (done, total, unit) = match now.phase.as_str() {
                    "fetching" => (now.objects, now.objects_total, "objects"),
                    _ if now.total > 0 => (now.recorded, now.total, "commits"),
                    _ => (now.commits, 0, "commits"),
                };
                OperationProgress { phase: now.phase, done, total, unit, eta_seconds: now.eta_seconds }
            });
        }
        Ok(found)
    }

    async fn operation_of_look(&self, repository: RepositoryId, look: Look) -> Result<Operation, ViewError> {
        let id = OperationId::FetchRepository(repository);
        let Some((at, outcome)) = look.ended else {
            return Ok(Operation { asked_at: Some(look.asked_at), ..Operation::new(id, OperationState::Running) });
        };
        let state = match outcome {
            LookOutcome::Nothing | LookOutcome::Run | LookOutcome::PassedOn => OperationState::Succeeded,
            LookOutcome::Failed | LookOutcome::NotWatched => OperationState::Failed,
        };
        let mut found = Operation { asked_at: Some(look.asked_at), ended_at: Some(at), ..Operation::new(id, state) };
        let row = match outcome {
            LookOutcome::Nothing | LookOutcome::PassedOn => None,
            LookOutcome::Run | LookOutcome::Failed | LookOutcome::NotWatched => {
                if outcome == LookOutcome::Failed {
                    // Why is an event that the look has left behind.
                    self.views.wait_for("repository_list", self.log.feed().head().position).await?;
                }
                self.read(repository_list::by_id(repository)).await?.pop().map(|listed| listed.repository)
            }
        };
        match outcome {
            LookOutcome::Nothing => found.result = Some(OperationResult::NothingNew),
            // What comes of it is known there; a run shows in the repository's row.
            LookOutcome::PassedOn => {}
            LookOutcome::Run => found.result = row.and_then(|row| row.last_run).map(OperationResult::IndexRun),
            LookOutcome::Failed => {
                let trouble = row.and_then(|row| row.trouble);
                let code = trouble.as_ref().and_then(|trouble| word(trouble.code));
                let text = trouble.map(|trouble| trouble.text);
                let text = text.unwrap_or_else(|| "it could not be looked at; it is tried again by itself".into());
                found.problem = Some((code.unwrap_or_else(|| "look_failed".to_owned()), text));
            }
            LookOutcome::NotWatched => {
                let text = "it is not looked at: its integration is paused or gone, or it cannot be indexed";
                found.problem = Some(("not_watched".to_owned(), text.to_owned()));
            }
        }
        Ok(found)
    }

    async fn operation_of_job(
        &self,
        id: &OperationId,
        kind: Kind,
        integration: IntegrationId,
    ) -> Result<Option<Operation>, OperationTrouble> {
        let head = self.log.feed().head().position;
        let reacted = crate::reactors::position(&self.db).await?;
        let job = self.jobs.standing(kind, &integration.to_string()).await?;
        if job.is_none() {
            // No job is left of what was done: it was done if there was a reason for it.
            let (state, _) = self.load::<Integration>(StreamId::new("integration", integration.0)).await?;
            let was_asked = match kind {
                Kind::ForgetRepositories => matches!(state, Integration::Removed { .. }),
                _ => !matches!(state, Integration::Absent),
            };
            if !was_asked {
                return Ok(None);
            }
            if reacted < head {
                // It may be about to be asked for.
                return Ok(Some(Operation::new(id.clone(), OperationState::Waiting)));
            }
        }
        Ok(Some(Operation::of_job(id.clone(), job)))
    }

    fn operation_of_build(&self, id: OperationId, state: BuildState) -> Operation {
        match state {
            BuildState::Building(position) => {
                let total = self.log.feed().head().position.max(position).unsigned_abs();
                let done = position.unsigned_abs();
                let phase = "folding".to_owned();
                let progress = OperationProgress { phase, done, total, unit: "events", eta_seconds: None };
                Operation { progress: Some(progress), ..Operation::new(id, OperationState::Running) }
            }
            BuildState::Live | BuildState::Replaced => Operation::new(id, OperationState::Succeeded),
            BuildState::Faulted(error) => {
                let problem = Some((String::new(), error));
                Operation { problem, ..Operation::new(id, OperationState::Failed) }
            }
        }
    }
}
