//! Programs that nobody here wrote judge what Keytrail answers: git itself, by its log; curl and jq, by the README;
//! GitHub's own libraries, which sign deliveries, drive our GitHub for tests and read what it reports; a judge of signed
//! tokens, and one of exchanges, by GitHub's own description of its API; the programs that people make SSH keys with, and
//! that know servers by theirs.

mod adopted;
#[path = "../api/browser.rs"]
#[expect(dead_code, reason = "the tests of the API use all of it")]
mod browser;
mod described_exchanges;
mod description;
mod dropbear;
mod github_walk;
mod gitolite;
mod histories;
mod key_cells;
mod key_command_line;
mod key_folder;
mod key_programs;
mod key_remedies;
mod known_hosts;
mod official_client;
mod readme;
mod ssh_cells;
mod ssh_keys;
mod ssh_transport;
mod tools;
mod webhooks;

use std::process::Command;

use keytrail_test_support::repositories::{self, Shape};

/// Fewer keys than this would say little.
const ENOUGH: usize = 150;

#[test]
fn the_commits_of_random_issues_are_those_that_git_log_names_also_with_awkward_messages() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("repository.git");
    let shape =
        Shape { seed: 29, commits: 3_000, heads: 30, tags: 20, pull_requests: 150, awkward: true, ..Shape::default() };
    repositories::generate(&path, &shape).expect("git makes a repository");
    let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/compare_with_git_log.py");
    let output = Command::new("python3")
        .arg(judge)
        .arg(env!("CARGO_BIN_EXE_keytrail"))
        .arg(&path)
        .args(["--keys", "200"])
        .env("HOME", folder.path())
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .output()
        .expect("these tests need Python: install the Debian package `python3`");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}\n{complained}", output.status);
    let compared = said.lines().find_map(|line| line.split_once(" keys compared")).map(|(figures, _)| figures);
    let count = compared.and_then(|figures| figures.split(' ').next()).and_then(|count| count.parse::<usize>().ok());
    assert!(count.is_some_and(|count| count > ENOUGH), "too few keys were compared: {said}");
}
