//! The walks of the README and of the page about GitHub Apps, carried out as they stand there, against a GitHub that is made
//! on the spot; and the states of that page compared with those of the program.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use keytrail_domain::installation::{Property, Status};
use keytrail_test_support::{
    fake_github::FakeGithub,
    trial::{Trial, furnish},
};

const README: &str = include_str!("../../README.md");
const PAGE: &str = include_str!("../../docs/github-app.md");

/// The section with this heading.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let (_, section) = document.split_once(&format!("\n## {heading}\n")).expect("the section");
    section.split("\n## ").next().unwrap_or_default()
}

/// Its commands, but for those that start both.
fn commands(section: &str) -> String {
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    lines.filter(|line| !line.starts_with("./scripts/")).fold(String::new(), |all, line| all + line + "\n")
}

/// What is typed is typed into a shell that knows both, where `xdg-open` is a person with a browser.
async fn walked(commands: &str) -> String {
    let made = tempfile::tempdir().expect("a temporary folder");
    let github = FakeGithub::start().await;
    furnish(&github, &made.path().join("repositories")).expect("git makes repositories");
    let program = Path::new(env!("CARGO_BIN_EXE_keytrail"));
    let trial = Trial::start(program, ([127, 0, 0, 1], 0).into(), github).await.expect("they start");
    let browser = made.path().join("xdg-open");
    let person = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/person.py");
    fs::write(&browser, format!("#!/bin/sh\nexec python3 '{}' \"$1\"\n", person.display())).expect("it can be written");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let here = made.path().display();
    let script = format!("{}\nexport PATH='{here}':\"$PATH\"\nset -x\n{commands}", trial.exports());
    let mut bash = Command::new("timeout");
    bash.args(["240", "bash", "-euo", "pipefail", "-c", &script]).current_dir(made.path());
    bash.env("HOME", made.path()).env("no_proxy", "127.0.0.1");
    bash.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    let output = tokio::task::spawn_blocking(move || bash.output()).await.expect("it ends").expect("bash runs");
    let (said, done) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {done}\n{said}\n{}", output.status, trial.log());
    said.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_readme_through_an_app_works_as_it_stands_there() {
    let commands = commands(section(README, "Connecting a GitHub"));
    assert!(commands.lines().count() > 25, "{commands}");
    let said = walked(&commands).await;
    for shown in [
        "Create GitHub App for acme",
        "Connected",
        "SHOP-",
        "It was suspended from here",
        "octo-owner suspended it at GitHub",
        "taken away from the organisation",
        "left at GitHub: the app",
        "only acme, which owns it, or a manager of its apps can delete it",
        "nothing of it is left at GitHub",
    ] {
        assert!(said.contains(shown), "no {shown:?} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_about_apps_breaks_it_mends_as_it_stands_there() {
    let commands = commands(section(PAGE, "Breaking and mending"));
    assert!(commands.lines().count() > 35, "{commands}");
    let said = walked(&commands).await;
    for shown in [
        "GitHub refuses the key of the app",
        "GitHub cannot be reached now",
        "Another name",
        "kept sealed, until the app is confirmed to be gone",
        "\"kept repositories\"",
        "nothing of it is left at GitHub",
    ] {
        let shown = shown.trim_matches('"');
        assert!(said.contains(shown), "no {shown:?} in {said}");
    }
}

#[test]
fn the_states_of_the_page_are_those_of_the_program() {
    let section = section(PAGE, "States");
    let known: BTreeSet<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
    let diagram = section.split("```").nth(1).expect("a diagram");
    let drawn =
        diagram.lines().filter_map(|line| line.split_once(':').map_or(line, |(way, _)| way).split_once(" --> "));
    let drawn: BTreeSet<&str> =
        drawn.flat_map(|(from, to)| [from.trim(), to.trim()]).filter(|word| *word != "[*]").collect();
    assert_eq!(drawn, known, "the diagram");
    let (states, _) = section.split_once("| cause |").expect("a table of causes follows");
    assert_eq!(first_cells(states), known, "the table");
}

#[test]
fn the_properties_of_the_page_are_those_of_the_program() {
    let known: BTreeSet<&str> = Property::ALL.iter().map(|property| property.as_str()).collect();
    assert_eq!(first_cells(section(PAGE, "Breaking and mending")), known);
}

/// The words in backticks that begin the rows of tables.
fn first_cells(section: &str) -> BTreeSet<&str> {
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}
