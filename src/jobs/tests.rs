//! What is tried again, what is given up, and what a stop leaves behind.

mod full_hosts;
mod rotations;
mod silent_shares;

use std::{path::Path, time::Duration};

use keytrail_domain::{
    display_text::DisplayText,
    id::{IntegrationId, RepositoryId},
    index_run::{Cause, Command, IndexRun},
    integration::{self, Integration, IntegrationName},
    recorded::StreamId,
    ref_selection::RefSelection,
    repository::{self, Repository as Discovered},
    service::{Connection, Reading},
};
use keytrail_projections::value::{Row, Value};
use keytrail_test_support::repositories::{Repository, Shape, generate};
use tempfile::TempDir;
use uuid::Uuid;

use super::{discover_repositories as discovery, queue, runner, *};
use crate::{
    app::{App, Context},
    boot,
    clock::Clock,
    config::Config,
    ids,
    store::{Area, Db, Statement},
};

/// A server with one repository that is indexed, in a folder of its own.
struct Stage {
    app: Arc<App>,
    repository: Repository,
    id: RepositoryId,
    integration: IntegrationId,
    tip: String,
    _folder: TempDir,
}

impl Stage {
    async fn set() -> Self {
        Self::reading(Reading::InPlace).await
    }

    async fn reading(reading: Reading) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().canonicalize().expect("it is there");
        let repository = Repository::init(&path.join("shop.git"), &["--bare"]).expect("a repository");
        let tip = repository.commit("refs/heads/main", "SHOP-1 one", &[]).expect("a commit");
        let app = start(&path).await;
        let (integration, id) = add(&app, "shop", &repository, reading).await;
        let stage = Self { app, repository, id, integration, tip, _folder: folder };
        stage
            .until("the first run is complete", || async {
                let done = "SELECT 1 FROM events WHERE event_type = 'index_run.completed'";
                !stage.rows(done).await.is_empty() && stage.rows("SELECT 1 FROM jobs").await.is_empty()
            })
            .await;
        stage
    }

    async fn until<F: Future<Output = bool>>(&self, what: &str, condition: impl Fn() -> F) {
        for _ in 0..3_000 {
            if condition().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let jobs = self.rows("SELECT * FROM jobs").await;
        let told =
            "SELECT event_type, payload FROM events WHERE event_type LIKE 'index_run.%' ORDER BY global_position";
        panic!("it did not come true that {what}: {jobs:?} {:?}", self.rows(told).await);
    }

    async fn rows(&self, sql: &str) -> Vec<Row> {
        self.app.db.read(Area::Log, sql, &[]).await.expect("it can be read")
    }

    async fn by_hand(&self, sql: &'static str) {
        self.app.db.write(Area::Log, vec![Statement::new(sql, vec![])]).await.expect("it is SQL");
    }

    /// Asks for a run.
    async fn request(&self) -> Uuid {
        let run = ids::new_id();
        let command = Command::Request { repository: self.id, cause: Cause::Asked };
        self.app.dispatch::<IndexRun>(run, command, Context::server("case", 0), Vec::new()).await.expect("it is asked");
        run
    }

    async fn state(&self, run: Uuid) -> IndexRun {
        self.app.load::<IndexRun>(StreamId::new("index_run", run)).await.expect("it can be read").0
    }

    /// Neither workers nor policies go on.
    async fn stand_still(&self) {
        self.app.stopping().cancel();
        self.app.jobs.stopped().await;
    }

    /// Takes the job of this run, which nobody else does.
    async fn take(&self, run: Uuid) -> TakenJob {
        let job = NewJob {
            kind: Kind::IndexRepository,
            key: run.to_string(),
            repository: None,
            integration: None,
            caused_by: 0,
            is_urgent: false,
        };
        self.app
            .db
            .write(Area::Log, vec![job.enqueue(&self.app.db, self.app.clock.now())])
            .await
            .expect("it is enqueued");
        self.again().await
    }

    async fn again(&self) -> TakenJob {
        self.by_hand("UPDATE jobs SET run_after = 0").await;
        queue::take(&self.app.db, "case", 0, self.app.clock.now()).await.expect("it can be taken").expect("a job")
    }
}

async fn add(app: &App, name: &str, repository: &Repository, reading: Reading) -> (IntegrationId, RepositoryId) {
    let path = repository.path.to_str().expect("UTF-8").to_owned();
    let connection = Connection::Path { path, reading, refs: RefSelection::default() };
    let integration = IntegrationId(ids::new_id());
    let id = RepositoryId::of(integration, &connection.natural_key());
    let command =
        integration::Command::Add { name: IntegrationName::parse(name).expect("a name"), connection, web_links: None };
    app.dispatch::<Integration>(integration.0, command, Context::server("case", 0), Vec::new())
        .await
        .expect("it is added");
    (integration, id)
}

pub(in crate::jobs) async fn start(folder: &Path) -> Arc<App> {
    let mut config = Config::default();
    config.store.folder = folder.join("data");
    config.git.silence_seconds = 1;
    config.secrets.root_key_file = Some(folder.join("root.key"));
    boot::start(&config, Clock::System).await.expect("it starts")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_go_away_is_tried_again_and_fails_the_run_in_the_end() {
    let stage = Stage::reading(Reading::Mirrored).await;
    let lock = stage.app.caches.mirror(stage.id).join("keytrail.lock");
    // As another process does that fetches into the same mirror.
    let busy = || {
        stage.repository.commit("refs/heads/more", "SHOP-2 two", &[&stage.tip]).expect("a commit");
        let file = std::fs::File::create(&lock).expect("a file");
        file.try_lock().expect("nobody else has it");
        file
    };
    let held = busy();
    let run = stage.request().await;
    stage
        .until("it was tried", || async { !stage.rows("SELECT 1 FROM jobs WHERE attempts >= 1").await.is_empty() })
        .await;
    assert!(matches!(stage.state(run).await, IndexRun::Running { .. }), "one failure is not the end");
    drop(held);
    stage.until("it is complete", || async { stage.state(run).await == IndexRun::Completed }).await;
    stage.until("the job is done", || async { stage.rows("SELECT 1 FROM jobs").await.is_empty() }).await;

    let _held = busy();
    let run = stage.request().await;
    stage
        .until("it was tried", || async { !stage.rows("SELECT 1 FROM jobs WHERE attempts >= 1").await.is_empty() })
        .await;
    stage.by_hand("UPDATE jobs SET attempts = 7, run_after = 0 WHERE state = 'waiting'").await;
    stage.until("it failed", || async { stage.state(run).await == IndexRun::Failed }).await;
    let failed = stage.rows("SELECT payload FROM events WHERE event_type = 'index_run.failed'").await;
    assert!(matches!(&failed[0][0], Value::Text(text) if text.contains("mirror_busy")), "{failed:?}");
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_without_waiting_for_the_views_to_fold_what_it_found() {
    let stage = Stage::set().await;
    let path = stage.repository.path.with_file_name("many.git");
    let many = generate(&path, &Shape { commits: 5_000, ..Shape::default() }).expect("a repository");
    add(&stage.app, "many", &many, Reading::InPlace).await;
    let events = |event_type: &str| format!("SELECT 1 FROM events WHERE event_type = 'index_{event_type}'");
    let until_two = async |what: &str| {
        let sql = events(what);
        stage.until(what, || async { stage.rows(&sql).await.len() == 2 }).await;
    };
    until_two("batch.refs_moved").await;
    // From here on no view moves.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let db = stage.app.db.clone();
    let views = tokio::spawn(async move {
        let Db::Sqlite(lite) = &*db else { panic!("the embedded engine is the default") };
        let wait = move |_: &mut _| {
            let _ = held.recv();
            Ok(())
        };
        lite.write_with(Area::Views, wait).await
    });
    until_two("run.completed").await;
    drop(release);
    views.await.expect("no panic").expect("it is written");
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_ended_with_its_process_does_not_count_and_one_that_was_put_back_does() {
    let stage = Stage::set().await;
    stage.stand_still().await;
    let run = stage.request().await;
    let mut job = stage.take(run).await;
    for _ in 0..10 {
        // The process was killed, and another one began.
        queue::reclaim(&stage.app.db, "case").await.expect("it is reclaimed");
        job = stage.again().await;
        assert_eq!(job.attempts, 1);
    }
    for tries in 2..5 {
        job.again_in(&stage.app.db, 0, "not now", stage.app.clock.now()).await.expect("it is put back");
        job = stage.again().await;
        assert_eq!(job.attempts, tries);
    }
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_panics_each_time_is_given_up_and_its_run_has_failed() {
    let stage = Stage::set().await;
    stage.stand_still().await;
    let run = stage.request().await;
    let mut job = stage.take(run).await;
    for tries in 1..=MOST_TRIES {
        assert_eq!(job.attempts, tries);
        assert!(matches!(stage.state(run).await, IndexRun::Requested { .. }), "try {tries}");
        let panicked = tokio::spawn(async { panic!("a defect") }).await.expect_err("it panicked");
        runner::end(&stage.app, &job, Err(panicked.into())).await;
        if tries < MOST_TRIES {
            job = stage.again().await;
        }
    }
    assert_eq!(stage.state(run).await, IndexRun::Failed);
    assert_eq!(stage.rows("SELECT * FROM jobs").await, Vec::<Row>::new());
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_taken_while_the_server_stops_is_left_to_the_next_start() {
    let stage = Stage::set().await;
    stage.repository.commit("refs/heads/main", "SHOP-2 two", &[&stage.tip]).expect("a commit");
    stage.stand_still().await;
    let run = stage.request().await;
    let job = stage.take(run).await;
    runner::one(&stage.app, job).await;
    assert!(matches!(stage.state(run).await, IndexRun::Running { .. }), "it did not go on to the end");
    assert_eq!(stage.rows("SELECT state, attempts FROM jobs").await, [[Value::from("waiting"), Value::Int(0)]]);
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_discovered_while_its_integration_is_removed_is_forgotten() {
    let stage = Stage::set().await;
    let (app, id) = (&stage.app, stage.integration);
    let connection = Connection::path(stage.repository.path.to_str().expect("UTF-8").to_owned());
    let context = || Context::server("case", 0);
    let forgotten = || async {
        let (state, _) = app.load::<Discovered>(StreamId::new("repository", stage.id.0)).await.expect("it can be read");
        state == Discovered::Forgotten
    };
    app.dispatch::<Integration>(
        id.0,
        integration::Command::Remove { mirrors: integration::MirrorsAfter::Deleted, secrets: Default::default() },
        context(),
        Vec::new(),
    )
    .await
    .expect("it is removed");
    stage.until("the repository is forgotten", forgotten).await;
    stage.until("nothing is left to do", || async { stage.rows("SELECT 1 FROM jobs").await.is_empty() }).await;
    // Its worker had looked at the integration before it was removed.
    let head = app.log.feed().head().position;
    discovery::discover(app, id, connection.clone(), head).await.expect("it is done");
    assert!(forgotten().await);

    // The worker ended before it could forget it, and the job is done again.
    let name = DisplayText::clean("shop");
    let command = repository::Command::Discover { integration: id, name, location: connection };
    app.dispatch::<Discovered>(stage.id.0, command, context(), Vec::new()).await.expect("it is discovered");
    assert!(!forgotten().await);
    let discover =
        TakenJob { kind: Kind::DiscoverRepositories, key: id.to_string(), caused_by: 0, attempts: 1, epoch: 1 };
    discovery::discover_repositories(app, &discover).await.expect("it is done");
    assert!(forgotten().await);
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_cancelled_before_it_started_records_nothing() {
    let stage = Stage::set().await;
    stage.repository.commit("refs/heads/main", "SHOP-2 two", &[&stage.tip]).expect("a commit");
    stage.stand_still().await;
    let run = stage.request().await;
    let job = stage.take(run).await;
    let graph = stage.app.jobs.graph_of(stage.id);
    let held = graph.lock().await;
    let running = Arc::new(Running { cancel: AtomicBool::new(false), progress: Mutex::default() });
    let working = tokio::spawn({
        let app = stage.app.clone();
        async move { index_repository::index_repository(&app, &job, &running).await }
    });
    // It has looked at the run, and waits for the repository's commits.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let context = Context::server("case", 0);
    stage.app.dispatch::<IndexRun>(run, Command::Cancel, context, Vec::new()).await.expect("it is cancelled");
    drop(held);
    working.await.expect("no panic").expect("there is nothing to do");
    assert_eq!(stage.state(run).await, IndexRun::Cancelled);
    let recorded = "SELECT aggregate_id FROM events WHERE aggregate_type = 'index_batch'";
    let of_run = Value::from(run.to_string());
    assert!(!stage.rows(recorded).await.iter().any(|row| row[0] == of_run));
    stage.app.stop().await;
}

/// As one that reads from a share that does not answer; here it is the commits of the repository that do not come.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_what_never_comes_is_left_behind_when_it_is_cancelled() {
    let stage = Stage::set().await;
    let graph = stage.app.jobs.graph_of(stage.id);
    let held = graph.lock().await;
    let run = stage.request().await;
    stage
        .until("it is at work", || async { !stage.rows("SELECT 1 FROM jobs WHERE state = 'running'").await.is_empty() })
        .await;
    let context = Context::server("case", 0);
    stage.app.dispatch::<IndexRun>(run, Command::Cancel, context, Vec::new()).await.expect("it is cancelled");
    stage.until("its worker is free", || async { stage.rows("SELECT 1 FROM jobs").await.is_empty() }).await;
    drop(held);
    let run = stage.request().await;
    stage.until("the next one completes", || async { stage.state(run).await == IndexRun::Completed }).await;
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_in_the_line_of_its_integration() {
    let stage = Stage::set().await;
    // No worker takes anything any more; policies go on.
    stage.app.jobs.set_outdated();
    stage.request().await;
    let lines = || stage.rows("SELECT kind, line FROM jobs");
    stage.until("it waits", || async { !lines().await.is_empty() }).await;
    let line = Value::from(stage.integration.to_string());
    assert_eq!(lines().await, [[Value::from("index_repository"), line]]);
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_that_a_server_asked_for_is_kept_however_long_unless_the_clock_was_put_back() {
    const HOUR: i64 = 3_600_000_000;
    let stage = Stage::set().await;
    stage.stand_still().await;
    let run = stage.request().await;
    let job = stage.take(run).await;
    runner::end(&stage.app, &job, Err(JobError::NotBefore(Duration::from_secs(7_200), "too many requests".into())))
        .await;
    let now = stage.app.clock.now();
    let is_due = async |after: i64| {
        let at = keytrail_domain::timestamp::Timestamp(now.0 + after);
        queue::is_due(&stage.app.db, "case", 0, at).await.expect("it can be read")
    };
    assert!(!is_due(0).await && !is_due(HOUR).await, "the server is left alone");
    assert!(is_due(2 * HOUR + HOUR / 2).await);
    assert!(is_due(-HOUR).await, "the pause began at a time that is not yet");
    stage.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_made_anew_fails_the_run_with_its_code_in_the_end() {
    let stage = Stage::reading(Reading::Mirrored).await;
    stage.repository.git(&["tag", "-a", "-m", "one", "one", "main"]).expect("a tag");
    let tag = stage.repository.git_line(&["rev-parse", "refs/tags/one"]).expect("a name").trim().to_owned();
    let object = stage.repository.path.join("objects").join(&tag[..2]).join(&tag[2..]);
    std::fs::remove_file(&object).and_then(|()| std::fs::write(&object, "no object")).expect("a loose object");
    let run = stage.request().await;
    stage
        .until("it was tried again", || async {
            !stage.rows("SELECT 1 FROM jobs WHERE attempts >= 2").await.is_empty()
        })
        .await;
    stage.by_hand("UPDATE jobs SET attempts = 7, run_after = 0 WHERE state = 'waiting'").await;
    stage.until("it failed", || async { stage.state(run).await == IndexRun::Failed }).await;
    let failed = stage.rows("SELECT payload FROM events WHERE event_type = 'index_run.failed'").await;
    assert!(matches!(&failed[0][0], Value::Text(text) if text.contains("corrupt_object")), "{failed:?}");
    stage.app.stop().await;
}
