//! What happens to a run, as the list shows it.

use keytrail_domain::{
    display_text::DisplayText,
    id::RepositoryId,
    index_run::{Cause, FailureCode},
};

use super::*;
use crate::{
    fact_histories::{Log, commit, commits, completed, id, refs, requested, sha},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
};

fn after(facts: impl IntoIterator<Item = Fact>) -> IndexRun {
    let mut log = Log::default();
    for fact in facts {
        log.append(id(3, 1), fact);
    }
    FakeStore::folded(&IndexRuns, log.facts(), 2).read(&RUNS, IndexRun::read).remove(0)
}

fn asked() -> Fact {
    requested(id(2, 1), Cause::Asked)
}

fn started() -> Fact {
    Fact::IndexRun(Event::Started { number: 40 })
}

fn second(position: i64) -> Timestamp {
    Timestamp::from_seconds(position)
}

#[test]
fn a_requested_run_waits() {
    let expected = IndexRun {
        id: IndexRunId(id(3, 1)),
        repository: RepositoryId(id(2, 1)),
        state: RunState::Requested,
        cause: Cause::Asked,
        requested_at: second(1),
        started_at: None,
        ended_at: None,
        number: None,
        counts: Counts::default(),
        failure: None,
        batches: 0,
        walked: 0,
        requested_position: 1,
        version: 1,
        position: 1,
    };
    assert_eq!(after([asked()]), expected);
}

#[test]
fn batches_tell_how_far_it_is() {
    let batch = |walked| commits(id(2, 1), 40, walked, vec![commit(1, "KEY-1")]);
    let run = after([asked(), started(), batch(10_000), refs(id(2, 1), 40, &[("refs/heads/main", Some(sha(1)))])]);
    assert_eq!((run.state, run.started_at, run.number), (RunState::Running, Some(second(2)), Some(40)));
    assert_eq!((run.batches, run.walked, run.version, run.position), (2, 10_000, 2, 4));
    assert_eq!(after([asked(), started(), batch(10_000), batch(12_345)]).walked, 12_345);
}

#[test]
fn a_run_that_is_started_again_began_the_first_time() {
    assert_eq!(after([asked(), started(), started()]).started_at, Some(second(2)));
}

#[test]
fn a_completed_run_says_what_it_saw() {
    let run = after([asked(), started(), completed(id(2, 1), 8)]);
    assert_eq!((run.state, run.ended_at), (RunState::Completed, Some(second(3))));
    assert_eq!(run.counts, Counts { commits: 8, keyed: 4, keys: 8, refs: 1, bounded: 0, lost_refs: 0 });
}

#[test]
fn a_failed_run_says_why() {
    let (repository, text) = (RepositoryId(id(2, 1)), DisplayText::clean("too many refs"));
    let failed = Event::Failed { repository, code: FailureCode::TooManyRefs, text };
    let run = after([asked(), started(), Fact::IndexRun(failed)]);
    assert_eq!((run.state, run.ended_at), (RunState::Failed, Some(second(3))));
    assert_eq!(run.failure, Some((FailureCode::TooManyRefs, "too many refs".to_owned())));
}

#[test]
fn a_run_can_be_cancelled_before_it_began() {
    let run = after([asked(), Fact::IndexRun(Event::Cancelled { repository: RepositoryId(id(2, 1)) })]);
    assert_eq!((run.state, run.started_at, run.ended_at), (RunState::Cancelled, None, Some(second(2))));
}

#[test]
fn batches_of_an_unknown_run_show_nothing() {
    let mut log = Log::default();
    log.append(id(3, 1), commits(id(2, 1), 1, 1, Vec::new()));
    assert_eq!(FakeStore::folded(&IndexRuns, log.facts(), 1).stored(&RUNS).count(), 0);
}

#[test]
fn reads_fit_their_table() {
    let repository = RepositoryId(id(2, 1));
    let mut reads = vec![by_id(IndexRunId(id(3, 1))), active(repository)];
    for (repository, state) in [(None, None), (Some(repository), None), (None, Some(RunState::Running))] {
        let filter = Filter { repository, state, cause: Some(Cause::Asked) };
        reads.push(page(filter, Order::NewestFirst, None, 10));
        reads.push(page(filter, Order::OldestFirst, Some(5), 10));
    }
    for read in reads {
        check_read(&read);
        check_columns(&read, &RUNS, "");
    }
}
