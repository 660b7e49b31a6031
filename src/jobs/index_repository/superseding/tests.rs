//! What runs that did not complete said of commits is known to the next one, whenever they said it.

use std::time::Duration;

use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IndexRunId, IntegrationId, RepositoryId},
    index_run::{
        Cause, Command, IndexRun,
        batch::{Commit, CommitBatch, Cursor, Places, STREAM_TYPE},
    },
    integration::{self, Integration, IntegrationName},
    issue_key::IssueKey,
    person::PersonId,
    recorded::StreamId,
    ref_selection::RefSelection,
    service::{Connection, Reading},
};
use keytrail_projections::repository_list;
use keytrail_test_support::repositories::Repository;

use super::{super::recorder::Recorder, *};
use crate::{
    app::{App, Context},
    ids,
    jobs::tests::start,
};

async fn until<T>(what: &str, found: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = found().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come true that {what}");
}

async fn say(app: &Arc<App>, run: IndexRunId, command: Command) {
    app.dispatch::<IndexRun>(run.0, command, Context::server("case", 0), Vec::new()).await.expect("it is so");
}

/// Asks for a run and waits until it is complete; what it recorded.
async fn said_by_another_run(app: &Arc<App>, repository: RepositoryId) -> Vec<Event> {
    let run = IndexRunId(ids::new_id());
    say(app, run, Command::Request { repository, cause: Cause::Asked }).await;
    until("it is complete", async || {
        let (state, _) = app.load::<IndexRun>(StreamId::new("index_run", run.0)).await.expect("it can be read");
        (state == IndexRun::Completed).then_some(())
    })
    .await;
    let said = app.log.stream(StreamId::new(STREAM_TYPE, run.0), i64::MAX).await.expect("the log can be read");
    let said = said.into_iter().filter_map(|recorded| match recorded.fact {
        Fact::IndexBatch(event) => Some(event),
        _ => None,
    });
    said.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_said_that_did_not_complete_is_set_right_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().canonicalize().expect("it is there");
    let repository = Repository::init(&path.join("shop.git"), &["--bare"]).expect("a repository");
    let tip = repository.commit("refs/heads/main", "SHOP-1 one", &[]).expect("a commit");
    let app = start(&path).await;

    let place = repository.path.to_str().expect("UTF-8").to_owned();
    let connection = Connection::Path { path: place, reading: Reading::InPlace, refs: RefSelection::default() };
    let integration = IntegrationId(ids::new_id());
    let id = RepositoryId::of(integration, &connection.natural_key());
    // The worker of the first run waits.
    let graph = app.jobs.graph_of(id);
    let held = graph.lock().await;
    let command = integration::Command::Add {
        name: IntegrationName::parse("shop").expect("a name"),
        connection,
        web_links: None,
    };
    let context = Context::server("case", 0);
    app.dispatch::<Integration>(integration.0, command, context, Vec::new()).await.expect("it is added");
    let filter = Filter { repository: Some(id), ..Filter::default() };
    let first = until("a run is asked for", async || {
        let runs = app.read(index_runs::page(filter, Order::NewestFirst, None, 1)).await.ok()?;
        Some(runs.first()?.id)
    })
    .await;
    let number = until("the repository is listed", async || {
        let rows = app.read(repository_list::by_id(id)).await.ok()?;
        Some(rows.into_iter().next()?.repository.number)
    })
    .await;
    // As it does while the branch leads elsewhere; then it ends before its end.
    say(&app, first, Command::Start { number }).await;
    let mut recorder = Recorder::new(&app, first, id, number, 0, None);
    recorder.recorded().await.expect("an empty stream");
    let gone = CommitSet { repository: id, number, commits: vec![tip.parse().expect("a name")] };
    recorder.record(Event::CommitsSuperseded(gone.clone())).await.expect("it is recorded");
    say(&app, first, Command::Cancel).await;
    drop(held);

    let said = said_by_another_run(&app, id).await;
    assert!(said.contains(&Event::CommitsRestored(gone)), "{said:?}");

    // The node of the first run slept until now, and goes on where it was: with what nothing leads to any more.
    let late = Commit {
        sha: CommitSha([7; 20]),
        author: PersonId(ids::new_id()),
        authored_at: 1,
        committed_at: 1,
        subject: DisplayText::clean("SHOP-9 late"),
        introduced_by: "refs/heads/main".into(),
        keys: vec![("SHOP-9".parse::<IssueKey>().expect("a key"), Places::SUBJECT)],
    };
    let (cursor, commits) = (Cursor { generation: 1, sha: late.sha }, vec![late.clone()]);
    let batch = CommitBatch { repository: id, number, extractor: 1, cursor, walked: 1, default_branch: None, commits };
    recorder.record(Event::CommitsRecorded(batch)).await.expect("it is recorded");
    let said = said_by_another_run(&app, id).await;
    let gone = CommitSet { repository: id, number, commits: vec![late.sha] };
    assert!(said.contains(&Event::CommitsSuperseded(gone)), "{said:?}");
    app.stop().await;
}
