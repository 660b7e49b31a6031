//! What a commit changed, asked for over HTTP; and how often the repository's server is asked for it.

use std::{collections::HashSet, path::Path, sync::Arc};

use keytrail::{
    app::App,
    clock::Clock,
    git::diff::Content,
    jobs::{Asked, DiffTrouble, Part, commit_changes},
};
use keytrail_domain::{
    git_remote::GitRemote, index_run::FailureCode, index_run::batch::CommitSha, ref_selection::RefSelection,
    remote_url::RemoteUrl, service::Connection, service::Reading,
};
use keytrail_projections::repository_list::{self, Repository as Row, RepositoryState};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    server::{Home, Options},
    web_server::WebServer,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::{
    command_line::{done, failed, lines, text},
    indexing::indexed,
    nodes::{connect, node_with},
    repository::{self, git},
    server::{Server, on_both_engines, soon},
    transports::{Transport, by_both_transports},
};

/// Commits what is in the folder. Its name.
fn commit_all(path: &Path, message: &str) -> String {
    git(path, &["add", "-A"]);
    repository::commit(path, message);
    name(path, "HEAD")
}

fn name(path: &Path, revision: &str) -> String {
    let repository = Repository { path: path.to_owned() };
    repository.git_line(&["rev-parse", revision]).expect("a name").trim().to_owned()
}

/// Three commits: one with two files, one that changes, moves and adds, and a merge. Their names.
pub(crate) fn with_files(path: &Path) -> [String; 3] {
    repository::empty(path);
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).expect("a file");
    write("stays", b"one\ntwo things\nthree\n");
    write("moves", (0..30).map(|line| format!("line {line}\n")).collect::<String>().as_bytes());
    let first = commit_all(path, "SHOP-1 begins");
    write("stays", b"one\ntwo other things\nthree\n");
    write("picture", b"\x89PNG\0\x01");
    git(path, &["mv", "moves", "moved <b>"]);
    let second = commit_all(path, "no key");
    git(path, &["checkout", "-q", "-b", "side", &first]);
    write("side", b"side\n");
    commit_all(path, "SHOP-1 side");
    git(path, &["merge", "-q", "--no-edit", "main"]);
    [first, second, name(path, "HEAD")]
}

async fn what_a_commit_changed_is_shown(server: Server) {
    let path = server.root.join("shop");
    let [first, second, merge] = with_files(&path);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let at = |sha: &str, rest: &str| format!("/api/v1/repositories/{id}/commits/{sha}/{rest}");

    let files = server.get(&at(&second, "files")).await.with(StatusCode::OK);
    assert_eq!(
        (&files.body["commit"], &files.body["parent"], &files.body["parents"], &files.body["total"]),
        (&json!(second), &json!(first), &json!(1), &json!(3))
    );
    let brief = |file: &serde_json::Value| {
        json!([file["path"], file["status"], file["content"], file["added"], file["removed"]])
    };
    let found: Vec<_> = files.body["files"].as_array().expect("files").iter().map(brief).collect();
    assert_eq!(
        found,
        [
            json!(["moved <b>", "renamed", "text", 0, 0]),
            json!(["picture", "added", "binary", null, null]),
            json!(["stays", "modified", "text", 1, 1]),
        ]
    );
    let moved = &files.body["files"][0];
    assert_eq!(
        (&moved["old_path"], &moved["similarity"], &moved["new"]["mode"]),
        (&json!("moves"), &json!(100), &json!("100644"))
    );

    let diff = server.get(&at(&second, "diff?path=stays")).await.with(StatusCode::OK);
    assert_eq!(diff.body["files"].as_array().map(Vec::len), Some(1));
    let line = |kind: &str, old: Option<u32>, new: Option<u32>, text: &str, changed: serde_json::Value| json!({ "kind": kind, "old": old, "new": new, "text": text, "cut": false, "no_newline": false, "changed": changed });
    assert_eq!(
        diff.body["files"][0]["hunks"],
        json!([{ "old_start": 1, "old_lines": 3, "new_start": 1, "new_lines": 3, "lines": [
            line("context", Some(1), Some(1), "one", json!([])),
            line("removed", Some(2), None, "two things", json!([])),
            line("added", None, Some(2), "two other things", json!([[4, 10]])),
            line("context", Some(3), Some(3), "three", json!([])),
        ] }])
    );
    let all = server.get(&at(&second, "diff")).await.with(StatusCode::OK);
    assert_eq!(all.body["files"][2]["hunks"], diff.body["files"][0]["hunks"]);
    server.get(&at(&second, "diff?path=moved%20%3Cb%3E")).await.with(StatusCode::OK);

    let root = server.get(&at(&first, "files")).await.with(StatusCode::OK);
    assert_eq!((&root.body["parent"], &root.body["total"]), (&json!(null), &json!(2)));
    for (parent, total) in [(1, 3), (2, 1)] {
        let files = server.get(&at(&merge, &format!("files?parent={parent}"))).await.with(StatusCode::OK);
        assert_eq!((&files.body["parents"], &files.body["total"]), (&json!(2), &json!(total)));
    }

    server.get(&at(&second, "diff?path=moves")).await.refused(404, "path_unchanged");
    server.get(&at(&second, "files?parent=2")).await.refused(404, "parent_unknown");
    server.get(&at(&second, "files?parent=x")).await.refused(400, "query_invalid");
    server.get(&at(&"1".repeat(40), "files")).await.refused(404, "commit_unknown");
    server.get(&at("main", "files")).await.refused(400, "parameter_invalid");
    // It is there, but the index does not know it.
    std::fs::write(path.join("later"), "later").expect("a file");
    let later = commit_all(&path, "later");
    server.get(&at(&later, "files")).await.refused(404, "commit_unknown");
    let nobody = "/api/v1/repositories/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    server.get(&format!("{nobody}/commits/{second}/files")).await.refused(404, "repository_unknown");
    // While a run goes on, commits that name an issue are known before the others.
    std::fs::remove_file(server.app.caches.folder().join(format!("{id}.graph"))).expect("what runs remember");
    server.get(&at(&first, "diff?path=moves")).await.with(StatusCode::OK);
    server.get(&at(&second, "diff?path=picture")).await.refused(404, "commit_unknown");
    std::fs::rename(&path, server.root.join("elsewhere")).expect("a folder");
    let gone = server.get(&at(&first, "diff")).await.refused(502, "repository_unreadable");
    assert_eq!(gone.body["reason"], "not_a_repository", "{}", gone.text);
    assert_eq!(server.get(&at(&second, "diff?path=stays")).await.with(StatusCode::OK).body, diff.body, "remembered");
}

on_both_engines!(what_a_commit_changed_is_shown);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_commit_changed_is_printed() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let path = server.home().folder().join("shop");
    let [_, second, _] = with_files(&path);
    let summary = lines(&done(server.home().run(["index", text(&path), "--json"]).await)).remove(0);
    let printed = done(server.home().run(["commit", "files", &second]).await);
    assert!(printed.lines().any(|line| line.split_whitespace().eq("renamed 100 % 0 0 moves -> moved <b>".split(' '))));
    let printed = done(server.home().run(["commit", "diff", &second, "--path", "stays", "--word-diff"]).await);
    assert_eq!(
        printed, "modified: stays\n@@ -1,3 +1,3 @@\n one\n-two things\n+two {+other +}things\n three\n",
        "no colour but on a terminal"
    );
    let id = summary["repository"].as_str().expect("a repository");
    let found = lines(&done(server.home().run(["commit", "diff", &second, "--repository", id, "--json"]).await));
    assert_eq!(found[0]["total"], 3);
    for what in ["files", "diff"] {
        let whole = done(server.home().run(["commit", what, &second]).await);
        assert_eq!(done(server.home().run(["commit", what, &second[..7]]).await), whole);
        assert_eq!(done(server.home().run(["commit", what, &second[..7], "--repository", id]).await), whole);
    }
    failed(server.home().run(["commit", "files", "main"]).await, 2);
    failed(server.home().run(["commit", "files", &"1".repeat(40)]).await, 3);
}

async fn only(app: &Arc<App>) -> Option<Row> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.ok()?;
    rows.into_iter().next().map(|listed| listed.repository)
}

/// A server that follows a repository of another server, once it is indexed.
async fn following(
    folder: &Path,
    connection: Connection,
    set: impl FnOnce(&mut keytrail::config::Config),
) -> (Arc<App>, Row) {
    let app = node_with(folder, None, Clock::System, |config| {
        config.git.hosts = vec!["127.0.0.1".to_owned()];
        config.git.allow_http = true;
        config.git.free_bytes = 0;
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (3_600, 3_600);
        set(config);
    })
    .await;
    connect(&app, "shop", connection).await;
    soon("it is indexed", || async { only(&app).await.is_some_and(|row| row.state == RepositoryState::Indexed) }).await;
    let row = only(&app).await.expect("a repository");
    (app, row)
}

fn remote(server: &WebServer) -> Connection {
    Connection::Git(Box::new(GitRemote::at(RemoteUrl::parse(&server.url("shop.git")).expect("a URL").url)))
}

fn files_of(commit: &str) -> Asked {
    Asked { commit: commit.parse().expect("a name"), parent: None, part: Part::Files }
}

async fn a_hundred_who_ask_at_once_cost_the_server_a_handful_of_requests(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("it is there").join("root");
    std::fs::create_dir(&root).expect("a folder");
    let shape = Shape { commits: 200, files_per_commit: 2, merges_percent: 0, ..Shape::default() };
    let repository = generate(&root.join("shop.git"), &shape).expect("git works");
    let server = WebServer::start(&root);
    let (app, row) = following(folder.path(), remote(&server), |config| transport.set(&mut config.git)).await;
    let names = repository.git_line(&["rev-list", "--max-count=50", "main"]).expect("commits");
    let before = server.git_requests();
    let asking: Vec<_> = names
        .lines()
        .chain(names.lines())
        .map(|commit| {
            let (app, row, asked) = (app.clone(), row.clone(), files_of(commit));
            tokio::spawn(async move { commit_changes(&app, &row, asked).await })
        })
        .collect();
    assert_eq!(asking.len(), 100);
    let mut seen = HashSet::new();
    for one in asking {
        let changes = one.await.expect("no panic").expect("an answer");
        assert!(!changes.files.files.is_empty());
        assert!(changes.files.files.iter().all(|file| matches!(file.content, Content::Text { .. })), "{changes:?}");
        seen.insert(changes.files.commit);
    }
    assert_eq!(seen.len(), 50);
    let asked = server.git_requests() - before;
    let expected = if transport.leaves_files_out() { 2..=12 } else { 0..=0 };
    assert!(expected.contains(&asked), "{asked} requests");
    // All of it is remembered, and lines need no more than files do.
    for commit in names.lines() {
        commit_changes(&app, &row, files_of(commit)).await.expect("an answer");
        let lines = Asked { part: Part::Lines, ..files_of(commit) };
        assert!(!commit_changes(&app, &row, lines).await.expect("an answer").lines.is_empty());
    }
    assert_eq!(server.git_requests() - before, asked);
    app.stop().await;
}

/// A bare repository with one commit for each file, the first file first. The names of the commits.
fn bare_with_files(root: &Path, files: &[(&str, &[u8])]) -> (Repository, Vec<CommitSha>) {
    let work = root.with_file_name("work");
    repository::empty(&work);
    let commit = |(file, bytes): &(&str, &[u8])| {
        std::fs::write(work.join(file), bytes).expect("a file");
        commit_all(&work, "SHOP-1 adds a file").parse().expect("a name")
    };
    let commits = files.iter().map(commit).collect();
    let path = root.join("shop.git");
    git(&work, &["clone", "-q", "--bare", "--no-local", ".", text(&path)]);
    (Repository { path }, commits)
}

async fn what_the_server_no_longer_has_is_told_and_the_others_are_answered(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("it is there").join("root");
    std::fs::create_dir(&root).expect("a folder");
    let (repository, commits) =
        bare_with_files(&root, &[("one", b"1\n"), ("two", b"2\n"), ("three", b"3\n"), ("four", b"4\n")]);
    let server = WebServer::start(&root);
    let (app, row) = following(folder.path(), remote(&server), |config| transport.set(&mut config.git)).await;
    // The last two are thrown away, and the server cleans up.
    repository.git(&["update-ref", "refs/heads/main", &commits[1].to_string()]).expect("a branch");
    repository.git(&["gc", "--quiet", "--prune=now"]).expect("it is cleaned");
    let asking: Vec<_> = commits
        .iter()
        .map(|commit| {
            let (app, row, asked) = (app.clone(), row.clone(), files_of(&commit.to_string()));
            tokio::spawn(async move { commit_changes(&app, &row, asked).await })
        })
        .collect();
    let mut told = Vec::new();
    for one in asking {
        told.push(one.await.expect("no panic").map(|changes| changes.files.total));
    }
    let gone = || if transport.leaves_files_out() { Err(DiffTrouble::ObjectGone) } else { Ok(1) };
    assert_eq!(told, [Ok(1), Ok(1), gone(), gone()]);
    drop(server);
    let away = commit_changes(&app, &row, files_of(&commits[2].to_string())).await;
    match away {
        Ok(_) => assert!(!transport.leaves_files_out(), "what it lacks cannot come from anywhere"),
        Err(DiffTrouble::Unreadable { code: Some(FailureCode::ConnectionRefused), is_transient: true, .. }) => {
            assert!(transport.leaves_files_out(), "everything is there");
        }
        Err(trouble) => panic!("{trouble:?}"),
    }
    assert!(commit_changes(&app, &row, files_of(&commits[1].to_string())).await.is_ok(), "it is remembered");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_is_thrown_away_beyond_its_bound_and_a_copy_without_git_has_all() {
    for transport in Transport::BOTH {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        std::fs::create_dir(&root).expect("a folder");
        let (repository, commits) = bare_with_files(&root, &[("one", b"1\n"), ("two", b"2\n")]);
        let path = text(&repository.path).to_owned();
        let connection = Connection::Path { path, reading: Reading::Mirrored, refs: RefSelection::default() };
        let (app, row) = following(folder.path(), connection, |config| {
            config.git.diff_cache_bytes = 1;
            transport.set(&mut config.git);
        })
        .await;
        transport.is_used_by(&app);
        let cache = app.caches.objects_of(row.id);
        for commit in &commits {
            let changes = commit_changes(&app, &row, files_of(&commit.to_string())).await.expect("an answer");
            assert_eq!(changes.files.files[0].content, Content::Text { added: 1, removed: 0 });
        }
        if transport.leaves_files_out() {
            soon("what was fetched is gone again", || async { !cache.exists() }).await;
        }
        app.stop().await;
    }
}

by_both_transports!(
    a_hundred_who_ask_at_once_cost_the_server_a_handful_of_requests,
    what_the_server_no_longer_has_is_told_and_the_others_are_answered,
);
