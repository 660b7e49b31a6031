//! The repository is about the product, not about where and with what it was written.

use super::{rule::Rule, tree};

/// Words that have no business here, cut in two so that this file does not hold them.
const WORDS: &[(&str, &str)] = &[
    ("anth", "ropic"),
    ("chat", "gpt"),
    ("clau", "de"),
    ("co", "pilot"),
    ("language", " model"),
    ("open", "ai"),
    ("prom", "pt"),
    ("session", " id"),
    ("session", "_id"),
    ("sub", "agent"),
    ("transc", "ript"),
];
/// Folders of the place it was written at, cut in the same way; nothing that could be a part of a path stands before.
const FOLDERS: &[(&str, &str)] = &[("/wo", "rk/"), ("/tmp/", "bash_"), ("/ro", "ot/")];

#[test]
fn nothing_tells_of_the_workplace() {
    let mut rule = Rule::new("no file names a tool or a folder of the place it was written at");
    let words: Vec<String> = WORDS.iter().map(|(one, other)| format!("{one}{other}")).collect();
    let folders: Vec<String> = FOLDERS.iter().map(|(one, other)| format!("{one}{other}")).collect();
    for path in tree::files().into_iter().filter(|path| !path.starts_with("tests/fixtures/")) {
        for (index, line) in tree::read(&path).lines().enumerate() {
            let lower = line.to_lowercase();
            for word in words.iter().filter(|word| whole(&lower, word)) {
                rule.broken_at(&path, index + 1, format_args!("holds {word:?}"));
            }
            for folder in folders.iter().filter(|folder| begins(&lower, folder)) {
                rule.broken_at(&path, index + 1, format_args!("holds {folder:?}"));
            }
        }
    }
    rule.hold();
}

#[test]
fn fixtures_name_no_folder_of_the_workplace() {
    let mut rule = Rule::new("no fixture names a folder of the place it was made at");
    let folders: Vec<String> = FOLDERS.iter().map(|(one, other)| format!("{one}{other}")).collect();
    for path in tree::files().into_iter().filter(|path| path.starts_with("tests/fixtures/")) {
        for (index, line) in tree::read(&path).lines().enumerate() {
            for folder in folders.iter().filter(|folder| begins(line, folder)) {
                rule.broken_at(&path, index + 1, format_args!("holds {folder:?}"));
            }
        }
    }
    rule.hold();
}

/// A word with no letter, digit or underscore beside it.
fn whole(line: &str, word: &str) -> bool {
    let part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !part(line[..at].chars().next_back()) && !part(line[at + word.len()..].chars().next()))
}

/// A path that begins here.
fn begins(line: &str, folder: &str) -> bool {
    let path = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || "._-~$}/".contains(c));
    line.match_indices(folder).any(|(at, _)| !path(line[..at].chars().next_back()))
}
