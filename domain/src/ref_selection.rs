//! Which refs of a repository are looked at: branches, tags and the heads of requests always, notes, changes and
//! patterns of a person's choice when switched on. Called by every listing of refs; it never looks at what they name.

mod pattern;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::pattern::{BadPattern, RefPattern};

/// What is looked at beside branches, tags, `refs/pull/*/head` and `refs/merge-requests/*/head`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct RefSelection {
    notes: bool,
    changes: bool,
    patterns: Vec<RefPattern>,
}

/// The same before its count is checked.
#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    notes: bool,
    #[serde(default)]
    changes: bool,
    #[serde(default)]
    patterns: Vec<RefPattern>,
}

/// More patterns than the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {} patterns of refs can be given", RefSelection::MOST_PATTERNS)]
pub struct TooManyPatterns;

impl TryFrom<Stored> for RefSelection {
    type Error = TooManyPatterns;

    fn try_from(stored: Stored) -> Result<Self, TooManyPatterns> {
        Self::new(stored.notes, stored.changes, stored.patterns)
    }
}

impl RefSelection {
    /// The bound of patterns.
    pub const MOST_PATTERNS: usize = 20;

    /// `notes` adds `refs/notes/*`, `changes` adds `refs/changes/*`.
    pub fn new(notes: bool, changes: bool, patterns: Vec<RefPattern>) -> Result<Self, TooManyPatterns> {
        if patterns.len() > Self::MOST_PATTERNS {
            return Err(TooManyPatterns);
        }
        Ok(Self { notes, changes, patterns })
    }

    /// Whether `refs/notes/*` is looked at.
    pub const fn notes(&self) -> bool {
        self.notes
    }

    /// Whether `refs/changes/*` is looked at.
    pub const fn changes(&self) -> bool {
        self.changes
    }

    /// What a person added.
    pub fn patterns(&self) -> &[RefPattern] {
        &self.patterns
    }

    /// What every selected name begins with: one of these, bytewise, without repetitions. More begin so than are
    /// selected.
    pub fn prefixes(&self) -> Vec<&str> {
        let mut prefixes = vec!["refs/heads/", "refs/tags/", "refs/pull/", "refs/merge-requests/"];
        prefixes.extend(self.notes.then_some("refs/notes/"));
        prefixes.extend(self.changes.then_some("refs/changes/"));
        prefixes.extend(self.patterns.iter().map(RefPattern::prefix));
        let mut out: Vec<&str> = Vec::with_capacity(prefixes.len());
        prefixes.sort_unstable();
        for prefix in prefixes {
            // Sorted: what covers it stands before it.
            if !out.iter().any(|before| prefix.starts_with(before)) {
                out.push(prefix);
            }
        }
        out
    }

    /// Whether a ref of this full name is looked at. A name that git would not accept never is.
    pub fn selects(&self, name: &[u8]) -> bool {
        if !is_ref_name(name) || is_left_out(name) {
            return false;
        }
        let below = |prefix: &[u8]| name.len() > prefix.len() && name.starts_with(prefix);
        below(b"refs/heads/")
            || below(b"refs/tags/")
            || is_of_request(name, b"head")
            || self.notes && below(b"refs/notes/")
            || self.changes && below(b"refs/changes/")
            || self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

/// `refs/pull/1/head` and `refs/merge-requests/1/head` for the last segment `head`.
fn is_of_request(name: &[u8], last: &[u8]) -> bool {
    let rest = name.strip_prefix(b"refs/pull/").or_else(|| name.strip_prefix(b"refs/merge-requests/"));
    let mut parts = rest.unwrap_or_default().split(|byte| *byte == b'/').skip(1);
    parts.next() == Some(last) && parts.next().is_none()
}

/// What is never looked at, whatever a pattern says: commits that a service made to try a merge out, what it keeps for
/// itself, and what belongs to one working copy.
fn is_left_out(name: &[u8]) -> bool {
    name == b"refs/stash"
        || [&b"refs/stash/"[..], b"refs/remotes/", b"refs/keep-around/"].iter().any(|prefix| name.starts_with(prefix))
        || is_of_request(name, b"merge")
        || is_of_request(name, b"train")
}

/// The rules of `git check-ref-format` for a full name.
fn is_ref_name(name: &[u8]) -> bool {
    let bad = |byte: &u8| *byte <= b' ' || *byte == 0x7f || b"~^:?*[\\".contains(byte);
    let bad_part = |part: &[u8]| part.is_empty() || part.starts_with(b".") || part.ends_with(b".lock");
    name.starts_with(b"refs/")
        && !name.iter().any(bad)
        && !name.ends_with(b".")
        && !name.windows(2).any(|pair| pair == b".." || pair == b"@{")
        && !name.split(|byte| *byte == b'/').any(bad_part)
}
