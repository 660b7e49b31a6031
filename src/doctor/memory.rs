//! How much memory this process has taken, and how much it may still have.

use super::{Finding, megabytes};
use crate::{config::Config, process};

const ID: &str = "memory";
/// A walk of a large repository and its fetch want this.
const FLOOR: u64 = 128_000_000;

pub(super) fn check(_: &Config) -> Vec<Finding> {
    vec![finding(process::resident_bytes(), process::available_bytes())]
}

fn finding(resident: Option<u64>, available: Option<u64>) -> Finding {
    let (Some(resident), Some(available)) = (resident, available) else {
        return Finding::ok(ID, "this system does not say how much memory there is");
    };
    let sentence = format!("this process holds {}, and {} more can be had", megabytes(resident), megabytes(available));
    if available < FLOOR {
        let remedy = "give the machine or the container more memory, or let jobs.workers be 1";
        Finding::fail(ID, sentence, remedy)
    } else if available / 2 < FLOOR {
        Finding::warn(ID, sentence, "give it more before it is needed")
    } else {
        Finding::ok(ID, sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn little_memory_warns_and_less_fails() {
        let states = [FLOOR - 1, FLOOR, 2 * FLOOR].map(|available| finding(Some(1), Some(available)).state);
        assert_eq!(states, [State::Fail, State::Warn, State::Ok]);
        assert_eq!(finding(None, Some(1)).state, State::Ok);
    }
}
