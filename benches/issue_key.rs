//! How fast issue keys are found in the messages of a repository, beside the usual regular expression.
//!
//! `cargo bench --bench issue_key -- [--repository PATH] [--rounds 9]`; messages like those of a repository are made when
//! there is none.

#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/table.rs"]
mod table;

use std::{fmt::Write, hint::black_box, process::Command, time::Instant};

use flags::Flags;
use keytrail_domain::issue_key::{Letters, scan};
use regex::Regex;
use table::{Table, median, seconds};

fn main() {
    let flags = Flags::read();
    let messages = flags.get("repository").map_or_else(made, of_repository);
    let regex = Regex::new(r"(?-u:\b)[A-Z][A-Z0-9_]+-[1-9][0-9]*(?-u:\b)").expect("a good expression");
    let bytes: usize = messages.iter().map(String::len).sum();
    let (mut ours, mut theirs, mut found) = (Vec::new(), Vec::new(), (0, 0));
    for _ in 0..flags.or("rounds", 9) {
        let started = Instant::now();
        found.0 = messages.iter().map(|message| black_box(scan(message, Letters::Upper)).keys.len()).sum::<usize>();
        ours.push(seconds(started.elapsed()));
        let started = Instant::now();
        found.1 = messages.iter().map(|message| black_box(matches(&regex, message)).len()).sum::<usize>();
        theirs.push(seconds(started.elapsed()));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    let figure = |took: f64, found: usize| {
        let (each, rate) = (took * 1e9 / messages.len() as f64, bytes as f64 / took / 1e9);
        format!("{each:.0} ns a message, {rate:.2} GB/s, {found} keys")
    };
    Table::new().line(
        &format!("keys in {} messages, {:.1} MB", messages.len(), bytes as f64 / 1e6),
        &figure(ours, found.0),
        &format!("regex, each key once: {}", figure(theirs, found.1)),
        &format!("{:.2}", ours / theirs),
        "<= 1",
    );
}

/// What a caller of ours gets: each key once, as text of its own.
fn matches(regex: &Regex, message: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for found in regex.find_iter(message) {
        if keys.iter().all(|known| known != found.as_str()) {
            keys.push(found.as_str().to_owned());
        }
    }
    keys
}

fn of_repository(path: &str) -> Vec<String> {
    let log = Command::new("git").args(["-C", path, "log", "--all", "-z", "--format=%B"]).output();
    let log = log.expect("git is installed").stdout;
    log.split(|byte| *byte == 0).map(|message| String::from_utf8_lossy(message).into_owned()).collect()
}

/// 150 bytes each on average; a third names an issue.
fn made() -> Vec<String> {
    (0..100_000_u32)
        .map(|n| {
            let mut message = String::new();
            if n % 3 == 0 {
                write!(message, "KAFKA-{}: ", n % 17_000 + 1).expect("a text takes all");
            }
            message.push_str("Let the broker wait for in-sync replicas at most as long as it may (#");
            write!(message, "{n})\n\nReviewers: A. Person <a-person@example.org>").expect("a text takes all");
            if n % 2 == 0 {
                message.push_str(", B. Person <b-person@example.org>, non-blocking re-tries of UTF-8 topics");
            }
            message
        })
        .collect()
}
