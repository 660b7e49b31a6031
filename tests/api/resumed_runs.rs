//! A run that is stopped between two batches and goes on later records what it would have recorded at once.

use std::{path::Path, sync::Arc, time::Duration};

use keytrail::{
    app::{App, Context},
    clock::Clock,
    ids,
};
use keytrail_domain::{
    fact::Fact,
    id::RepositoryId,
    index_run::{
        Cause, Command, IndexRun,
        batch::{CommitBatch, Event},
    },
    recorded::StreamId,
    service::Connection,
};
use keytrail_test_support::{
    postgres::database,
    repositories::{Shape, generate},
};
use uuid::Uuid;

use crate::{
    nodes::{add, node},
    server::soon,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_records_what_an_uninterrupted_one_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    resumed(folder.path(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_over_postgresql_records_what_an_uninterrupted_one_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = database().await;
    resumed(folder.path(), Some(&database.url())).await;
}

async fn resumed(folder: &Path, url: Option<&str>) {
    let path = folder.canonicalize().expect("it is there").join("shop.git");
    let shape = Shape { commits: 24_000, keyed_percent: 100, heads: 20, tags: 4, ..Shape::default() };
    let repository = generate(&path, &shape).expect("git works");
    // By name it comes before the default branch, by rank after it.
    repository.git(&["branch", "aaa", "main"]).expect("a branch");
    let app = node(folder, url, Clock::System).await;
    let integration = add(&app, "shop", &path).await;
    let connection = Connection::path(path.to_str().expect("UTF-8").to_owned());
    let id = RepositoryId::of(integration, &connection.natural_key());
    soon("the first run is complete", || async { !runs(&app).await.is_empty() && ended(&app).await }).await;
    let [first] = runs(&app).await[..] else { panic!("one run") };
    let whole = batches(&app, first).await;
    assert!(whole.len() > 10, "{} batches", whole.len());

    let again = ids::new_id();
    let reset = Command::Request { repository: id, cause: Cause::Reset };
    app.dispatch::<IndexRun>(again, reset, Context::server("case", 0), Vec::new()).await.expect("it is asked for");
    while batches(&app, again).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    app.stop().await;
    drop(app);
    // What HEAD names now is of the next run.
    repository.git(&["symbolic-ref", "HEAD", "refs/heads/aaa"]).expect("another default branch");
    let app = node(folder, url, Clock::System).await;
    let before = batches(&app, again).await.len();
    assert!((1..whole.len()).contains(&before), "it was stopped in the middle: {before} of {}", whole.len());
    soon("the stopped run is complete", || async { ended(&app).await }).await;
    let resumed = batches(&app, again).await;
    let number = resumed[0].number;
    let expected: Vec<CommitBatch> = whole.into_iter().map(|batch| CommitBatch { number, ..batch }).collect();
    for (resumed, expected) in resumed.iter().zip(&expected) {
        for (resumed, expected) in resumed.commits.iter().zip(&expected.commits) {
            assert_eq!(resumed, expected);
        }
    }
    assert!(resumed == expected, "the same commits in the same batches");
    app.stop().await;
}

/// Every run, the oldest first.
async fn runs(app: &Arc<App>) -> Vec<Uuid> {
    let facts = app.log.feed().page_apart(0).await.expect("the log can be read");
    let asked = |fact: &Fact| matches!(fact, Fact::IndexRun(keytrail_domain::index_run::Event::Requested { .. }));
    facts.iter().filter(|recorded| asked(&recorded.fact)).map(|recorded| recorded.stream.id).collect()
}

/// Whether no run is under way.
async fn ended(app: &Arc<App>) -> bool {
    for run in runs(app).await {
        let (state, _) = app.load::<IndexRun>(StreamId::new("index_run", run)).await.expect("the log can be read");
        if state != IndexRun::Completed {
            return false;
        }
    }
    true
}

async fn batches(app: &Arc<App>, run: Uuid) -> Vec<CommitBatch> {
    let facts = app.log.stream(StreamId::new("index_batch", run), i64::MAX).await.expect("the log can be read");
    let commits = |fact| if let Fact::IndexBatch(Event::CommitsRecorded(batch)) = fact { Some(batch) } else { None };
    facts.into_iter().filter_map(|recorded| commits(recorded.fact)).collect()
}
