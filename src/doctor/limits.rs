//! Settings that can be used and that hardly anybody means.

use super::{Finding, duration, megabytes};
use crate::config::Config;

const ID: &str = "limits";
/// Slower remotes than this are common.
const SHORT_SILENCE: u64 = 10;
/// Commits are wanted sooner than this.
const LONG_POLL: u64 = 86_400;
/// More threads than this only wait for each other.
const MANY: usize = 64;
/// A disk that fetches fill beyond this stops the log, too.
const LITTLE_ROOM: u64 = 100_000_000;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let git = &config.git;
    let seconds = |seconds: u64| duration(i64::try_from(seconds).unwrap_or(i64::MAX));
    let mut odd = Vec::new();
    if git.silence_seconds < SHORT_SILENCE {
        odd.push(format!(
            "git.silence_seconds gives a remote {} before it counts as silent",
            seconds(git.silence_seconds)
        ));
    }
    if git.longest_poll_seconds > LONG_POLL {
        odd.push(format!("git.longest_poll_seconds looks only every {}", seconds(git.longest_poll_seconds)));
    }
    if git.free_bytes < LITTLE_ROOM {
        odd.push(format!("git.free_bytes lets fetches fill the disk up to the last {}", megabytes(git.free_bytes)));
    }
    if git.upkeep_seconds > LONG_POLL {
        odd.push(format!("git.upkeep_seconds tidies up only every {}", seconds(git.upkeep_seconds)));
    }
    if git.quota_bytes < 1_000_000 {
        odd.push(format!("git.quota_bytes allows copies of {}", megabytes(git.quota_bytes)));
    }
    for (key, workers) in [("server.workers", config.server.workers), ("jobs.workers", config.jobs.workers)] {
        if workers == 0 || workers > MANY {
            odd.push(format!("{key} is {workers}"));
        }
    }
    vec![if odd.is_empty() {
        Finding::ok(ID, "limits of time and size are within what is usual")
    } else {
        Finding::warn(
            ID,
            odd.join("; "),
            "look at the settings that are named; `keytrail config show --origin` says where each is set",
        )
    }]
}
