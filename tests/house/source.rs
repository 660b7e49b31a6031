//! Rust files as code: comments and the insides of strings are blanked, and code that only tests compile is told apart.
//! Lines keep their numbers.

use std::collections::BTreeSet;

use super::tree;

/// A Rust file.
pub(crate) struct Source {
    /// Relative to the root.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Without comments, without what stands in strings, without inline test modules.
    pub(crate) code: String,
    /// Whether only tests, benches or examples compile it.
    pub(crate) test: bool,
}

impl Source {
    /// Its numbered lines of code.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines of code that hold `word` as a whole word.
    pub(crate) fn lines_with(&self, word: &str) -> Vec<usize> {
        self.lines().filter(|(_, line)| has_word(line, word)).map(|(number, _)| number).collect()
    }

    /// Whether it lies below one of these folders, or is one of these files.
    pub(crate) fn is_below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || place.ends_with('/') && self.path.starts_with(place))
    }
}

/// Every Rust file of the repository.
pub(crate) fn all() -> Vec<Source> {
    let paths = tree::files_ending(&[".rs"]);
    let mut sources: Vec<Source> = paths
        .into_iter()
        .map(|path| {
            let text = tree::read(&path);
            let code = blank_tests(&blank(&text));
            let test = ["tests/", "benches/", "examples/"]
                .iter()
                .any(|folder| path.starts_with(folder) || path.contains(&format!("/{folder}")));
            Source { test, text, code, path }
        })
        .collect();
    // `#[cfg(test)] mod name;` makes the file and everything below it a test.
    let mut tests = BTreeSet::new();
    for source in &sources {
        for name in test_modules(&source.text) {
            tests.insert(format!("{}{name}", module_folder(&source.path)));
        }
    }
    for source in &mut sources {
        source.test |= tests
            .iter()
            .any(|module| source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/")));
    }
    sources
}

/// The files that the server and its libraries are made of.
pub(crate) fn of_product() -> Vec<Source> {
    let mut sources = all();
    sources.retain(|source| !source.test && source.is_below(&["src/", "domain/src/", "projections/src/"]));
    sources
}

/// Whether `word` stands in `line` with neither letter, digit nor underscore beside it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        let begins_inside = word.starts_with(|c: char| c.is_alphanumeric()) && part(before);
        let ends_inside = word.ends_with(|c: char| c.is_alphanumeric()) && part(after);
        !begins_inside && !ends_inside
    })
}

/// Where the modules that a file declares are: with `/` at its end.
fn module_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    match file {
        "mod.rs" | "lib.rs" | "main.rs" => format!("{folder}/"),
        _ => format!("{folder}/{}/", file.trim_end_matches(".rs")),
    }
}

fn test_modules(text: &str) -> Vec<&str> {
    let mut lines = text.lines().map(str::trim);
    let mut names = Vec::new();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]"
            && let Some(next) = lines.next()
        {
            let declared = next.trim_start_matches("pub(crate) ").strip_prefix("mod ");
            names.extend(declared.and_then(|rest| rest.strip_suffix(';')));
        }
    }
    names
}

/// Blanks comments, and what stands in strings and character literals.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut clear = |from: usize, to: usize| {
        out[from..to].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    };
    let find = |from: usize, end: &str| text[from..].find(end).map_or(bytes.len(), |at| from + at);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"//") {
            let end = find(at, "\n");
            clear(at, end);
            at = end;
        } else if rest.starts_with(b"/*") {
            let end = (find(at, "*/") + 2).min(bytes.len());
            clear(at, end);
            at = end;
        } else if let Some(hashes) = raw_string(bytes, at) {
            let open = at + 2 + hashes;
            let end = find(open, &format!("\"{}", "#".repeat(hashes)));
            clear(open, end);
            at = end + 1 + hashes;
        } else if rest[0] == b'"' {
            let end = string_end(bytes, at + 1);
            clear(at + 1, end);
            at = end + 1;
        } else if rest[0] == b'\'' {
            // A character literal, not a lifetime: it ends after one character.
            let length = text[at + 1..].chars().next().map_or(1, char::len_utf8);
            if rest.get(1) == Some(&b'\\') {
                let end = find(at + 3, "'");
                clear(at + 1, end);
                at = end + 1;
            } else if rest.get(1 + length) == Some(&b'\'') {
                clear(at + 1, at + 1 + length);
                at += 2 + length;
            } else {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

/// How many hashes a raw string that begins here has.
fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let word = at.checked_sub(1).is_some_and(|before| bytes[before].is_ascii_alphanumeric() && bytes[before] != b'b');
    if bytes[at] != b'r' || word {
        return None;
    }
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// Blanks what follows `#[cfg(test)]` or `#[test]`: an item with braces.
fn blank_tests(code: &str) -> String {
    let mut out = code.as_bytes().to_vec();
    let starts = code.match_indices("#[cfg(test)]").map(|(at, _)| at);
    for start in starts {
        let rest = &code[start..];
        let (Some(open), end) = (rest.find('{'), rest.find(';').unwrap_or(rest.len())) else { continue };
        if end < open {
            continue;
        }
        let mut depth = 0_usize;
        for (offset, byte) in rest.bytes().enumerate().skip(open) {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                out[start..=start + offset].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
                break;
            }
        }
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

#[test]
fn comments_strings_and_test_modules_are_not_code() {
    let text = "let a = \"// no\"; // yes\nlet c = '\"'; let l: &'static str = r#\"x \" y\"#; f();\n\
                #[cfg(test)]\nmod tests {\n  fn g() { h() }\n}\nfn last() {}\n";
    let code = blank_tests(&blank(text));
    assert_eq!(code.lines().count(), text.lines().count());
    for gone in ["no", "yes", "y\"", "h()"] {
        assert!(!code.contains(gone), "{gone}: {code}");
    }
    for kept in ["let a", "'static str", "f();", "fn last() {}"] {
        assert!(code.contains(kept), "{kept}: {code}");
    }
    assert_eq!(test_modules("#[cfg(test)]\nmod tests;\nmod other;\n"), ["tests"]);
    assert!(has_word("a git2::x", "git2") && !has_word("legit2", "git2") && has_word("x.unwrap()", ".unwrap()"));
}
