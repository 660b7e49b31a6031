//! The list of what the program is made of, against the lock file.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::{ours, read, said};

fn written() -> Value {
    let text = said(Command::new(ours("packaging/sbom/build")).env("SOURCE_DATE_EPOCH", "1795240800"));
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn every_package_of_the_lock_file_is_in_it_with_its_checksum_and_licence() {
    let bom = written();
    assert_eq!((&bom["bomFormat"], &bom["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bom["metadata"]["timestamp"], "2026-11-21T06:00:00Z");
    assert_eq!(bom["metadata"]["component"]["name"], "keytrail");
    let lock: toml::Table = read(ours("Cargo.lock")).parse().expect("it is TOML");
    let mut locked = BTreeSet::new();
    for package in lock["package"].as_array().expect("packages") {
        let text = |member: &str| package.get(member).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        locked.insert((text("name"), text("version"), text("checksum")));
    }
    let components = bom["components"].as_array().expect("components");
    let mut listed = BTreeSet::new();
    for component in components
        .iter()
        .filter(|component| component["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:cargo/")))
    {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        listed.insert((
            text(&component["name"]),
            text(&component["version"]),
            text(&component["hashes"][0]["content"]),
        ));
    }
    let own = ("keytrail".to_owned(), env!("CARGO_PKG_VERSION").to_owned(), String::new());
    listed.insert(own);
    assert_eq!(listed, locked);
    for component in components {
        let licence = &component["licenses"][0];
        let named = licence["expression"].is_string() || licence["license"]["id"].is_string();
        assert!(named, "{component}");
    }
}

#[test]
fn what_is_linked_is_told_apart_from_what_only_builds_or_tests() {
    let bom = written();
    let components = bom["components"].as_array().expect("components");
    let scope = |name: &str| {
        let found = components.iter().find(|component| component["name"] == name);
        found.unwrap_or_else(|| panic!("{name} is in it"))["scope"].as_str().expect("a scope").to_owned()
    };
    for name in ["git2", "tokio", "rusqlite", "keytrail-domain", "libgit2", "SQLite"] {
        assert_eq!(scope(name), "required", "{name}");
    }
    for name in ["proptest", "rcgen", "keytrail-test-support", "cc"] {
        assert_eq!(scope(name), "excluded", "{name}");
    }
    // What the program says of itself and what the list says is the same.
    let version = said(Command::new(crate::PROGRAM).arg("--version"));
    for name in ["SQLite", "libgit2"] {
        let told = version.lines().find_map(|line| line.strip_prefix(name)).expect("a version").trim();
        let listed = components.iter().find(|component| component["name"] == name).expect("it is in it");
        assert_eq!(listed["version"], told, "{name}");
    }
    // Every edge leads to something that is in it.
    let known: BTreeSet<&str> = components
        .iter()
        .chain([&bom["metadata"]["component"]])
        .filter_map(|component| component["bom-ref"].as_str())
        .collect();
    for edge in bom["dependencies"].as_array().expect("edges") {
        let ends = edge["dependsOn"].as_array().into_iter().flatten().chain([&edge["ref"]]);
        assert!(ends.filter_map(Value::as_str).all(|end| known.contains(end)), "{edge}");
    }
}
