//! What a case left undone: jobs and deliveries that are waited for, or whose time comes.

use std::time::Duration;

use keytrail::store::Area;
use keytrail_projections::value::Cells;

use super::Server;

/// A job that is not done.
#[derive(Debug)]
struct LeftJob {
    #[expect(dead_code, reason = "read by who reads that it was left")]
    kind: String,
    state: String,
    #[expect(dead_code, reason = "as its kind")]
    error: String,
    run_after: i64,
}

impl Server {
    /// Nothing was left undone, and nothing broke. What is to be tried again later is: that time comes.
    pub(crate) async fn look_behind(&self) {
        for _ in 0..2_000 {
            // What the last event asks for is no job until it is reacted to.
            let reacted = keytrail::reactors::position(&self.app.db).await.expect("a checkpoint");
            let left = self.later_comes().await;
            if left == 0 && self.app.log.stored_head().await.expect("a head").position == reacted {
                return self.views_are_live().await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("jobs are left: {}", self.jobs_left().await);
    }

    /// What is not done, in words.
    pub(crate) async fn jobs_left(&self) -> String {
        let (jobs, now) = (self.jobs().await, self.app.clock.now().0);
        format!("{jobs:?} at {now}")
    }

    /// Where nothing is done, and something is to be tried again later, that time comes. How many jobs there are.
    pub(crate) async fn later_comes(&self) -> usize {
        let jobs = self.jobs().await;
        let next = jobs.iter().map(|job| job.run_after).min().unwrap_or_default();
        let wait = next - self.app.clock.now().0;
        if wait > 0 && jobs.iter().all(|job| job.state != "running") {
            self.pass_micros(wait);
        }
        jobs.len()
    }

    async fn jobs(&self) -> Vec<LeftJob> {
        // A delivery that came in is no job until it is worked off.
        let sql = "SELECT kind, state, COALESCE(last_error, ''), run_after FROM jobs \
                   UNION ALL SELECT event, CASE WHEN owner IS NULL THEN 'waiting' ELSE 'running' END, \
                   COALESCE(outcome, ''), due_at FROM webhook_inbox WHERE state = 'waiting' ORDER BY 1, 4";
        let rows = self.app.db.read(Area::Log, sql, &[]).await.expect("the jobs");
        let read = |row: &Vec<_>| {
            let mut cells = Cells::of(row);
            let mut text = || cells.text().expect("a text").to_owned();
            let (kind, state, error) = (text(), text(), text());
            LeftJob { kind, state, error, run_after: cells.int().expect("a number") }
        };
        rows.iter().map(read).collect()
    }
}
