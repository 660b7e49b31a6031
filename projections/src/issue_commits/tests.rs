//! What batches leave in the tables, what forgetting and resetting change, and what persons decide.

use std::collections::BTreeSet;

use keytrail_domain::{
    id::RepositoryId,
    index_run::Cause,
    issue_key::IssueKey,
    project_rules::{self, ProjectRules},
    repository,
};

use super::*;
use crate::{
    fact_histories::{Log, commit, commits, discovered, id, link, place, requested, sha},
    fake_store::{FakeStore, check_read},
    value::Row,
};

fn folded(log: &Log) -> FakeStore {
    FakeStore::folded(&IssueCommits, log.facts(), 3)
}

/// A log with one repository, whose number is 1.
fn log() -> Log {
    let mut log = Log::default();
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    log
}

fn numbers(store: &FakeStore) -> Vec<Value> {
    store.current(&REPOSITORIES).into_iter().map(|mut row| row.swap_remove(1)).collect()
}

#[test]
fn a_batch_becomes_a_row_for_each_issue_of_a_commit() {
    let mut log = log();
    let mut topic = commit(1, "KEY-7 and OTHER-1");
    topic.authored_at = -5;
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![topic, commit(2, "KEY-7")]));
    let rows = folded(&log).current(&COMMITS);
    let of_topic = |project: &str, issue: i64| -> Row {
        let (subject, head) = ("KEY-7 and OTHER-1", "refs/heads/topic");
        row![project, issue, 1001_i64, 1_i64, sha(1), 1_i64, 1_i64, id(9, 1), -5_i64, subject, head, false, 2_i64]
    };
    let [seven, second, other] = &rows[..] else { panic!("three rows") };
    assert_eq!([seven, other], [&of_topic("KEY", 7), &of_topic("OTHER", 1)]);
    assert_eq!((&second[4], &second[11]), (&sha(2).into(), &Value::Int(1)), "on the default branch");
}

#[test]
fn a_commit_that_is_recorded_again_stays_as_it_was() {
    let mut log = log();
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![commit(1, "KEY-7")]));
    let before = folded(&log);
    let mut again = commit(1, "KEY-7");
    again.introduced_by = "refs/heads/other".into();
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![again]));
    assert_eq!(folded(&log), before);
}

#[test]
fn seconds_that_no_moment_has_are_moved_to_the_nearest() {
    let mut log = log();
    let mut odd = commit(1, "KEY-7");
    (odd.authored_at, odd.committed_at) = (i64::MIN, i64::MAX);
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![odd]));
    let row = folded(&log).current(&COMMITS).remove(0);
    for cell in [&row[2], &row[8]] {
        let Value::Int(stored) = *cell else { panic!("a number") };
        assert_eq!(Timestamp::from_seconds(stored).seconds(), stored, "a cursor must find it again");
    }
}

#[test]
fn forgetting_ends_one_row_and_coming_back_makes_another() {
    let mut log = log();
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![commit(1, "KEY-7")]));
    log.append(id(2, 1), Fact::Repository(repository::Event::Forgotten {}));
    assert_eq!(numbers(&folded(&log)), []);
    assert_eq!(folded(&log).current(&COMMITS).len(), 1, "commits are left alone");
    log.append(id(2, 1), discovered(id(1, 1), "tools", place(1)));
    assert_eq!(numbers(&folded(&log)), [Value::Int(4)]);
}

#[test]
fn a_reset_gives_a_new_number_and_keeps_the_rest() {
    let mut log = log();
    log.append(id(3, 1), requested(id(2, 1), Cause::Asked));
    log.append(id(3, 2), requested(id(2, 1), Cause::Reset));
    let store = folded(&log);
    assert_eq!(store.current(&REPOSITORIES), [row![id(2, 1), 3_i64, id(1, 1), "tools", 3_i64]]);
    assert_eq!(store.at(&REPOSITORIES, 2), [row![id(2, 1), 1_i64, id(1, 1), "tools", 1_i64]]);
}

#[test]
fn a_reset_of_what_is_not_there_shows_nothing() {
    let mut log = Log::default();
    log.append(id(3, 1), requested(id(2, 1), Cause::Reset));
    assert_eq!(numbers(&folded(&log)), []);
}

#[test]
fn what_no_ref_leads_to_is_marked_until_one_does_again() {
    let mut log = log();
    log.append(id(3, 1), commits(id(2, 1), 1, 10, vec![commit(1, "KEY-7"), commit(2, "KEY-7")]));
    let set = |n| CommitSet { repository: RepositoryId(id(2, 1)), number: 1, commits: vec![sha(n), sha(9)] };
    log.append(id(3, 2), Fact::IndexBatch(batch::Event::CommitsSuperseded(set(1))));
    assert_eq!(folded(&log).current(&SUPERSEDED), [row![1_i64, sha(1), 3_i64], row![1_i64, sha(9), 3_i64]]);
    log.append(id(3, 3), Fact::IndexBatch(batch::Event::CommitsRestored(set(1))));
    assert_eq!(folded(&log).current(&SUPERSEDED), [] as [Row; 0]);
    log.append(id(3, 4), Fact::IndexBatch(batch::Event::CommitsSuperseded(set(1))));
    let store = folded(&log);
    assert_eq!(store.current(&SUPERSEDED)[0], row![1_i64, sha(1), 5_i64]);
    assert_eq!(store.at(&SUPERSEDED, 3)[0], row![1_i64, sha(1), 3_i64], "what was known then stays known");
    assert_eq!(store.at(&SUPERSEDED, 4), [] as [Row; 0]);
    assert_eq!(store.current(&COMMITS).len(), 2, "commits are left alone");
}

#[test]
fn what_a_person_decided_is_kept_with_who_and_when() {
    let mut log = log();
    log.link(1, 5, link(1, 5, 0, 0));
    let row = folded(&log).current(&DECISIONS).remove(0);
    assert_eq!(row[..5], row!["ALPHA", 1_i64, id(2, 1), sha(5), "linked"]);
    assert_eq!(row[5..11], row![1005_i64, 1000_i64, id(9, 2), "no key", Value::Null, false]);
    assert_eq!(row[11..], row!["service:build", Timestamp::from_seconds(2), 1_i64, 2_i64]);
    log.link(1, 5, link(1, 5, 0, 1));
    log.link(1, 5, link(1, 5, 0, 2));
    let store = folded(&log);
    let state = |position| store.at(&DECISIONS, position).remove(0)[4].clone();
    assert_eq!([state(2), state(3), state(4)], ["linked", "unlinked", "as_found"].map(Value::from));
    assert_eq!(store.current(&DECISIONS)[0][13], 3_i64.into(), "the version of the link");
}

#[test]
fn a_decision_outlives_a_reset_and_forgetting() {
    let mut log = log();
    log.link(1, 5, link(1, 5, 0, 0));
    let before = folded(&log).current(&DECISIONS);
    log.append(id(3, 2), requested(id(2, 1), Cause::Reset));
    log.append(id(2, 1), Fact::Repository(repository::Event::Forgotten {}));
    assert_eq!(folded(&log).current(&DECISIONS), before);
}

#[test]
fn rules_are_those_that_the_program_brings_along_until_a_person_changes_them() {
    let rules = |log: &Log| folded(log).stored(&RULES).cloned().collect::<Vec<_>>();
    let mut log = log();
    let brought: Vec<Row> =
        ProjectRules::brought_along().iter().map(|entry| row![1_i64, entry.to_string(), 0_i64]).collect();
    assert_eq!(rules(&log), brought);
    let changed = project_rules::Event::Changed {
        known: ["SHOP".parse().expect("a project")].into(),
        no_longer_known: BTreeSet::new(),
        denied: ["SHOP-404".parse().expect("an issue")].into(),
        no_longer_denied: ProjectRules::brought_along(),
    };
    log.append(ProjectRules::ID, Fact::ProjectRules(changed));
    assert_eq!(rules(&log), [row![0_i64, "SHOP", 0_i64], row![1_i64, "SHOP", 404_i64]]);
}

#[test]
fn reads_fit_their_tables() {
    let key = IssueKey { project: "KEY".into(), number: 7 };
    let cursor = CommitCursor { committed_at: Timestamp::from_seconds(7), number: 1, sha: sha(1) };
    check_read(&commits_of_issue(&key, None, None, 10));
    let page = page_of_issue(&key, Some(9), Some(cursor), true, 10);
    [page.plain, page.decided].iter().for_each(check_read);
    check_read(&link_of(&key, RepositoryId(id(2, 1)), sha(1)));
    check_read(&rule_of(&key));
    check_read(&recorded_commit(&key, cursor));
    let place = ProjectCursor { links: 7, project: "KEY".to_owned() };
    check_read(&projects_of_repository(RepositoryId(id(2, 1)), false, Some(place.clone()), 10));
    check_read(&projects_of_repository(RepositoryId(id(2, 1)), false, None, 10));
    check_read(&top_projects(true, Some(place), 10));
    check_read(&top_projects(true, None, 10));
    check_read(&superseded_of_repository(1, Some(sha(1)), 10));
    check_read(&commits_of_repository(1, None, 10));
}
