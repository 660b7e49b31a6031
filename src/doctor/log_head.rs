//! The head of the log against its newest event and against the clock.

use std::sync::Arc;

use super::{Finding, duration, grouped};
use crate::{app::App, jobs::JobError};

const HEAD: &str = "log_head";
const CLOCK: &str = "log_clock";
/// A clock that is this much behind the log, in seconds, is wrong.
const TOLERATED_SECONDS: i64 = 5;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    // Both move; the newest event is read between two looks at the head.
    let before = app.log.stored_head().await?;
    let newest = app.log.newest_stored().await?;
    let after = app.log.stored_head().await?;
    let head = if (before.position..=after.position).contains(&newest) {
        let count = grouped(newest.unsigned_abs());
        Finding::ok(HEAD, format!("the log has {count} events, and its head stands at the newest"))
    } else {
        let sentence = format!("the head of the log stands at {}, and its newest event at {newest}", after.position);
        let remedy = "stop the server and put a backup back: something else than keytrail wrote to the store";
        Finding::fail(HEAD, sentence, remedy)
    };
    let behind = after.recorded_at.seconds() - app.clock.now().seconds();
    let clock = if behind > TOLERATED_SECONDS {
        let sentence = format!("this machine's clock is {} behind the newest event of the log", duration(behind));
        let remedy = "set the clock, and let it be kept right (NTP); times in the log never run backwards meanwhile";
        Finding::fail(CLOCK, sentence, remedy)
    } else {
        Finding::ok(CLOCK, "this machine's clock is not behind the log")
    };
    Ok(vec![head, clock])
}
