//! How a pull request was at one time, and what was thought of it. Persons are ids: who is behind one stands beside the
//! log. Of its body only the issues are kept that it names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    display_text::DisplayText,
    issue_key::{IssueKey, Letters, MAX_KEYS, scan},
    person::PersonId,
    timestamp::Timestamp,
};

/// Where in a pull request a key was found; a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Places(pub u8);

impl Places {
    /// In its title.
    pub const TITLE: Self = Self(1);
    /// In its body.
    pub const BODY: Self = Self(2);
    /// In the name of its source branch.
    pub const BRANCH: Self = Self(4);

    /// Whether all of `other` are in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Whether it is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits.
    Open,
    /// It was closed, and nothing came of it.
    Closed,
    /// It is in its target branch.
    Merged,
}

/// How a pull request was. In the order of these fields a later one is greater than an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was last changed, by the clock of its service, to the second.
    pub updated_at: Timestamp,
    /// Whether it is merged.
    pub state: State,
    /// Whether it is not meant to be merged yet.
    pub draft: bool,
    /// Its title.
    pub title: DisplayText,
    /// The branch that it would merge, without `refs/heads/`.
    pub source: DisplayText,
    /// The branch that it would merge into, without `refs/heads/`.
    pub target: DisplayText,
    /// Who opened it; nobody when that account is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<PersonId>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_at: Option<Timestamp>,
    /// When it was closed, merged or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Which version of the grammar found the issues.
    pub extractor: u32,
    /// The issues that it names, and where.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<IssueKey, Places>,
}

/// What somebody thinks of a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Neither yes nor no.
    Commented,
    /// Not like this.
    ChangesRequested,
    /// Yes.
    Approved,
    /// It counts no more.
    Dismissed,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Approved, Self::ChangesRequested, Self::Commented, Self::Dismissed];

    /// The stored word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Commented => "commented",
            Self::ChangesRequested => "changes_requested",
            Self::Approved => "approved",
            Self::Dismissed => "dismissed",
        }
    }
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The id that its service gave it.
    pub id: u64,
    /// Whose it is; nobody's when that account is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<PersonId>,
    /// What it says.
    pub verdict: Verdict,
    /// When it was said, by the clock of the service.
    pub at: Timestamp,
}

impl Review {
    /// Whether this counts where the same review was told in another way. What is dismissed stays so.
    pub(super) fn outweighs(&self, other: &Self) -> bool {
        let weight = |one: &Self| (one.verdict == Verdict::Dismissed, one.at, one.verdict, one.reviewer);
        weight(self) > weight(other)
    }
}

/// The issues that a pull request names: in its title and its body as commits do, in the name of its branch as branches do.
pub fn named_by(title: &str, body: &str, source: &str) -> BTreeMap<IssueKey, Places> {
    let mut found: BTreeMap<IssueKey, Places> = BTreeMap::new();
    for (text, letters, place) in [
        (title, Letters::Upper, Places::TITLE),
        (source, Letters::AnyCase, Places::BRANCH),
        (body, Letters::Upper, Places::BODY),
    ] {
        for (key, _) in scan(text, letters).keys {
            if found.len() < MAX_KEYS || found.contains_key(&key) {
                found.entry(key).or_default().0 |= place.0;
            }
        }
    }
    found
}
