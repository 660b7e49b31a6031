//! Refs that are looked at only when they are chosen: notes, changes and those of a pattern. Each switch alone brings in its
//! own, wherever the repository lies and whoever fetches it.

use std::path::{Path, PathBuf};

use keytrail_test_support::{git_daemon::GitDaemon, repositories::Repository, web_server::WebServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{Server, answer, soon},
    transports::by_both_transports,
};

/// A pattern of one's own.
const PATTERN: &str = "refs/pull-requests/*/from";

/// A repository with a commit that only a note leads to, one that only a change leads to, and one of a ref with another name.
fn made(path: &Path) {
    let repository = Repository::init(path, &["--bare"]).expect("a repository");
    let base = repository.commit("refs/heads/main", "SHOP-1 begins", &[]).expect("a commit");
    repository.commit("refs/notes/commits", "SHOP-2 by a note", &[]).expect("a commit");
    repository.commit("refs/changes/07/7/1", "SHOP-3 by a change", &[&base]).expect("a commit");
    repository.commit("refs/pull-requests/7/from", "SHOP-4 by a pattern", &[&base]).expect("a commit");
}

/// How often each of the four issues is named, once all that was recorded so far is shown.
async fn found(server: &Server) -> [Value; 4] {
    let head = server.app.log.feed().head().position;
    let mut counts = [Value::Null, Value::Null, Value::Null, Value::Null];
    for (number, count) in counts.iter_mut().enumerate() {
        let issue =
            server.get(&format!("/api/v1/issues/SHOP-{}?min_position={head}", number + 1)).await.with(StatusCode::OK);
        *count = issue.body["commits"].clone();
    }
    counts
}

/// Connects to this place with each choice, one after the other; each time nothing is known before.
async fn each_choice(server: &Server, place: &str, connection: &Value) {
    let none = (false, false, false);
    for (notes, changes, pattern) in
        [none, (true, false, false), (false, true, false), (false, false, true), (true, true, true)]
    {
        let mut connection = connection.clone();
        if (notes, changes, pattern) != none {
            let patterns: Vec<&str> = pattern.then_some(PATTERN).into_iter().collect();
            connection["refs"] = json!({ "notes": notes, "changes": changes, "patterns": patterns });
        }
        let name = format!("{place} {notes} {changes} {pattern}");
        let id = server.connect(&name, connection).await.with(StatusCode::CREATED).id();
        let at = format!("/api/v1/integrations/{id}");
        soon(&format!("{name} is indexed"), || async {
            let rows = server.get(&format!("{at}/repositories")).await;
            rows.items().first().is_some_and(|row| row["state"] == "indexed")
        })
        .await;
        let wanted = [true, notes, changes, pattern].map(|is_found| json!(u8::from(is_found)));
        assert_eq!(found(server).await, wanted, "{name}");
        answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
        soon("nothing of it is shown", || async { found(server).await == [0, 0, 0, 0].map(|none| json!(none)) }).await;
    }
}

async fn commits_of_notes_of_changes_and_of_patterns_are_found_where_they_are_chosen_and_only_there(server: Server) {
    let root: PathBuf = server.root.clone();
    made(&root.join("all/shop.git"));
    let (web, daemon) = (WebServer::start(&root.join("all")), GitDaemon::start(&root.join("all")).expect("it runs"));
    let (folder, path) = (root.join("all"), root.join("all/shop.git"));
    for (place, connection) in [
        ("a folder", json!({ "kind": "folder", "path": folder })),
        ("a folder that is copied", json!({ "kind": "folder", "path": folder, "reading": "mirrored" })),
        ("a path", json!({ "kind": "path", "path": path })),
        ("a path that is copied", json!({ "kind": "path", "path": path, "reading": "mirrored" })),
        ("http", json!({ "kind": "git", "url": web.url("shop.git") })),
        ("git", json!({ "kind": "git", "url": daemon.url("shop.git") })),
    ] {
        each_choice(&server, place, &connection).await;
    }
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine;
    commits_of_notes_of_changes_and_of_patterns_are_found_where_they_are_chosen_and_only_there,
);
