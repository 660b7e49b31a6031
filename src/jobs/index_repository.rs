//! Does an index run: lists refs, walks what is new, records it in batches, and says that it is complete.
//!
//! A run that is taken over goes on in its own stream: refs are recorded before commits, commits come in one order, and
//! the last recorded batch says up to where.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
};

use keytrail_domain::{
    aggregate::StoredEvent,
    display_text::DisplayText,
    fact::Fact,
    id::{IndexRunId, RepositoryId},
    index_run::{
        Command, Counts, FailureCode, IndexRun,
        batch::{CommitBatch, Cursor, Event, RefBatch, STREAM_TYPE},
    },
    issue_key::EXTRACTOR_VERSION,
    metadata::{Actor, Causation, Metadata, Source},
    recorded::{Position, Sequence, StreamId},
};
use keytrail_projections::{issue_branches, repository_list};

use super::{IndexProgress, JobError, MOST_TRIES, Running, TakenJob};
use crate::{
    app::{App, Context, DispatchError},
    git::{self, GitError, Graph, OpenedRepository, Progress, Ref, RefList, WalkRequest, WalkedBatch, transport},
    ids,
    log::{Append, AppendError, Committed, Lane, NewEvent},
    secrets::Person,
};

const PART: &str = "index_repository";
/// Refs in one event: about 40 bytes each.
const REFS_PER_EVENT: usize = 5_000;
/// Batches that are walked while one is being written.
const WALKED_AHEAD: usize = 4;

pub(super) async fn index_repository(app: &Arc<App>, job: &TakenJob, running: &Arc<Running>) -> Result<(), JobError> {
    let Ok(run) = job.key.parse::<IndexRunId>() else { return Ok(()) };
    let (state, _) = app.load::<IndexRun>(StreamId::new("index_run", run.0)).await?;
    let repository = match state {
        IndexRun::Requested { repository } | IndexRun::Running { repository, .. } => repository,
        IndexRun::Absent | IndexRun::Completed | IndexRun::Failed | IndexRun::Cancelled => return Ok(()),
    };
    let listed = app.read_at_least(job.caused_by, repository_list::by_id(repository)).await?;
    let Some(repository_row) = listed.into_iter().next().map(|listed| listed.repository) else {
        return Err(JobError::Later("the repository is not in its list yet".into()));
    };
    let mut indexing = Indexing {
        app: app.clone(),
        running: running.clone(),
        run,
        repository,
        number: repository_row.number,
        cause: job.caused_by,
        progress: Arc::default(),
        sequence: 0,
    };
    if repository_row.state == repository_list::RepositoryState::Forgotten {
        let text = DisplayText::clean("the repository was forgotten before it was indexed");
        return indexing.say(Command::Fail { code: FailureCode::RepositoryForgotten, text }).await.map(|_| ());
    }
    let outcome = indexing.work(repository_row.location.into()).await;
    match outcome {
        Ok(()) => Ok(()),
        // Cancelled by a person: the run says so already. By the server's stop: the job is left to the next start.
        Err(Failure::Git(GitError::Cancelled)) if app.stopping().is_cancelled() => Err(JobError::Left),
        Err(Failure::Git(GitError::Cancelled)) => Ok(()),
        Err(Failure::Git(error)) => {
            if !error.is_transient() || job.attempts >= MOST_TRIES {
                let code = error.failure_code().unwrap_or(FailureCode::Internal);
                let text = DisplayText::clean(&error.to_string());
                return indexing.say(Command::Fail { code, text }).await.map(|_| ());
            }
            Err(JobError::Later(error.to_string()))
        }
        Err(Failure::Job(error)) => Err(error),
    }
}

/// Says of a run that panicked again and again that it failed, so that another one may be asked for.
pub(super) async fn give_up(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(run) = job.key.parse::<IndexRunId>() else { return Ok(()) };
    let text = DisplayText::clean("the server made an error again and again; its log has more");
    let command = Command::Fail { code: FailureCode::Internal, text };
    match app.dispatch::<IndexRun>(run.0, command, Context::server(PART, job.caused_by), Vec::new()).await {
        Ok(_) | Err(DispatchError::Refused { .. }) => Ok(()),
        Err(error) => Err(JobError::Later(error.to_string())),
    }
}

/// Why a run did not come to its end.
enum Failure {
    Git(GitError),
    Job(JobError),
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Job(error.into())
    }
}

struct Indexing {
    app: Arc<App>,
    running: Arc<Running>,
    run: IndexRunId,
    repository: RepositoryId,
    number: Position,
    cause: Position,
    progress: Arc<Progress>,
    /// The last sequence of the stream of batches.
    sequence: Sequence,
}

/// What an earlier worker recorded of this run.
#[derive(Default)]
struct Recorded {
    refs: u64,
    last: Position,
    commits: Option<Reached>,
}

/// The last batch of commits: up to where it goes, and under which default branch refs were ranked.
struct Reached {
    cursor: Cursor,
    default_branch: Option<Arc<str>>,
}

impl Indexing {
    fn batches(&self) -> StreamId {
        StreamId::new(STREAM_TYPE, self.run.0)
    }

    async fn work(&mut self, path: PathBuf) -> Result<(), Failure> {
        let graph = self.app.jobs.graph_of(self.repository);
        let _graph = graph.lock().await;
        if !self.say(Command::Start { number: self.number }).await? {
            return Ok(());
        }
        let recorded = self.recorded().await?;
        self.tell_progress();
        let connection = transport::Connection::local(path, &self.app.jobs.git.roots);
        let (graph_path, number) = (self.graph_path(), self.number);
        let mut repository = blocking(move || {
            let opened = connection.open()?;
            Ok(Reading { opened, graph: Graph::load(&graph_path, number) })
        })
        .await?;
        let refs;
        (repository, refs) = list(repository).await?;
        let (refs, moved) = self.settle_refs(refs, &recorded).await?;
        let default_branch = match &recorded.commits {
            Some(reached) => reached.default_branch.clone(),
            None => repository.opened.default_branch().map(Arc::from),
        };
        let (walked, graph) = self.walk(repository, refs, default_branch, &recorded).await?;
        let counts = Counts {
            commits: walked.commits,
            keyed: walked.keyed,
            keys: walked.keys,
            refs: recorded.refs + moved,
            bounded: walked.bounded,
        };
        if !self.say(Command::Complete { counts }).await? {
            return Ok(());
        }
        // Only now, and only of a run that is complete: a commit that is in the graph is never looked at again.
        let new = walked.new;
        blocking(move || {
            if let Err(error) = graph.append(&new) {
                tracing::warn!(%error, "the commits of a run could not be remembered; the next run looks at them again");
            }
            Ok(())
        })
        .await
    }

    /// Says something about the run; whether it is so. A run that ended otherwise meanwhile stays as it ended.
    async fn say(&self, command: Command) -> Result<bool, JobError> {
        let context = Context::server(PART, self.cause);
        match self.app.dispatch::<IndexRun>(self.run.0, command, context, Vec::new()).await {
            Ok(_) => Ok(true),
            Err(DispatchError::Refused { code, .. }) => {
                tracing::info!(run = %self.run, code, "a run does not go on");
                Ok(false)
            }
            Err(error) => Err(JobError::Later(error.to_string())),
        }
    }

    /// What is in the stream of batches already. Read only here, when a run begins or is taken over.
    async fn recorded(&mut self) -> Result<Recorded, JobError> {
        self.sequence = self.app.log.last_sequence(self.batches()).await?;
        let mut recorded = Recorded::default();
        if self.sequence == 0 {
            return Ok(recorded);
        }
        let events = self.app.log.stream(self.batches(), Position::MAX).await;
        for event in events.map_err(|error| JobError::Later(error.to_string()))? {
            recorded.last = event.position;
            match event.fact {
                Fact::IndexBatch(Event::RefsMoved(batch)) => recorded.refs += batch.refs.len() as u64,
                Fact::IndexBatch(Event::CommitsRecorded(batch)) => {
                    recorded.commits = Some(Reached { cursor: batch.cursor, default_branch: batch.default_branch });
                }
                Fact::IndexBatch(Event::CommitsSuperseded(_) | Event::CommitsRestored(_))
                | Fact::Integration(_)
                | Fact::Repository(_)
                | Fact::IndexRun(_)
                | Fact::Access(_) => {}
            }
        }
        Ok(recorded)
    }

    /// The refs to walk from, with what moved recorded; and how many moved.
    async fn settle_refs(&mut self, now: RefList, recorded: &Recorded) -> Result<(RefList, u64), Failure> {
        let mut before = self.known_refs(recorded.last).await?;
        if let Some(reached) = &recorded.commits {
            // Taken over in the middle: the order of commits, and which ref introduced them, belong to the refs and the
            // default branch that the run began with.
            git::in_rank(&mut before, reached.default_branch.as_deref());
            return Ok((RefList { refs: before, ..now }, 0));
        }
        let moves = git::moved(&before, &now.refs);
        for refs in moves.chunks(REFS_PER_EVENT) {
            self.record(Event::RefsMoved(RefBatch {
                repository: self.repository,
                number: self.number,
                extractor: EXTRACTOR_VERSION,
                refs: refs.to_vec(),
            }))
            .await?;
        }
        Ok((now, moves.len() as u64))
    }

    /// The refs as the log knows them, at `position` or later.
    async fn known_refs(&self, position: Position) -> Result<Vec<Ref>, JobError> {
        const PAGE: u32 = 50_000;
        let mut known: Vec<Ref> = Vec::new();
        loop {
            let after = known.last().map(|last| last.name.to_string());
            let read = issue_branches::refs_of_repository(self.number, after.as_deref(), PAGE);
            let page = self.app.read_at_least(position.max(self.cause), read).await?;
            let full = page.len() == PAGE as usize;
            known.extend(page.into_iter().map(|found| Ref { name: found.name.into(), commit: found.sha }));
            if !full {
                return Ok(known);
            }
        }
    }

    /// Walks on threads of its own, and records what comes.
    async fn walk(
        &mut self,
        repository: Reading,
        refs: RefList,
        default_branch: Option<Arc<str>>,
        recorded: &Recorded,
    ) -> Result<(git::Walked, Graph), Failure> {
        let (sender, mut batches) = tokio::sync::mpsc::channel::<WalkedBatch>(WALKED_AHEAD);
        let (app, running, progress) = (self.app.clone(), self.running.clone(), self.progress.clone());
        let after = recorded.commits.as_ref().map(|reached| reached.cursor);
        let walking = tokio::task::spawn_blocking(move || {
            let identify = |email: &[u8]| app.keys.people.person_id(email);
            let request = WalkRequest {
                refs: &refs,
                known: &repository.graph,
                after,
                identify: &identify,
                cancel: &running.cancel,
                progress: &progress,
                bounds: git::Bounds::default(),
            };
            let mut emit = |batch| sender.blocking_send(batch).map_err(|_| git::Stop);
            let walked = git::walk(&repository.opened, &request, &mut emit)?;
            Ok::<_, GitError>((walked, repository.graph))
        });
        while let Some(batch) = batches.recv().await {
            // Before the batch: an id that the log knows has its row.
            let people = batch.people.into_iter().map(|met| (met.id, Person { name: met.name, email: met.email }));
            self.app.people.remember(people).await?;
            self.record(Event::CommitsRecorded(CommitBatch {
                repository: self.repository,
                number: self.number,
                extractor: EXTRACTOR_VERSION,
                cursor: batch.cursor,
                walked: batch.walked,
                default_branch: default_branch.clone(),
                commits: batch.commits,
            }))
            .await?;
        }
        Ok(walking.await.map_err(JobError::from)??)
    }

    /// Appends to the stream of batches.
    async fn record(&mut self, event: Event) -> Result<Committed, JobError> {
        let at = self.app.clock.now();
        let metadata = Metadata {
            at,
            actor: Actor::server(PART),
            source: Source::Job,
            request_id: None,
            causation: Some(Causation::Event(self.cause)),
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
            stream: self.batches(),
            after: self.sequence,
            events: vec![new],
            claims: Vec::new(),
            idempotency: None,
            companions: Vec::new(),
        };
        match self.app.log.appender().append(Lane::Bulk, append).await {
            Ok(committed) => {
                self.sequence = committed.sequence;
                Ok(committed)
            }
            // Another worker has taken the run over.
            Err(AppendError::Conflict(_)) => Err(JobError::Left),
            Err(error) => Err(JobError::Later(error.to_string())),
        }
    }

    fn tell_progress(&self) {
        let progress = self.progress.clone();
        let tell = move || serde_json::to_string(&IndexProgress::of(&progress)).unwrap_or_default();
        *self.running.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tell));
    }

    fn graph_path(&self) -> PathBuf {
        self.app.caches.join(Path::new(&format!("{}.graph", self.repository)))
    }
}

/// A repository that is being read, and what was read of it before.
struct Reading {
    opened: OpenedRepository,
    graph: Graph,
}

/// Lists the refs on a thread that may be busy for a while.
async fn list(reading: Reading) -> Result<(Reading, RefList), Failure> {
    blocking(move || {
        let refs = git::list_refs(&reading.opened, &reading.graph, git::MAX_REFS)?;
        Ok((reading, refs))
    })
    .await
}

/// Runs work of git on a thread that may be busy for a while.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, GitError> + Send + 'static,
) -> Result<R, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(JobError::from(error).into()),
    }
}
