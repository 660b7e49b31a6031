//! Runs that read a file system of this machine which answers no more, such as a share whose server is away: one that makes
//! no step for too long is given up, and its worker is free. Called by index runs; it ends no thread, because nobody can.
//!
//! What hangs holds the [`Steps`] of its run. As long as it does, no further try of that repository is begun; others at the
//! same file system have to show soon that they get on, and none is begun where many hang.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use keytrail_domain::id::RepositoryId;
use tokio::time::Instant;

use super::{Failure, Indexing, Source};
use crate::{
    git::{GitError, Steps},
    jobs::mounts::Mounts,
};

/// Nothing is given up sooner: a disk that sleeps, or a share that is mounted when somebody looks, takes some seconds.
const LEAST: Duration = Duration::from_secs(10);
/// Where somebody hangs already, the first step comes within this time.
const DOUBT: Duration = Duration::from_secs(5);
/// How often it is looked whether a run gets on.
const LOOK: Duration = Duration::from_millis(250);
/// Repositories of one file system that may hang. Each has a thread or a few.
const MOST_HANGING: usize = 8;

/// How long a file system may be silent that is read because of a setting like this.
pub(super) fn patience(silence: Duration) -> Duration {
    silence.max(LEAST)
}

/// What was left behind by runs of this node.
#[derive(Debug, Default)]
pub(in crate::jobs) struct LeftBehind(Mutex<HashMap<Arc<str>, Vec<Hanging>>>);

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
    fn note(&self, place: &Arc<str>, hanging: Hanging) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(place.clone()).or_default().push(hanging);
    }

    /// The repositories that hang at this place, each with since when.
    pub(in crate::jobs) fn at(&self, place: &str) -> Vec<(RepositoryId, Instant)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, hanging| {
            hanging.retain(|one| one.steps.strong_count() > 0);
            !hanging.is_empty()
        });
        all.get(place).into_iter().flatten().map(|one| (one.repository, one.since)).collect()
    }

    /// The file system below this path, for a run of this repository; an error where one more would hang, too.
    fn admit(&self, place: Arc<str>, repository: RepositoryId, silence: Duration) -> Result<Share, GitError> {
        let hanging = self.at(&place);
        let own = hanging.iter().find(|(id, _)| *id == repository);
        let full = hanging.first().filter(|_| hanging.len() >= MOST_HANGING);
        match own.or(full) {
            Some((_, since)) => Err(silent(&place, since.elapsed())),
            None => Ok(Share { place, patience: patience(silence), is_doubted: !hanging.is_empty() }),
        }
    }
}

/// A file system of this machine that a run reads.
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
}

fn silent(place: &str, since: Duration) -> GitError {
    // Who asks within the first second is told of a whole one.
    GitError::FileSystemSilent { place: place.to_owned(), seconds: since.as_secs().max(1) }
}

impl Indexing {
    /// Learns which file system is read from here on, if one of this machine is. An error when a try would only hang.
    pub(super) fn reads(&mut self, source: &Source) -> Result<(), GitError> {
        let path: &Path = match source {
            Source::InPlace(local) | Source::Copied(local) => local.path(),
            Source::Remote(_) | Source::Held(_) => return Ok(()),
        };
        let jobs = &self.app.jobs;
        let place = Mounts::read().of(path);
        self.share = Some(jobs.left_behind.admit(place, self.recorder.repository, jobs.git.limits.silence)?);
        Ok(())
    }

    /// Waits for this work for as long as it gets on. What it left to threads is told to stop when it does not: nothing that
    /// they do later is recorded.
    pub(super) async fn heed<T>(&self, work: impl Future<Output = T>) -> Result<T, GitError> {
        let Some(share) = &self.share else { return Ok(work.await) };
        let mut work = std::pin::pin!(work);
        let (mut steps, mut since) = (self.progress.steps(), Instant::now());
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = tokio::time::sleep(LOOK) => {}
            }
            let now = self.progress.steps();
            if now != steps || !self.progress.is_reading() {
                (steps, since) = (now, Instant::now());
            } else if since.elapsed() >= share.patience(now) {
                self.running.cancel.store(true, Ordering::Relaxed);
                return Err(silent(&share.place, since.elapsed()));
            }
        }
    }

    /// Whatever a run that did not come to its end has left to threads may hang; when it does not, nobody holds its steps in a
    /// moment.
    pub(super) fn leave_behind(&self, why: &Failure) {
        let Some(share) = &self.share else { return };
        // Who shows how far it is holds them as well.
        *self.running.progress.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let silent_for = match why {
            Failure::Git(GitError::FileSystemSilent { seconds, .. }) => Duration::from_secs(*seconds),
            Failure::Git(_) | Failure::Job(_) => Duration::ZERO,
        };
        let now = Instant::now();
        let since = now.checked_sub(silent_for).unwrap_or(now);
        let steps = Arc::downgrade(self.progress.fetching.steps());
        self.app.jobs.left_behind.note(&share.place, Hanging { repository: self.recorder.repository, steps, since });
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn id(number: u128) -> RepositoryId {
        RepositoryId(Uuid::from_u128(number))
    }

    /// Work on this repository that hangs until the value is dropped.
    fn hang(left: &LeftBehind, place: &str, repository: RepositoryId) -> Arc<Steps> {
        let held = Arc::new(Steps::default());
        let hanging = Hanging { repository, steps: Arc::downgrade(&held), since: Instant::now() };
        left.note(&place.into(), hanging);
        held
    }

    #[test]
    fn a_repository_that_hangs_is_not_tried_until_it_does_not_and_others_are_doubted() {
        let left = LeftBehind::default();
        let admit = |place: &str, number| left.admit(place.into(), id(number), LONG);
        assert!(admit("/nas", 1).is_ok_and(|share| share.patience(0) == LONG));
        let held = hang(&left, "/nas", id(1));
        for _ in 0..3 {
            let error = admit("/nas", 1).expect_err("it hangs still");
            assert!(matches!(&error, GitError::FileSystemSilent { place, .. } if place == "/nas"), "{error}");
            assert!(error.is_transient());
        }
        let other = admit("/nas", 2).expect("another may be well");
        assert_eq!((other.patience(0), other.patience(1)), (DOUBT, LONG), "once it gets on, it has its time");
        assert!(admit("/", 2).is_ok_and(|share| !share.is_doubted));
        drop(held);
        assert!(admit("/nas", 1).is_ok_and(|share| !share.is_doubted));
        assert!(left.0.lock().expect("nobody panics").is_empty());
    }

    #[test]
    fn no_more_than_a_few_hang_at_one_file_system() {
        let left = LeftBehind::default();
        let mut held: Vec<_> = (1..=MOST_HANGING as u128).map(|number| hang(&left, "/nas", id(number))).collect();
        assert!(left.admit("/nas".into(), id(100), LONG).is_err());
        assert!(left.admit("/".into(), id(100), LONG).is_ok());
        held.pop();
        assert!(left.admit("/nas".into(), id(100), LONG).is_ok());
    }

    #[test]
    fn nobody_is_given_up_sooner_than_a_disk_wakes_up() {
        assert_eq!((patience(Duration::from_secs(1)), patience(LONG)), (LEAST, LONG));
    }
}
