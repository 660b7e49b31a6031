//! A host whose connections are all in use: who waits for one gives the worker back, and nothing is said of the repository.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_found_no_place_at_its_host_gives_way_and_that_was_no_try() {
    let stage = Stage::set().await;
    stage.stand_still().await;
    let run = stage.request().await;
    let mut job = stage.take(run).await;
    let full = || GitError::HostBusy { host: "git.example.org:22".to_owned(), most: 4 };
    for _ in 0..2 * MOST_TRIES {
        runner::end(&stage.app, &job, Err(full().into())).await;
        let now = stage.app.clock.now();
        assert!(!queue::is_due(&stage.app.db, "case", 0, now).await.expect("it can be read"), "not at once");
        job = stage.again().await;
        assert_eq!((&job.key, job.attempts), (&run.to_string(), 1));
    }
    let said = stage.rows("SELECT last_error FROM jobs").await;
    assert!(matches!(&said[0][0], Value::Text(text) if text.contains("git.example.org:22")), "{said:?}");
    assert!(matches!(stage.state(run).await, IndexRun::Requested { .. }), "it has not failed");

    let other = NewJob {
        kind: Kind::IndexRepository,
        key: ids::new_id().to_string(),
        repository: None,
        integration: None,
        caused_by: 0,
        is_urgent: false,
    };
    let enqueue = other.enqueue(&stage.app.db, stage.app.clock.now());
    stage.app.db.write(Area::Log, vec![enqueue]).await.expect("it is enqueued");
    runner::end(&stage.app, &job, Err(full().into())).await;
    assert_eq!(stage.again().await.key, other.key, "who waited meanwhile is next");
    assert_eq!(stage.again().await.key, run.to_string());
    stage.app.stop().await;
}
