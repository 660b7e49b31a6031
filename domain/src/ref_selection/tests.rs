//! Which names are selected by which switch, and what is no pattern.

use super::{BadPattern, RefPattern, RefSelection, TooManyPatterns};

fn with(notes: bool, changes: bool, patterns: &[&str]) -> RefSelection {
    let patterns = patterns.iter().map(|text| RefPattern::parse(text).expect(text)).collect();
    RefSelection::new(notes, changes, patterns).expect("few patterns")
}

/// Every name that any switch is about.
const NAMES: [&str; 14] = [
    "refs/heads/main",
    "refs/heads/a/b",
    "refs/tags/v1",
    "refs/pull/1/head",
    "refs/merge-requests/1/head",
    "refs/notes/commits",
    "refs/changes/01/1/1",
    "refs/pull-requests/7/from",
    "refs/pull-requests/7/to",
    "refs/pull/1/merge",
    "refs/keep-around/1",
    "refs/stash",
    "refs/remotes/origin/main",
    "HEAD",
];

fn selected(selection: &RefSelection) -> Vec<&'static str> {
    NAMES.into_iter().filter(|name| selection.selects(name.as_bytes())).collect()
}

#[test]
fn branches_tags_and_heads_of_requests_are_looked_at_by_default() {
    let selection = RefSelection::default();
    assert_eq!(selected(&selection), NAMES[..5]);
    for name in ["refs/heads/", "refs/pull/1/2/head", "refs/pull/1/head/x", "refs/pull/head", "refs/other/x"] {
        assert!(!selection.selects(name.as_bytes()), "{name}");
    }
    assert!(selection.selects(b"refs/heads/caf\xe9"), "names are bytes");
    assert!(selection.selects(b"refs/heads/-x"), "git makes such a branch when told by its full name");
}

#[test]
fn each_switch_adds_its_own_refs_and_no_others() {
    assert_eq!(selected(&with(true, false, &[])), [&NAMES[..5], &["refs/notes/commits"]].concat());
    assert_eq!(selected(&with(false, true, &[])), [&NAMES[..5], &["refs/changes/01/1/1"]].concat());
    let from = with(false, false, &["refs/pull-requests/*/from"]);
    assert_eq!(selected(&from), [&NAMES[..5], &["refs/pull-requests/7/from"]].concat());
    let one = with(false, false, &["refs/pull-requests/7/to"]);
    assert_eq!(selected(&one), [&NAMES[..5], &["refs/pull-requests/7/to"]].concat());
}

#[test]
fn not_even_a_pattern_for_everything_brings_in_what_is_never_looked_at() {
    assert_eq!(selected(&with(true, true, &["refs/*"])), NAMES[..9]);
}

#[test]
fn every_selected_name_begins_with_a_prefix_and_no_prefix_repeats_another() {
    let all = with(true, true, &["refs/pull-requests/*/from", "refs/notes/review", "refs/pull-requests/*"]);
    let prefixes = all.prefixes();
    for name in selected(&all) {
        assert_eq!(prefixes.iter().filter(|prefix| name.starts_with(**prefix)).count(), 1, "{name} {prefixes:?}");
    }
    assert_eq!(RefSelection::default().prefixes(), ["refs/heads/", "refs/merge-requests/", "refs/pull/", "refs/tags/"]);
}

#[test]
fn names_that_git_would_not_accept_are_never_selected() {
    for name in [
        "refs/heads/a b",
        "refs/heads/a\nrefs/heads/b",
        "refs/heads/a:b",
        "refs/heads/..",
        "refs/heads/a..b",
        "refs/heads/.a",
        "refs/heads/a.lock",
        "refs/heads/a.lock/b",
        "refs/heads//a",
        "refs/heads/a/",
        "refs/heads/a.",
        "refs/heads/a@{1}",
        "refs/heads/*",
        "refs/heads/a\x7f",
        "refs/heads/a\\b",
    ] {
        assert!(!RefSelection::default().selects(name.as_bytes()), "{name:?}");
    }
}

#[test]
fn a_pattern_is_checked_when_it_comes_in_and_when_it_is_read() {
    for (text, reason) in [
        ("heads/*", BadPattern::NotBelowRefs),
        ("--upload-pack=x", BadPattern::NotBelowRefs),
        ("refs/*/a/*", BadPattern::BadStar),
        ("refs/a*", BadPattern::BadStar),
        ("refs/**", BadPattern::BadStar),
        ("refs/a/../b", BadPattern::BadName),
        ("refs/-a/*", BadPattern::BadName),
        ("refs/a b", BadPattern::BadName),
        ("refs/a\n", BadPattern::BadName),
        ("refs/", BadPattern::BadName),
        ("refs/remotes/*", BadPattern::LeftOut),
        ("refs/pull/*/merge", BadPattern::LeftOut),
    ] {
        assert_eq!(RefPattern::parse(text), Err(reason), "{text:?}");
    }
    assert_eq!(RefPattern::parse(&format!("refs/{}", "a".repeat(300))), Err(BadPattern::TooLong));
    let many = vec![RefPattern::parse("refs/a/*").expect("a pattern"); 21];
    assert_eq!(RefSelection::new(false, false, many), Err(TooManyPatterns));
    assert!(serde_json::from_str::<RefSelection>(r#"{"patterns":["refs/../x"]}"#).is_err());
    assert_eq!(serde_json::from_str::<RefSelection>("{}").expect("all off"), RefSelection::default());
    let stored = serde_json::to_string(&with(true, false, &["refs/a/*"])).expect("a text");
    assert_eq!(stored, r#"{"notes":true,"changes":false,"patterns":["refs/a/*"]}"#);
    assert_eq!(serde_json::from_str::<RefSelection>(&stored).expect("a selection"), with(true, false, &["refs/a/*"]));
}
