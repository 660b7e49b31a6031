//! Whether the policies follow the log: what follows from an event is asked for only by them.

use std::{sync::Arc, time::Duration};

use super::{Finding, counted, duration};
use crate::{app::App, jobs::JobError, reactors};

const ID: &str = "reactor";
/// Behind for longer, nobody reacts.
const LATE_SECONDS: i64 = 30;
/// Between two looks when they are: policies that follow have come on by then.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let position = reactors::position(&app.db).await?;
    let head = app.log.stored_head().await?.position;
    let behind = app.lag_seconds(position).await?.unwrap_or(0);
    if app.jobs.is_outdated() {
        let sentence =
            "the log holds an event that this version does not know: this node reacts to nothing and takes no jobs";
        return Ok(vec![Finding::fail(ID, sentence, "upgrade this node")]);
    }
    if position > head || behind <= LATE_SECONDS {
        return Ok(vec![finding(position, head, behind, false)]);
    }
    if !app.works {
        let events = counted((head - position).unsigned_abs(), "event");
        let sentence =
            format!("{events} wait for the policies: no server runs on this node, and the next one sees to it");
        return Ok(vec![Finding::ok(ID, sentence)]);
    }
    tokio::time::sleep(AGAIN_AFTER).await;
    let now = reactors::position(&app.db).await?;
    let (head, behind) = (app.log.stored_head().await?.position, app.lag_seconds(now).await?.unwrap_or(0));
    Ok(vec![finding(now, head, behind, now > position)])
}

/// `comes_on` when they moved between two looks: they catch up, as after a start.
fn finding(position: i64, head: i64, behind: i64, comes_on: bool) -> Finding {
    if position > head {
        let sentence = format!("the policies have seen event {position}, and the log ends at {head}");
        return Finding::fail(
            ID,
            sentence,
            "put the whole store back from one backup: its parts are of different times",
        );
    }
    if behind > LATE_SECONDS {
        let events = counted((head - position).unsigned_abs(), "event");
        let sentence =
            format!("the policies are {} and {events} behind the log: nothing new is indexed", duration(behind));
        if comes_on {
            return Finding::warn(ID, sentence, "wait: they are catching up");
        }
        return Finding::fail(ID, sentence, "look at the server's log for why; restart the server if it says nothing");
    }
    Finding::ok(ID, "the policies follow the log")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn policies_that_are_late_or_beyond_the_log_fail() {
        let states = [(5, 5, 0), (4, 5, 30), (4, 5, 31), (6, 5, 0)];
        let states = states.map(|(at, head, behind)| finding(at, head, behind, false).state);
        assert_eq!(states, [State::Ok, State::Ok, State::Fail, State::Fail]);
        assert_eq!(finding(4, 5, 31, true).state, State::Warn, "they catch up");
    }
}
