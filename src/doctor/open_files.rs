//! How many files and connections this process may have open, against what it needs.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::{Finding, grouped};
use crate::config::Config;

const ID: &str = "open_files";
/// Files of the store, packs of repositories, programs that are running.
const ALWAYS: u64 = 256;
/// Packs and pipes of one job.
const OF_A_JOB: u64 = 128;
/// Connections that should find a place.
const CONNECTIONS: u64 = 1_024;

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let open = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64);
    vec![finding(allowed, open, needed(config))]
}

fn needed(config: &Config) -> u64 {
    ALWAYS + OF_A_JOB * config.jobs.workers as u64 + u64::from(config.store.connections)
}

fn finding(allowed: u64, open: u64, needed: u64) -> Finding {
    let sentence = format!(
        "{} files and connections may be open at once, and {} are; the server needs {} and one for each client",
        if allowed == u64::MAX { "any number of".to_owned() } else { grouped(allowed) },
        grouped(open),
        grouped(needed)
    );
    let remedy = "raise the limit: `ulimit -n 65536` before the start, or LimitNOFILE=65536 in the systemd unit";
    if allowed < needed || open.saturating_mul(10) > allowed.saturating_mul(9) {
        Finding::fail(ID, sentence, remedy)
    } else if allowed < needed + CONNECTIONS {
        Finding::warn(ID, sentence, remedy)
    } else {
        Finding::ok(ID, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_limit_below_the_need_fails_and_one_that_leaves_few_clients_warns() {
        let states = [(500, 10, 512), (1_024, 10, 512), (65_536, 10, 512), (65_536, 65_000, 512), (u64::MAX, 10, 512)]
            .map(|(allowed, open, needed)| finding(allowed, open, needed).state);
        assert_eq!(states, [State::Fail, State::Warn, State::Ok, State::Fail, State::Ok]);
    }
}
