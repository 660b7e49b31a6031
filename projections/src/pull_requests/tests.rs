//! What is told of pull requests, and what it leaves in the tables.

use keytrail_domain::issue_key::IssueKey;

use super::*;
use crate::{
    fact_histories::{Log, discovered, id, place, pull},
    fake_store::{FakeStore, check_read},
};

/// What is told of one pull request of one repository, from position 2 on: title, second, what beside.
fn folded(told: &[(&str, i64, u8)]) -> FakeStore {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    told.iter().for_each(|(title, second, wish)| log.pull(1, 7, pull(1, 7, title, *second, *wish)));
    FakeStore::folded(&PullRequests, log.facts(), 2)
}

fn linked(store: &FakeStore) -> Vec<(Value, Value)> {
    store.current(&LINKS).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

#[test]
fn an_issue_that_is_named_no_more_is_unlinked() {
    let store = folded(&[("KEY-1 and OTHER-2", 1, 0), ("OTHER-2", 2, 0)]);
    assert_eq!(linked(&store), [("OTHER".into(), 2_i64.into())]);
    assert_eq!(store.at(&LINKS, 2).len(), 2, "it was linked then");
    let back = folded(&[("KEY-1", 1, 0), ("none", 2, 0), ("KEY-1", 3, 0)]);
    assert_eq!((linked(&back).len(), back.stored(&LINKS).count()), (1, 2));
    let late = folded(&[("OTHER-2", 2, 0), ("KEY-1", 1, 0)]);
    assert_eq!(linked(&late), [("OTHER".into(), 2_i64.into())]);
}

#[test]
fn what_is_deleted_stays_and_says_so() {
    let store = folded(&[("KEY-1", 1, 0), ("", 0, 3)]);
    let pulls = store.current(&PULLS);
    assert_eq!((&pulls[0][3], linked(&store).len()), (&"deleted".into(), 1));
    assert_ne!(pulls[0][12], Value::Null);
    let again = folded(&[("KEY-1", 1, 0), ("", 0, 3), ("KEY-1", 1, 2)]);
    let pulls = again.current(&PULLS);
    assert_eq!((&pulls[0][3], &pulls[0][12]), (&"open".into(), &Value::Null));
}

#[test]
fn a_review_is_one_row_whatever_becomes_of_it() {
    let store = folded(&[("KEY-1", 1, 1), ("KEY-1", 1, 2)]);
    let reviews = store.current(&REVIEWS);
    assert_eq!((reviews.len(), &reviews[0][4]), (1, &"dismissed".into()));
    assert_eq!(store.stored(&REVIEWS).count(), 2);
}

#[test]
fn a_repository_that_is_forgotten_ends_one_row_and_one_that_moves_has_another_page() {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    log.pull(1, 7, pull(1, 7, "KEY-1", 1, 0));
    let moved = repository::Event::Moved { name: DisplayText::clean("new"), location: place(2) };
    log.append(id(2, 1), Fact::Repository(moved));
    let store = FakeStore::folded(&PullRequests, log.facts(), 1);
    assert_eq!(store.current(&REPOSITORIES)[0][2..4], ["new".into(), "/srv/git/2".into()]);
    log.append(id(2, 1), Fact::Repository(repository::Event::Forgotten {}));
    let store = FakeStore::folded(&PullRequests, log.facts(), 1);
    assert_eq!((store.current(&REPOSITORIES).len(), store.current(&PULLS).len()), (0, 1));
    // The page of a repository that git fetches from `…/tools.git` is `…/tools`.
    assert_eq!(page(&Connection::path("/srv/git/tools.git")), "/srv/git/tools");
}

#[test]
fn reads_fit_their_tables() {
    let key = IssueKey { project: "KEY".into(), number: 7 };
    let at = PullCursor {
        created_at: keytrail_domain::timestamp::Timestamp::from_seconds(7),
        repository: RepositoryId(id(2, 1)),
        number: 7,
    };
    check_read(&pull_requests_of_issue(&key, None, None, 10));
    check_read(&pull_requests_of_issue(&key, Some(9), Some(at), 10));
    check_read(&reviews_of_issue(&key, Some(9), at, at));
    check_read(&numbers_of_repository(RepositoryId(id(2, 1)), 0, 10));
}
