//! The difference of two lists of refs. Called by jobs before a walk; reads nothing.

use std::collections::BTreeMap;

use keytrail_domain::{
    display_text::DisplayText,
    index_run::batch::{CommitSha, RefMove},
    issue_key::{self, IssueKey, Letters},
};

use super::Ref;

/// What is new, moved or gone, in bytewise order of the names. Both lists may come in any order.
pub fn moved(before: &[Ref], now: &[Ref]) -> Vec<RefMove> {
    let mut both: BTreeMap<&str, (Option<CommitSha>, Option<CommitSha>)> = BTreeMap::new();
    for item in before {
        both.entry(&item.name).or_default().0 = Some(item.commit);
    }
    for item in now {
        both.entry(&item.name).or_default().1 = Some(item.commit);
    }
    both.into_iter()
        .filter(|(_, (from, to))| from != to)
        .map(|(name, (from, to))| RefMove { name: DisplayText::clean(name), from, to, keys: keys_of(name) })
        .collect()
}

/// The candidates in a branch's own name. Tags and pull requests carry none: theirs would only repeat versions.
fn keys_of(name: &str) -> Vec<IssueKey> {
    let Some(branch) = name.strip_prefix("refs/heads/") else { return Vec::new() };
    issue_key::scan(branch, Letters::AnyCase).keys.into_iter().map(|(key, _)| key).collect()
}
