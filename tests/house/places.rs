//! The one place each for the environment, the wall clock and randomness. clippy.toml bans the calls; this bans the names.

use super::{rule::Rule, source};

/// Pure files that use a map without an order, each with the reason why its order is never seen.
const UNORDERED: &[(&str, &str)] = &[(
    "domain/src/index_run/batch.rs",
    "the dictionary of a batch is looked up and never walked; its list keeps the order",
)];

fn only_in(rule: &mut Rule, place: &str, words: &[&str]) {
    for source in source::of_product().iter().filter(|source| source.path != place) {
        for word in words {
            for line in source.lines_with(word) {
                rule.broken_at(&source.path, line, word);
            }
        }
    }
}

#[test]
fn the_environment_is_read_in_config_only() {
    let mut rule = Rule::new("std::env is named in src/config.rs only");
    only_in(&mut rule, "src/config.rs", &["std::env", "env::var", "env::var_os", "env::vars", "env::args"]);
    rule.hold();
}

#[test]
fn the_wall_clock_is_read_in_clock_only() {
    let mut rule = Rule::new("the wall clock is read in src/clock.rs only");
    only_in(&mut rule, "src/clock.rs", &["SystemTime", "Utc::now", "Local::now", "now_utc", "CURRENT_TIMESTAMP"]);
    rule.hold();
}

#[test]
fn randomness_comes_from_ids_only() {
    let mut rule = Rule::new("random ids and bytes are made in src/ids.rs only");
    only_in(
        &mut rule,
        "src/ids.rs",
        &["now_v7", "new_v4", "new_v1", "getrandom", "OsRng", "thread_rng", "rand::random"],
    );
    rule.hold();
}

#[test]
fn the_pure_crates_know_neither_order_nor_time_of_the_machine() {
    let mut rule = Rule::new("clock, randomness, locale and the order of maps never reach a fold or a decision");
    let words = ["Instant", "SystemTime", "DefaultHasher", "RandomState", "thread::", "tokio"];
    let maps = ["HashMap", "HashSet"];
    for source in source::of_product().iter().filter(|source| source.is_below(&["domain/src/", "projections/src/"])) {
        let excused = UNORDERED.iter().any(|(path, reason)| *path == source.path && !reason.is_empty());
        for word in words.iter().chain(maps.iter().filter(|_| !excused)) {
            for line in source.lines_with(word) {
                rule.broken_at(&source.path, line, word);
            }
        }
    }
    rule.hold();
}
