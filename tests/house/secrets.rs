//! Secrets are compared in constant time: how long it takes tells nobody how much of a guess was right.

use super::{rule::Rule, source};

#[test]
fn no_secret_is_compared_byte_by_byte() {
    let mut rule = Rule::new("what a secret holds is compared by a function that takes as long whatever it finds");
    let sources = source::of_product();
    let exposing: Vec<_> = sources.iter().filter(|source| !source.lines_with("expose").is_empty()).collect();
    assert!(!exposing.is_empty(), "secrets are read through `expose`");
    for source in exposing.into_iter().filter(|source| !source.path.contains("/tests/")) {
        for (number, line) in source.lines() {
            if source::has_word(line, "expose") && (line.contains("==") || line.contains("!=")) {
                rule.broken_at(&source.path, number, line.trim());
            }
        }
    }
    // Nor is there a way to compare two of them without taking them out.
    for source in sources.iter().filter(|source| source.is_below(&["src/secrets/"])) {
        for (number, line) in source.lines().filter(|(_, line)| line.contains("PartialEq for Secret")) {
            rule.broken_at(&source.path, number, line.trim());
        }
    }
    rule.hold();
}
