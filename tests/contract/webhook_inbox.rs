//! What the inbox of deliveries promises: once for an integration and a delivery, on disk before it is said, worked off by
//! one node at a time.

use std::sync::Arc;

use keytrail::{
    inbox::{End, Filter, Inbox, Origin, Receipt, State},
    store::Db,
};
use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use uuid::Uuid;

const NOW: Timestamp = Timestamp(1_795_240_800_000_000);
const ONE: IntegrationId = IntegrationId(Uuid::from_u128(1));
const OTHER: IntegrationId = IntegrationId(Uuid::from_u128(2));

on_both_engines!(
    a_delivery_is_kept_once_for_an_integration,
    many_at_once_are_all_kept,
    what_ended_in_an_error_is_taken_again_when_it_comes_again,
    one_node_at_a_time_works_a_delivery_off,
    deliveries_that_end_together_end_each_as_it_did,
    a_delivery_is_worked_off_again_when_a_person_says_so,
    it_is_known_whether_something_else_was_sent_since,
    deliveries_are_thrown_away_after_a_week,
    the_latest_are_listed_first,
);

fn receipt(integration: IntegrationId, delivery: u128, event: &str) -> Receipt {
    let body = format!(r#"{{"number":{delivery}}}"#);
    let delivery = Uuid::from_u128(delivery);
    Receipt::new(integration, delivery, event, Some("made"), Origin::Sent, "{}", body.as_bytes(), NOW)
}

async fn put(inbox: &Inbox, integration: IntegrationId, delivery: u128) {
    inbox.put(receipt(integration, delivery, "push")).await.expect("it is stored");
}

fn all(integration: IntegrationId) -> Filter {
    Filter { integration, state: None, event: None }
}

async fn a_delivery_is_kept_once_for_an_integration(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    for _ in 0..3 {
        put(&inbox, ONE, 7).await;
    }
    put(&inbox, OTHER, 7).await;
    for integration in [ONE, OTHER] {
        assert_eq!(inbox.page(&all(integration), None, 10).await.expect("a page").len(), 1);
    }
    let came = inbox.what_came(ONE, Uuid::from_u128(7)).await.expect("a read").expect("it is there");
    assert_eq!((came.headers.as_str(), came.body.as_slice()), ("{}", br#"{"number":7}"#.as_slice()));
    let stored = inbox.one(ONE, Uuid::from_u128(7)).await.expect("a read").expect("it is there");
    assert_eq!((stored.state, stored.body_bytes, stored.action.as_deref()), (State::Waiting, 12, Some("made")));
    assert_eq!(inbox.waiting(100).await.expect("a count"), 2);
}

async fn many_at_once_are_all_kept(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    // Each twice, also within one commit.
    let puts = (0..200_u128).map(|n| put(&inbox, ONE, n / 2));
    futures::future::join_all(puts).await;
    assert_eq!(inbox.page(&all(ONE), None, 500).await.expect("a page").len(), 100);
}

async fn what_ended_in_an_error_is_taken_again_when_it_comes_again(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    for (delivery, state, again) in [(1, State::Failed, true), (2, State::Done, false), (3, State::Ignored, false)] {
        put(&inbox, ONE, delivery).await;
        let taken = inbox.take(10, NOW).await.expect("some").pop().expect("one");
        inbox.ended(vec![(taken, End::For(state, "so".into()))], Vec::new(), NOW).await.expect("it is noted");
        put(&inbox, ONE, delivery).await;
        let now = inbox.one(ONE, Uuid::from_u128(delivery)).await.expect("a read").expect("it is there");
        assert_eq!(now.state == State::Waiting, again, "{state:?}");
        for taken in inbox.take(10, NOW).await.expect("some") {
            let end = (taken, End::For(State::Done, "done".into()));
            inbox.ended(vec![end], Vec::new(), NOW).await.expect("it is noted");
        }
    }
}

async fn one_node_at_a_time_works_a_delivery_off(db: Arc<Db>) {
    let (one, other) = (Inbox::open(db.clone(), "a"), Inbox::open(db.clone(), "b"));
    for delivery in 0..40 {
        put(&one, ONE, delivery).await;
    }
    let (first, second) = futures::join!(one.take(25, NOW), other.take(25, NOW));
    let (mut first, second) = (first.expect("some"), second.expect("some"));
    let both: std::collections::HashSet<_> = first.iter().chain(&second).map(|taken| taken.delivery).collect();
    assert_eq!(both.len(), first.len() + second.len(), "nothing is taken twice");
    assert_eq!(both.len() + one.take(25, NOW).await.expect("the rest").len(), 40);
    assert!(one.take(25, NOW).await.expect("none").is_empty());

    // Put off: due again at once, and a second try.
    let taken = first.pop().expect("one");
    let (late, delivery) = (taken.clone(), taken.delivery);
    one.ended(vec![(taken, End::Again(0, "not yet".into()))], Vec::new(), NOW).await.expect("it is noted");
    let again = other.take(25, NOW).await.expect("it").pop().expect("it is due");
    assert_eq!((again.delivery, again.tries), (delivery, 2));
    // Who lost it says nothing any more.
    one.ended(vec![(late, End::For(State::Failed, "no".into()))], Vec::new(), NOW).await.expect("it is passed over");
    let stored = one.one(ONE, delivery).await.expect("a read").expect("it is there");
    assert_eq!((stored.state, stored.outcome.as_deref()), (State::Waiting, Some("not yet")));
    assert_eq!(one.body(&again).await.expect("a read").expect("a body").first(), Some(&b'{'));

    // The process of the second node ended: what it had is due at once, to whoever comes.
    other.reclaim().await.expect("it is given back");
    assert!(one.take(50, NOW).await.expect("some").iter().any(|taken| taken.delivery == delivery));
}

async fn deliveries_that_end_together_end_each_as_it_did(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    for delivery in 0..4 {
        put(&inbox, ONE, delivery).await;
    }
    // Two of them are taken a second time.
    let first = inbox.take(2, NOW).await.expect("some");
    let lost = first[0].clone();
    let put_off = first.into_iter().map(|taken| (taken, End::Again(0, "not yet".into()))).collect();
    inbox.ended(put_off, Vec::new(), NOW).await.expect("it is noted");
    let mut taken = inbox.take(4, NOW).await.expect("some");
    assert_eq!(taken.len(), 4);
    // Who lost the first one says nothing of it, also not along with the other that was taken twice.
    taken[0] = lost;
    let states = [State::Done, State::Done, State::Done, State::Ignored];
    let ends = taken.into_iter().zip(states).map(|(taken, state)| (taken, End::For(state, "so".into()))).collect();
    inbox.ended(ends, Vec::new(), NOW).await.expect("it is noted");
    for (delivery, expected) in [
        (0, (State::Waiting, Some("not yet"))),
        (1, (State::Done, Some("so"))),
        (2, (State::Done, Some("so"))),
        (3, (State::Ignored, Some("so"))),
    ] {
        let stored = inbox.one(ONE, Uuid::from_u128(delivery)).await.expect("a read").expect("it is there");
        assert_eq!((stored.state, stored.outcome.as_deref()), expected, "{delivery}");
    }
}

async fn a_delivery_is_worked_off_again_when_a_person_says_so(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    put(&inbox, ONE, 1).await;
    let delivery = Uuid::from_u128(1);
    let taken = inbox.take(1, NOW).await.expect("some").pop().expect("one");
    // While it is worked off nothing is taken away.
    assert!(inbox.replay(ONE, delivery).await.expect("a wish"));
    inbox.ended(vec![(taken, End::For(State::Done, "so".into()))], Vec::new(), NOW).await.expect("it is noted");
    let stored = inbox.one(ONE, delivery).await.expect("a read").expect("it is there");
    assert_eq!((stored.state, stored.ended_at), (State::Done, Some(NOW)));
    assert!(inbox.replay(ONE, delivery).await.expect("a wish"));
    assert_eq!(inbox.take(1, NOW).await.expect("some").len(), 1);
    assert!(!inbox.replay(OTHER, delivery).await.expect("a wish"));
}

async fn it_is_known_whether_something_else_was_sent_since(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    for (delivery, event) in [(1, "push"), (2, "meta")] {
        inbox.put(receipt(ONE, delivery, event)).await.expect("it is stored");
    }
    let taken = inbox.take(10, NOW).await.expect("some").pop().expect("one");
    assert_eq!((taken.event.as_str(), inbox.went_on(&taken).await.expect("a read")), ("meta", false));
    let fetched = Receipt::new(ONE, Uuid::from_u128(3), "push", None, Origin::Fetched, "{}", b"{}", NOW);
    for (receipt, expected) in [
        (fetched, false),
        (receipt(ONE, 4, "meta"), false),
        (receipt(OTHER, 5, "push"), false),
        // What is there is not put in again.
        (receipt(ONE, 1, "push"), false),
        (receipt(ONE, 6, "push"), true),
    ] {
        let told = format!("{receipt:?}");
        inbox.put(receipt).await.expect("it is stored");
        assert_eq!(inbox.went_on(&taken).await.expect("a read"), expected, "{told}");
    }
}

async fn deliveries_are_thrown_away_after_a_week(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    for delivery in 0..700 {
        put(&inbox, ONE, delivery).await;
    }
    const DAY: i64 = 24 * 3_600 * 1_000_000;
    let (delivery, came) = (Uuid::from_u128(700), NOW.plus_micros(DAY));
    let later = Receipt::new(ONE, delivery, "push", Some("made"), Origin::Sent, "{}", b"{}", came);
    inbox.put(later).await.expect("it is stored");
    assert_eq!(inbox.sweep(NOW.plus_micros(7 * DAY)).await.expect("a sweep"), 0);
    assert_eq!(inbox.sweep(NOW.plus_micros(7 * DAY + 1)).await.expect("a sweep"), 700);
    let left = inbox.page(&all(ONE), None, 10).await.expect("a page");
    assert_eq!(left.iter().map(|row| row.delivery).collect::<Vec<_>>(), [delivery]);
    assert_eq!(inbox.sweep(came.plus_micros(7 * DAY + 1)).await.expect("a sweep"), 1);
}

async fn the_latest_are_listed_first(db: Arc<Db>) {
    let inbox = Inbox::open(db, "a");
    for delivery in 0..10_u128 {
        let event = if delivery % 2 == 0 { "push" } else { "ping" };
        inbox.put(receipt(ONE, delivery, event)).await.expect("it is stored");
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = inbox.page(&all(ONE), after, 3).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.receipt);
        found.extend(page.iter().map(|row| row.delivery.as_u128()));
    }
    assert_eq!(found, (0..10).rev().collect::<Vec<_>>());
    let pushes = Filter { event: Some("push".into()), state: Some(State::Waiting), integration: ONE };
    assert_eq!(inbox.page(&pushes, None, 10).await.expect("a page").len(), 5);
    let done = Filter { state: Some(State::Done), ..pushes };
    assert!(inbox.page(&done, None, 10).await.expect("a page").is_empty());
}
