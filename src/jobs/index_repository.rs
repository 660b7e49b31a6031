//! Does an index run: lists refs, fetches what is missing where a copy is kept, walks what is new, records it in
//! batches, and says that it is complete.
//!
//! A run that is taken over goes on in its own stream: refs are recorded before commits, commits come in one order, and
//! the last recorded batch says up to where.

mod catching_up;
mod doubted_mirrors;
mod look;
mod outgrown;
mod recorder;
mod silence;
mod superseding;
mod walking;

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use keytrail_domain::{
    display_text::DisplayText,
    id::IndexRunId,
    index_run::{
        Command, Counts, FailureCode, IndexRun,
        batch::{Event, RefBatch},
    },
    issue_key::EXTRACTOR_VERSION,
    recorded::StreamId,
};
use keytrail_projections::repository_list;

use self::recorder::{Recorded, Recorder};
use self::{
    catching_up::Known,
    look::{Former, Look},
};
pub(super) use self::{
    doubted_mirrors::DoubtedMirrors,
    look::{look, stopped},
    outgrown::{Outgrown, Outgrowth},
    recorder::known_refs,
};
use super::{
    IndexProgress, JobError, MOST_TRIES, Running, TakenJob, app_access,
    left_behind::Share,
    repository_source::{RepositorySource, Source, source_of},
    ssh_access,
};
use crate::{
    app::{App, Context, DispatchError},
    git::{self, GitError, Graph, Mirror, OpenedRepository, Ref, RefList, transport::FetchError},
};

const PART: &str = "index_repository";
/// Refs in one event: about 40 bytes each.
const REFS_PER_EVENT: usize = 5_000;
/// A repository that an app reads is tried so often before its refusal is believed: others may use the same token.
const TRIES_WITH_TOKENS: i64 = 3;
/// A run that was cancelled is waited for so long; then it is left behind, with the share or the disk that it waits for.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub(super) async fn index_repository(app: &Arc<App>, job: &TakenJob, running: &Arc<Running>) -> Result<(), JobError> {
    let Ok(run) = job.key.parse::<IndexRunId>() else { return Ok(()) };
    let (state, _) = app.load::<IndexRun>(StreamId::new("index_run", run.0)).await?;
    let repository = match state {
        IndexRun::Requested { repository } | IndexRun::Running { repository, .. } => repository,
        IndexRun::Absent | IndexRun::Completed | IndexRun::Failed | IndexRun::Cancelled => return Ok(()),
    };
    let listed = app.read_at_least(job.caused_by, repository_list::by_id(repository)).await?;
    let Some(row) = listed.into_iter().next().map(|listed| listed.repository) else {
        return Err(JobError::Later("the repository is not in its list yet".into()));
    };
    let mut indexing = Indexing {
        app: app.clone(),
        running: running.clone(),
        progress: Arc::default(),
        recorder: Recorder::new(app, run, repository, row.number, job.caused_by, row.indexed_position),
        is_last_try: job.attempts >= MOST_TRIES,
        share: None,
    };
    let source = match row.state {
        repository_list::RepositoryState::Forgotten => None,
        _ => match heard(running, source_of(app, &row)).await.unwrap_or(Err(JobError::Left)) {
            Err(JobError::Left) if !app.stopping().is_cancelled() => return Ok(()),
            // It ends here, and is asked for again when the app may read again.
            Ok(Some(RepositorySource { source: Source::Held(text), .. })) => {
                return indexing.fail(FailureCode::InstallationHeld, &text).await;
            }
            Ok(source) => source,
            Err(JobError::Failed(code, text)) => return indexing.fail(code, &text).await,
            Err(error) => return Err(error),
        },
    };
    let Some(source) = source else {
        let text = "the repository was forgotten before it was indexed";
        return indexing.fail(FailureCode::RepositoryForgotten, text).await;
    };
    let (copied, ssh) = (!matches!(source.source, Source::InPlace(_)), source.ssh());
    let worked = match indexing.reads(&source.source) {
        Ok(()) => heard(running, indexing.work(source)).await.unwrap_or_else(|| Err(GitError::Cancelled.into())),
        Err(error) => Err(error.into()),
    };
    if let Err(why) = &worked {
        indexing.leave_behind(why);
    }
    if let Some(ssh) = &ssh {
        let trouble = match &worked {
            Err(Failure::Git(error)) => Some(error),
            Ok(()) | Err(Failure::Job(_)) => None,
        };
        ssh_access::ended(app, repository, ssh, trouble).await;
    }
    match worked {
        Ok(()) => Ok(()),
        // Cancelled by a person: the run says so already. By the server's stop: the job is left to the next start.
        Err(Failure::Git(GitError::Cancelled)) if app.stopping().is_cancelled() => Err(JobError::Left),
        Err(Failure::Git(GitError::Cancelled)) => Ok(()),
        // It says nothing of the repository.
        Err(Failure::Git(error @ GitError::HostBusy { .. })) => Err(error.into()),
        // The copy is made anew first; where that never comes about, it is as any other failure.
        Err(Failure::Git(error))
            if copied && job.attempts < MOST_TRIES && app.jobs.doubted.raised_by(repository, &error) =>
        {
            Err(error.into())
        }
        // A token that an app was given may be taken back at any time; another one is asked for.
        Err(Failure::Git(error))
            if job.attempts < TRIES_WITH_TOKENS
                && error.failure_code() == Some(FailureCode::Unauthorized)
                && app_access::forget_token(app, row.integration).await? =>
        {
            Err(JobError::Later(error.to_string()))
        }
        Err(Failure::Git(error)) => {
            if !error.is_transient() || indexing.is_last_try {
                let code = error.failure_code().unwrap_or(FailureCode::Internal);
                return indexing.fail(code, &error.to_string()).await;
            }
            Err(error.into())
        }
        Err(Failure::Job(error)) => Err(error),
    }
}

/// Does it; nothing when it was told to stop and did not in time.
async fn heard<T>(running: &Running, work: impl Future<Output = T>) -> Option<T> {
    let deaf = async {
        stopped(&running.cancel).await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        done = work => Some(done),
        () = deaf => None,
    }
}

/// Says of a run that panicked again and again that it failed, so that another one may be asked for.
pub(super) async fn give_up(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(run) = job.key.parse::<IndexRunId>() else { return Ok(()) };
    let text = DisplayText::clean("the server made an error again and again; its log has more");
    let command = Command::Fail { code: FailureCode::Internal, text };
    match app.dispatch::<IndexRun>(run.0, command, Context::server(PART, job.caused_by), Vec::new()).await {
        Ok(_) | Err(DispatchError::Refused { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Why a run did not come to its end.
pub(super) enum Failure {
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
    progress: Arc<IndexProgress>,
    recorder: Recorder,
    is_last_try: bool,
    /// The file system of this machine that is read, while one is.
    share: Option<Share>,
}

impl Indexing {
    async fn work(&mut self, source: RepositorySource) -> Result<(), Failure> {
        let graph = self.app.jobs.graph_of(self.recorder.repository);
        let _graph = graph.lock().await;
        if !self.say(Command::Start { number: self.recorder.number }).await? {
            return Ok(());
        }
        let recorded = self.recorder.recorded().await?;
        if recorded.commits.is_some() {
            let (run, events_read) = (self.recorder.run, recorded.events_read);
            tracing::info!(%run, events_read, "a run goes on after the last batch that was recorded");
        }
        self.tell_progress();
        let (graph_path, number) = (self.app.caches.graph(self.recorder.repository), self.recorder.number);
        let graph = blocking(move || Ok(Graph::load(&graph_path, number))).await?;
        let copied = !matches!(source.source, Source::InPlace(_));
        let looked = self.heed(look(&self.running.cancel, source, graph, self.progress.fetching.steps())).await??;
        metrics::counter!("keytrail_git_objects_read_total", "by" => "refs").increment(looked.refs.objects_read);
        let before = self.before().await?;
        let mut tips = self.tips(&looked.refs, &recorded).await?;
        if self.recorder.is_reset() && recorded.refs == 0 && recorded.commits.is_none() {
            // Whoever resets wants nothing of what was.
            self.app.jobs.doubted.doubt(self.recorder.repository);
        }
        let (opened, graph) = self.fetched(looked, &mut tips, &before.refs).await?;
        if copied {
            // From here on the copy is read, which is the server's own.
            self.share = None;
        }
        let known = Known { before: &before.refs, superseded: &before.superseded, restored: &recorded.restored };
        let (opened, graph, caught_up) = self.catch_up(opened, graph, known, &tips).await?;
        let moved = if recorded.commits.is_some() { 0 } else { self.record_refs(&tips).await? };
        let default_branch = match &recorded.commits {
            Some(reached) => reached.default_branch.clone(),
            None => tips.default_branch.clone(),
        };
        let tips = Arc::new(tips);
        let (walked, graph) = self.walk(opened, graph, tips.clone(), default_branch, &recorded).await?;
        let (graph, new) = self.supersede(graph, walked.new, before, tips).await?;
        metrics::counter!("keytrail_git_objects_read_total", "by" => "walk").increment(walked.objects_read);
        let counts = Counts {
            commits: caught_up.commits + walked.commits,
            keyed: caught_up.keyed + walked.keyed,
            keys: caught_up.keys + walked.keys,
            refs: recorded.refs + moved,
            bounded: caught_up.bounded + walked.bounded,
            lost_refs: caught_up.lost_refs,
        };
        if !self.say(Command::Complete { counts }).await? {
            return Ok(());
        }
        self.app.jobs.doubted.dispelled(self.recorder.repository);
        self.app.jobs.outgrown.fits(self.recorder.repository);
        // Only now, and only of a run that is complete: a commit that is in the graph is never looked at again.
        blocking(move || {
            if let Err(error) = graph.append(&new) {
                tracing::warn!(%error, "the commits of a run could not be remembered; the next run looks at them again");
            }
            Ok(())
        })
        .await
    }

    async fn fail(&self, code: FailureCode, text: &str) -> Result<(), JobError> {
        self.say(Command::Fail { code, text: DisplayText::clean(text) }).await.map(|_| ())
    }

    /// Says something about the run; whether it is so. A run that ended otherwise meanwhile stays as it ended.
    async fn say(&self, command: Command) -> Result<bool, JobError> {
        let context = Context::server(PART, self.recorder.cause);
        let failure = match &command {
            Command::Fail { code, .. } => serde_json::to_value(code).ok(),
            _ => None,
        };
        match self.app.dispatch::<IndexRun>(self.recorder.run.0, command, context, Vec::new()).await {
            Ok(_) => {
                if let Some(code) = failure.as_ref().and_then(|code| code.as_str()) {
                    metrics::counter!("keytrail_index_run_failures_total", "code" => code.to_owned()).increment(1);
                }
                Ok(true)
            }
            Err(DispatchError::Refused { code, .. }) => {
                tracing::info!(run = %self.recorder.run, code, "a run does not go on");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The refs to walk from.
    async fn tips(&self, now: &RefList, recorded: &Recorded) -> Result<RefList, JobError> {
        let Some(reached) = &recorded.commits else { return Ok(now.clone()) };
        // Taken over in the middle: the order of commits, and which ref introduced them, belong to the refs and the
        // default branch that the run began with.
        let mut refs = self.recorder.refs_now().await?;
        git::in_rank(&mut refs, reached.default_branch.as_deref());
        Ok(RefList { refs, ..now.clone() })
    }

    /// Brings what the tips lead to onto this machine, where a copy is kept.
    async fn fetched(
        &self,
        looked: Look,
        tips: &mut RefList,
        before: &[Ref],
    ) -> Result<(OpenedRepository, Graph), Failure> {
        let folder = self.app.caches.mirror(self.recorder.repository);
        let (jobs, running) = (&self.app.jobs, &self.running);
        let repository = self.recorder.repository;
        if jobs.doubted.is_doubted(repository) {
            let doubted = folder.clone();
            blocking(move || Mirror::open_or_make(&doubted)?.delete()).await?;
            jobs.doubted.renewed(repository);
            tracing::warn!(%repository, "the copy of a repository lacked something, and is fetched anew");
        }
        let objects = self.app.caches.objects_of(repository);
        let kept = Mirror::recognised(&objects);
        let beside = blocking(move || kept.map_or(Ok(0), |kept| kept.bytes())).await?;
        let before = Former { refs: before, is_last_try: self.is_last_try };
        let fetching =
            looked.fetch(tips, before, (&folder, beside), &jobs.git, &self.progress.fetching, &running.cancel);
        let fetched = self.heed(fetching).await?;
        if let Err(Failure::Git(error)) = &fetched {
            let held = outgrown::held(&self.app.caches, repository).await?;
            jobs.outgrown.failed(repository, error, tips, held);
        }
        let is_full = matches!(&fetched, Err(Failure::Git(GitError::Fetch(FetchError::QuotaExceeded { .. }))));
        if is_full
            && let Some(objects) = Mirror::recognised(&objects)
            && let Some(_alone) = jobs.diffs.try_alone(repository)
        {
            // What was fetched for diffs gives way; the next try has its room.
            blocking(move || objects.delete()).await?;
        }
        fetched
    }

    /// Records what moved since the refs were recorded last; how many did.
    async fn record_refs(&mut self, now: &RefList) -> Result<u64, Failure> {
        let before = self.recorder.refs_now().await?;
        let moves = git::moved(&before, &now.refs);
        for refs in moves.chunks(REFS_PER_EVENT) {
            let (repository, number) = (self.recorder.repository, self.recorder.number);
            let batch = RefBatch { repository, number, extractor: EXTRACTOR_VERSION, refs: refs.to_vec() };
            self.recorder.record(Event::RefsMoved(batch)).await?;
        }
        Ok(moves.len() as u64)
    }

    fn tell_progress(&self) {
        let progress = self.progress.clone();
        let tell = move || serde_json::to_string(&progress.now()).unwrap_or_default();
        *self.running.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tell));
    }
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
