//! What hangs, who is told, and who goes on beside it.

use std::sync::mpsc;

use keytrail_domain::index_run::FailureCode;
use tokio::task::JoinSet;
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

#[tokio::test]
async fn a_repository_that_hangs_is_not_tried_until_it_does_not_and_others_are_doubted() {
    let left = LeftBehind::new();
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

#[tokio::test]
async fn no_more_than_a_few_hang_at_one_file_system() {
    let left = LeftBehind::new();
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
    let (left, path) = (Arc::new(LeftBehind::new()), Path::new("/proc/no such repository"));
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

#[tokio::test]
async fn of_many_repositories_that_hang_at_once_a_few_hang_and_another_place_goes_on() {
    let (left, path) = (Arc::new(LeftBehind::new()), Path::new("/proc/no such repository"));
    let place = Mounts::read().of(path);
    let (release, held) = mpsc::channel::<()>();
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let held = Arc::new(Mutex::new(held));
    let mut reading = JoinSet::new();
    for number in 1..=3 * MOST_HANGING as u128 {
        let (left, begun, held) = (left.clone(), begun.clone(), held.clone());
        reading.spawn(async move {
            let turn = left.turn_within(MOMENT, path, id(number)).await?;
            let hangs = move |_: &Arc<Steps>| {
                let _ = begun.send(());
                let _ = held.lock().expect("nobody panics").recv();
                Ok(())
            };
            turn.read(hangs).await
        });
    }
    for _ in 0..MOST_HANGING {
        assert!(begins.recv().await.is_some(), "as many as may");
    }
    let beside = left.turn_within(LONG, Path::new("/no such folder"), id(1)).await.expect("nobody reads there");
    assert_eq!(beside.read(|_: &Arc<Steps>| Ok(7)).await, Ok(7));
    while let Some(told) = reading.join_next().await {
        let told = told.expect("no panic");
        assert!(is_silent(&told), "{told:?}");
    }
    assert!(begins.is_empty(), "no more began");
    assert_eq!(left.at(&place).len(), MOST_HANGING);
    drop(release);
    while !left.at(&place).is_empty() {
        std::thread::yield_now();
    }
    assert!(left.turn(path, id(1), LONG).await.is_ok(), "it answers again");
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
    let (left, path) = (Arc::new(LeftBehind::new()), Path::new("/proc/no such repository"));
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
    let (left, path) = (Arc::new(LeftBehind::new()), Path::new("/proc/no such repository"));
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
