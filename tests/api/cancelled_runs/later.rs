//! A run after the first is cancelled, in each of its phases. Before it records anything, everything is as it was, to the
//! byte. Then the facts that it found stay, and the run after it says the rest: what was known is shown as before, nothing
//! counts as looked at, and nothing as superseded.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use keytrail_domain::id::RepositoryId;

use super::*;

/// What a person reads, and what lies on the disk.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    issues: Vec<Value>,
    row: [Value; 5],
    copy: BTreeMap<PathBuf, Option<Vec<u8>>>,
    refs: String,
    graph: Vec<u8>,
}

impl Stage {
    /// Its repository is indexed, and has one branch that nothing else leads to.
    async fn indexed(transport: Transport) -> Self {
        let stage = Self::new(300, transport).await;
        let tip = stage.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        stage.repository.commit("refs/heads/gone", "GONE-1 soon", &[tip.trim()]).expect("a commit");
        let run = stage.first_run().await;
        let ended = stage.ask(Method::GET, &format!("/api/v1/index-runs/{run}?wait_ms=30000")).await;
        assert_eq!(ended.body["state"], "completed", "{}", ended.text);
        let graph = stage.app.caches.graph(stage.id().await);
        soon("its commits are remembered", || async { graph.exists() }).await;
        soon("nobody works on it", || async { stage.is_idle().await }).await;
        stage
    }

    async fn id(&self) -> RepositoryId {
        self.repository_row().await["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
    }

    /// Far more commits on the server, and one branch less.
    fn moves_on(&self) {
        let shape = Shape {
            seed: 7,
            commits: 24_000,
            keyed_percent: 100,
            projects: vec!["MORE".to_owned()],
            ..Shape::default()
        };
        let more = generate(&self.repository.path.with_file_name("more.git"), &shape).expect("git works");
        let from = more.path.to_str().expect("UTF-8").to_owned();
        self.repository.git(&["fetch", "-q", &from, "+refs/heads/*:refs/heads/more/*"]).expect("git works");
        self.repository.git(&["update-ref", "-d", "refs/heads/gone"]).expect("it is gone");
    }

    async fn another_run(&self) -> String {
        let asked = self.ask(Method::POST, &format!("/api/v1/repositories/{}/index-runs", self.id().await)).await;
        asked.with(StatusCode::ACCEPTED).id()
    }

    /// All that there is, once the views hold all that was recorded.
    async fn seen(&self) -> Seen {
        let at = self.app.log.feed().head().position;
        let mut issues = Vec::new();
        for key in (1..40).map(|number| format!("DEMO-{number}")).chain(["GONE-1".to_owned()]) {
            for part in ["", "/commits"] {
                let answer = self.ask(Method::GET, &format!("/api/v1/issues/{key}{part}?min_position={at}")).await;
                // Where the views stand is another thing than what they show.
                let mut body = answer.body;
                body.as_object_mut().into_iter().for_each(|body| {
                    body.remove("position");
                    body.remove("request_id");
                });
                issues.push(body);
            }
        }
        let path = format!("/api/v1/repositories/{}?min_position={at}", self.id().await);
        let row = self.ask(Method::GET, &path).await.with(StatusCode::OK).body;
        let id = self.id().await;
        let mirror = self.app.caches.mirror(id);
        let copy = Repository { path: mirror.clone() };
        Seen {
            issues,
            row: ["state", "commits", "keyed", "indexed_at", "failure"].map(|name| row[name].clone()),
            refs: copy.git_line(&["for-each-ref"]).expect("git works"),
            copy: entries(&mirror, &mirror),
            graph: fs::read(self.app.caches.graph(id)).expect("a file"),
        }
    }
}

/// Every folder and file below one, files with their bytes.
fn entries(root: &Path, folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below it").to_owned();
        if path.is_dir() {
            found.extend(entries(root, &path));
            found.insert(name, None);
        } else {
            found.insert(name, Some(fs::read(&path).expect("a file")));
        }
    }
    found
}

async fn leaves_everything_as_it_was(transport: Transport, fault: Fault, phase: &str) {
    let stage = Stage::indexed(transport).await;
    let before = stage.seen().await;
    stage.moves_on();
    stage.relay.set(fault);
    let run = stage.another_run().await;
    stage.is_in(&run, phase).await;
    stage.cancel(&run).await;
    assert_eq!(stage.recorded(&run).await, [], "nothing was recorded");
    let after = stage.seen().await;
    let names = |seen: &Seen| seen.copy.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before), "nothing is left over");
    assert_eq!(after.refs, before.refs);
    assert!(after == before, "{:?} {:?}", after.row, before.row);
    stage.completes_with(1).await;
    stage.stop().await;
}

async fn one_that_is_cancelled_while_the_server_is_silent_leaves_everything_as_it_was(transport: Transport) {
    leaves_everything_as_it_was(transport, Fault::Stalls(0), "listing").await;
}

async fn one_that_is_cancelled_while_objects_trickle_leaves_everything_as_it_was(transport: Transport) {
    leaves_everything_as_it_was(transport, Fault::Trickles(PART), "fetching").await;
}

async fn one_that_is_cancelled_while_no_more_objects_come_leaves_everything_as_it_was(transport: Transport) {
    leaves_everything_as_it_was(transport, Fault::Stalls(PART), "fetching").await;
}

/// What was found stays, and nothing that was known is shown otherwise than before.
async fn keeps_what_it_found(transport: Transport, records: bool) {
    let stage = Stage::indexed(transport).await;
    let before = stage.seen().await;
    let [.., gone, _] = &before.issues[..] else { panic!("no issues") };
    assert_eq!((&gone["commits"], &gone["superseded"]), (&json!(1), &json!(0)), "{gone}");
    stage.moves_on();
    let run = stage.another_run().await;
    soon("it came so far", || async {
        match records {
            true => stage
                .recorded(&run)
                .await
                .iter()
                .any(|fact| matches!(fact, Fact::IndexBatch(Event::CommitsRecorded(_)))),
            false => stage.progress(&run).await["commits"].as_u64() > Some(0),
        }
    })
    .await;
    stage.cancel(&run).await;
    let found = stage.recorded(&run).await;
    assert!(found.iter().any(|fact| matches!(fact, Fact::IndexBatch(Event::RefsMoved(_)))), "it had begun to record");
    let says_more =
        |fact: &Fact| matches!(fact, Fact::IndexBatch(Event::CommitsSuperseded(_) | Event::CommitsRestored(_)));
    assert!(!found.iter().any(says_more), "that is for a run that comes to its end");
    let after = stage.seen().await;
    assert_eq!(after.issues, before.issues, "what was known is shown as before");
    assert_eq!((&after.row, after.graph == before.graph), (&before.row, true), "nothing counts as looked at");
    stage.completes_with(1).await;
    let at = stage.app.log.feed().head().position;
    let gone =
        stage.ask(Method::GET, &format!("/api/v1/issues/GONE-1?min_position={at}")).await.with(StatusCode::OK).body;
    assert_eq!((&gone["commits"], &gone["superseded"]), (&json!(1), &json!(1)), "{gone}");
    stage.stop().await;
}

async fn one_that_is_cancelled_while_it_walks_changes_nothing_of_what_was_known(transport: Transport) {
    keeps_what_it_found(transport, false).await;
}

async fn one_that_is_cancelled_while_it_records_changes_nothing_of_what_was_known(transport: Transport) {
    keeps_what_it_found(transport, true).await;
}

by_both_transports!(
    one_that_is_cancelled_while_the_server_is_silent_leaves_everything_as_it_was,
    one_that_is_cancelled_while_objects_trickle_leaves_everything_as_it_was,
    one_that_is_cancelled_while_no_more_objects_come_leaves_everything_as_it_was,
    one_that_is_cancelled_while_it_walks_changes_nothing_of_what_was_known,
    one_that_is_cancelled_while_it_records_changes_nothing_of_what_was_known,
);
