//! The documents are true of the tree: what they name is there.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use super::{rule::Rule, tree};

fn documents() -> Vec<(String, String)> {
    let paths = tree::files_ending(&[".md"]);
    paths.into_iter().map(|path| (tree::read(&path), path)).map(|(text, path)| (path, text)).collect()
}

/// What stands in backticks, with the line.
fn code_spans(text: &str) -> Vec<(usize, &str)> {
    let mut spans = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let inside = line.split('`').skip(1).step_by(2).filter(|span| !span.is_empty());
        spans.extend(inside.map(|span| (index + 1, span)));
    }
    spans
}

/// Whether a word is meant as a path of this repository.
fn is_path(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let first = word.split('/').next().unwrap_or_default();
    plain && word.contains('/') && !first.is_empty() && first.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[test]
fn every_path_on_the_map_exists() {
    let mut rule = Rule::new("every path that ARCHITECTURE.md and the decisions name exists");
    for (path, text) in documents() {
        let map = path == "ARCHITECTURE.md" || path == "CONTRIBUTING.md";
        let page = path.starts_with("docs/") && path.matches('/').count() <= 2;
        for (line, span) in code_spans(&text).into_iter().filter(|(_, span)| is_path(span) && (map || page)) {
            // A page that tells how to add something names files to come; those whose folder is ours must be there
            // on the map only.
            let ours = tree::exists(span.split('/').next().unwrap_or_default());
            if ours && !tree::exists(span) && (map || path.starts_with("docs/decisions/")) {
                rule.broken_at(&path, line, format_args!("{span} is not there"));
            }
        }
    }
    rule.hold();
}

#[test]
fn every_folder_is_on_the_map() {
    let mut rule = Rule::new("ARCHITECTURE.md names every folder of the repository and every part of src");
    let map = tree::read("ARCHITECTURE.md");
    let mut wanted = BTreeSet::new();
    for path in tree::files() {
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["src", part, ..] if !["lib.rs", "main.rs"].contains(part) => {
                wanted.insert(format!("src/{part}{}", if parts.len() > 2 { "/" } else { "" }));
            }
            ["tests", part, _, ..] => {
                wanted.insert(format!("tests/{part}/"));
            }
            [folder, _, ..] => {
                wanted.insert(format!("{folder}/"));
            }
            _ => {}
        }
    }
    for path in wanted.iter().filter(|path| !map.contains(&format!("`{path}"))) {
        rule.broken_in("ARCHITECTURE.md", format_args!("says nothing of {path}"));
    }
    rule.hold();
}

#[test]
fn every_link_leads_somewhere() {
    let mut rule = Rule::new("a link of a document to a file or heading of this repository leads there");
    for (path, text) in documents() {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in text.lines().enumerate() {
            for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.contains("://") || target.starts_with("mailto:") {
                    continue;
                }
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let there = if file.is_empty() { path.clone() } else { resolve(folder, file) };
                if !tree::exists(&there) {
                    rule.broken_at(&path, index + 1, format_args!("{target} is not there"));
                } else if !heading.is_empty() && !headings(&tree::read(&there)).contains(heading) {
                    rule.broken_at(&path, index + 1, format_args!("{there} has no heading #{heading}"));
                }
            }
        }
    }
    rule.hold();
}

fn resolve(folder: &str, file: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn headings(text: &str) -> BTreeSet<String> {
    let titles = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |title: &str| -> String {
        let kept = title.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
    };
    titles.map(slug).collect()
}

#[test]
fn the_two_commands_can_be_run() {
    let mut rule = Rule::new("every script that a document names is there, can be run, and stops at the first error");
    let mut scripts: BTreeSet<String> = ["scripts/run", "scripts/test", ".ci/run"].map(String::from).into();
    for (_, text) in documents() {
        for word in text.split(|c: char| c.is_whitespace() || "`()[],;".contains(c)) {
            if let Some(script) = word.strip_prefix("./scripts/") {
                scripts.insert(format!("scripts/{}", script.trim_end_matches(['.', ':'])));
            }
        }
    }
    for path in scripts {
        let Ok(found) = fs::metadata(tree::root().join(&path)) else {
            rule.broken_in(&path, "is not there");
            continue;
        };
        if found.permissions().mode() & 0o111 == 0 {
            rule.broken_in(&path, "cannot be run: chmod +x");
        }
        let text = tree::read(&path);
        if !text.starts_with("#!/usr/bin/env bash\n") || !text.contains("set -euo pipefail") {
            rule.broken_in(&path, "does not stop at the first error");
        }
    }
    rule.hold();
}

#[test]
fn every_command_that_a_document_names_is_one() {
    let mut rule = Rule::new("a keytrail command in a document is one of the command line's");
    let commands = variants("src/cli/mod.rs", "enum Command {");
    let ours = |path: &str| path == "README.md" || path.starts_with("docs/") || path == "ARCHITECTURE.md";
    for (path, text) in documents().into_iter().filter(|(path, _)| ours(path)) {
        for (index, line) in text.lines().enumerate() {
            for call in calls(line) {
                let mut words = call.split_whitespace().skip_while(|word| word.starts_with('-'));
                let Some(word) = words.next().map(|word| word.trim_end_matches(['`', ',', '.', ';', ':'])) else {
                    continue;
                };
                if !commands.contains(word) {
                    rule.broken_at(&path, index + 1, format_args!("there is no command {word:?}"));
                    continue;
                }
                let below = format!("src/cli/{word}.rs");
                let kinds = if tree::exists(&below) { variants(&below, "Subcommand)]") } else { BTreeSet::new() };
                let next = words.next().unwrap_or_default().trim_end_matches(['`', ',', '.', ';', ':']);
                // `add|list`, `add / list` and the like name several.
                for next in next.split('|').filter(|next| next.starts_with(|c: char| c.is_ascii_lowercase())) {
                    if !kinds.is_empty() && !kinds.contains(next) {
                        rule.broken_at(&path, index + 1, format_args!("there is no command {word} {next:?}"));
                    }
                }
            }
        }
    }
    rule.hold();
}

/// What follows `keytrail ` where that is a call: at the beginning of a line of a block, or of what is in backticks.
fn calls(line: &str) -> Vec<&str> {
    let block = line.trim_start().trim_start_matches("$ ").strip_prefix("keytrail ");
    // Prose may begin a line with the name; what is called in a block stands alone, without a full stop.
    let block = block.filter(|call| !line.contains('`') && !call.trim_end().ends_with('.'));
    let spans = line.split('`').skip(1).step_by(2).filter_map(|span| span.strip_prefix("keytrail "));
    spans.chain(block).collect()
}

/// The variants of the enum that follows `mark`, as the command line spells them.
fn variants(path: &str, mark: &str) -> BTreeSet<String> {
    let text = tree::read(path);
    let Some((_, rest)) = text.split_once(mark) else { return BTreeSet::new() };
    let rest = rest.split_once("\n}").map_or(rest, |(inside, _)| inside);
    let mut names = BTreeSet::new();
    for line in rest.lines() {
        // Variants stand four blanks in; their fields stand further in.
        let Some(name) = line.strip_prefix("    ").filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
        else {
            continue;
        };
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let mut kebab = String::new();
        for character in name[..end].chars() {
            if character.is_ascii_uppercase() && !kebab.is_empty() {
                kebab.push('-');
            }
            kebab.push(character.to_ascii_lowercase());
        }
        names.insert(kebab);
    }
    names
}

#[test]
fn every_address_that_a_document_names_is_served() {
    let mut rule = Rule::new("an address of the API in README.md or docs is in openapi/v1.json");
    let spec: serde_json::Value =
        serde_json::from_str(&tree::read("openapi/v1.json")).expect("openapi/v1.json is JSON");
    let served: Vec<&str> =
        spec["paths"].as_object().into_iter().flat_map(|paths| paths.keys()).map(String::as_str).collect();
    for (path, text) in documents().into_iter().filter(|(path, _)| path == "README.md" || path.starts_with("docs/")) {
        for (index, line) in text.lines().enumerate() {
            for (at, _) in line.match_indices("/api/v1/") {
                let address =
                    line[at..].split(|c: char| c.is_whitespace() || "\"'`?)|,;".contains(c)).next().unwrap_or_default();
                let address = address.trim_end_matches(['.', ':']);
                if !address.contains('…') && !served.iter().any(|known| fits(known, address)) {
                    rule.broken_at(&path, index + 1, format_args!("{address} is not served"));
                }
            }
        }
    }
    rule.hold();
}

/// Whether an address is one of a path with parameters.
fn fits(known: &str, address: &str) -> bool {
    let (known, address): (Vec<_>, Vec<_>) = (known.split('/').collect(), address.split('/').collect());
    known.len() == address.len()
        && known.iter().zip(&address).all(|(k, a)| k.starts_with('{') && !a.is_empty() || k == a)
}

#[test]
fn decisions_are_dated_and_told_in_the_same_way() {
    let mut rule = Rule::new("a decision says its status and date, its context, what was decided and what follows");
    let mut numbers = BTreeSet::new();
    for name in tree::names_in("docs/decisions").iter().filter(|name| name.as_str() != "README.md") {
        let path = format!("docs/decisions/{name}");
        let text = tree::read(&path);
        for part in ["Status: ", "Date: ", "## Context", "## Decision", "## Consequences"] {
            if !text.lines().any(|line| line.starts_with(part)) {
                rule.broken_in(&path, format_args!("lacks {part:?}"));
            }
        }
        let number = name.split('-').next().unwrap_or_default();
        if number.len() != 4 || number.parse::<u32>().is_err() || !numbers.insert(number.to_owned()) {
            rule.broken_in(&path, "its number is missing or taken");
        }
        if !text.starts_with(&format!("# {number}: ")) {
            rule.broken_at(&path, 1, "its title does not begin with its number");
        }
    }
    rule.hold();
}
