//! What may exist only once does.

use std::sync::Arc;

use futures::future::join_all;
use keytrail::{
    log::{AppendError, Lane, Log},
    store::{Area, Db},
};
use keytrail_domain::claim::{Claim, ClaimChange, ClaimScope};
use keytrail_projections::{row, value::Row};

use crate::{
    engines::rows,
    samples::{added, append, new_stream, of, open, plain, removed, renamed},
};

on_both_engines!(
    the_second_taker_is_refused_and_told_what_is_taken,
    of_many_takers_at_once_one_wins,
    a_release_frees_it,
    one_append_releases_and_takes,
    names_go_round_in_a_chain,
    only_the_last_change_of_a_claim_in_an_append_counts,
    a_stream_takes_again_what_it_holds,
    only_its_holder_releases_a_claim,
    of_two_claims_the_holder_of_the_first_is_told_before_that_of_the_second,
);

async fn held(db: &Db) -> Vec<Row> {
    rows(db, Area::Log, "SELECT scope, claim_key, aggregate_id FROM claims ORDER BY scope, claim_key").await
}

async fn refused(log: &Log, append: keytrail::log::Append) -> Claim {
    match log.appender().append(Lane::Interactive, append).await {
        Err(AppendError::Claimed(claim)) => claim,
        other => panic!("{other:?}"),
    }
}

async fn the_second_taker_is_refused_and_told_what_is_taken(db: Arc<Db>) {
    let log = open(&db).await;
    let first = new_stream();
    append(&log, of(first, 0, &[added("One")])).await;
    let before = held(&db).await;
    let claim = refused(&log, of(new_stream(), 0, &[added("oNE")])).await;
    assert_eq!(claim, Claim { scope: ClaimScope::IntegrationName, key: "one".into() });
    assert_eq!(held(&db).await, before, "the refused append left nothing");
    assert_eq!(log.stored_head().await.expect("a head").position, 1);
    let id = first.id.to_string();
    assert_eq!(
        before,
        [row!["connection", "path:/srv/One", id.as_str()], row!["integration_name", "one", id.as_str()]]
    );
}

async fn of_two_claims_the_holder_of_the_first_is_told_before_that_of_the_second(db: Arc<Db>) {
    let log = open(&db).await;
    let claim = |name: &str| ClaimChange::take(ClaimScope::IntegrationName, name).claim().clone();
    let place = ClaimChange::take(ClaimScope::Connection, "path:/srv/two").claim().clone();
    let (one, two, nobody) = (new_stream(), new_stream(), claim("nobody"));
    append(&log, of(one, 0, &[added("one")])).await;
    append(&log, of(two, 0, &[added("two")])).await;
    for (first, second, wanted) in [
        (claim("one"), place.clone(), Some(one.id)),
        (place.clone(), claim("one"), Some(two.id)),
        (nobody.clone(), claim("two"), Some(two.id)),
        (claim("two"), nobody.clone(), Some(two.id)),
        (nobody.clone(), nobody, None),
    ] {
        assert_eq!(log.holder_of_either(&first, &second).await.expect("an answer"), wanted, "{first:?} {second:?}");
    }
}

async fn of_many_takers_at_once_one_wins(db: Arc<Db>) {
    let log = open(&db).await;
    let appends = (0..40).map(|_| log.appender().append(Lane::Interactive, of(new_stream(), 0, &[added("x")])));
    let outcomes = join_all(appends).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Err(AppendError::Claimed(_)))).count(), 39);
}

async fn a_release_frees_it(db: Arc<Db>) {
    let log = open(&db).await;
    let first = new_stream();
    append(&log, of(first, 0, &[added("x")])).await;
    append(&log, of(first, 1, &[removed("x")])).await;
    assert_eq!(held(&db).await, Vec::<Row>::new());
    append(&log, of(new_stream(), 0, &[added("x")])).await;
    assert_eq!(held(&db).await.len(), 2);
}

async fn one_append_releases_and_takes(db: Arc<Db>) {
    let log = open(&db).await;
    let (one, other) = (new_stream(), new_stream());
    append(&log, of(one, 0, &[added("a")])).await;
    append(&log, of(one, 1, &[renamed("a", "b")])).await;
    append(
        &log,
        of(
            other,
            0,
            &[keytrail_domain::integration::Event::Added {
                name: crate::samples::name("a"),
                connection: crate::samples::place("elsewhere"),
            }],
        ),
    )
    .await;
    let claim = refused(&log, of(other, 1, &[renamed("a", "b")])).await;
    assert_eq!(claim.key, "b");
    assert!(held(&db).await.contains(&row!["integration_name", "a", other.id.to_string()]), "it keeps what it had");
}

/// Each step is free only because the one before it was made, in batches that hold them all.
async fn names_go_round_in_a_chain(db: Arc<Db>) {
    let log = open(&db).await;
    let streams: Vec<_> = (0..6).map(|_| new_stream()).collect();
    for (n, stream) in streams.iter().enumerate() {
        append(&log, of(*stream, 0, &[added(&format!("n{n}"))])).await;
    }
    append(&log, of(streams[0], 1, &[renamed("n0", "free")])).await;
    let steps = (1..6).map(|n| {
        let change = renamed(&format!("n{n}"), &format!("n{}", n - 1));
        log.appender().append(Lane::Interactive, of(streams[n], 1, &[change]))
    });
    for outcome in join_all(steps).await {
        outcome.expect("the name before is free by then");
    }
    append(&log, of(streams[0], 2, &[renamed("free", "n5")])).await;
    let names =
        held(&db).await.into_iter().filter(|row| row[0] == "integration_name".into()).map(|mut row| row.remove(1));
    assert_eq!(names.collect::<Vec<_>>(), (0..6).map(|n| format!("n{n}").into()).collect::<Vec<_>>());
}

async fn only_the_last_change_of_a_claim_in_an_append_counts(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    append(&log, of(stream, 0, &[added("a"), renamed("a", "b"), renamed("b", "a")])).await;
    let id = stream.id.to_string();
    let both = [row!["connection", "path:/srv/a", id.as_str()], row!["integration_name", "a", id.as_str()]];
    assert_eq!(held(&db).await, both);
    append(&log, of(stream, 3, &[renamed("a", "b"), renamed("b", "a")])).await;
    assert_eq!(held(&db).await, both);
    append(&log, of(new_stream(), 0, &[added("gone"), removed("gone")])).await;
    assert_eq!(held(&db).await, both);
}

async fn a_stream_takes_again_what_it_holds(db: Arc<Db>) {
    let log = open(&db).await;
    let stream = new_stream();
    append(&log, of(stream, 0, &[added("a")])).await;
    let mut again = plain(stream, 1);
    again.claims = vec![ClaimChange::take(ClaimScope::IntegrationName, "a")];
    append(&log, again).await;
    assert_eq!(held(&db).await.len(), 2);
}

async fn only_its_holder_releases_a_claim(db: Arc<Db>) {
    let log = open(&db).await;
    append(&log, of(new_stream(), 0, &[added("a")])).await;
    let mut other = plain(new_stream(), 0);
    other.claims = vec![ClaimChange::release(ClaimScope::IntegrationName, "a")];
    append(&log, other).await;
    assert_eq!(held(&db).await.len(), 2);
}
