//! Names, sizes and first lines of files; words that code must not hold.

use std::fs;

use super::{
    rule::Rule,
    source::{self, Source},
    tree,
};

/// No Rust file is longer.
const HARD_LIMIT: usize = 600;
/// A longer one needs a reason in [`LONG_FILES`].
const SOFT_LIMIT: usize = 400;
/// Files over the soft limit, each with the reason why it is one thing.
const LONG_FILES: &[(&str, &str)] = &[];
/// Names that say nothing.
const NAMELESS: &[&str] = &["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];
/// The largest file outside fixtures, in bytes.
const LARGEST: u64 = 1 << 20;

fn lines(source: &Source) -> usize {
    source.text.lines().count()
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let mut rule = Rule::new("a file is never over 600 lines");
    for source in source::all().iter().filter(|source| lines(source) > HARD_LIMIT) {
        rule.broken_in(&source.path, format_args!("{} lines", lines(source)));
    }
    rule.hold();
}

#[test]
fn a_file_over_400_lines_has_a_reason() {
    let mut rule =
        Rule::new("a file stays under 400 lines, or stands in LONG_FILES in tests/house/names.rs with a reason");
    let sources = source::all();
    for source in sources.iter().filter(|source| lines(source) > SOFT_LIMIT) {
        if !LONG_FILES.iter().any(|(path, reason)| *path == source.path && !reason.is_empty()) {
            rule.broken_in(&source.path, format_args!("{} lines", lines(source)));
        }
    }
    for (path, _) in LONG_FILES {
        if !sources.iter().any(|source| source.path == *path && lines(source) > SOFT_LIMIT) {
            rule.broken_in(path, "needs no reason any more: take it off the list");
        }
    }
    rule.hold();
}

#[test]
fn every_thing_has_a_name() {
    let mut rule = Rule::new("a thing without a name is not yet understood: no util, common, helper, manager, misc");
    for path in tree::files() {
        let parts = path.split('/').map(|part| part.split('.').next().unwrap_or_default());
        for part in parts.flat_map(|part| part.split(['_', '-'])).filter(|part| NAMELESS.contains(part)) {
            rule.broken_in(&path, format_args!("is named {part}"));
        }
    }
    for source in source::all() {
        for (number, line) in source.lines() {
            let declared =
                line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ");
            let name = declared.map(|rest| rest.trim_end_matches([';', '{', ' ']));
            if let Some(name) = name.filter(|name| name.split('_').any(|part| NAMELESS.contains(&part))) {
                rule.broken_at(&source.path, number, format_args!("declares {name}"));
            }
        }
    }
    rule.hold();
}

#[test]
fn every_module_opens_with_what_it_is() {
    let mut rule = Rule::new("a module opens with //!: what it is, who calls it, what it never does");
    for source in source::all().iter().filter(|source| !source.text.starts_with("//! ")) {
        rule.broken_at(&source.path, 1, "does not");
    }
    rule.hold();
}

#[test]
fn lints_are_expected_not_allowed() {
    let mut rule = Rule::new("#[expect(…, reason = …)], not #[allow]: it dies when its reason dies");
    for source in source::all() {
        for (number, line) in source.lines() {
            if line.contains("#[allow(") || line.contains("#![allow(") {
                rule.broken_at(&source.path, number, line.trim());
            }
            if line.contains("[expect(clippy::") && !line.contains("reason") && line.trim_end().ends_with(']') {
                rule.broken_at(&source.path, number, "an expectation without a reason");
            }
        }
    }
    rule.hold();
}

#[test]
fn nothing_is_left_half_done() {
    let mut rule = Rule::new("no unwrap(), todo!, unimplemented! or dbg! outside tests; expect(…) says why it holds");
    for source in source::of_product() {
        for word in [".unwrap()", "todo!", "unimplemented!", "dbg!", ".expect(\"\")"] {
            for line in source.lines_with(word) {
                rule.broken_at(&source.path, line, word);
            }
        }
    }
    rule.hold();
}

#[test]
fn every_aggregate_has_the_same_files() {
    let mut rule = Rule::new("an aggregate is a folder with mod, command, event, error and tests");
    for name in
        tree::names_in("domain/src").iter().filter(|name| tree::exists(&format!("domain/src/{name}/command.rs")))
    {
        for file in ["mod.rs", "event.rs", "error.rs", "tests.rs"] {
            let path = format!("domain/src/{name}/{file}");
            if !tree::exists(&path) {
                rule.broken_in(&path, "is missing");
            }
        }
        if !tree::read("domain/src/fact.rs").contains(&format!("{name}::Event)")) {
            rule.broken_in("domain/src/fact.rs", format_args!("the facts lack those of {name}"));
        }
    }
    rule.hold();
}

#[test]
fn every_merge_is_finished() {
    let mut rule = Rule::new("no file holds the marks of a merge that was not finished");
    let marks = ["<", ">", "|"].map(|sign| sign.repeat(7) + " ");
    for path in tree::files().iter().filter(|path| !path.starts_with("tests/fixtures/")) {
        for (index, line) in tree::read(path).lines().enumerate() {
            if marks.iter().any(|mark| line.starts_with(mark)) {
                rule.broken_at(path, index + 1, line);
            }
        }
    }
    rule.hold();
}

#[test]
fn the_repository_holds_text() {
    let mut rule = Rule::new("no binary and no file over 1 MiB outside tests/fixtures; Cargo.lock is committed");
    for path in tree::files().iter().filter(|path| !path.starts_with("tests/fixtures/")) {
        let file = tree::root().join(path);
        let size = fs::metadata(&file).map_or(0, |found| found.len());
        if size > LARGEST {
            rule.broken_in(path, format_args!("{size} bytes"));
        }
        if fs::read(&file).is_ok_and(|bytes| bytes.iter().take(8192).any(|byte| *byte == 0)) {
            rule.broken_in(path, "is a binary");
        }
    }
    let ignored = tree::read(".gitignore").lines().any(|line| line.trim_start_matches('/') == "Cargo.lock");
    if ignored || !tree::exists("Cargo.lock") {
        rule.broken_in("Cargo.lock", "is not committed");
    }
    rule.hold();
}
