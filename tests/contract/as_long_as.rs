//! What was decided by more than one stream is appended only while that holds, also where both are written in one batch.

use std::sync::Arc;

use futures::future::join_all;
use keytrail::{
    ids::new_id,
    log::{Append, AppendError, Lane, as_long_as},
    store::{Area, Db, StoreError},
};
use keytrail_domain::{
    claim::{ClaimChange, ClaimScope},
    fact::Fact,
    recorded::StreamId,
    ssh_key::{Event as KeyEvent, SshKeyName},
};

use crate::{
    engines::number,
    samples::{added, append, new_stream, of, of_facts, open, plain, removed},
};

on_both_engines!(
    nothing_is_appended_after_what_was_not_known_of,
    nothing_is_appended_when_a_claim_went,
    nothing_is_appended_when_a_claim_came,
    nothing_is_appended_when_a_stream_went_on,
    of_those_that_exclude_each_other_one_comes_first,
);

fn is_fenced<T>(outcome: &Result<T, AppendError>) -> bool {
    matches!(outcome, Err(AppendError::Store(StoreError::Fenced)))
}

/// To a stream of another type than those of the samples.
fn of_another_type() -> Append {
    let name = || SshKeyName::parse("deploy").expect("a name");
    let stream = StreamId::new("ssh_key", new_id());
    of_facts(stream, 0, &[Fact::SshKey(KeyEvent::Renamed { name: name(), previous: name() })])
}

async fn nothing_is_appended_after_what_was_not_known_of(db: Arc<Db>) {
    let log = open(&db).await;
    let known = append(&log, plain(new_stream(), 0)).await.last;
    let decided = |position| {
        let mut append = of_another_type();
        append.companions.push(as_long_as::nothing_came_after("integration", position));
        log.appender().append(Lane::Interactive, append)
    };
    // What came later is of a type that is not asked for.
    append(&log, of_another_type()).await;
    decided(known).await.expect("nothing came after it");
    let now = append(&log, plain(new_stream(), 0)).await.last;
    let refused = decided(known).await;
    assert!(is_fenced(&refused), "{refused:?}");
    assert_eq!(number(&db, Area::Log, "SELECT MAX(global_position) FROM events").await, now, "nothing is left of it");
    decided(now).await.expect("nothing came after it");
    assert_eq!(log.stored_head().await.expect("a head").position, now + 1);
}

async fn nothing_is_appended_when_a_claim_went(db: Arc<Db>) {
    let log = open(&db).await;
    let (holder, another) = (new_stream(), new_stream());
    append(&log, of(holder, 0, &[added("a")])).await;
    append(&log, of(another, 0, &[added("b")])).await;
    let name = ClaimChange::take(ClaimScope::IntegrationName, "a");
    let decided = |holder| {
        let mut append = plain(new_stream(), 0);
        append.companions.push(as_long_as::is_held(name.claim(), holder));
        log.appender().append(Lane::Interactive, append)
    };
    decided(holder).await.expect("it holds it");
    let refused = decided(another).await;
    assert!(is_fenced(&refused), "another holds it: {refused:?}");
    append(&log, of(holder, 1, &[removed("a")])).await;
    let refused = decided(holder).await;
    assert!(is_fenced(&refused), "it was released: {refused:?}");
}

async fn nothing_is_appended_when_a_claim_came(db: Arc<Db>) {
    let log = open(&db).await;
    let holder = new_stream();
    let name = ClaimChange::take(ClaimScope::IntegrationName, "a");
    let decided = || {
        let mut append = plain(new_stream(), 0);
        append.companions.push(as_long_as::nobody_holds(name.claim()));
        log.appender().append(Lane::Interactive, append)
    };
    append(&log, of(new_stream(), 0, &[added("b")])).await;
    decided().await.expect("nobody holds it");
    append(&log, of(holder, 0, &[added("a")])).await;
    let refused = decided().await;
    assert!(is_fenced(&refused), "it is held: {refused:?}");
    append(&log, of(holder, 1, &[removed("a")])).await;
    decided().await.expect("nobody holds it any more");
}

async fn nothing_is_appended_when_a_stream_went_on(db: Arc<Db>) {
    let log = open(&db).await;
    let (looked_at, another) = (new_stream(), new_stream());
    append(&log, of(looked_at, 0, &[added("a")])).await;
    let decided = |sequence| {
        let mut append = of_another_type();
        append.companions.push(as_long_as::stands_at(looked_at, sequence));
        log.appender().append(Lane::Interactive, append)
    };
    // Another one goes on.
    append(&log, of(another, 0, &[added("b")])).await;
    append(&log, of(another, 1, &[removed("b")])).await;
    decided(1).await.expect("it stands where it was looked at");
    append(&log, of(looked_at, 1, &[removed("a")])).await;
    let refused = decided(1).await;
    assert!(is_fenced(&refused), "it went on: {refused:?}");
    decided(2).await.expect("it stands where it was looked at");
}

/// All at once, so that they come in one batch: each would be right alone.
async fn of_those_that_exclude_each_other_one_comes_first(db: Arc<Db>) {
    let log = open(&db).await;
    let head = append(&log, plain(new_stream(), 0)).await.last;
    let mut both = vec![plain(new_stream(), 0), of_another_type()];
    both[0].companions.push(as_long_as::nothing_came_after("ssh_key", head));
    both[1].companions.push(as_long_as::nothing_came_after("integration", head));
    let outcomes = join_all(both.into_iter().map(|append| log.appender().append(Lane::Interactive, append))).await;
    let appended = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((appended, outcomes.iter().filter(|outcome| is_fenced(outcome)).count()), (1, 1), "{outcomes:?}");
    assert_eq!(log.stored_head().await.expect("a head").position, head + 1);
}
