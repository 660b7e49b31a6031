//! What a commit changed, when somebody looks: read where the repository lies, or from its mirror and a cache of what the
//! mirror left out. Called by routes; it writes nothing to the log, and tells of no commit that was not indexed.
//!
//! Requests for one repository that come while it is busy wait together and are one batch then, with at most a request
//! for trees and one for files to the server, however many they are. Answers are remembered, within bytes.

mod batch;
mod place;
mod places;
mod results;
mod trouble;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use keytrail_domain::{id::RepositoryId, index_run::batch::CommitSha, recorded::Position};
use keytrail_projections::repository_list::Repository;
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, oneshot},
};

pub(super) use self::batch::blocking;
pub use self::trouble::DiffTrouble;
use self::{places::Places, results::Results};
use crate::{
    app::App,
    git::diff::{ChangedFiles, DiffBounds, FileHunks},
};

/// Requests of all repositories that wait at once; who comes then is told to come again.
const MOST_WAITING: usize = 1024;
/// How many of these may wait for one repository, so that one whose server is silent leaves room for others.
const OF_ONE_REPOSITORY: usize = 128;
/// Requests of one batch.
const BATCH: usize = 64;
/// Bytes of answers that are remembered.
const REMEMBERED_BYTES: usize = 64 * 1024 * 1024;
/// How long a person waits for a server.
const FETCH_TAKES: Duration = Duration::from_secs(60);

/// What is asked of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The commit.
    pub commit: CommitSha,
    /// Against which of its parents, from 1 on; the first when nothing is said.
    pub parent: Option<usize>,
    /// Which part of it.
    pub part: Part,
}

/// A part of what a commit changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The files.
    Files,
    /// The lines of all files, within the bounds of an answer.
    Lines,
    /// The lines of one file, by its path as it is shown.
    LinesOf(String),
}

/// What a commit changed.
#[derive(Debug)]
pub struct CommitChanges {
    /// The files; of [`Part::LinesOf`] those with that path.
    pub files: ChangedFiles,
    /// Their lines; empty of [`Part::Files`].
    pub lines: Vec<FileHunks>,
}

/// A question under the number that the repository had then: after a reset it has another, and other commits.
type Key = (RepositoryId, Position, Asked);
type Answer = Result<Arc<CommitChanges>, DiffTrouble>;

struct Ask {
    key: Key,
    tell: oneshot::Sender<Answer>,
    /// Its place among those that may wait, also when nobody waits for the answer any more.
    _place: OwnedSemaphorePermit,
}

/// Questions under way on this node.
pub struct CommitDiffs {
    runtime: Handle,
    bounds: DiffBounds,
    waiting: Arc<Semaphore>,
    places: Places,
    results: Mutex<Results>,
    /// Those that wait for a repository that is busy. It is busy as long as it is here.
    flights: Mutex<HashMap<RepositoryId, Vec<Ask>>>,
    /// One for each repository, held by who reads or fills its copy and its cache of files, or deletes one of them.
    uses: Mutex<HashMap<RepositoryId, Arc<AsyncMutex<()>>>>,
}

impl Asked {
    /// The path that is meant; none for all.
    fn path(&self) -> Option<&str> {
        match &self.part {
            Part::Files | Part::Lines => None,
            Part::LinesOf(path) => Some(path),
        }
    }
}

impl CommitDiffs {
    /// Work is done on this runtime, whoever asks.
    pub fn new() -> Self {
        Self {
            runtime: Handle::current(),
            bounds: DiffBounds::default(),
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            places: Places::new(),
            results: Mutex::new(Results::new(REMEMBERED_BYTES)),
            flights: Mutex::default(),
            uses: Mutex::default(),
        }
    }

    /// Held by who deletes what diffs read of this repository; `None` while some are made.
    pub(super) fn try_alone(&self, repository: RepositoryId) -> Option<OwnedMutexGuard<()>> {
        self.use_of(repository).try_lock_owned().ok()
    }

    fn use_of(&self, repository: RepositoryId) -> Arc<AsyncMutex<()>> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner).entry(repository).or_default().clone()
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<RepositoryId, Vec<Ask>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues up; whether nobody works on this repository yet.
    fn join(&self, ask: Ask) -> Result<bool, DiffTrouble> {
        let mut flights = self.flights();
        let is_first = !flights.contains_key(&ask.key.0);
        let waiting = flights.entry(ask.key.0).or_default();
        if waiting.len() >= OF_ONE_REPOSITORY {
            waiting.retain(|ask| !ask.tell.is_closed());
        }
        if waiting.len() >= OF_ONE_REPOSITORY {
            return Err(DiffTrouble::Busy);
        }
        waiting.push(ask);
        Ok(is_first)
    }

    /// The next batch; without one the repository is no longer busy.
    fn next(&self, repository: RepositoryId) -> Option<Vec<Ask>> {
        let mut flights = self.flights();
        let waiting = flights.get_mut(&repository)?;
        // Whoever went away needs no fetch.
        waiting.retain(|ask| !ask.tell.is_closed());
        if waiting.is_empty() {
            flights.remove(&repository);
            return None;
        }
        let count = waiting.len().min(BATCH);
        Some(waiting.drain(..count).collect())
    }
}

impl Default for CommitDiffs {
    fn default() -> Self {
        Self::new()
    }
}

/// What a commit of this repository changed.
pub async fn commit_changes(app: &Arc<App>, repository: &Repository, asked: Asked) -> Answer {
    let diffs = &app.jobs.diffs;
    let key = (repository.id, repository.number, asked);
    if let Some(found) = diffs.results().get(&key) {
        return Ok(found);
    }
    let place = diffs.waiting.clone().try_acquire_owned().map_err(|_| DiffTrouble::Busy)?;
    let (tell, told) = oneshot::channel();
    if diffs.join(Ask { key, tell, _place: place })? {
        diffs.runtime.spawn(fly(app.clone(), repository.clone()));
    }
    // Nobody tells when the server stops, or made a mistake that its log has.
    told.await.unwrap_or(Err(DiffTrouble::Stopped))
}

/// Works on one repository until nobody waits for it.
async fn fly(app: Arc<App>, repository: Repository) {
    struct Flight<'a> {
        diffs: &'a CommitDiffs,
        repository: RepositoryId,
        has_landed: bool,
    }
    impl Drop for Flight<'_> {
        fn drop(&mut self) {
            // After a panic or a stop: who waits is told, and the next one may begin anew.
            if !self.has_landed {
                self.diffs.flights().remove(&self.repository);
            }
        }
    }
    let diffs = &app.jobs.diffs;
    let mut flight = Flight { diffs, repository: repository.id, has_landed: false };
    while let Some(asks) = diffs.next(repository.id) {
        tokio::select! {
            () = app.stopping().cancelled() => return,
            () = batch::answer(&app, &repository, asks) => {}
        }
    }
    flight.has_landed = true;
}
