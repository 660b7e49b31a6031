//! Given, when, then; and any order of what is told.

use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::*;
use crate::{display_text::DisplayText, given::given, histories, person::PersonId, timestamp::Timestamp};

const REPOSITORY: RepositoryId = RepositoryId(Uuid::from_u128(2));

/// As it was at this second, with this title.
pub(crate) fn snapshot(second: i64, title: &str) -> Snapshot {
    Snapshot {
        updated_at: Timestamp::from_seconds(second),
        state: State::Open,
        draft: false,
        title: DisplayText::clean(title),
        source: DisplayText::clean("topic"),
        target: DisplayText::clean("main"),
        author: Some(PersonId(Uuid::from_u128(9))),
        created_at: Timestamp::from_seconds(1),
        merged_at: None,
        closed_at: None,
        extractor: 1,
        keys: named_by(title, "", "topic"),
    }
}

fn review(id: u64, verdict: Verdict, second: i64) -> Review {
    Review { id, reviewer: Some(PersonId(Uuid::from_u128(8))), verdict, at: Timestamp::from_seconds(second) }
}

fn told(snapshot: Snapshot, reviews: Vec<Review>, how: How) -> Command {
    Command::Record { repository: REPOSITORY, number: 7, snapshot: Box::new(snapshot), reviews, how }
}

fn heard(snapshot: Snapshot) -> Command {
    told(snapshot, Vec::new(), How::Heard)
}

fn read(snapshot: Snapshot) -> Command {
    told(snapshot, Vec::new(), How::Read)
}

fn recorded(latest: Snapshot, named_no_more: &[&str]) -> Event {
    let named_no_more = named_no_more.iter().map(|key| key.parse().expect("a key")).collect();
    Event::Recorded { repository: REPOSITORY, number: 7, latest: Box::new(latest), named_no_more }
}

fn reviewed(reviews: &[Review]) -> Event {
    Event::Reviewed { repository: REPOSITORY, number: 7, reviews: reviews.to_vec() }
}

const DELETE: Command = Command::Delete { repository: REPOSITORY, number: 7 };
const DELETED: Event = Event::Deleted { repository: REPOSITORY, number: 7 };

/// One of each.
pub(crate) fn one_of_each() -> Vec<Event> {
    vec![recorded(snapshot(5, "SHOP-1"), &[]), reviewed(&[review(1, Verdict::Approved, 5)]), DELETED]
}

#[test]
fn what_was_changed_later_holds_whichever_came_first() {
    let (old, new) = (snapshot(5, "SHOP-1 begins"), snapshot(6, "SHOP-2 begins"));
    given::<PullRequest>(&[]).when(heard(old.clone())).then(&[recorded(old.clone(), &[])]);
    let known = [recorded(old.clone(), &[])];
    given::<PullRequest>(&known).when(heard(old.clone())).then_nothing();
    given::<PullRequest>(&known).when(read(old.clone())).then_nothing();
    given::<PullRequest>(&known).when(heard(new.clone())).then(&[recorded(new.clone(), &["SHOP-1"])]);
    for how in [How::Heard, How::Read] {
        let late = told(old.clone(), Vec::new(), how);
        given::<PullRequest>(&[recorded(new.clone(), &[])]).when(late).then_nothing();
    }
}

#[test]
fn of_one_second_what_was_read_holds() {
    let (one, other) = (snapshot(5, "SHOP-1"), snapshot(5, "SHOP-2"));
    let known = [recorded(other.clone(), &[])];
    given::<PullRequest>(&known).when(heard(one.clone())).then_nothing();
    given::<PullRequest>(&known).when(read(one.clone())).then(&[recorded(one, &["SHOP-2"])]);
}

#[test]
fn a_review_is_told_once_and_stays_dismissed() {
    let (approved, dismissed) = (review(1, Verdict::Approved, 5), review(1, Verdict::Dismissed, 5));
    let known = [recorded(snapshot(5, "SHOP-1"), &[])];
    let say = |review: &Review| told(snapshot(4, "SHOP-1"), vec![review.clone()], How::Heard);
    given::<PullRequest>(&known).when(say(&approved)).then(&[reviewed(std::slice::from_ref(&approved))]);
    let known = [known[0].clone(), reviewed(std::slice::from_ref(&approved))];
    given::<PullRequest>(&known).when(say(&approved)).then_nothing();
    given::<PullRequest>(&known).when(say(&dismissed)).then(&[reviewed(std::slice::from_ref(&dismissed))]);
    let known = [known[0].clone(), reviewed(std::slice::from_ref(&dismissed))];
    given::<PullRequest>(&known).when(say(&approved)).then_nothing();
    let many: Vec<_> = (0..MOST_REVIEWS as u64 + 5).map(|id| review(id, Verdict::Commented, 5)).collect();
    let Ok(events) = PullRequest::default()
        .decide(Stamped { command: told(snapshot(5, "SHOP-1"), many, How::Read), at: Timestamp::from_seconds(9) });
    assert!(matches!(&events[1], Event::Reviewed { reviews, .. } if reviews.len() == MOST_REVIEWS));
}

#[test]
fn what_is_deleted_is_gone_until_it_is_seen_again() {
    let known = [recorded(snapshot(5, "SHOP-1"), &[])];
    given::<PullRequest>(&[]).when(DELETE).then_nothing();
    given::<PullRequest>(&known).when(DELETE).then(&[DELETED]);
    let gone = [known[0].clone(), DELETED];
    given::<PullRequest>(&gone).when(DELETE).then_nothing();
    let late = told(snapshot(6, "SHOP-2"), vec![review(1, Verdict::Approved, 6)], How::Heard);
    given::<PullRequest>(&gone).when(late).then_nothing();
    given::<PullRequest>(&gone).when(read(snapshot(5, "SHOP-1"))).then(&known);
}

#[test]
fn issues_are_found_in_title_body_and_branch_as_elsewhere() {
    let found = named_by("SHOP-1: utf-8, shop-9", "see SHOP-2 and SHOP-1", "feature/shop-3-x");
    let wanted = [("SHOP-1", 3), ("SHOP-2", 2), ("SHOP-3", 4)];
    let wanted = wanted.map(|(key, places)| (key.parse::<IssueKey>().expect("a key"), Places(places)));
    assert_eq!(found, wanted.into());
    let many: String = (1..2_000).map(|number| format!("SHOP-{number} ")).collect();
    assert_eq!(named_by("A-1 SHOP-9999", &many, "").len(), crate::issue_key::MAX_KEYS);
}

#[test]
fn a_stream_is_a_number_of_a_repository() {
    // Ids stand in the log: how they are made never changes.
    assert_eq!(PullRequest::id(REPOSITORY, 7).to_string(), "80844876-759d-5a7d-85c4-a10a9dc57087");
    assert_ne!(PullRequest::id(REPOSITORY, 7), PullRequest::id(REPOSITORY, 8));
    assert_ne!(PullRequest::id(REPOSITORY, 7), PullRequest::id(RepositoryId(Uuid::from_u128(3)), 7));
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let titles = prop::sample::select(vec!["SHOP-1", "SHOP-2 and SHOP-1", "none"]);
    let states = prop::sample::select(vec![State::Open, State::Closed, State::Merged]);
    (0..4_i64, titles, states, any::<bool>()).prop_map(|(second, title, state, draft)| Snapshot {
        state,
        draft,
        ..snapshot(second, title)
    })
}

fn any_review() -> impl Strategy<Value = Review> {
    use Verdict::{Approved, ChangesRequested, Commented, Dismissed};
    let verdicts = prop::sample::select(vec![Approved, ChangesRequested, Commented, Dismissed]);
    (0..3_u64, verdicts, 0..3_i64).prop_map(|(id, verdict, second)| review(id, verdict, second))
}

fn any_told(how: How) -> impl Strategy<Value = Command> {
    (any_snapshot(), vec(any_review(), 0..3)).prop_map(move |(snapshot, reviews)| told(snapshot, reviews, how))
}

fn after(commands: Vec<Command>) -> PullRequest {
    let mut state = PullRequest::default();
    for command in commands {
        let Ok(events) = state.decide(Stamped { command, at: Timestamp::from_seconds(9) });
        events.iter().for_each(|event| state.evolve(event));
    }
    state
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(
        commands in vec(prop_oneof![4 => any_told(How::Heard), 3 => any_told(How::Read), 1 => Just(DELETE)], 0..30)
    ) {
        histories::fold::<PullRequest>(commands)?;
    }

    /// Deliveries come in any order, twice, and beside each other.
    #[test]
    fn any_order_of_the_same_deliveries_ends_in_the_same_state(
        (told, shuffled) in vec(any_told(How::Heard), 0..12).prop_flat_map(|told| {
            let doubled: Vec<_> = told.iter().cloned().chain(told.clone()).collect();
            (Just(told), Just(doubled).prop_shuffle())
        })
    ) {
        prop_assert_eq!(after(told), after(shuffled));
    }

    /// The service is asked last: what it says holds, unless something later was heard.
    #[test]
    fn what_is_read_holds_unless_something_later_was_heard(
        told in vec(any_told(How::Heard), 0..12),
        truth in any_snapshot(),
    ) {
        let heard = after(told.clone());
        let later = heard.latest.filter(|known| known.updated_at > truth.updated_at);
        let state = after(told.into_iter().chain([read(truth.clone())]).collect());
        prop_assert_eq!(state.latest, Some(later.unwrap_or(Box::new(truth))));
    }
}
