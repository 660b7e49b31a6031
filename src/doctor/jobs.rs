//! What waits to be done, for how long, and what does not succeed.

use std::sync::Arc;

use super::{Finding, duration, grouped};
use crate::{
    app::App,
    jobs::{Backlog, JobError, backlog, put_back},
};

const QUEUE: &str = "jobs";
const TRIED: &str = "jobs_tried";
/// A job that waits for longer waits for too much before it.
const LONG_SECONDS: i64 = 3_600;
/// From so many tries on it is no chance.
const MANY_TRIES: i64 = 3;
/// So many are told.
const TOLD: i64 = 10;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let all = backlog(&app.db, app.clock.now()).await?;
    let tried = put_back(&app.db, MANY_TRIES, TOLD).await?;
    let tried = if tried.is_empty() {
        Finding::ok(TRIED, "no job has failed again and again")
    } else {
        let most = all.iter().map(|some| some.most_attempts).max().unwrap_or(0);
        let sentence = format!("jobs failed {MANY_TRIES} times or more ({most} at most), and are tried again");
        Finding::warn(TRIED, sentence, "do what the reasons say").of(tried)
    };
    Ok(vec![queue(&all, app.works), tried])
}

/// `works` when a server runs that does them.
fn queue(all: &[Backlog], works: bool) -> Finding {
    let (mut waiting, mut running, mut oldest) = (0, 0, ("", 0));
    for some in all {
        match some.state {
            "running" => running += some.count,
            _ => {
                waiting += some.count;
                if some.oldest_seconds > oldest.1 {
                    oldest = (some.kind, some.oldest_seconds);
                }
            }
        }
    }
    let wait = match waiting {
        1 => "1 job waits".to_owned(),
        several => format!("{} jobs wait", grouped(u64::try_from(several).unwrap_or(0))),
    };
    let sentence = format!("{wait} and {running} {} being done", if running == 1 { "is" } else { "are" });
    if !works {
        return Finding::ok(QUEUE, format!("{sentence}; none by this node, on which no server runs"));
    }
    if oldest.1 > LONG_SECONDS {
        let sentence =
            format!("{sentence}; the oldest that waits ({}) was asked for {} ago", oldest.0, duration(oldest.1));
        return Finding::warn(
            QUEUE,
            sentence,
            "raise jobs.workers, or wait: a first index of many repositories takes its time",
        );
    }
    Finding::ok(QUEUE, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_job_that_waits_for_long_is_told() {
        let some = |state, oldest_seconds| Backlog {
            kind: "request_index",
            state,
            count: 2,
            oldest_seconds,
            most_attempts: 1,
        };
        assert_eq!(queue(&[some("waiting", 10), some("running", 9_000)], true).state, State::Ok);
        let late = queue(&[some("waiting", 9_000)], true);
        assert!(late.state == State::Warn && late.sentence.contains("2 hours"), "{late:?}");
        // Where no server runs they wait because of that, and for nothing else.
        let stopped = queue(&[some("waiting", 9_000)], false);
        assert!(stopped.state == State::Ok && stopped.sentence.starts_with("2 jobs wait"), "{stopped:?}");
    }
}
