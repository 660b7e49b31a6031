//! File systems of this machine that hang while runs read them: no run keeps its worker, what is well is indexed meanwhile,
//! and what hung is indexed once it answers. Whoever looks at a commit there, or wants to add what lies there, is told.

use std::{path::Path, sync::Arc, time::Duration};

use keytrail::{
    app::App,
    clock::Clock,
    jobs::{Asked, DiffTrouble, Part, commit_changes},
    store::{Area, Statement},
};
use keytrail_domain::{
    id::RepositoryId,
    index_run::{FailureCode, batch::CommitSha},
    ref_selection::RefSelection,
    service::{Connection, Reading},
};
use keytrail_projections::{issue_commits, repository_list};
use keytrail_test_support::{
    hanging::{Hanging, Hangs},
    repositories::Repository,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    indexing::indexed,
    nodes::{connect, node_with},
    server::{Server, answer, on_both_engines, soon},
    transports::{Transport, by_both_transports},
};

/// One of them does only what is done soon.
const WORKERS: usize = 3;
const WAYS: [Reading; 2] = [Reading::InPlace, Reading::Mirrored];

/// Waits longer than a file system has before it counts as silent, which is ten seconds.
async fn in_time<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..6_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come true that {what}");
}

async fn add(app: &App, name: &str, path: &Path, reading: Reading) -> RepositoryId {
    let path = path.to_str().expect("UTF-8").to_owned();
    let connection = Connection::Path { path, reading, refs: RefSelection::default() };
    let key = connection.natural_key();
    RepositoryId::of(connect(app, name, connection).await, &key)
}

async fn is_indexed(app: &App, key: &str) -> bool {
    let read = issue_commits::commits_of_issue(&key.parse().expect("a key"), None, None, 10);
    // A view that is not built yet shows nothing.
    app.read(read).await.unwrap_or_default().len() == 1
}

async fn node(folder: &Path, transport: Transport) -> Arc<App> {
    let app = node_with(folder, None, Clock::System, |config| {
        config.jobs.workers = WORKERS;
        config.git.free_bytes = 0;
        config.git.silence_seconds = 1;
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
        transport.set(&mut config.git);
    })
    .await;
    transport.is_used_by(&app);
    app
}

async fn repositories_that_hang_keep_no_others_waiting_and_are_indexed_once_they_answer(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("it is there");
    let app = node(&root, transport).await;
    // More than there are workers: in each phase, of each way to read.
    let mut hanging = Vec::new();
    for (number, (reading, hangs)) in
        WAYS.into_iter().flat_map(|reading| [Hangs::Tip, Hangs::Parent].map(|hangs| (reading, hangs))).enumerate()
    {
        let key = ["ALPHA", "BRAVO", "CHARLIE", "DELTA"][number];
        let made = Hanging::make(&root.join(key), key, hangs).expect("git and a lease work");
        add(&app, &key.to_lowercase(), &made.repository.path, reading).await;
        hanging.push((key, made));
    }
    assert!(hanging.len() > WORKERS);
    let sql = "SELECT 1 FROM jobs WHERE kind = 'index_repository' AND state = 'running'";
    in_time("some are at work", || async {
        app.db.read(Area::Log, sql, &[]).await.expect("the jobs").len() >= WORKERS - 1
    })
    .await;
    for (reading, key) in WAYS.into_iter().zip(["YANKEE", "ZULU"]) {
        let well = Repository::init(&root.join(key), &["--bare"]).expect("a repository");
        well.commit("refs/heads/main", &format!("{key}-1 is well"), &[]).expect("a commit");
        add(&app, &key.to_lowercase(), &well.path, reading).await;
    }
    in_time("those that are well are indexed", || async {
        is_indexed(&app, "YANKEE-1").await && is_indexed(&app, "ZULU-1").await
    })
    .await;
    in_time("those that hang say so", || async {
        let sql = "SELECT last_error FROM jobs WHERE kind = 'index_repository' AND last_error IS NOT NULL";
        let told = app.db.read(Area::Log, sql, &[]).await.expect("the jobs");
        let told: Vec<String> = told.iter().map(|row| format!("{row:?}")).collect();
        told.iter().filter(|why| why.contains("has not answered for")).count() == hanging.len()
    })
    .await;
    for (key, made) in &mut hanging {
        assert!(!is_indexed(&app, &format!("{key}-2")).await, "nothing of it was recorded");
        made.come_back().expect("it is put back");
    }
    in_time("they are indexed", || async {
        // Nobody waits for the pauses between tries.
        let now = Statement::new("UPDATE jobs SET run_after = 0 WHERE state = 'waiting'", vec![]);
        app.db.write(Area::Log, vec![now]).await.expect("it is SQL");
        for (key, _) in &hanging {
            if !is_indexed(&app, &format!("{key}-1")).await || !is_indexed(&app, &format!("{key}-2")).await {
                return false;
            }
        }
        true
    })
    .await;
    app.stop().await;
}

async fn who_looks_at_a_copy_waits_for_no_more_than_the_copy_lacks(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("it is there");
    let app = node(&root, transport).await;
    let mut made = Hanging::make(&root.join("share"), "NAS", Hangs::Configuration).expect("git and a lease work");
    made.come_back().expect("it is put back");
    let tip = made.repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
    let last = made.repository.commit_with_files("refs/heads/main", "NAS-3 three", ["one", "two"], &[&tip]);
    let commit: CommitSha = last.expect("a commit").parse().expect("a name");
    let id = add(&app, "nas", &made.repository.path, Reading::Mirrored).await;
    in_time("it is indexed", || is_indexed(&app, "NAS-3")).await;
    let listed = app.read(repository_list::by_id(id)).await.expect("the list").pop();
    let row = listed.expect("it is in it").repository;
    let changed = |part| commit_changes(&app, &row, Asked { commit, parent: None, part });

    made.go_away().expect("a lease works");
    let silent = Some(FailureCode::FileSystemSilent);
    for part in [Part::Files, Part::Lines, Part::Files] {
        match (transport, changed(part).await) {
            // The git program left folders and files out of the copy.
            (Transport::GitProgram, Err(DiffTrouble::Unreadable { code, is_transient: true, .. }))
                if code == silent => {}
            (Transport::InProcess, Ok(changes)) => assert_eq!(changes.files.total, 2),
            (_, other) => panic!("{other:?}"),
        }
    }
    made.come_back().expect("it is put back");
    in_time("what changed is shown", || async {
        changed(Part::Lines).await.is_ok_and(|changes| changes.lines.len() == 2)
    })
    .await;
    app.stop().await;
}

by_both_transports!(
    repositories_that_hang_keep_no_others_waiting_and_are_indexed_once_they_answer,
    who_looks_at_a_copy_waits_for_no_more_than_the_copy_lacks,
);

async fn who_looks_at_a_commit_on_a_share_that_hangs_is_told_to_come_again(server: Server) {
    let mut made =
        Hanging::make(&server.root.join("share"), "NAS", Hangs::Configuration).expect("git and a lease work");
    made.come_back().expect("it is put back");
    let well = Repository::init(&server.root.join("well"), &["--bare"]).expect("a repository");
    well.commit("refs/heads/main", "WELL-1 is well", &[]).expect("a commit");
    let place = async |name: &str, repository: &Repository| {
        let row = indexed(&server, name, &repository.path).await;
        let tip = repository.git_line(&["rev-parse", "refs/heads/main"]).expect("a commit");
        format!("/api/v1/repositories/{}/commits/{tip}", row["id"].as_str().expect("an id"))
    };
    let (hangs, answers) = (place("nas", &made.repository).await, place("well", &well).await);

    made.go_away().expect("a lease works");
    let (files, diff) = (format!("{hangs}/files"), format!("{hangs}/diff"));
    for _ in 0..2 {
        let (files, diff, commit) = tokio::join!(server.get(&files), server.get(&diff), server.get(&hangs));
        for told in [files, diff] {
            let told = told.refused(502, "repository_unreadable");
            assert_eq!(told.body["reason"], "file_system_silent", "{}", told.text);
            assert!(told.headers.contains_key("retry-after"), "{}", told.text);
        }
        // It is shown as the log has it, without what its object says.
        assert_eq!(commit.with(StatusCode::OK).body["committer"], Value::Null);
        server.get(&format!("{answers}/files")).await.with(StatusCode::OK);
    }
    made.come_back().expect("it is put back");
    soon("what changed is shown", || async { server.get(&diff).await.status == StatusCode::OK }).await;
    server.get(&files).await.with(StatusCode::OK);
    assert_ne!(server.get(&hangs).await.with(StatusCode::OK).body["committer"], Value::Null);
}

async fn who_adds_or_changes_a_path_on_a_share_that_hangs_is_told_to_come_again(server: Server) {
    let admin = server.token("admin").await;
    let mut made =
        Hanging::make(&server.root.join("share"), "NAS", Hangs::Configuration).expect("git and a lease work");
    let path = made.repository.path.clone();
    let [first, second, third] = ["first", "second", "third"]
        .map(|name| Repository::init(&server.root.join(name), &["--bare"]).expect("a repository").path);
    let added = server.add("first", &first).await.with(StatusCode::CREATED);
    let at = format!("/api/v1/integrations/{}/connection", added.id());
    let nas = json!({ "kind": "path", "path": path });
    let change = || {
        let body = json!({ "connection": nas });
        answer(server.local(Method::PUT, &at).header("If-Match", "*").json(&body))
    };
    // Who may add only what lies below a root is told as well.
    let add_remotely = || {
        let body = json!({ "name": "nas", "connection": nas });
        answer(server.request(Method::POST, "/api/v1/integrations").bearer_auth(&admin).json(&body))
    };
    for well in [&second, &third] {
        let name = well.file_name().and_then(|name| name.to_str()).expect("a name");
        let (local, remote, changed, beside) =
            tokio::join!(server.add("nas", &path), add_remotely(), change(), server.add(name, well));
        for told in [local, remote, changed] {
            let told = told.refused(503, "file_system_silent");
            assert!(told.headers.contains_key("retry-after"), "{}", told.text);
        }
        beside.with(StatusCode::CREATED);
    }
    assert_eq!(server.get("/api/v1/integrations").await.items().len(), 3, "nothing was added");

    made.come_back().expect("it is put back");
    soon("it is added", || async { add_remotely().await.status == StatusCode::CREATED }).await;
    change().await.refused(409, "connection_taken");
}

on_both_engines!(
    reaching_this_machine_impatiently;
    who_looks_at_a_commit_on_a_share_that_hangs_is_told_to_come_again,
    who_adds_or_changes_a_path_on_a_share_that_hangs_is_told_to_come_again,
);
