//! The only parser of issue keys.
//!
//! Grammar: an ASCII letter, 1 to 254 letters, digits or underscores, a hyphen, a number from 1 to 10^18-1 without a
//! leading zero; the neighbours on both sides are neither letters nor digits (of any script). Keys are folded to upper
//! case. Lower-case letters in the project count only in ref names.

use std::{fmt, str::FromStr, sync::Arc};

use memchr::memchr_iter;

/// Raised whenever the grammar changes, and recorded with what it found.
pub const EXTRACTOR_VERSION: u32 = 1;

/// At most this much of a text is scanned.
pub const MAX_BYTES: usize = 64 * 1024;

/// At most this many different keys are taken from a text.
pub const MAX_KEYS: usize = 500;

/// The longest project key.
pub const MAX_PROJECT: usize = 255;

/// The name of an issue, such as `KAFKA-1234`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssueKey {
    /// The project key, in upper case.
    pub project: Arc<str>,
    /// The number within the project.
    pub number: u64,
}

impl fmt::Display for IssueKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.project, self.number)
    }
}

/// The text is not an issue key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an issue key is a project of letters, digits or underscores, a hyphen and a number, such as KAFKA-1234")]
pub struct NotAKey;

impl FromStr for IssueKey {
    type Err = NotAKey;

    /// The whole text, whatever its case: people type `kafka-1`.
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let found = scan(text, Letters::AnyCase);
        match &found.keys[..] {
            [(key, at)] if *at == 0 && key.project.len() + 1 + decimal_length(key.number) == text.len() => {
                Ok(key.clone())
            }
            _ => Err(NotAKey),
        }
    }
}

fn decimal_length(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |digits| digits as usize + 1)
}

/// Which letters a project may have in this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// Messages: `lodash-4` is no key.
    Upper,
    /// Ref names, and what a person types: `feature/jra-1` means JRA-1.
    AnyCase,
}

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Each key once with the byte where it first stands, in the order of the text.
    pub keys: Vec<(IssueKey, usize)>,
    /// Whether a bound was met: not all of the text was scanned, or not every key was taken.
    pub bounded: bool,
}

/// Finds every candidate in `text`.
pub fn scan(text: &str, letters: Letters) -> Found {
    let mut found = Found::default();
    let mut end = text.len();
    if end > MAX_BYTES {
        end = text.floor_char_boundary(MAX_BYTES);
        found.bounded = true;
    }
    let bytes = text.as_bytes();
    for hyphen in memchr_iter(b'-', &bytes[..end]) {
        let Some((start, number, _)) = candidate(text, end, hyphen, letters) else { continue };
        let project = &text[start..hyphen];
        let same = |key: &IssueKey| key.number == number && key.project.eq_ignore_ascii_case(project);
        if found.keys.iter().any(|(key, _)| same(key)) {
            continue;
        }
        if found.keys.len() == MAX_KEYS {
            found.bounded = true;
            break;
        }
        let project = Arc::from(project.to_ascii_uppercase());
        found.keys.push((IssueKey { project, number }, start));
    }
    found
}

/// The candidate around the hyphen: where it starts, its number, and where it ends.
fn candidate(text: &str, limit: usize, hyphen: usize, letters: Letters) -> Option<(usize, u64, usize)> {
    let bytes = text.as_bytes();
    let in_project = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let length = bytes[..hyphen].iter().rev().take(MAX_PROJECT + 1).take_while(|byte| in_project(byte)).count();
    // An underscore in front is a neighbour like any other: `_JRA-1` is JRA-1, as `JRA-1_` is.
    let start = hyphen - length;
    let start = start + bytes[start..hyphen].iter().take_while(|byte| **byte == b'_').count();
    if !(2..=MAX_PROJECT).contains(&(hyphen - start)) || !bytes[start].is_ascii_alphabetic() {
        return None;
    }
    if letters == Letters::Upper && bytes[start..hyphen].iter().any(u8::is_ascii_lowercase) {
        return None;
    }
    if text[..start].chars().next_back().is_some_and(char::is_alphanumeric) {
        return None;
    }
    let digits = bytes[hyphen + 1..limit].iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    let after = hyphen + 1 + digits;
    if !(1..=18).contains(&digits) || bytes[hyphen + 1] == b'0' {
        return None;
    }
    if text[after..].chars().next().is_some_and(char::is_alphanumeric) {
        return None;
    }
    Some((start, text[hyphen + 1..after].parse().ok()?, after))
}

/// Projects that look like issue keys and are names of standards and products; views leave them out unless such a
/// project is really there.
pub const DENIED_PROJECTS: &[&str] = &[
    "ASCII", "BASE", "COVID", "CP", "CVE", "CWE", "ECMA", "EN", "GHSA", "GPL", "HTTP", "IEC", "IEEE", "IPV", "ISO",
    "JDK", "JEP", "JSR", "LGPL", "MD", "PEP", "PKCS", "RFC", "RUSTSEC", "SHA", "TLS", "UCS", "US", "USASCII", "UTF",
    "WD", "WINDOWS", "X",
];
