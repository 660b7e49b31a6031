//! What may be wished next. Things are few, so that wishes meet.

use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    sample::Index,
};

/// Issues that commits, branches or persons may name; the last is no project at first.
pub(super) const ISSUES: [&str; 5] = ["SHOP-1", "SHOP-2", "PAY-7", "NEW-9", "UTF-8"];
/// Subjects of commits, and the issues that they name.
pub(super) const SUBJECTS: [(&str, &[&str]); 5] = [
    ("SHOP-1 begins", &["SHOP-1"]),
    ("no key", &[]),
    ("SHOP-2 in UTF-8", &["SHOP-2", "UTF-8"]),
    ("PAY-7 and SHOP-1", &["PAY-7", "SHOP-1"]),
    ("SHOP-2 ends", &["SHOP-2"]),
];
/// Branches, and the issue whose key they carry.
pub(super) const BRANCHES: [(&str, &[&str]); 3] = [("shop-2-size", &["SHOP-2"]), ("new-9", &["NEW-9"]), ("plain", &[])];
/// Who writes.
pub(super) const PEOPLE: [(&str, &str); 2] = [("Ada", "ada@example.org"), ("Bob", "bob@example.org")];
/// Where repositories are; an integration is called after its place.
pub(super) const PLACES: [&str; 2] = ["shop", "tools"];
/// Projects that may be known.
pub(super) const KNOWN: [&[&str]; 3] = [&[], &["SHOP"], &["NEW", "PAY", "SHOP", "UTF"]];
/// What may be denied.
pub(super) const DENIED: [&[&str]; 4] = [&["UTF"], &[], &["SHOP-2"], &["PAY"]];
/// Views that are built anew.
pub(super) const VIEWS: [&str; 4] = ["issue_commits", "issue_search", "issue_branches", "repository_list"];
const KEYS: usize = 3;

/// What `If-Match` says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Nothing,
    Now,
    Another,
}

/// What is decided about a commit and an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Link,
    Unlink,
    Restore,
}

/// Which issue, which repository of all that ever were, which commit of its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) issue: usize,
    pub(super) which: Index,
    pub(super) commit: Index,
}

#[derive(Clone, Debug)]
pub(super) enum Wish {
    Push { place: usize, subject: usize, author: usize },
    Branch { place: usize, name: usize, is_gone: bool },
    Rewrite { place: usize },
    Index { which: Index, is_reset: bool, key: Option<usize> },
    Decide { deed: Deed, pair: Pair, seen: Seen, key: Option<usize> },
    Rules { known: usize, denied: usize, seen: Seen },
    Forget { person: usize },
    Pause { which: Index, seen: Seen },
    Resume { which: Index, seen: Seen },
    Remove { which: Index },
    Add { place: usize },
    Rebuild { view: usize },
    Restart,
}

pub(super) fn wishes() -> impl Strategy<Value = Wish> {
    let seen = || prop_oneof![3 => Just(Seen::Nothing), 3 => Just(Seen::Now), 1 => Just(Seen::Another)];
    let key = || proptest::option::weighted(0.4, 0..KEYS);
    let which = any::<Index>;
    let place = || 0..PLACES.len();
    let deed = prop_oneof![3 => Just(Deed::Link), 2 => Just(Deed::Unlink), 2 => Just(Deed::Restore)];
    let pair = (0..ISSUES.len(), which(), which()).prop_map(|(issue, which, commit)| Pair { issue, which, commit });
    prop_oneof![
        5 => (place(), 0..SUBJECTS.len(), 0..PEOPLE.len())
            .prop_map(|(place, subject, author)| Wish::Push { place, subject, author }),
        3 => (place(), 0..BRANCHES.len(), any::<bool>())
            .prop_map(|(place, name, is_gone)| Wish::Branch { place, name, is_gone }),
        2 => place().prop_map(|place| Wish::Rewrite { place }),
        3 => (which(), any::<bool>(), key()).prop_map(|(which, is_reset, key)| Wish::Index { which, is_reset, key }),
        12 => (deed, pair, seen(), key()).prop_map(|(deed, pair, seen, key)| Wish::Decide { deed, pair, seen, key }),
        3 => (0..KNOWN.len(), 0..DENIED.len(), seen())
            .prop_map(|(known, denied, seen)| Wish::Rules { known, denied, seen }),
        1 => (0..PEOPLE.len()).prop_map(|person| Wish::Forget { person }),
        2 => (which(), seen()).prop_map(|(which, seen)| Wish::Pause { which, seen }),
        2 => (which(), seen()).prop_map(|(which, seen)| Wish::Resume { which, seen }),
        1 => which().prop_map(|which| Wish::Remove { which }),
        2 => place().prop_map(|place| Wish::Add { place }),
        2 => (0..VIEWS.len()).prop_map(|view| Wish::Rebuild { view }),
        1 => Just(Wish::Restart),
    ]
}
