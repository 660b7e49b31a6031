//! Whether the policies follow the log: what follows from an event is asked for only by them.

use std::sync::Arc;

use super::{Finding, duration, grouped};
use crate::{app::App, jobs::JobError, reactors};

const ID: &str = "reactor";
/// Behind for longer, nobody reacts.
const LATE_SECONDS: i64 = 30;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let position = reactors::position(&app.db).await?;
    let head = app.log.stored_head().await?.position;
    let behind = app.lag_seconds(position).await?.unwrap_or(0);
    if app.jobs.is_outdated() {
        let sentence =
            "the log holds an event that this version does not know: this node reacts to nothing and takes no jobs";
        return Ok(vec![Finding::fail(ID, sentence, "upgrade this node")]);
    }
    Ok(vec![finding(position, head, behind)])
}

fn finding(position: i64, head: i64, behind: i64) -> Finding {
    if position > head {
        let sentence = format!("the policies have seen event {position}, and the log ends at {head}");
        return Finding::fail(
            ID,
            sentence,
            "put the whole store back from one backup: its parts are of different times",
        );
    }
    if behind > LATE_SECONDS {
        let events = grouped((head - position).unsigned_abs());
        let sentence =
            format!("the policies are {} and {events} events behind the log: nothing new is indexed", duration(behind));
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
        let states =
            [(5, 5, 0), (4, 5, 30), (4, 5, 31), (6, 5, 0)].map(|(at, head, behind)| finding(at, head, behind).state);
        assert_eq!(states, [State::Ok, State::Ok, State::Fail, State::Fail]);
    }
}
