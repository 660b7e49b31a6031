//! A file system that hangs: however often a run is tried, what hangs is what the first try left behind.

use keytrail_domain::index_run::batch::CommitSha;
use keytrail_projections::repository_list;
use keytrail_test_support::hanging::{Hanging, Hangs};

use super::*;
use crate::{
    git::Steps,
    jobs::{left_behind::MOST_HANGING, mounts::Mounts},
};

/// The repositories that hang.
fn hang(stage: &Stage, made: &Hanging) -> Vec<RepositoryId> {
    let place = Mounts::read().of(&made.repository.path);
    stage.app.jobs.left_behind.at(&place).into_iter().map(|(repository, _)| repository).collect()
}

async fn leaves_one_try_behind(reading: Reading, hangs: Hangs) {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    let mut made = Hanging::make(&root.join("share"), "NAS", hangs).expect("git and a lease work");
    let (_, id) = add(&stage.app, "nas", &made.repository, reading).await;
    let told = |what: &'static str| format!("SELECT payload FROM events WHERE event_type = 'index_run.{what}'");
    stage.until("it is left behind", || async { hang(&stage, &made) == [id] }).await;
    stage
        .until("it was tried again and again, and failed", || async {
            stage.by_hand("UPDATE jobs SET run_after = 0 WHERE state = 'waiting'").await;
            !stage.rows(&told("failed")).await.is_empty()
        })
        .await;
    let failed = stage.rows(&told("failed")).await;
    assert!(matches!(&failed[0][0], Value::Text(text) if text.contains("file_system_silent")), "{failed:?}");
    assert_eq!(hang(&stage, &made), [id]);

    made.come_back().expect("it is put back");
    stage.until("nothing hangs", || async { hang(&stage, &made).is_empty() }).await;
    let recorded = "SELECT aggregate_id FROM events WHERE event_type = 'index_batch.commits_recorded'";
    assert_eq!(
        stage.rows(recorded).await.len(),
        1,
        "of the other repository: nothing that was left behind is recorded"
    );
    // The schedule may have asked already.
    let command = Command::Request { repository: id, cause: Cause::Asked };
    let _ = stage.app.dispatch::<IndexRun>(ids::new_id(), command, Context::server("case", 0), Vec::new()).await;
    stage.until("the next run completes", || async { stage.rows(&told("completed")).await.len() == 2 }).await;
    assert_eq!(stage.rows(recorded).await.len(), 2);
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_hangs_is_left_behind_once_and_fails_the_run_in_the_end() {
    leaves_one_try_behind(Reading::InPlace, Hangs::Tip).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_that_hangs_is_left_behind_once_and_fails_the_run_in_the_end() {
    leaves_one_try_behind(Reading::InPlace, Hangs::Parent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_for_a_copy_that_hangs_is_left_behind_once_and_fails_the_run_in_the_end() {
    leaves_one_try_behind(Reading::Mirrored, Hangs::Tip).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_while_it_hangs_leaves_nothing_more_behind_when_it_is_asked_for_again() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    let mut made = Hanging::make(&root.join("share"), "NAS", Hangs::Tip).expect("git and a lease work");
    let (_, id) = add(&stage.app, "nas", &made.repository, Reading::InPlace).await;
    let request = || async {
        let run = ids::new_id();
        let command = Command::Request { repository: id, cause: Cause::Asked };
        let context = Context::server("case", 0);
        stage.app.dispatch::<IndexRun>(run, command, context, Vec::new()).await.expect("it is asked");
        run
    };
    let of_started = "SELECT aggregate_id FROM events WHERE event_type = 'index_run.started' ORDER BY global_position";
    stage.until("it is at work", || async { stage.rows(of_started).await.len() == 2 }).await;
    let started = stage.rows(of_started).await;
    let Some(Value::Text(run)) = started.last().map(|row| &row[0]) else { panic!("no run: {started:?}") };
    let mut last: Uuid = run.parse().expect("an id");
    for _ in 0..3 {
        let context = Context::server("case", 0);
        stage.app.dispatch::<IndexRun>(last, Command::Cancel, context, Vec::new()).await.expect("it is cancelled");
        stage.until("its worker is free", || async { stage.rows("SELECT 1 FROM jobs").await.is_empty() }).await;
        last = request().await;
        stage
            .until("it is put off", || async { !stage.rows("SELECT 1 FROM jobs WHERE attempts >= 1").await.is_empty() })
            .await;
        assert_eq!(hang(&stage, &made), [id]);
    }
    made.come_back().expect("it is put back");
    stage.until("it completes", || async { stage.state(last).await == IndexRun::Completed }).await;
    assert!(hang(&stage, &made).is_empty());
    stage.app.stop().await;
}

fn is_silent<T>(told: &Result<T, DiffTrouble>) -> bool {
    matches!(told, Err(DiffTrouble::Unreadable { code: Some(FailureCode::FileSystemSilent), is_transient: true, .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_look_at_commits_of_a_repository_that_hangs_one_look_is_left_behind() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    let mut made = Hanging::make(&root.join("share"), "NAS", Hangs::Configuration).expect("git and a lease work");
    made.come_back().expect("it is put back");
    let (_, id) = add(&stage.app, "nas", &made.repository, Reading::InPlace).await;
    stage
        .until("it is indexed", || async {
            let done = "SELECT 1 FROM events WHERE event_type = 'index_run.completed'";
            stage.rows(done).await.len() == 2 && stage.rows("SELECT 1 FROM jobs").await.is_empty()
        })
        .await;
    let listed = stage.app.read(repository_list::by_id(id)).await.expect("the list").pop();
    let row = listed.expect("it is in it").repository;
    let tip = made.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
    let commit: CommitSha = tip.parse().expect("a name");
    let looked = || look_up(&stage.app, &row, commit);
    let changed = |part| commit_changes(&stage.app, &row, Asked { commit, parent: None, part });

    made.go_away().expect("a lease works");
    for round in ["when it falls silent", "while it hangs"] {
        let (one, two, files, lines) = tokio::join!(looked(), looked(), changed(Part::Files), changed(Part::Lines));
        assert!(is_silent(&one) && is_silent(&two), "{round}: {one:?} {two:?}");
        assert!(is_silent(&files) && is_silent(&lines), "{round}: {files:?} {lines:?}");
        assert_eq!(hang(&stage, &made), [id], "{round}");
    }
    stage.until("nobody is at work for who was told", || async { stage.app.jobs.diffs.try_alone(id).is_some() }).await;

    made.come_back().expect("it is put back");
    stage.until("nothing hangs", || async { hang(&stage, &made).is_empty() }).await;
    assert!(looked().await.expect("it answers").text.is_some());
    assert_eq!(changed(Part::Files).await.expect("it answers").files.commit, commit);
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_repositories_of_a_share_that_falls_silent_a_few_are_left_behind_and_other_places_are_read() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    let mut shares = Vec::new();
    let mut added = Vec::new();
    for number in 0..MOST_HANGING + 2 {
        let folder = root.join(number.to_string());
        let mut made = Hanging::make(&folder, "NAS", Hangs::Configuration).expect("git and a lease work");
        made.come_back().expect("it is put back");
        let (_, id) = add(&stage.app, &format!("nas{number}"), &made.repository, Reading::InPlace).await;
        let tip = made.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
        added.push((id, tip.parse::<CommitSha>().expect("a name")));
        shares.push(made);
    }
    stage
        .until("they are indexed", || async {
            let done = "SELECT 1 FROM events WHERE event_type = 'index_run.completed'";
            let all = stage.rows(done).await.len() == 1 + added.len();
            all && stage.rows("SELECT 1 FROM jobs").await.is_empty()
        })
        .await;
    let mut wanted = Vec::new();
    for (id, commit) in added {
        let listed = stage.app.read(repository_list::by_id(id)).await.expect("the list").pop();
        wanted.push((listed.expect("it is in it").repository, commit));
    }
    let look_at_all = async || {
        let mut looks = tokio::task::JoinSet::new();
        for (row, commit) in &wanted {
            let (app, row, commit) = (stage.app.clone(), row.clone(), *commit);
            looks.spawn(async move { look_up(&app, &row, commit).await });
        }
        looks.join_all().await
    };

    shares.iter_mut().for_each(|made| made.go_away().expect("a lease works"));
    let beside = async {
        let left = &stage.app.jobs.left_behind;
        let turn = left.turn(Path::new("/proc/no such repository"), stage.id, Duration::from_secs(1)).await?;
        turn.read(|_: &Arc<Steps>| Ok(7)).await
    };
    let (told, beside) = tokio::join!(look_at_all(), beside);
    assert_eq!(beside, Ok(7));
    assert!(told.iter().all(is_silent), "{told:?}");
    assert_eq!(hang(&stage, &shares[0]).len(), MOST_HANGING);

    shares.iter_mut().for_each(|made| made.come_back().expect("it is put back"));
    stage.until("nothing hangs", || async { hang(&stage, &shares[0]).is_empty() }).await;
    let told = look_at_all().await;
    assert!(told.iter().all(|told| matches!(told, Ok(found) if found.text.is_some())), "{told:?}");
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_hang_where_a_link_leads_hold_up_none_beside_the_link() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    std::os::unix::fs::symlink("/proc/sys", root.join("share")).expect("a link");
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let mut tried = tokio::task::JoinSet::new();
    for number in 0..MOST_HANGING {
        let (app, path, held) = (stage.app.clone(), root.join("share").join(number.to_string()), held.clone());
        tried.spawn(async move {
            let hangs = move |_: &Arc<Steps>| held.lock().expect("nobody panics").recv().is_ok();
            read_path(&app, &path, hangs).await
        });
    }
    for told in tried.join_all().await {
        assert!(matches!(&told, Err(PathTrouble::Silent(_))), "{told:?}");
    }
    let place = Mounts::read().of(Path::new("/proc/sys"));
    let left = || stage.app.jobs.paths_to_add.at(&place).len();
    assert_eq!(left(), MOST_HANGING);
    assert!(read_path(&stage.app, &root.join("beside"), |_| ()).await.is_ok());
    let told = read_path(&stage.app, &root.join("share/one more"), |_| ()).await;
    assert!(matches!(&told, Err(PathTrouble::Silent(why)) if why.contains(&*place)), "{told:?}");
    drop(release);
    stage.until("nothing hangs", || async { left() == 0 }).await;
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_try_to_add_a_path_that_hangs_one_look_is_left_behind_and_no_run_is_doubted() {
    let stage = Stage::set().await;
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("it is there");
    let mut made = Hanging::make(&root.join("share"), "NAS", Hangs::Configuration).expect("git and a lease work");
    let path = made.repository.path.clone();
    let place = Mounts::read().of(&path);
    let left = || stage.app.jobs.paths_to_add.at(&place).len();
    // As written, and with a slash more.
    let open = async |end: &str| {
        let path = Path::new(&format!("{}{end}", path.display())).to_owned();
        let local = held_to_roots(&stage.app, path.clone()).await.expect("no root hangs");
        read_path(&stage.app, &path, move |steps| local.open_telling(steps).map(|_| ())).await
    };
    for round in ["when it falls silent", "while it hangs"] {
        let (one, two) = tokio::join!(open(""), open("/"));
        for told in [one, two] {
            assert!(matches!(&told, Err(PathTrouble::Silent(why)) if why.contains(&*place)), "{round}: {told:?}");
        }
        assert_eq!(left(), 1, "{round}");
        assert!(read_path(&stage.app, &root, |_| ()).await.is_ok(), "{round}: another path may be well");
        assert!(hang(&stage, &made).is_empty(), "{round}");
    }
    made.come_back().expect("it is put back");
    stage.until("nothing hangs", || async { left() == 0 }).await;
    assert!(open("").await.expect("it answers").is_ok());
    stage.app.stop().await;
}
