//! Refs that are looked at only when they are chosen: notes and changes. Each switch alone brings in its own, wherever the
//! repository lies and whoever fetches it.

use std::path::{Path, PathBuf};

use keytrail_test_support::{git_daemon::GitDaemon, repositories::Repository, web_server::WebServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    server::{Server, answer, soon},
    transports::by_both_transports,
};

/// A repository with a commit that only a note leads to, and one that only a change leads to.
fn made(path: &Path) {
    let repository = Repository::init(path, &["--bare"]).expect("a repository");
    let base = repository.commit("refs/heads/main", "SHOP-1 begins", &[]).expect("a commit");
    repository.commit("refs/notes/commits", "SHOP-2 by a note", &[]).expect("a commit");
    repository.commit("refs/changes/07/7/1", "SHOP-3 by a change", &[&base]).expect("a commit");
}

/// How often each of the three issues is named, once all that was recorded so far is shown.
async fn found(server: &Server) -> [Value; 3] {
    let head = server.app.log.feed().head().position;
    let mut counts = [Value::Null, Value::Null, Value::Null];
    for (number, count) in counts.iter_mut().enumerate() {
        let issue =
            server.get(&format!("/api/v1/issues/SHOP-{}?min_position={head}", number + 1)).await.with(StatusCode::OK);
        *count = issue.body["commits"].clone();
    }
    counts
}

/// Connects to this place with each choice, one after the other; each time nothing is known before.
async fn each_choice(server: &Server, place: &str, connection: &Value) {
    for (notes, changes) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut connection = connection.clone();
        connection["refs"] = json!({ "notes": notes, "changes": changes });
        let name = format!("{place} {notes} {changes}");
        let id = server.connect(&name, connection).await.with(StatusCode::CREATED).id();
        let at = format!("/api/v1/integrations/{id}");
        soon(&format!("{name} is indexed"), || async {
            let rows = server.get(&format!("{at}/repositories")).await;
            rows.items().first().is_some_and(|row| row["state"] == "indexed")
        })
        .await;
        let wanted = [json!(1), json!(u8::from(notes)), json!(u8::from(changes))];
        assert_eq!(found(server).await, wanted, "{name}");
        answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
        soon("nothing of it is shown", || async { found(server).await == [json!(0), json!(0), json!(0)] }).await;
    }
}

async fn commits_of_notes_and_of_changes_are_found_where_they_are_chosen_and_only_there(server: Server) {
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
    commits_of_notes_and_of_changes_are_found_where_they_are_chosen_and_only_there,
);
