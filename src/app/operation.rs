//! Long work as one thing to watch, whatever it is: where it is in its life, how far, and what came of it.

use std::sync::Arc;

use keytrail_domain::{id::IndexRunId, index_run::FailureCode, timestamp::Timestamp};
use keytrail_projections::index_runs::{IndexRun, RunState};

use super::{OperationId, Verification};
use crate::{
    jobs::JobStanding,
    views::{Verdict, VerifyError},
};

/// The stable word of why a run or a look fails.
pub(super) fn word(code: FailureCode) -> Option<String> {
    serde_json::to_value(code).ok().and_then(|word| word.as_str().map(str::to_owned))
}

/// Where an operation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// It waits for its turn.
    Waiting,
    /// It is being done.
    Running,
    /// It was done.
    Succeeded,
    /// It could not be done.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

impl OperationState {
    /// The whole list.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing follows any more.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Long work as it stands.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Which.
    pub id: OperationId,
    /// Where it is in its life.
    pub state: OperationState,
    /// When it was asked for, where that is known.
    pub asked_at: Option<Timestamp>,
    /// When the work began, where that is known.
    pub began_at: Option<Timestamp>,
    /// When it ended, where that is known.
    pub ended_at: Option<Timestamp>,
    /// How far it is.
    pub progress: Option<OperationProgress>,
    /// Why it failed, or why it is tried again: a code where there is one, and a clause for people.
    pub problem: Option<(String, String)>,
    /// What came of it.
    pub result: Option<OperationResult>,
    /// Whether it got so far that there is no way back.
    pub is_decided: bool,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationProgress {
    /// What is being done, in a word.
    pub phase: String,
    /// How much was done.
    pub done: u64,
    /// How much there is; 0 until that is known.
    pub total: u64,
    /// Of what: `commits`, `objects`, `repositories`, `events`, `views`.
    pub unit: &'static str,
    /// Seconds that it takes from now on, if it goes on as fast; nothing while that would be a guess.
    pub eta_seconds: Option<u64>,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub enum OperationResult {
    /// Nothing was new.
    NothingNew,
    /// An index run.
    IndexRun(IndexRunId),
    /// View by view whether it is what the log says.
    Verdicts(Arc<[Verdict]>),
}

impl Operation {
    /// One that was asked for just now.
    pub const fn asked_for(id: OperationId) -> Self {
        Self::new(id, OperationState::Waiting)
    }

    pub(super) const fn new(id: OperationId, state: OperationState) -> Self {
        Self {
            id,
            state,
            asked_at: None,
            began_at: None,
            ended_at: None,
            progress: None,
            problem: None,
            result: None,
            is_decided: false,
        }
    }

    /// Whether somebody can stop it.
    pub const fn can_be_cancelled(&self) -> bool {
        let may_stop = match self.id {
            OperationId::IndexRun(_)
            | OperationId::ReindexIntegration(..)
            | OperationId::ResetIntegration(..)
            | OperationId::VerifyViews(_)
            | OperationId::RotateSshKey(..) => true,
            OperationId::FetchRepository(_)
            | OperationId::DiscoverRepositories(_)
            | OperationId::ForgetRepositories(_)
            | OperationId::RebuildView(..) => false,
        };
        may_stop && !self.is_decided && !self.state.has_ended()
    }

    /// An index run, without how far it is.
    pub fn of_run(run: &IndexRun) -> Self {
        let state = match run.state {
            RunState::Requested => OperationState::Waiting,
            RunState::Running => OperationState::Running,
            RunState::Completed => OperationState::Succeeded,
            RunState::Failed => OperationState::Failed,
            RunState::Cancelled => OperationState::Cancelled,
        };
        Self {
            asked_at: Some(run.requested_at),
            began_at: run.started_at,
            ended_at: run.ended_at,
            problem: run.failure.as_ref().map(|(code, text)| (word(*code).unwrap_or_default(), text.clone())),
            result: (state == OperationState::Succeeded).then_some(OperationResult::IndexRun(run.id)),
            ..Self::new(OperationId::IndexRun(run.id), state)
        }
    }

    pub(super) fn of_job(id: OperationId, job: Option<JobStanding>) -> Self {
        let Some(job) = job else { return Self::new(id, OperationState::Succeeded) };
        let state = if job.is_running { OperationState::Running } else { OperationState::Waiting };
        Self {
            asked_at: Some(job.created_at),
            problem: job.last_error.map(|text| (String::new(), text)),
            ..Self::new(id, state)
        }
    }

    pub(super) fn of_verification(known: &Verification, now: Timestamp) -> Self {
        let (done, total) = (known.compared() as u64, known.views as u64);
        let end = known.ended();
        let state = match end.as_ref().map(|end| &end.verdicts) {
            None => OperationState::Running,
            Some(Ok(_)) => OperationState::Succeeded,
            Some(Err(error)) if matches!(**error, VerifyError::Cancelled) => OperationState::Cancelled,
            Some(Err(_)) => OperationState::Failed,
        };
        // Views differ by far in size: before half of them are compared it would be a guess.
        let spent = (now.0 - known.began_at.0).max(0) as u64 / 1_000_000;
        let eta_seconds = (done * 2 >= total && done > 0).then(|| spent * (total - done) / done);
        let progress = OperationProgress { phase: "comparing".to_owned(), done, total, unit: "views", eta_seconds };
        let mut found = Self {
            asked_at: Some(known.began_at),
            began_at: Some(known.began_at),
            ended_at: end.as_ref().map(|end| end.at),
            progress: end.is_none().then_some(progress),
            ..Self::new(OperationId::VerifyViews(known.id), state)
        };
        match end.map(|end| end.verdicts) {
            Some(Ok(verdicts)) => found.result = Some(OperationResult::Verdicts(verdicts)),
            Some(Err(error)) if state == OperationState::Failed => {
                found.problem = Some((String::new(), error.to_string()));
            }
            _ => {}
        }
        found
    }
}
