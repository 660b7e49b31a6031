//! Index runs that nobody works for, and how runs ended lately.

use std::sync::Arc;

use keytrail_projections::index_runs::{self, Filter, Order, RunState};

use super::{Finding, counted};
use crate::{
    app::App,
    jobs::{JobError, runs_without_job},
};

const STUCK: &str = "runs_stuck";
const FAILED: &str = "runs_failed";
/// So many of the newest runs are looked at.
const NEWEST: u32 = 100;
/// From so many failures among them on it is more than one repository.
const MANY: usize = 20;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let stuck = runs_without_job(&app.db, 20).await?;
    let stuck = if stuck.is_empty() {
        Finding::ok(STUCK, "somebody works for every index run that goes on")
    } else {
        let sentence =
            format!("nobody works for {}: nothing is indexed by it", counted(stuck.len() as u64, "index run"));
        Finding::fail(STUCK, sentence, "`keytrail run cancel ID` each of them, then `keytrail repository index`")
            .of(stuck)
    };
    let newest = app.read(index_runs::page(Filter::default(), Order::NewestFirst, None, NEWEST)).await?;
    let failed: Vec<_> = newest
        .iter()
        .filter(|run| run.state == RunState::Failed)
        .map(|run| format!("{}: {}", run.id, run.failure.as_ref().map_or("", |(_, text)| text)))
        .collect();
    let sentence = format!("{} of the newest {} failed", failed.len(), counted(newest.len() as u64, "index run"));
    let failed = if failed.len() >= MANY || failed.len() > 4 && failed.len() * 2 > newest.len() {
        Finding::warn(FAILED, sentence, "do what each sentence says; `keytrail run list` has all of them").of(failed)
    } else {
        Finding::ok(FAILED, sentence)
    };
    Ok(vec![stuck, failed])
}
