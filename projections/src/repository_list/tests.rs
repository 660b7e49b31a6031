//! What happens to a repository and its runs, as the list shows it.

use keytrail_domain::{
    display_text::DisplayText, git_remote::GitRemote, id::IntegrationId, index_run::FailureCode,
    ref_selection::RefSelection, remote_url::RemoteUrl,
};

use super::*;
use crate::{
    fact_histories::{Log, completed, completed_anew, discovered, id, name, place, requested},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
    value::{Row, Value},
};

/// A repository, and runs of it by number.
struct Given(Log);

impl Given {
    fn discovered() -> Self {
        Self(Log::default()).discover()
    }

    fn discover(self) -> Self {
        self.fact(id(2, 1), discovered(id(1, 1), "tools", place(1)))
    }

    fn forget(self) -> Self {
        self.fact(id(2, 1), Fact::Repository(repository::Event::Forgotten {}))
    }

    fn request(self, run: u64, cause: Cause) -> Self {
        self.fact(id(3, run), requested(id(2, 1), cause))
    }

    fn complete(self, run: u64, commits: u64) -> Self {
        self.fact(id(3, run), completed(id(2, 1), commits))
    }

    fn fail(self, run: u64) -> Self {
        let text = DisplayText::clean("the folder holds no repository");
        let (repository, code) = (RepositoryId(id(2, 1)), FailureCode::NotARepository);
        self.fact(id(3, run), Fact::IndexRun(index_run::Event::Failed { repository, code, text }))
    }

    fn cancel(self, run: u64) -> Self {
        let repository = RepositoryId(id(2, 1));
        self.fact(id(3, run), Fact::IndexRun(index_run::Event::Cancelled { repository }))
    }

    fn fact(mut self, stream: uuid::Uuid, fact: Fact) -> Self {
        self.0.append(stream, fact);
        self
    }

    fn then(&self) -> Repository {
        let store = FakeStore::folded(&RepositoryList, self.0.facts(), 3);
        store.read(&REPOSITORIES, Repository::read).remove(0)
    }

    /// The sums that reads make: of commits, under the present number.
    fn commits(&self) -> i64 {
        let (number, from) = (Value::Int(self.then().number), self.then().counted_from);
        let store = FakeStore::folded(&RepositoryList, self.0.facts(), 3);
        let counts = |row: &&Row| row[1] == number && matches!(row[5], Value::Int(at) if at >= from);
        let of_number = store.stored(&RUNS).filter(counts);
        of_number.map(|row| if let Value::Int(commits) = row[3] { commits } else { 0 }).sum()
    }
}

fn second(position: i64) -> Timestamp {
    Timestamp::from_seconds(position)
}

#[test]
fn a_discovered_repository_waits() {
    let expected = Repository {
        id: RepositoryId(id(2, 1)),
        number: 1,
        integration: IntegrationId(id(1, 1)),
        name: "tools".to_owned(),
        kind: "path".to_owned(),
        location: "/srv/git/1".to_owned(),
        state: RepositoryState::Waiting,
        since: second(1),
        last_run: None,
        failure: None,
        first_indexed_at: None,
        indexed_at: None,
        indexed_position: None,
        counted_from: 0,
        trouble: None,
        archived: false,
        added_position: 1,
        seen_position: 1,
        version: 1,
        position: 1,
    };
    assert_eq!(Given::discovered().then(), expected);
}

#[test]
fn runs_add_up_under_one_number() {
    let given = Given::discovered().request(1, Cause::Discovered).complete(1, 10).request(2, Cause::Asked);
    let now = given.then();
    assert_eq!(
        (now.state, now.since, now.last_run),
        (RepositoryState::Indexing, second(4), Some(IndexRunId(id(3, 2))))
    );
    assert_eq!((now.indexed_at, now.version, now.position), (Some(second(3)), 1, 4));
    let given = given.complete(2, 5);
    assert_eq!((given.then().state, given.commits()), (RepositoryState::Indexed, 15));
}

#[test]
fn a_run_that_completes_again_counts_once() {
    let given = Given::discovered().request(1, Cause::Discovered).complete(1, 10).complete(1, 10);
    assert_eq!(given.commits(), 10);
}

#[test]
fn a_reset_counts_from_nothing() {
    let given = Given::discovered().request(1, Cause::Discovered).complete(1, 10).request(2, Cause::Reset);
    let now = given.then();
    assert_eq!((now.number, now.indexed_at, given.commits()), (4, None, 0));
    assert_eq!(given.complete(2, 7).commits(), 7);
}

#[test]
fn a_run_that_could_not_tell_what_was_new_counts_alone_and_those_after_it_add_up() {
    let given = Given::discovered().request(1, Cause::Discovered).complete(1, 10).request(2, Cause::Moved);
    let given = given.fact(id(3, 2), completed_anew(id(2, 1), 12));
    assert_eq!(given.commits(), 12);
    assert_eq!(given.request(3, Cause::Moved).complete(3, 2).commits(), 14);
}

#[test]
fn how_each_run_ended_is_remembered_whatever_comes_later() {
    let given = Given::discovered().request(1, Cause::Discovered).complete(1, 10).request(2, Cause::Asked).fail(2);
    let given = given.request(3, Cause::Reset).cancel(3).forget().discover();
    let store = FakeStore::folded(&RepositoryList, given.0.facts(), 3);
    let runs: Vec<_> = store.stored(&RUNS).map(|row| row[1..].to_vec()).collect();
    assert_eq!(
        runs,
        [
            row![1_i64, id(3, 1), 10_i64, 5_i64, 3_i64, "completed"],
            row![1_i64, id(3, 2), 0_i64, 0_i64, 5_i64, "failed"],
            row![6_i64, id(3, 3), 0_i64, 0_i64, 7_i64, "cancelled"],
        ]
    );
    let now = given.then();
    assert_eq!((now.added_position, now.seen_position, now.last_run), (1, 9, None), "it is there since it came back");
}

#[test]
fn what_is_asked_of_an_integration_is_remembered_and_that_it_is_not_wanted_any_more() {
    use integration::Event::{IndexingCancelled, ReindexRequested, ResetRequested};
    let events =
        [ReindexRequested {}, ResetRequested {}, IndexingCancelled { asked: 1 }, IndexingCancelled { asked: 9 }];
    let facts = events.into_iter().map(Fact::Integration);
    let given = facts.fold(Given(Log::default()), |given, fact| given.fact(id(1, 1), fact));
    for page in [1, 4] {
        let store = FakeStore::folded(&RepositoryList, given.0.facts(), page);
        let stored: Vec<_> = store.stored(&REQUESTS).cloned().collect();
        let index = row![id(1, 1), 1_i64, false, second(1), true];
        let reset = row![id(1, 1), 2_i64, true, second(2), false];
        assert_eq!(stored, [index, reset]);
    }
}

#[test]
fn a_failure_is_told_until_a_run_completes() {
    let given = Given::discovered().request(1, Cause::Discovered).fail(1);
    let failure = Some((FailureCode::NotARepository, "the folder holds no repository".to_owned()));
    assert_eq!((given.then().state, given.then().failure), (RepositoryState::Failed, failure.clone()));
    let given = given.request(2, Cause::Asked);
    assert_eq!((given.then().state, given.then().failure), (RepositoryState::Indexing, failure));
    assert_eq!(given.complete(2, 1).then().failure, None);
}

#[test]
fn cancelling_leaves_what_was_indexed_before() {
    let given = Given::discovered().request(1, Cause::Discovered).cancel(1);
    assert_eq!(given.then().state, RepositoryState::Waiting);
    let given = given.request(2, Cause::Asked).complete(2, 1).request(3, Cause::Asked).cancel(3);
    assert_eq!(given.then().state, RepositoryState::Indexed);
}

#[test]
fn a_forgotten_repository_is_not_touched_by_its_runs() {
    let given = Given::discovered().request(1, Cause::Discovered).forget().fail(1).request(2, Cause::Asked);
    let now = given.then();
    assert_eq!((now.state, now.since, now.position, now.version), (RepositoryState::Forgotten, second(3), 3, 2));
}

#[test]
fn who_comes_back_has_a_new_number_and_the_old_place() {
    let given = Given::discovered().request(1, Cause::Discovered).forget().discover().complete(1, 10);
    let now = given.then();
    assert_eq!((now.number, now.added_position, now.state), (4, 1, RepositoryState::Waiting));
    assert_eq!((now.last_run, given.commits()), (None, 0));
}

#[test]
fn reads_fit_their_tables() {
    let mut reads = vec![
        by_id(RepositoryId(id(2, 1))),
        page(None, None, None, 10),
        page(None, Some(RepositoryState::Failed), Some(3), 10),
        page(Some(IntegrationId(id(1, 1))), Some(RepositoryState::Failed), Some(3), 10),
    ];
    for sort in Sort::ALL {
        let place = ListPlace::of(*sort, &Given::discovered().then());
        let filter = Filter { trouble: Some(true), name: Some("a".into()), ..Filter::default() };
        reads.push(listing(&filter, *sort, false, None, 10));
        reads.push(listing(&filter, *sort, true, Some(&place), 10));
    }
    for read in reads {
        check_read(&read);
        check_columns(&read, &REPOSITORIES, "r.");
    }
    check_read(&indexing(IntegrationId(id(1, 1))));
    check_read(&reindexed(IntegrationId(id(1, 1)), 3));
    check_read(&reset(IntegrationId(id(1, 1)), 3));
    for is_reset in [false, true] {
        check_read(&request(is_reset, IntegrationId(id(1, 1)), 3));
        check_read(&under_way(is_reset, (IntegrationId(id(1, 1)), 3), 10));
    }
    check_read(&briefs_changed(3, 10));
    check_read(&briefs_of(IntegrationId(id(1, 1)), Some(3), 10));
    check_read(&named(&[RepositoryId(id(2, 1)), RepositoryId(id(2, 2))]));
}

#[test]
fn the_first_run_that_completed_is_remembered_until_a_reset() {
    let given =
        Given::discovered().request(1, Cause::Discovered).complete(1, 1).request(2, Cause::Asked).complete(2, 1);
    assert_eq!((given.then().first_indexed_at, given.then().indexed_at), (Some(second(3)), Some(second(5))));
    assert_eq!(given.request(3, Cause::Reset).then().first_indexed_at, None);
}

#[test]
fn an_integration_says_whether_its_repositories_are_mirrored() {
    let remote = RemoteUrl::parse("https://git.example/shop.git").expect("an address").url;
    let copied =
        Connection::Path { path: "/srv/shop".into(), reading: Reading::Mirrored, refs: RefSelection::default() };
    let in_place = Connection::path("/srv/shop");
    let added = |connection: Connection| integration::Event::Added { name: name("shop"), connection };
    let moved = integration::Event::ConnectionChanged { connection: copied.clone(), previous: in_place.clone() };
    for (events, mirrored) in [
        (vec![added(in_place.clone())], false),
        (vec![added(copied)], true),
        (vec![added(Connection::Git(Box::new(GitRemote::at(remote))))], true),
        (vec![added(in_place), moved], true),
    ] {
        let facts = events.into_iter().map(Fact::Integration);
        let given = facts.fold(Given(Log::default()), |given, fact| given.fact(id(1, 1), fact));
        let store = FakeStore::folded(&RepositoryList, given.0.facts(), 3);
        let stored: Vec<_> = store.stored(&READINGS).cloned().collect();
        assert_eq!(stored, [row![id(1, 1), mirrored]]);
    }
}
