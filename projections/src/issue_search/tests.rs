//! What batches leave in the tables, and that it is the same however they come.

use keytrail_domain::{id::RepositoryId, index_run::Cause, issue_key::IssueKey, person::PersonId, repository};

use super::*;
use crate::{
    fact_histories::{Log, commit, commits, discovered, id, link, place, refs, requested, sha},
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
    assert_eq!(rows(&store, &ISSUES), [row!["KEY", 7_i64, 1_i64, 1001_i64], row!["OTHER", 1_i64, 1_i64, 1001_i64]]);
    assert_eq!(
        rows(&store, &COMMITS),
        [row![sha(1), 1_i64, "KEY", 7_i64, 1001_i64], row![sha(1), 1_i64, "OTHER", 1_i64, 1001_i64]]
    );
    assert_eq!(rows(&store, &AUTHORS).len(), 2);
    let words: Vec<_> = rows(&store, &WORDS).into_iter().filter(|row| row[1] == "KEY".into()).collect();
    assert_eq!(words, ["and", "fix", "login"].map(|word| row![word, "KEY", 7_i64, 1_i64]));
}

#[test]
fn an_issue_lasts_until_its_last_commit_however_they_come() {
    let apart = folded(&[&[(5, "KEY-7 later")], &[(2, "KEY-7 first")], &[(3, "KEY-7 between"), (5, "KEY-7 later")]]);
    assert_eq!(rows(&apart, &ISSUES), [row!["KEY", 7_i64, 1_i64, 1005_i64]]);
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
    assert_eq!(rows(&store, &ISSUES), [] as [Row; 0]);
    assert_eq!(rows(&store, &COMMITS), [row![sha(4), number, "ALPHA", 7_i64, 1004_i64]]);
    assert_eq!((rows(&store, &AUTHORS).len(), rows(&store, &WORDS).len()), (1, 2));
    let numbers: Vec<_> = store.current(&REPOSITORIES).into_iter().map(|row| row[1].clone()).collect();
    assert!(numbers.contains(&Value::Int(number)) && numbers.contains(&Value::Int(3)), "{numbers:?}");
}

#[test]
fn a_decision_is_kept_while_it_holds() {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    let mut decided = |wish| {
        log.link(1, 4, link(1, 4, 6, wish));
        rows(&FakeStore::folded(&IssueSearch, log.facts(), 2), &DECISIONS)
    };
    let row = |linked: bool, at: i64| row!["ALPHA", 7_i64, RepositoryId(id(2, 1)), sha(4), linked, at];
    assert_eq!(decided(0), [row(true, 1004)]);
    assert_eq!(decided(1), [row(false, 0)]);
    assert_eq!(decided(2), [] as [Row; 0]);
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
fn a_branch_leads_to_its_issues_as_long_as_it_is_there() {
    const BRANCHES_OF_IT: [&str; 3] = ["refs/heads/key-7", "refs/heads/other-1-key-7", "refs/tags/KEY-9"];
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    let mut moved = |refs_of: &[(&str, Option<CommitSha>)]| {
        log.append(id(3, 1), refs(id(2, 1), 1, refs_of));
        let store = FakeStore::folded(&IssueSearch, log.facts(), 2);
        (rows(&store, &ISSUES), rows(&store, &BRANCHES))
    };
    let (issues, branches) = moved(&BRANCHES_OF_IT.map(|name| (name, Some(sha(1)))));
    let never = schema::NO_COMMIT;
    assert_eq!(issues, [row!["KEY", 7_i64, 1_i64, never], row!["OTHER", 1_i64, 1_i64, never]]);
    assert_eq!(branches.len(), 3, "a tag is no branch");
    let (issues, branches) = moved(&[(BRANCHES_OF_IT[0], None), (BRANCHES_OF_IT[1], Some(sha(2)))]);
    let left = ["KEY", "OTHER"].map(|project| (project, if project == "KEY" { 7_i64 } else { 1 }));
    assert_eq!(branches, left.map(|(project, number)| row![project, number, 1_i64, BRANCHES_OF_IT[1]]));
    assert_eq!(issues.len(), 2);
    let (issues, branches) = moved(&[(BRANCHES_OF_IT[1], None)]);
    assert_eq!((issues.len(), branches.len()), (2, 0));
}

#[test]
fn a_commit_counts_more_than_a_branch_whichever_comes_first() {
    let branch = || refs(id(2, 1), 1, &[("refs/heads/key-7", Some(sha(1)))]);
    let named = || commits(id(2, 1), 1, 10, vec![commit(1, "KEY-7")]);
    for facts in [[branch(), named()], [named(), branch()]] {
        let mut log = Log::default();
        log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
        for fact in facts {
            log.append(id(3, 1), fact);
        }
        let store = FakeStore::folded(&IssueSearch, log.facts(), 1);
        assert_eq!(rows(&store, &ISSUES), [row!["KEY", 7_i64, 1_i64, 1001_i64]]);
    }
}

#[test]
fn no_commit_is_before_all_commits_and_the_statements_know_it() {
    assert!(seconds(i64::MIN) > schema::NO_COMMIT);
    let read = search(&Wanted::default(), Through::All, Order::Activity, None, 1);
    assert!(read.sql.contains(&format!("last_at > {} OR", schema::NO_COMMIT)));
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
        FoundCursor { last_at: Some(Timestamp::from_seconds(7)), key: IssueKey { project: "KEY".into(), number: 7 } };
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
    check_read(&holders_of_commit(sha(1).into(), None, 10));
    check_read(&holders_of_commit(sha(1).into(), Some(1), 10));
    check_read(&issues_of_commit(sha(1), 1));
}
