//! How far an integration is with indexing its repositories for the first time: what the list of repositories counts, by
//! value.

use std::sync::Arc;

use keytrail::{log::Lane, store::Db};
use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IntegrationId, RepositoryId},
    index_run::{self, Cause, Counts, FailureCode},
    metadata::{Actor, Metadata, Source},
    recorded::StreamId,
    repository,
    timestamp::Timestamp,
};
use keytrail_projections::repository_list::{Indexing, RepositoryList, indexing};

use super::Node;
use crate::samples::{new_stream, of_facts, place};

on_both_engines!(
    repositories_that_are_indexed_fail_or_wait_are_counted_once_and_those_of_others_not,
    what_was_indexed_long_ago_says_nothing_of_those_that_wait_today,
);

/// A log and the list, of one integration.
struct Stage {
    node: Node,
    integration: IntegrationId,
}

/// A repository and the run that was asked for last.
#[derive(Clone, Copy)]
struct Seen {
    repository: StreamId,
    run: StreamId,
}

impl Seen {
    fn id(self) -> RepositoryId {
        RepositoryId(self.repository.id)
    }
}

impl Stage {
    async fn new(db: &Arc<Db>) -> Self {
        Self { node: Node::start(db, "one", &[&RepositoryList]).await, integration: IntegrationId(new_stream().id) }
    }

    /// Something that happened at this second.
    async fn at(&self, second: i64, stream: StreamId, fact: Fact) {
        let log = &self.node.log;
        let after = log.stream(stream, i64::MAX).await.expect("the log can be read").len();
        let mut append = of_facts(stream, i64::try_from(after).expect("few"), &[fact]);
        let metadata = Metadata {
            at: Timestamp::from_seconds(second),
            actor: Actor::Local,
            source: Source::Cli,
            request_id: None,
            causation: None,
            trace: None,
        };
        append.events[0].metadata = serde_json::to_string(&metadata).expect("metadata become JSON");
        log.appender().append(Lane::Interactive, append).await.expect("nothing stands against it");
    }

    async fn discovered_of(&self, integration: IntegrationId, second: i64, name: &str) -> Seen {
        let stream = |kind| StreamId::new(kind, new_stream().id);
        let seen = Seen { repository: stream("repository"), run: stream("index_run") };
        let event =
            repository::Event::Discovered { integration, name: DisplayText::clean(name), location: place(name) };
        self.at(second, seen.repository, Fact::Repository(event)).await;
        seen
    }

    async fn discovered(&self, second: i64, name: &str) -> Seen {
        self.discovered_of(self.integration, second, name).await
    }

    async fn run(&self, second: i64, seen: Seen, event: index_run::Event) {
        self.at(second, seen.run, Fact::IndexRun(event)).await;
    }

    async fn asked(&self, second: i64, seen: Seen) {
        let event = index_run::Event::Requested { repository: seen.id(), cause: Cause::Discovered };
        self.run(second, seen, event).await;
    }

    async fn completed(&self, second: i64, seen: Seen) {
        self.asked(second - 1, seen).await;
        let event = index_run::Event::Completed { repository: seen.id(), counts: Counts::default() };
        self.run(second, seen, event).await;
    }

    async fn failed(&self, second: i64, seen: Seen) {
        self.asked(second - 1, seen).await;
        let (code, text) = (FailureCode::NotARepository, DisplayText::clean("there is none"));
        self.run(second, seen, index_run::Event::Failed { repository: seen.id(), code, text }).await;
    }

    async fn unreachable(&self, second: i64, seen: Seen) {
        let (code, text) = (FailureCode::ConnectionRefused, DisplayText::clean("nobody listens"));
        self.at(second, seen.repository, Fact::Repository(repository::Event::Unreachable { code, text })).await;
    }

    /// What the view says.
    async fn found(&self) -> Indexing {
        self.node.caught_up(&RepositoryList).await;
        let rows = self.node.views.read(indexing(self.integration)).await.expect("the view is live");
        assert_eq!(rows.len(), 1);
        rows[0]
    }
}

fn second(second: i64) -> Option<Timestamp> {
    Some(Timestamp::from_seconds(second))
}

async fn repositories_that_are_indexed_fail_or_wait_are_counted_once_and_those_of_others_not(db: Arc<Db>) {
    let stage = Stage::new(&db).await;
    assert_eq!(stage.found().await, Indexing::default(), "nothing is known of it");
    let mut all = Vec::new();
    for number in 0..15 {
        all.push(stage.discovered(100 + number, &format!("r{number}")).await);
    }
    let waiting = Indexing { repositories: 15, waiting_since: second(100), ..Indexing::default() };
    assert_eq!((stage.found().await, waiting.waiting()), (waiting, 15));

    for number in 0..8 {
        stage.completed(200 + number, all[number as usize]).await;
    }
    // The one that has waited longest is the ninth now.
    let some = Indexing { indexed: 8, indexed_since: 8, waiting_since: second(108), ..waiting };
    assert_eq!((stage.found().await, some.waiting()), (some, 7));

    // Another integration's count there.
    let other = stage.discovered_of(IntegrationId(new_stream().id), 50, "another").await;
    stage.completed(210, other).await;
    assert_eq!(stage.found().await, some);

    stage.failed(220, all[8]).await;
    let one_failed = Indexing { failed: 1, waiting_since: second(109), ..some };
    assert_eq!((stage.found().await, one_failed.waiting()), (one_failed, 6));
    // A run that is under way waits since it was asked for.
    stage.asked(221, all[9]).await;
    let under_way = Indexing { waiting_since: second(110), ..one_failed };
    assert_eq!(stage.found().await, under_way);
    // One that cannot be looked at makes the rest a guess; one that was indexed before does not.
    stage.unreachable(222, all[10]).await;
    stage.unreachable(222, all[0]).await;
    let stuck = Indexing { stuck: 1, ..under_way };
    assert_eq!(stage.found().await, stuck);
    stage.at(223, all[10].repository, Fact::Repository(repository::Event::Reachable {})).await;
    assert_eq!(stage.found().await, under_way);
    // Who is gone is counted nowhere.
    for gone in [all[14], all[1]] {
        stage.at(224, gone.repository, Fact::Repository(repository::Event::Forgotten {})).await;
    }
    let left = Indexing { repositories: 13, indexed: 7, indexed_since: 7, ..under_way };
    assert_eq!((stage.found().await, left.waiting()), (left, 5));
    let event = index_run::Event::Completed { repository: all[9].id(), counts: Counts::default() };
    stage.run(230, all[9], event).await;
    for number in 10..14 {
        stage.completed(230 + number, all[number as usize]).await;
    }
    // Nobody waits, so there is nothing to compare with.
    let done = Indexing { repositories: 13, indexed: 12, failed: 1, ..Indexing::default() };
    assert_eq!((stage.found().await, done.waiting()), (done, 0));
    stage.node.stop().await;
}

async fn what_was_indexed_long_ago_says_nothing_of_those_that_wait_today(db: Arc<Db>) {
    let stage = Stage::new(&db).await;
    for number in 0..6 {
        let seen = stage.discovered(100, &format!("old{number}")).await;
        stage.completed(101 + number, seen).await;
    }
    let mut new = Vec::new();
    for number in 0..3 {
        new.push(stage.discovered(1_000, &format!("new{number}")).await);
    }
    let found = Indexing { repositories: 9, indexed: 6, waiting_since: second(1_000), ..Indexing::default() };
    assert_eq!(stage.found().await, found);
    // At the very second counts.
    stage.completed(1_000, new[0]).await;
    assert_eq!(stage.found().await, Indexing { indexed: 7, indexed_since: 1, ..found });
    stage.node.stop().await;
}
