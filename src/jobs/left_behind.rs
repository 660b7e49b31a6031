//! Whoever reads a file system of this machine that answers no more, such as a share whose server is away: what makes no step
//! for too long is waited for by nobody. Called by index runs, by diffs, by who looks at one commit and by who
//! wants to add a path; it ends no thread, because nobody can.
//!
//! What hangs holds the [`Steps`] of its work. As long as it does, no further work on that repository is begun; others at the
//! same file system have to show soon that they get on, and none is begun where many hang.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use keytrail_domain::id::RepositoryId;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
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
/// Repositories of one file system that may hang. Each has a thread or a few.
const MOST_HANGING: usize = 8;

/// How long a file system may be silent that is read because of a setting like this.
pub(super) fn patience(silence: Duration) -> Duration {
    silence.max(LEAST)
}

/// What was left behind on this node, and who reads for a person.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    hanging: Mutex<HashMap<Arc<str>, Vec<Hanging>>>,
    turns: Mutex<HashMap<RepositoryId, Arc<AsyncMutex<()>>>>,
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
        self.admit_at(Mounts::read().of(path), repository, patience(silence))
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
        let place = Mounts::read().of(path);
        // Who is left behind has no turn any more, and holds up nobody.
        self.admit_at(place.clone(), repository, patience)?;
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            // One that nobody has or waits for is known by the map alone.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(repository).or_default().clone()
        };
        // Longer than who has it may hang.
        let alone = tokio::time::timeout(patience + DOUBT, turn.lock_owned()).await.map_err(|_| DiffTrouble::Busy)?;
        let share = self.admit_at(place, repository, patience)?;
        Ok(Turn { left: self.clone(), share, repository, steps: Arc::default(), why: None, _alone: alone })
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
    /// Held by what reads.
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
        let reading = async move {
            let (told, counted) = (self.steps.clone(), self.steps.clone());
            let read = self.heed(|| counted.count(), blocking(move || work(&told))).await;
            drop(counted);
            read?
        };
        // A person may go away meanwhile, and what goes on for them is no file system that hangs.
        tokio::spawn(reading).await.unwrap_or(Err(DiffTrouble::Stopped))
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use keytrail_domain::index_run::FailureCode;
    use uuid::Uuid;

    use super::*;

    const MOMENT: Duration = Duration::from_secs(1);
    const LONG: Duration = Duration::from_secs(600);

    fn id(number: u128) -> RepositoryId {
        RepositoryId(Uuid::from_u128(number))
    }

    /// Work on this repository that hangs until the value is dropped.
    fn hang(left: &LeftBehind, place: &str, repository: RepositoryId) -> Arc<Steps> {
        let held = Arc::new(Steps::default());
        let share = Share { place: place.into(), patience: LONG, is_doubted: false };
        left.note(&share, repository, &held, None);
        held
    }

    fn is_silent(told: &Result<(), DiffTrouble>) -> bool {
        let code = Some(FailureCode::FileSystemSilent);
        matches!(told, Err(DiffTrouble::Unreadable { code: found, is_transient: true, .. }) if *found == code)
    }

    #[test]
    fn a_repository_that_hangs_is_not_tried_until_it_does_not_and_others_are_doubted() {
        let left = LeftBehind::default();
        let admit = |place: &str, number| left.admit_at(place.into(), id(number), LONG);
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
        assert!(left.hanging.lock().expect("nobody panics").is_empty());
    }

    #[test]
    fn no_more_than_a_few_hang_at_one_file_system() {
        let left = LeftBehind::default();
        let mut held: Vec<_> = (1..=MOST_HANGING as u128).map(|number| hang(&left, "/nas", id(number))).collect();
        assert!(left.admit_at("/nas".into(), id(100), LONG).is_err());
        assert!(left.admit_at("/".into(), id(100), LONG).is_ok());
        held.pop();
        assert!(left.admit_at("/nas".into(), id(100), LONG).is_ok());
    }

    #[test]
    fn nobody_is_given_up_sooner_than_a_disk_wakes_up() {
        assert_eq!((patience(Duration::from_secs(1)), patience(LONG)), (LEAST, LONG));
    }

    #[tokio::test]
    async fn of_all_who_come_while_a_repository_hangs_one_hangs_and_the_others_are_told() {
        let (left, path) = (Arc::new(LeftBehind::default()), Path::new("/proc/no such repository"));
        let place = Mounts::read().of(path);
        let (release, held) = mpsc::channel::<()>();
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let held = Arc::new(Mutex::new(held));
        let read = |patience| {
            let (left, begun, held) = (left.clone(), begun.clone(), held.clone());
            async move {
                let turn = left.turn_within(patience, path, id(1)).await?;
                let hangs = move |_: &Arc<Steps>| {
                    // Whoever waits here may be gone.
                    let _ = begun.send(());
                    let _ = held.lock().expect("nobody panics").recv();
                    Ok(())
                };
                turn.read(hangs).await
            }
        };
        let told = tokio::join!(read(MOMENT), read(MOMENT), read(MOMENT));
        for told in [&told.0, &told.1, &told.2, &read(MOMENT).await] {
            assert!(is_silent(told), "{told:?}");
        }
        assert!(begins.recv().await.is_some() && begins.is_empty(), "one began");
        assert_eq!(left.at(&place).into_iter().map(|(repository, _)| repository).collect::<Vec<_>>(), [id(1)]);
        assert!(left.turn(path, id(2), LONG).await.is_ok(), "another repository may be well");
        drop(release);
        while !left.at(&place).is_empty() {
            std::thread::yield_now();
        }
        assert!(read(LONG).await.is_ok(), "it answers again");
        assert!(left.at(&place).is_empty());
    }

    /// Reads until it is let go on, for somebody who goes away at once.
    async fn goes_away(left: &Arc<LeftBehind>, patience: Duration, path: &Path) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let turn = left.turn_within(patience, path, id(1)).await.expect("nobody reads");
        let reading = turn.read(move |_: &Arc<Steps>| {
            let _ = begun.send(());
            let _ = held.recv();
            Ok(())
        });
        tokio::select! {
            done = reading => panic!("it was not let go on: {done:?}"),
            begun = begins => begun.expect("it began"),
        }
        release
    }

    #[tokio::test]
    async fn what_goes_on_for_somebody_who_went_away_is_left_behind_when_it_hangs_and_not_before() {
        let (left, path) = (Arc::new(LeftBehind::default()), Path::new("/proc/no such repository"));
        let release = goes_away(&left, LONG, path).await;
        assert!(left.at(&Mounts::read().of(path)).is_empty());
        drop(release);
        assert!(left.turn(path, id(1), LONG).await.is_ok(), "it got on");

        let release = goes_away(&left, MOMENT, path).await;
        let next = left.turn_within(MOMENT, path, id(1)).await;
        assert!(is_silent(&next.map(|_| ())));
        drop(release);
    }

    #[tokio::test]
    async fn what_was_read_leaves_nothing_behind() {
        let (left, path) = (Arc::new(LeftBehind::default()), Path::new("/proc/no such repository"));
        for number in 0..3 {
            let turn = left.turn(path, id(1), LONG).await.expect("nobody hangs");
            let read = turn.read(move |steps: &Arc<Steps>| {
                steps.step();
                Ok(number)
            });
            assert_eq!(read.await, Ok(number));
            assert!(left.hanging.lock().expect("nobody panics").is_empty());
        }
    }
}
