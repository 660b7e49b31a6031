//! How far many things are, in words for a person: `8 of 15 repositories, about 34 s`. Called by the commands that show an
//! integration and those that wait for long work; what is a guess is not said.

use serde_json::Value;

use super::output;

/// How much of how many is done, and about how long the rest takes, where the server says so.
pub(super) fn how_far(done: u64, total: u64, unit: &str, seconds: Option<u64>) -> String {
    let left = seconds.map(|seconds| format!(", about {}", span(seconds))).unwrap_or_default();
    format!("{} of {} {unit}{left}", output::grouped(done), output::grouped(total))
}

/// The same of the first indexes of an integration, as the API tells of them; what failed stands at the end.
pub(super) fn first_indexes(indexing: &Value) -> Option<String> {
    let number = |member: &str| indexing[member].as_u64();
    let (done, total) = (number("indexed")?, number("repositories")?);
    let failed = number("failed").filter(|failed| *failed > 0);
    let failed = failed.map(|failed| format!(", {} failed", output::grouped(failed))).unwrap_or_default();
    Some(how_far(done, total, "repositories", number("eta_seconds")) + &failed)
}

/// In the largest unit of which there are at least two.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", output::grouped(seconds.div_ceil(3_600))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_done_and_how_long_the_rest_takes_is_one_line() {
        assert_eq!(how_far(8, 15, "repositories", Some(34)), "8 of 15 repositories, about 34 s");
        assert_eq!(how_far(1_200, 4_000, "views", None), "1,200 of 4,000 views");
        for (seconds, words) in [(119, "119 s"), (120, "2 min"), (3_601, "61 min"), (7_200, "2 h"), (90_000, "25 h")] {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn first_indexes_say_what_failed_and_nothing_that_is_not_known() {
        let told = |eta: Value, failed: u64| {
            let shown = json!({ "repositories": 15, "indexed": 8, "failed": failed, "waiting": 7, "eta_seconds": eta });
            first_indexes(&shown).expect("all of it is there")
        };
        assert_eq!(told(json!(34), 0), "8 of 15 repositories, about 34 s");
        assert_eq!(told(Value::Null, 2), "8 of 15 repositories, 2 failed");
        assert_eq!(first_indexes(&Value::Null), None);
    }
}
