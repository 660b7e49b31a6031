//! The only parser of issue keys.
//!
//! Grammar: an ASCII letter, 1 to 254 letters, digits or underscores, a hyphen, a number from 1 to 10^18-1 without a
//! leading zero; the neighbours on both sides are neither letters nor digits (of any script). Keys are folded to upper
//! case. Lower-case letters in the project count only in ref names. docs/issue-keys.md compares this with other tools.

use std::{fmt, str::FromStr, sync::Arc};

use memchr::memchr_iter;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

#[cfg(test)]
mod comparison;
mod near_miss;
#[cfg(test)]
mod tests;

pub use self::near_miss::{WhyNot, near_misses, stands_in, why_not};

/// Raised whenever the grammar changes, and recorded with what it found.
pub const EXTRACTOR_VERSION: u32 = 1;

/// At most this much of a text is scanned.
pub const MAX_BYTES: usize = 64 * 1024;

/// At most this many different keys are taken from a text.
pub const MAX_KEYS: usize = 500;

/// The longest project key.
pub const MAX_PROJECT: usize = 255;

/// The longest number: 18 digits fit every engine's integers.
const MAX_DIGITS: usize = 18;

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

/// In events and answers a key is its text.
impl Serialize for IssueKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reading one from the log trusts it: another grammar may have found it.
impl<'de> Deserialize<'de> for IssueKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.rsplit_once('-').and_then(|(project, number)| Some((project, number.parse().ok()?)));
        let (project, number) = parts.ok_or_else(|| de::Error::custom(NotAKey))?;
        Ok(Self { project: project.into(), number })
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
        let hyphen = text.find('-').ok_or(NotAKey)?;
        let project = &text[..hyphen];
        match number_after(text, text.len(), hyphen) {
            Some((number, end)) if end == text.len() && is_project(project) => {
                Ok(Self { project: Arc::from(project.to_ascii_uppercase()), number })
            }
            _ => Err(NotAKey),
        }
    }
}

/// Whether the whole text is a project key, whatever its case.
pub(crate) fn is_project(text: &str) -> bool {
    (2..=MAX_PROJECT).contains(&text.len())
        && text.bytes().all(|byte| Letters::AnyCase.in_project(byte))
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
}

/// Which letters a project may have in this text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letters {
    /// Messages: `lodash-4` is no key.
    Upper,
    /// Ref names, and what a person types: `feature/jra-1` means JRA-1. Where upper case alone makes a key too, that
    /// one is meant: `bugfix_JRA-1` is JRA-1.
    AnyCase,
}

impl Letters {
    fn in_project(self, byte: u8) -> bool {
        match byte {
            b'A'..=b'Z' | b'0'..=b'9' | b'_' => true,
            b'a'..=b'z' => self == Self::AnyCase,
            _ => false,
        }
    }
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
        let Some((start, number)) = candidate(text, end, hyphen, letters) else { continue };
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

/// The candidate around this hyphen: where it begins, and its number.
fn candidate(text: &str, end: usize, hyphen: usize, letters: Letters) -> Option<(usize, u64)> {
    let (number, _) = number_after(text, end, hyphen)?;
    let start = match letters {
        Letters::Upper => project_before(text, hyphen, Letters::Upper),
        Letters::AnyCase => {
            project_before(text, hyphen, Letters::Upper).or_else(|| project_before(text, hyphen, Letters::AnyCase))
        }
    };
    Some((start?, number))
}

/// The number after the hyphen, and where it ends. A number that the limit cuts in two is none.
fn number_after(text: &str, limit: usize, hyphen: usize) -> Option<(u64, usize)> {
    let bytes = &text.as_bytes()[..limit];
    let digits = bytes[hyphen + 1..].iter().take(MAX_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let end = hyphen + 1 + digits;
    if !(1..=MAX_DIGITS).contains(&digits) || bytes[hyphen + 1] == b'0' {
        return None;
    }
    if text[end..].chars().next().is_some_and(char::is_alphanumeric) {
        return None;
    }
    Some((text[hyphen + 1..end].parse().ok()?, end))
}

/// Where the longest project that ends before the hyphen begins. An underscore in front is a neighbour like any other:
/// `_JRA-1` and `1_JRA-1` are JRA-1, as `JRA-1_` is.
fn project_before(text: &str, hyphen: usize, letters: Letters) -> Option<usize> {
    let bytes = text.as_bytes();
    let run = bytes[..hyphen].iter().rev().take(MAX_PROJECT).take_while(|byte| letters.in_project(**byte)).count();
    // Two characters at least, so the one before the hyphen is no beginning.
    (hyphen - run..hyphen.saturating_sub(1)).find(|&start| {
        bytes[start].is_ascii_alphabetic() && !text[..start].chars().next_back().is_some_and(char::is_alphanumeric)
    })
}

/// Projects that look like issue keys and are names of standards and products; views leave them out unless such a
/// project is really there.
pub const DENIED_PROJECTS: &[&str] = &[
    "ASCII", "BASE", "COVID", "CP", "CVE", "CWE", "ECMA", "EN", "GHSA", "GPL", "HTTP", "IEC", "IEEE", "IPV", "ISO",
    "JDK", "JEP", "JSR", "LGPL", "MD", "PEP", "PKCS", "RFC", "RUSTSEC", "SHA", "TLS", "UCS", "USASCII", "UTF", "WD",
    "WINDOWS",
];
