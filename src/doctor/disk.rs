//! The free space on the disk of the caches, against what fetches leave free.

use std::sync::Arc;

use super::{Finding, blocking, megabytes};
use crate::{app::App, git::transport::free_bytes, jobs::JobError};

const ID: &str = "disk";
/// From so many times the floor on there is nothing to say.
const COMFORT: u64 = 2;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let caches = app.caches.clone();
    let free = blocking(move || free_bytes(caches.folder()).map_err(|error| error.to_string())).await?;
    Ok(vec![finding(free, app.jobs.git.limits.free_bytes)])
}

fn finding(free: u64, floor: u64) -> Finding {
    let sentence = format!(
        "the disk of the caches has {} free; fetches stop below {} (git.free_bytes)",
        megabytes(free),
        megabytes(floor)
    );
    if free < floor {
        Finding::fail(ID, sentence, "make room, or move the data folder; runs that were stopped are tried again")
    } else if free / COMFORT < floor {
        Finding::warn(ID, sentence, "make room before it is needed")
    } else {
        Finding::ok(ID, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn below_the_floor_it_fails_and_near_it_it_warns() {
        let states = [(999, 1_000), (1_000, 1_000), (1_999, 1_000), (2_000, 1_000), (0, 0)]
            .map(|(free, floor)| finding(free * 1_000_000, floor * 1_000_000).state);
        assert_eq!(states, [State::Fail, State::Warn, State::Warn, State::Ok, State::Ok]);
        assert!(finding(1_234_567_890, 0).sentence.contains("1,235 MB"));
    }
}
