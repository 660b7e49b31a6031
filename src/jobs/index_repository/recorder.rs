//! The stream of batches of a run: what is in it already, and what is added. It never decides what to record.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use keytrail_domain::{
    aggregate::StoredEvent,
    fact::Fact,
    id::{IndexRunId, RepositoryId},
    index_run::batch::{CommitSha, Cursor, Event, STREAM_TYPE},
    metadata::{Actor, Causation, Metadata, Source},
    recorded::{Position, Sequence, StreamId},
};
use keytrail_projections::issue_branches;

use super::PART;
use crate::{
    app::App,
    git::Ref,
    ids,
    jobs::JobError,
    log::{Append, AppendError, Lane, NewEvent},
};

/// Writes the stream of batches of one run.
pub(super) struct Recorder {
    app: Arc<App>,
    pub(super) run: IndexRunId,
    pub(super) repository: RepositoryId,
    pub(super) number: Position,
    /// The event that asked for the run.
    pub(super) cause: Position,
    /// The end of the last run that completed under this number.
    indexed: Option<Position>,
    /// The last sequence of the stream.
    sequence: Sequence,
    /// The position of what was recorded last.
    last: Position,
    /// Where the log stood when this worker began.
    began: Position,
}

/// What an earlier worker recorded of this run.
#[derive(Default)]
pub(super) struct Recorded {
    /// Refs that moved.
    pub(super) refs: u64,
    pub(super) commits: Option<Reached>,
    /// Commits that a ref leads to again, as it said.
    pub(super) restored: Vec<CommitSha>,
    /// How many of its events were read for this.
    pub(super) events_read: u64,
}

/// The last batch of commits: up to where it goes, and under which default branch refs were ranked.
pub(super) struct Reached {
    pub(super) cursor: Cursor,
    pub(super) default_branch: Option<Arc<str>>,
}

impl Recorder {
    pub(super) fn new(
        app: &Arc<App>,
        run: IndexRunId,
        repository: RepositoryId,
        number: Position,
        cause: Position,
        indexed: Option<Position>,
    ) -> Self {
        Self { app: app.clone(), run, repository, number, cause, indexed, sequence: 0, last: cause, began: cause }
    }

    /// At which position a view holds all that was recorded before this worker began, by whichever run; known once
    /// [`Self::recorded`] was called.
    pub(super) const fn began(&self) -> Position {
        self.began
    }

    /// Whether an earlier worker added to the stream of this run; known once [`Self::recorded`] was called.
    pub(super) const fn is_taken_over(&self) -> bool {
        self.sequence > 0
    }

    /// Whether no run has completed under this number.
    pub(super) const fn is_first(&self) -> bool {
        self.indexed.is_none()
    }

    /// Whether something was added to the stream of another run after the last one that completed.
    pub(super) async fn was_added_to_since(&self, other: IndexRunId) -> Result<bool, JobError> {
        let stream = StreamId::new(STREAM_TYPE, other.0);
        let last = self.app.log.last_sequence(stream).await?;
        if last == 0 {
            return Ok(false);
        }
        let event = self.app.log.event(stream, last).await.map_err(|error| JobError::Later(error.to_string()))?;
        Ok(event.is_some_and(|event| event.position > self.indexed.unwrap_or_default()))
    }

    /// Whether the run was asked for by a reset: the request gave the repository its number.
    pub(super) const fn is_reset(&self) -> bool {
        self.number == self.cause
    }

    fn stream(&self) -> StreamId {
        StreamId::new(STREAM_TYPE, self.run.0)
    }

    /// What is in the stream already. Read only once, when a run begins or is taken over, and only its ends: refs come
    /// first, then the batches of commits, whose last one says what all of them do, then what became of known commits.
    pub(super) async fn recorded(&mut self) -> Result<Recorded, JobError> {
        self.sequence = self.app.log.last_sequence(self.stream()).await?;
        // Asked after the sequence: who adds to the stream from here on makes this worker leave.
        self.began = self.app.log.stored_head().await?.position;
        let mut recorded = Recorded::default();
        let mut first = 1;
        while let Some(Event::RefsMoved(batch)) = self.event(first, &mut recorded.events_read).await? {
            recorded.refs += batch.refs.len() as u64;
            first += 1;
        }
        for sequence in (first..=self.sequence).rev() {
            match self.event(sequence, &mut recorded.events_read).await? {
                Some(Event::CommitsRecorded(batch)) => {
                    recorded.commits = Some(Reached { cursor: batch.cursor, default_branch: batch.default_branch });
                    break;
                }
                Some(Event::CommitsRestored(set)) => recorded.restored.extend(set.commits),
                Some(Event::CommitsSuperseded(_) | Event::RefsMoved(_)) | None => {}
            }
        }
        Ok(recorded)
    }

    async fn event(&mut self, sequence: Sequence, read: &mut u64) -> Result<Option<Event>, JobError> {
        if sequence > self.sequence {
            return Ok(None);
        }
        let event = self.app.log.event(self.stream(), sequence).await;
        let Some(event) = event.map_err(|error| JobError::Later(error.to_string()))? else { return Ok(None) };
        *read += 1;
        self.last = self.last.max(event.position);
        match event.fact {
            Fact::IndexBatch(event) => Ok(Some(event)),
            Fact::Integration(_)
            | Fact::Repository(_)
            | Fact::IndexRun(_)
            | Fact::Access(_)
            | Fact::ProjectRules(_)
            | Fact::CommitLink(_)
            | Fact::Person(_)
            | Fact::Installation(_)
            | Fact::PullRequest(_)
            | Fact::SshKey(_)
            | Fact::HostKey(_)
            | Fact::AccessSettings(_) => Ok(None),
        }
    }

    /// The refs as they were when a run last completed. A run that failed or was cancelled meanwhile may have recorded
    /// others, whose commits nobody looked at.
    pub(super) async fn refs_before(&self) -> Result<Vec<Ref>, JobError> {
        match self.indexed {
            Some(position) => self.refs(Some(position)).await,
            None => Ok(Vec::new()),
        }
    }

    /// The refs as they are recorded now.
    pub(super) async fn refs_now(&self) -> Result<Vec<Ref>, JobError> {
        self.refs(None).await
    }

    async fn refs(&self, as_of: Option<Position>) -> Result<Vec<Ref>, JobError> {
        known_refs(&self.app, self.number, as_of, self.last).await
    }

    /// Appends to the stream.
    pub(super) async fn record(&mut self, event: Event) -> Result<(), JobError> {
        let metadata = Metadata {
            at: self.app.clock.now(),
            actor: Actor::server(PART),
            source: Source::Job,
            request_id: None,
            causation: Some(Causation::Event(self.cause)),
            trace: None,
        };
        let written = |error: serde_json::Error| JobError::Later(error.to_string());
        let new = NewEvent {
            id: ids::new_event_id(),
            event_type: event.name(),
            version: event.version(),
            payload: serde_json::to_string(&event).map_err(written)?,
            metadata: serde_json::to_string(&metadata).map_err(written)?,
        };
        let append = Append {
            stream: self.stream(),
            after: self.sequence,
            events: vec![new],
            claims: Vec::new(),
            idempotency: None,
            companions: Vec::new(),
        };
        match self.app.log.appender().append(Lane::Bulk, append).await {
            Ok(committed) => {
                (self.sequence, self.last) = (committed.sequence, committed.last);
                Ok(())
            }
            // Another worker has taken the run over.
            Err(AppendError::Conflict(_)) => Err(JobError::Left),
            Err(error) => Err(JobError::Later(error.to_string())),
        }
    }
}

/// The refs of a repository as the log knows them, now or as of a position, once the view stands at `at_least`.
pub(in crate::jobs) async fn known_refs(
    app: &App,
    number: Position,
    as_of: Option<Position>,
    at_least: Position,
) -> Result<Vec<Ref>, JobError> {
    const PAGE: u32 = 50_000;
    let mut known: Vec<Ref> = Vec::new();
    loop {
        let after = known.last().map(|last| last.name.to_string());
        let read = issue_branches::refs_of_repository(number, as_of, after.as_deref(), PAGE);
        let page = app.read_at_least(at_least, read).await?;
        let full = page.len() == PAGE as usize;
        known.extend(page.into_iter().map(|found| Ref { name: found.name.into(), commit: found.sha }));
        if !full {
            return Ok(known);
        }
    }
}
