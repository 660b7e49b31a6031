//! The page about transports says what the program does: which schemes there are, who fetches, from which git on. What needs
//! a server to be seen is compared by the tests of the API, and what needs a fetch by those of fetching.

use keytrail_domain::remote_url::{AllowedSchemes, RemoteUrl, Scheme};

use crate::git::{
    mirror::{Filter, TransportKind},
    transport::{FetchError, GitVersion, LEAST_OF_A_WINDOW, Verdict, WINDOW},
};

const PAGE: &str = include_str!("../../../../docs/transports.md");

/// The cells of the rows whose first cell is a word in backticks, below this heading.
pub(in crate::git::transport) fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = PAGE.split_once(&format!("## {heading}\n")).expect("the page has the heading");
    let section = below.split("\n## ").next().expect("there is always a first part");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()).collect()
}

fn is_allowed(scheme: &str, http: bool, git: bool) -> bool {
    let parsed = RemoteUrl::parse(&format!("{scheme}git.example/shop")).expect("an address");
    parsed.url.allowed(AllowedSchemes { http, git }).is_ok()
}

#[test]
fn schemes_are_switched_on_as_the_page_says() {
    let found = rows("Addresses");
    let known = [Scheme::Https, Scheme::Http, Scheme::Git, Scheme::Ssh].map(|scheme| format!("{}://", scheme.word()));
    assert_eq!(found.iter().map(|row| row[0]).collect::<Vec<_>>(), known);
    for row in found {
        let (scheme, said) = (row[0], row[1]);
        let by = |http, git| is_allowed(scheme, http, git);
        let switched = match (by(false, false), by(true, false), by(false, true), by(true, true)) {
            (true, true, true, true) => "always",
            (false, true, false, true) => "allow_http",
            (false, false, true, true) => "allow_git_protocol",
            (false, false, false, false) => "not yet",
            other => panic!("{scheme} is switched on in a way that the page has no word for: {other:?}"),
        };
        assert_eq!(said, switched, "{scheme}");
    }
}

#[test]
fn the_transports_and_what_they_leave_out_are_those_of_the_page() {
    let found = rows("Who fetches");
    let word = |kind: TransportKind| serde_json::to_value(kind).expect("a word").as_str().expect("a text").to_owned();
    let known = [TransportKind::GitProgram, TransportKind::InProcess].map(word);
    assert_eq!(found.iter().map(|row| row[0]).collect::<Vec<_>>(), known);
    let mut asked = Vec::new();
    let mut filter = Some(Filter::Trees);
    while let Some(one) = filter {
        asked.push(one.specification().map_or("nothing".to_owned(), |one| format!("`{one}`")));
        filter = one.next();
    }
    // The cell has lost the tick at each end.
    assert_eq!(format!("`{}", found[0][2]), asked.join(", else "));
    assert_eq!((found[1][2], Filter::Everything.specification()), ("nothing", None));
    let code = serde_json::to_value(FetchError::MirrorNeedsGit.failure_code()).expect("a word");
    assert_eq!((Some(found[0][3]), found[1][3]), (code.as_str(), "always there"));
}

#[test]
fn the_slowest_fetch_is_that_of_the_page() {
    let (kilobytes, minutes) = (LEAST_OF_A_WINDOW / 1024, WINDOW.as_secs() / 60);
    assert!(PAGE.contains(&format!("at least {kilobytes} KiB come within each {minutes} minutes")));
}

#[test]
fn the_versions_of_git_that_may_be_used_are_those_of_the_page() {
    let (_, list) = PAGE.split_once("the fixes of July 2025: ").expect("the page lists them");
    let list = list.split(" or newer").next().expect("there is always a first part");
    let listed: Vec<GitVersion> = list.split(',').map(|text| text.trim().parse().expect("a version")).collect();
    let is_good = |version: GitVersion| Verdict::of(version) == Verdict::Good;
    // The first good one of each line that has others.
    let lines = (0..80).filter(|minor| !is_good(GitVersion(2, *minor, 0)));
    let first = lines.filter_map(|minor| (1..40).map(|patch| GitVersion(2, minor, patch)).find(|one| is_good(*one)));
    assert_eq!(listed, first.collect::<Vec<_>>());
    let (_, needed) = PAGE.split_once("good from ").expect("the page says from when on");
    let needed: GitVersion = needed.split(" on,").next().and_then(|text| text.parse().ok()).expect("a version");
    assert!(matches!(Verdict::of(needed), Verdict::Vulnerable { .. }), "good from then on, with the fixes");
    let before = GitVersion(needed.0, needed.1 - 1, 99);
    assert_eq!(Verdict::of(before), Verdict::TooOld { needs: needed });
}
