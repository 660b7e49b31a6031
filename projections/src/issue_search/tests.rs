//! What batches leave in the tables, and that it is the same however they come.

use keytrail_domain::{id::RepositoryId, index_run::Cause, issue_key::IssueKey, person::PersonId, repository};

use super::*;
use crate::{
    fact_histories::{Log, commit, commits, discovered, id, link, place, requested, sha},
    fake_store::{FakeStore, check_read},
};

fn rows(store: &FakeStore, table: &Table) -> Vec<Row> {
    store.stored(table).cloned().collect()
}

/// A log with one repository, whose number is 1, and these batches.
fn folded(batches: &[&[(u8, &str)]]) -> FakeStore {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    for batch in batches {
        let found = batch.iter().map(|(n, subject)| commit(*n, subject)).collect();
        log.append(id(3, 1), commits(id(2, 1), 1, 10, found));
    }
    FakeStore::folded(&IssueSearch, log.facts(), 2)
}

#[test]
fn an_issue_is_found_by_its_commits_their_authors_and_their_words() {
    let store = folded(&[&[(1, "KEY-7 and OTHER-1: fix Login")]]);
    assert_eq!(
        rows(&store, &ISSUES),
        [row!["KEY", 7_i64, 1_i64, 1001_i64, 1001_i64], row!["OTHER", 1_i64, 1_i64, 1001_i64, 1001_i64]]
    );
    assert_eq!(
        rows(&store, &COMMITS),
        [row![sha(1), 1_i64, "KEY", 7_i64, 1001_i64], row![sha(1), 1_i64, "OTHER", 1_i64, 1001_i64]]
    );
    assert_eq!(rows(&store, &AUTHORS).len(), 2);
    let words: Vec<_> = rows(&store, &WORDS).into_iter().filter(|row| row[1] == "KEY".into()).collect();
    assert_eq!(words, ["and", "fix", "login"].map(|word| row![word, "KEY", 7_i64, 1_i64]));
}

#[test]
fn an_issue_lasts_from_its_first_to_its_last_commit_however_they_come() {
    let apart = folded(&[&[(5, "KEY-7 later")], &[(2, "KEY-7 first")], &[(3, "KEY-7 between"), (5, "KEY-7 later")]]);
    assert_eq!(rows(&apart, &ISSUES), [row!["KEY", 7_i64, 1_i64, 1002_i64, 1005_i64]]);
    let together = folded(&[&[(2, "KEY-7 first"), (3, "KEY-7 between"), (5, "KEY-7 later")]]);
    for table in [&ISSUES, &COMMITS, &AUTHORS, &WORDS] {
        assert_eq!(rows(&apart, table), rows(&together, table), "{}", table.name);
    }
}

#[test]
fn what_persons_linked_leads_to_the_issue_under_a_number_that_outlives_a_reset() {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    log.link(1, 4, link(1, 4, 6, 0));
    log.append(id(4, 1), requested(id(2, 1), Cause::Reset));
    log.link(1, 4, link(1, 4, 6, 1));
    let store = FakeStore::folded(&IssueSearch, log.facts(), 1);
    let number = linked::number(RepositoryId(id(2, 1)));
    assert!(number < 0);
    assert_eq!(rows(&store, &ISSUES), [row!["ALPHA", 7_i64, number, 1004_i64, 1004_i64]]);
    assert_eq!(rows(&store, &COMMITS), [row![sha(4), number, "ALPHA", 7_i64, 1004_i64]]);
    assert_eq!((rows(&store, &AUTHORS).len(), rows(&store, &WORDS).len()), (1, 2));
    let numbers: Vec<_> = store.current(&REPOSITORIES).into_iter().map(|row| row[1].clone()).collect();
    assert!(numbers.contains(&Value::Int(number)) && numbers.contains(&Value::Int(3)), "{numbers:?}");
}

#[test]
fn forgetting_ends_one_row_and_that_of_the_links() {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![commit(1, "KEY-7")]));
    log.append(id(2, 1), Fact::Repository(repository::Event::Forgotten {}));
    let store = FakeStore::folded(&IssueSearch, log.facts(), 1);
    assert_eq!((store.current(&REPOSITORIES).len(), rows(&store, &ISSUES).len()), (0, 1));
}

#[test]
fn reads_fit_their_tables() {
    let everything = Wanted {
        project: Some(("KEY".into(), false)),
        number: Some("12".into()),
        sha: Some((vec![1], vec![2])),
        words: vec!["fix".into(), "login".into()],
        authors: Some(vec![PersonId(id(9, 1)); 3]),
    };
    let cursor =
        FoundCursor { last_at: Timestamp::from_seconds(7), key: IssueKey { project: "KEY".into(), number: 7 } };
    for wanted in [Wanted::default(), everything] {
        for through in [Through::All, Through::Sha, Through::Word(1), Through::Authors] {
            for order in [Order::Activity, Order::Key] {
                check_read(&search(&wanted, through, order, None, 10));
                check_read(&search(&wanted, through, order, Some(&cursor), 10));
            }
        }
    }
    check_read(&word_weighs("fix", 10));
    check_read(&authors_weigh(&[PersonId(id(9, 1))], 10));
    check_read(&holders_of_commit(sha(1).into(), 10));
    check_read(&issues_of_commit(sha(1), None));
    check_read(&issues_of_commit(sha(1), Some(1)));
}
