//! What moves of refs leave in the tables.

use keytrail_domain::{issue_key::IssueKey, repository};

use super::*;
use crate::{
    fact_histories::{Log, discovered, id, place, refs, sha},
    fake_store::{FakeStore, check_read},
};

const BRANCH: &str = "refs/heads/key-7-and-other-1";

/// A log with one repository, whose number is 1, and these moves at the positions from 2 on.
fn folded(moves: &[(&str, Option<u8>)]) -> FakeStore {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    for (name, to) in moves {
        log.append(id(3, 1), refs(id(2, 1), 1, &[(name, to.map(sha))]));
    }
    FakeStore::folded(&IssueBranches, log.facts(), 2)
}

#[test]
fn a_branch_is_linked_to_every_issue_of_its_name() {
    let store = folded(&[(BRANCH, Some(5))]);
    assert_eq!(store.current(&REFS), [row![1_i64, BRANCH, sha(5), 2_i64]]);
    assert_eq!(
        store.current(&LINKS),
        [row!["KEY", 7_i64, 1_i64, BRANCH, 2_i64], row!["OTHER", 1_i64, 1_i64, BRANCH, 2_i64]]
    );
}

#[test]
fn a_branch_that_moves_is_linked_as_before() {
    let store = folded(&[(BRANCH, Some(5)), (BRANCH, Some(6)), (BRANCH, Some(6))]);
    assert_eq!(store.current(&REFS), [row![1_i64, BRANCH, sha(6), 3_i64]]);
    assert_eq!(store.at(&REFS, 2), [row![1_i64, BRANCH, sha(5), 2_i64]]);
    assert_eq!(store.stored(&LINKS).count(), 2);
    assert_eq!(store.current(&LINKS)[0][4], 2_i64.into());
}

#[test]
fn a_branch_that_goes_takes_its_links_and_may_come_back() {
    let gone = folded(&[(BRANCH, Some(5)), (BRANCH, None)]);
    assert!(gone.current(&REFS).is_empty() && gone.current(&LINKS).is_empty());
    let back = folded(&[(BRANCH, Some(5)), (BRANCH, None), (BRANCH, Some(5))]);
    assert_eq!(back.current(&REFS), [row![1_i64, BRANCH, sha(5), 4_i64]]);
    assert_eq!((back.current(&LINKS).len(), back.stored(&LINKS).count()), (2, 4));
}

#[test]
fn a_tag_is_known_and_is_no_branch() {
    let store = folded(&[("refs/tags/KEY-7", Some(5))]);
    assert_eq!((store.current(&REFS).len(), store.current(&LINKS).len()), (1, 0));
}

#[test]
fn what_goes_and_was_never_there_leaves_nothing() {
    let store = folded(&[(BRANCH, None)]);
    assert_eq!((store.stored(&REFS).count(), store.stored(&LINKS).count()), (0, 0));
}

#[test]
fn forgetting_ends_one_row() {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    log.append(id(3, 1), refs(id(2, 1), 1, &[(BRANCH, Some(sha(1)))]));
    log.append(id(2, 1), Fact::Repository(repository::Event::Forgotten {}));
    let store = FakeStore::folded(&IssueBranches, log.facts(), 1);
    assert_eq!((store.current(&REPOSITORIES).len(), store.current(&REFS).len()), (0, 1));
}

#[test]
fn reads_fit_their_tables() {
    let key = IssueKey { project: "KEY".into(), number: 7 };
    let cursor = BranchCursor { number: 1, name: BRANCH.to_owned() };
    check_read(&branches_of_issue(&key, None, None, 10));
    check_read(&branches_of_issue(&key, Some(9), Some(&cursor), 10));
    check_read(&refs_of_repository(1, None, None, 10));
    check_read(&refs_of_repository(1, Some(9), Some(BRANCH), 10));
}
