//! Workers: take a job, do it, renew its lease meanwhile, and put it back when it could not be done.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    JobError, Kind, MOST_TRIES, Running, TakenJob, admission::Priority, cancel_indexing, discover_repositories,
    forget_repositories, index_repository, list_pull_requests, look_now, queue, reconcile_installation,
    reindex_integration, request_index, reset_integration, rotate_ssh_key,
};
use crate::{app::App, ids, store::StoreError};

/// How often a worker looks for jobs that nobody told it of: those that wait for a moment, and other nodes'.
const LOOK: Duration = Duration::from_secs(1);
/// How often a worker writes down how far it is, and looks whether the job is still wanted.
const RENEW: Duration = Duration::from_secs(1);
/// The first pause before trying again; it doubles.
const FIRST_PAUSE_MICROS: i64 = 500_000;
/// How long a worker is left to others by a job that found no place.
const GIVES_WAY_MICROS: i64 = 10_000_000;

/// Starts the workers.
pub async fn start(app: &Arc<App>, workers: usize, stop: &CancellationToken) -> Result<(), StoreError> {
    queue::reclaim(&app.db, &app.jobs.node).await?;
    super::schedule::start(app, stop);
    super::upkeep::start(app, stop);
    super::key_folders_of_nodes::start(app, stop);
    super::work_off::start(app, stop);
    for worker in 0..workers.max(1) {
        let app_ = app.clone();
        let stop = stop.clone();
        // Where there are several, one is kept for what is done soon: large repositories are admitted in turn, and
        // nobody waits for all of them.
        let least = i64::from(worker == 0 && workers > 1);
        app.jobs.keep(tokio::spawn(work(app_, least, stop)));
    }
    Ok(())
}

async fn work(app: Arc<App>, least: Priority, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let now = app.clock.now();
        let taken = match queue::is_due(&app.db, &app.jobs.node, least, now).await {
            // What it would decide on may have changed in a way that it does not know.
            Ok(_) if app.jobs.is_outdated() => Ok(None),
            Ok(true) => queue::take(&app.db, &app.jobs.node, least, now).await,
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        match taken {
            Ok(Some(job)) => one(&app, job).await,
            Ok(None) => tokio::select! {
                () = app.jobs.wake.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {}
            },
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be looked up; trying again");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

pub(super) async fn one(app: &Arc<App>, job: TakenJob) {
    let key = (job.kind, job.key.clone());
    let running = Arc::new(Running { cancel: AtomicBool::new(false), progress: Mutex::default() });
    app.jobs.running().insert(key.clone(), running.clone());
    // The server's stop tells those that run; it may have looked before this one was among them.
    if app.stopping().is_cancelled() {
        running.cancel.store(true, Ordering::Relaxed);
    }
    let started = std::time::Instant::now();
    // The job's own task: a panic in it is its failure, not the worker's.
    let mut task = tokio::spawn({
        let (app, job, running) = (app.clone(), job.clone(), running.clone());
        async move { carry_out(&app, &job, &running).await }
    });
    let outcome = loop {
        tokio::select! {
            ended = &mut task => break ended.unwrap_or_else(|error| Err(error.into())),
            () = tokio::time::sleep(RENEW) => {}
        }
        let tell = running.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let progress = tell.map(|tell| tell());
        match job.renew(&app.db, progress.as_deref(), app.clock.now()).await {
            Ok(true) => {}
            // Not wanted any more, or another worker has it: it stops at its next look.
            Ok(false) | Err(StoreError::Fenced) => running.cancel.store(true, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, job = job.kind.as_str(), "a lease could not be renewed"),
        }
    };
    app.jobs.running().remove(&key);
    metrics::histogram!("keytrail_job_seconds", "kind" => job.kind.as_str()).record(started.elapsed().as_secs_f64());
    end(app, &job, outcome).await;
}

/// Writes down how it ended.
pub(super) async fn end(app: &App, job: &TakenJob, outcome: Result<(), JobError>) {
    let kind = job.kind.as_str();
    let outcome = match outcome {
        Err(JobError::Panicked(error)) if job.attempts >= MOST_TRIES => {
            tracing::error!(
                kind,
                key = job.key,
                attempts = job.attempts,
                error,
                "a job panics each time and is given up"
            );
            give_up(app, job).await
        }
        outcome => outcome,
    };
    let now = app.clock.now();
    let noted = match outcome {
        Ok(()) => {
            metrics::counter!("keytrail_jobs_total", "kind" => kind, "outcome" => "done").increment(1);
            job.done(&app.db, now).await
        }
        Err(JobError::Left) if app.stopping().is_cancelled() => job.leave(&app.db).await,
        Err(JobError::Left) => Ok(()),
        Err(JobError::NoPlace(why)) => {
            metrics::counter!("keytrail_jobs_total", "kind" => kind, "outcome" => "again").increment(1);
            tracing::info!(kind, key = job.key, why, "a job gives way to others and comes again");
            job.give_way(&app.db, GIVES_WAY_MICROS + jitter(GIVES_WAY_MICROS), &why, now).await
        }
        Err(error @ (JobError::Later(_) | JobError::Panicked(_) | JobError::NotBefore(..) | JobError::Failed(..))) => {
            let (at_least, error) = match error {
                JobError::NotBefore(wait, error) => (i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 4), error),
                JobError::Later(error) | JobError::Panicked(error) | JobError::Failed(_, error) => (0, error),
                JobError::Left | JobError::NoPlace(_) => (0, String::new()),
            };
            metrics::counter!("keytrail_jobs_total", "kind" => kind, "outcome" => "again").increment(1);
            tracing::warn!(kind, key = job.key, attempts = job.attempts, error, "a job will be tried again");
            let doublings = job.attempts.clamp(1, 20) - 1;
            let pause = (FIRST_PAUSE_MICROS << doublings).min(queue::LONGEST_PAUSE_MICROS);
            job.again_in(&app.db, pause.max(at_least) + jitter(pause), &error, now).await
        }
    };
    if let Err(error) = noted {
        // Its lease runs out, and it is done again: jobs can be repeated.
        tracing::warn!(kind, key = job.key, %error, "the end of a job could not be written down");
    }
}

/// Up to a quarter of a pause, so that not all come back at once.
fn jitter(pause_micros: i64) -> i64 {
    i64::from(u16::from_le_bytes(ids::random_bytes())) * pause_micros / 4 / i64::from(u16::MAX)
}

/// What is said of a job that is not tried any more; its row goes, unless there is no way back from what it began.
async fn give_up(app: &App, job: &TakenJob) -> Result<(), JobError> {
    match job.kind {
        Kind::IndexRepository => index_repository::give_up(app, job).await,
        Kind::RotateSshKey => rotate_ssh_key::give_up(app, job).await,
        Kind::DiscoverRepositories
        | Kind::RequestIndex
        | Kind::ForgetRepositories
        | Kind::ReindexIntegration
        | Kind::ResetIntegration
        | Kind::CancelIndexing
        | Kind::LookNow
        | Kind::ReconcileInstallation
        | Kind::ListPullRequests => Ok(()),
    }
}

async fn carry_out(app: &Arc<App>, job: &TakenJob, running: &Arc<Running>) -> Result<(), JobError> {
    match job.kind {
        Kind::DiscoverRepositories => discover_repositories::discover_repositories(app, job).await,
        Kind::RequestIndex => request_index::request_index(app, job).await,
        Kind::IndexRepository => index_repository::index_repository(app, job, running).await,
        Kind::ForgetRepositories => forget_repositories::forget_repositories(app, job).await,
        Kind::ReindexIntegration => reindex_integration::reindex_integration(app, job, running).await,
        Kind::ResetIntegration => reset_integration::reset_integration(app, job, running).await,
        Kind::CancelIndexing => cancel_indexing::cancel_indexing(app, job).await,
        Kind::LookNow => look_now::look_now(app, job),
        Kind::ReconcileInstallation => reconcile_installation::reconcile_installation(app, job).await,
        Kind::ListPullRequests => list_pull_requests::list_pull_requests(app, job, running).await,
        Kind::RotateSshKey => rotate_ssh_key::rotate_ssh_key(app, job, running).await,
    }
}
