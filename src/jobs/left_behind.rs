//! Whoever reads a file system of this machine that answers no more, such as a share whose server is away: what makes no step
//! for too long is waited for by nobody. Called by index runs, by diffs, by who looks at one commit and by who
//! wants to add a path; it ends no thread, because nobody can.
//!
//! What hangs holds the [`Steps`] of its work. As long as it does, no further work on that repository is begun; others at the
//! same file system have to show soon that they get on, and none is begun where many hang. Of persons only so many read one
//! file system at once, so that no more hang when it falls silent.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use keytrail_domain::id::RepositoryId;
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{
    commit_diff::{DiffTrouble, blocking},
    mounts::Mounts,
};
use crate::git::{GitError, Steps};

/// Nothing is given up sooner: a disk that sleeps, or a share that is mounted when somebody looks, takes some seconds.
const LEAST: Duration = Duration::from_secs(10);
/// No person waits longer than this for the next step.
const MOST_FOR_A_PERSON: Duration = Duration::from_secs(30);
/// Where somebody hangs already, the first step comes within this time.
const DOUBT: Duration = Duration::from_secs(5);
/// How often it is looked whether work gets on.
const LOOK: Duration = Duration::from_millis(250);
/// Repositories of one file system that may hang, and that are read there for persons at once. Each has a thread or a few.
pub(super) const MOST_HANGING: usize = 8;

/// How long a file system may be silent that is read because of a setting like this.
pub(super) fn patience(silence: Duration) -> Duration {
    silence.max(LEAST)
}

/// What was left behind on this node, and who reads for a person.
#[derive(Debug)]
pub(super) struct LeftBehind {
    /// Its threads read, and not those of who asks: the database is read with these.
    runtime: Handle,
    hanging: Mutex<HashMap<Arc<str>, Vec<Hanging>>>,
    turns: Mutex<HashMap<RepositoryId, Arc<AsyncMutex<()>>>>,
    /// By place: room for who reads there. What hangs keeps its own.
    rooms: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
}

/// Work that nobody waits for any more.
#[derive(Debug)]
struct Hanging {
    repository: RepositoryId,
    /// Held by what hangs.
    steps: Weak<Steps>,
    /// When it made its last step, or later.
    since: Instant,
}

impl LeftBehind {
    /// Nothing yet. Whoever has a turn reads on this runtime.
    pub(super) fn new() -> Self {
        Self { runtime: Handle::current(), hanging: Mutex::default(), turns: Mutex::default(), rooms: Mutex::default() }
    }

    /// Notes work on this repository that nobody waits for any more, for this reason if for one.
    pub(super) fn note(&self, share: &Share, repository: RepositoryId, steps: &Arc<Steps>, why: Option<&GitError>) {
        let silent_for = match why {
            Some(GitError::FileSystemSilent { seconds, .. }) => Duration::from_secs(*seconds),
            _ => Duration::ZERO,
        };
        let now = Instant::now();
        let since = now.checked_sub(silent_for).unwrap_or(now);
        let hanging = Hanging { repository, steps: Arc::downgrade(steps), since };
        self.hanging
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(share.place.clone())
            .or_default()
            .push(hanging);
    }

    /// The repositories that hang at this place, each with since when.
    pub(super) fn at(&self, place: &str) -> Vec<(RepositoryId, Instant)> {
        let mut all = self.hanging.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, hanging| {
            hanging.retain(|one| one.steps.strong_count() > 0);
            !hanging.is_empty()
        });
        all.get(place).into_iter().flatten().map(|one| (one.repository, one.since)).collect()
    }

    /// The file system below this path, for work on this repository; an error where one more would hang, too.
    pub(super) fn admit(&self, path: &Path, repository: RepositoryId, silence: Duration) -> Result<Share, GitError> {
        self.admit_at(Mounts::lately().of(path), repository, patience(silence))
    }

    fn admit_at(&self, place: Arc<str>, repository: RepositoryId, patience: Duration) -> Result<Share, GitError> {
        let hanging = self.at(&place);
        let own = hanging.iter().find(|(id, _)| *id == repository);
        let full = hanging.first().filter(|_| hanging.len() >= MOST_HANGING);
        match own.or(full) {
            Some((_, since)) => Err(silent(&place, since.elapsed())),
            None => Ok(Share { place, patience, is_doubted: !hanging.is_empty() }),
        }
    }

    /// A turn to read the repository at this path for a person. One has it at a time, so that of all who come while the file
    /// system falls silent one hangs; the others are told then, and whoever comes later at once.
    pub(super) async fn turn(
        self: &Arc<Self>,
        path: &Path,
        repository: RepositoryId,
        silence: Duration,
    ) -> Result<Turn, DiffTrouble> {
        self.turn_within(patience(silence.min(MOST_FOR_A_PERSON)), path, repository).await
    }

    async fn turn_within(
        self: &Arc<Self>,
        patience: Duration,
        path: &Path,
        repository: RepositoryId,
    ) -> Result<Turn, DiffTrouble> {
        let place = Mounts::lately().of(path);
        // Who is left behind has no turn any more, and holds up nobody.
        self.admit_at(place.clone(), repository, patience)?;
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            // One that nobody has or waits for is known by the map alone.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(repository).or_default().clone()
        };
        let queue = async {
            let alone = turn.lock_owned().await;
            // Who had the turn before may hang now.
            self.admit_at(place.clone(), repository, patience)?;
            Ok::<_, DiffTrouble>((alone, self.room(&place, repository, patience).await?))
        };
        // Longer than who has it may hang.
        let (alone, room) = tokio::time::timeout(patience + DOUBT, queue).await.map_err(|_| DiffTrouble::Busy)??;
        let share = self.admit_at(place, repository, patience)?;
        let steps = Arc::new(Steps::holding(room));
        Ok(Turn { left: self.clone(), share, repository, steps, why: None, _alone: alone })
    }

    /// Room to read at this place; an error as soon as many hang there.
    async fn room(
        &self,
        place: &Arc<str>,
        repository: RepositoryId,
        patience: Duration,
    ) -> Result<OwnedSemaphorePermit, DiffTrouble> {
        let rooms = {
            let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
            rooms.retain(|_, room| Arc::strong_count(room) > 1);
            rooms.entry(place.clone()).or_insert_with(|| Arc::new(Semaphore::new(MOST_HANGING))).clone()
        };
        let mut room = std::pin::pin!(rooms.acquire_owned());
        loop {
            tokio::select! {
                taken = &mut room => return taken.map_err(|_| DiffTrouble::Stopped),
                () = tokio::time::sleep(LOOK) => {}
            }
            self.admit_at(place.clone(), repository, patience)?;
        }
    }
}

/// A file system of this machine that is read.
#[derive(Debug)]
pub(super) struct Share {
    place: Arc<str>,
    patience: Duration,
    /// Others hang there.
    is_doubted: bool,
}

impl Share {
    /// How long the next step may take after so many.
    fn patience(&self, steps: u64) -> Duration {
        if self.is_doubted && steps == 0 { DOUBT.min(self.patience) } else { self.patience }
    }

    /// Waits for this work for as long as it gets on. `steps` says how often it did, and nothing while the work thinks
    /// instead of reading.
    pub(super) async fn heed<T>(
        &self,
        steps: impl Fn() -> Option<u64>,
        work: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        let mut work = std::pin::pin!(work);
        let (mut before, mut since) = (steps(), Instant::now());
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(LOOK) => {}
            }
            match steps() {
                Some(now) if before == Some(now) => {
                    if since.elapsed() >= self.patience(now) {
                        return Err(silent(&self.place, since.elapsed()));
                    }
                }
                now => (before, since) = (now, Instant::now()),
            }
        }
    }
}

fn silent(place: &str, since: Duration) -> GitError {
    // Who asks within the first second is told of a whole one.
    GitError::FileSystemSilent { place: place.to_owned(), seconds: since.as_secs().max(1) }
}

/// Somebody reads a repository of this machine, for a person who waits.
#[derive(Debug)]
pub(super) struct Turn {
    left: Arc<LeftBehind>,
    share: Share,
    repository: RepositoryId,
    /// Held by what reads; they hold its room.
    steps: Arc<Steps>,
    /// Why nobody waits any more.
    why: Option<GitError>,
    _alone: OwnedMutexGuard<()>,
}

impl Turn {
    /// Reads on a thread, which is left behind when it gets nowhere.
    pub(super) async fn read<R: Send + 'static>(
        mut self,
        work: impl FnOnce(&Arc<Steps>) -> Result<R, DiffTrouble> + Send + 'static,
    ) -> Result<R, DiffTrouble> {
        let runtime = self.left.runtime.clone();
        let reading = async move {
            let (told, counted) = (self.steps.clone(), self.steps.clone());
            let read = self.heed(|| counted.count(), blocking(move || work(&told))).await;
            drop(counted);
            read?
        };
        // A person may go away meanwhile, and what goes on for them is no file system that hangs.
        runtime.spawn(reading).await.unwrap_or(Err(DiffTrouble::Stopped))
    }

    /// What reads tells these, and holds them.
    pub(super) const fn steps(&self) -> &Arc<Steps> {
        &self.steps
    }

    /// Waits for this work for as long as it gets on.
    pub(super) async fn heed<T>(
        &mut self,
        steps: impl Fn() -> u64,
        work: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        let heeded = self.share.heed(|| Some(steps()), work).await;
        if let Err(GitError::FileSystemSilent { place, seconds }) = &heeded {
            self.why = Some(GitError::FileSystemSilent { place: place.clone(), seconds: *seconds });
        }
        heeded
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before the next one has a turn: whoever holds them still is a thread that nobody waits for.
        if Arc::strong_count(&self.steps) > 1 {
            self.left.note(&self.share, self.repository, &self.steps, self.why.as_ref());
        }
    }
}
