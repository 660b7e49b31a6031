//! What may be linked: licences that let anybody use the program.

use super::{
    rule::Rule,
    stack::{metadata, packages},
    tree,
};

/// Licences that ask for no more than to be named.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates under another licence, each with the reason why it may be linked.
const ACCEPTED: &[(&str, &str)] =
    &[("uluru", "MPL-2.0 binds changes to its own files only; it is linked unchanged, and NOTICE names it")];

#[test]
fn everything_that_is_linked_may_be_used_by_anybody() {
    let mut rule =
        Rule::new("every crate is under a permissive licence, or accepted in tests/house/licences.rs with a reason");
    for package in packages().filter(|package| !package["source"].is_null()) {
        let text = |member: &str| package[member].as_str().unwrap_or_default();
        let accepted = ACCEPTED.iter().any(|(name, _)| *name == text("name"));
        if !accepted && !permits(text("license")) {
            rule.broken_in(&format!("{} {}", text("name"), text("version")), format_args!("{:?}", text("license")));
        }
    }
    for (name, reason) in ACCEPTED {
        if !packages().any(|package| package["name"] == *name) || reason.is_empty() {
            rule.broken_in("tests/house/licences.rs", format_args!("{name} is accepted for nothing"));
        }
    }
    rule.hold();
}

#[test]
fn our_own_licence_is_the_one_that_the_manifests_name() {
    let mut rule = Rule::new("LICENSE holds the text of the licence that every package names");
    let licence = tree::read("LICENSE");
    if !licence.contains("Apache License") || !licence.contains("Version 2.0, January 2004") || licence.len() < 10_000 {
        rule.broken_in("LICENSE", "is not the whole text of Apache-2.0");
    }
    for package in metadata()["packages"].as_array().into_iter().flatten().filter(|package| package["source"].is_null())
    {
        if package["license"] != "Apache-2.0" {
            rule.broken_in(
                package["name"].as_str().unwrap_or_default(),
                format_args!("is under {}", package["license"]),
            );
        }
    }
    rule.hold();
}

/// Whether an SPDX expression can be satisfied with permissive licences alone. `/` is how old manifests say OR.
fn permits(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && any(&words, &mut at) && at == words.len()
}

fn any(words: &[&str], at: &mut usize) -> bool {
    let mut good = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= both(words, at);
    }
    good
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut good = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at);
    }
    good
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let good = any(words, at);
        *at += 1;
        return good;
    }
    let mut name = (*word).to_owned();
    if let (Some(&"WITH"), Some(exception)) = (words.get(*at), words.get(*at + 1)) {
        name = format!("{name} WITH {exception}");
        *at += 2;
    }
    PERMISSIVE.contains(&name.as_str())
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    for good in
        ["MIT", "MIT/Apache-2.0", "GPL-2.0 OR MIT", "(MIT OR GPL-3.0) AND Zlib", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(permits(good), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-2.0", "AGPL-3.0 OR LGPL-3.0", "(MIT AND MPL-2.0) OR GPL-3.0", "MIT MIT"] {
        assert!(!permits(bad), "{bad}");
    }
}
