//! Tracked folders: which may be added, what is seen in them, how far their first index is.

use std::os::unix::fs::symlink;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository::{self, git},
    server::{Server, answer, on_both_engines, soon},
};

async fn the_repositories_of_a_folder_are_indexed_and_counted(server: Server) {
    let folder = server.root.join("all");
    repository::with_commits(&folder.join("one"), &["ONE-1 begins"]);
    repository::with_commits(&folder.join("below/two"), &["TWO-1 begins"]);
    std::fs::create_dir(folder.join("sha256")).expect("a folder");
    git(&folder.join("sha256"), &["init", "-q", "--object-format=sha256"]);
    let connection = json!({ "kind": "folder", "path": folder, "depth": 2, "reading": "mirrored" });
    let added = server.connect("all", connection).await.with(StatusCode::CREATED);
    let refs = json!({ "notes": false, "changes": false, "patterns": [] });
    let shown = json!({ "kind": "folder", "path": folder, "depth": 2, "reading": "mirrored", "refs": refs });
    assert_eq!(added.body["connection"], shown);
    assert!(added.body.get("indexing").is_none(), "a list and a change do not count");
    let at = format!("/api/v1/integrations/{}", added.id());
    let done = json!({ "repositories": 3, "indexed": 2, "failed": 1, "waiting": 0, "eta_seconds": null });
    soon("they are indexed", || async { server.get(&at).await.with(StatusCode::OK).body["indexing"] == done }).await;
    let all = server.get(&format!("{at}/repositories")).await;
    assert!(all.items().iter().all(|row| row["reading"] == "mirrored"), "{}", all.text);
    // How they are read is the folder's choice, and may change.
    let body = json!({ "connection": { "kind": "folder", "path": folder, "depth": 2 } });
    let changed = server.local(Method::PUT, &format!("{at}/connection")).header("If-Match", "*").json(&body);
    assert_eq!(answer(changed).await.with(StatusCode::OK).body["connection"]["reading"], "in_place");
    soon("they are read in place", || async {
        let all = server.get(&format!("{at}/repositories")).await;
        all.items().iter().all(|row| row["reading"] == "in_place")
    })
    .await;
    // A repository that was refused is not indexed on demand.
    let refused = server.get(&format!("{at}/repositories?state=refused")).await;
    let id = refused.items()[0]["id"].as_str().expect("an id").to_owned();
    for what in ["index-runs", "fetch"] {
        server.post(&format!("/api/v1/repositories/{id}/{what}"), json!({})).await.refused(409, "repository_refused");
    }
}

async fn a_folder_and_a_repository_may_be_at_one_path(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let one = server.add("one", &path).await.with(StatusCode::CREATED).id();
    let all = server.connect("all", json!({ "kind": "folder", "path": path })).await.with(StatusCode::CREATED).id();
    let found = |query: &str| {
        let at = format!("/api/v1/integrations?location={}{query}", path.display());
        let server = server.clone();
        async move {
            let found = server.get(&at).await.with(StatusCode::OK);
            found.items().iter().map(|row| row["id"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("").await, [one.clone(), all.clone()]);
    assert_eq!(found("&kind=folder").await, [all]);
    assert_eq!(found("&kind=path").await, [one]);
}

async fn a_folder_is_held_to_the_roots_and_to_what_is_there(server: Server) {
    let admin = server.token("admin").await;
    std::fs::create_dir(server.root.join("empty")).expect("a folder");
    std::fs::write(server.root.join("file"), "text").expect("a file");
    symlink(&server.elsewhere, server.root.join("way")).expect("a link");
    let folder = |path: &std::path::Path, depth: Value| {
        let connection = json!({ "kind": "folder", "path": path, "depth": depth });
        let body = json!({ "name": "all", "connection": connection });
        answer(server.request(Method::POST, "/api/v1/integrations").bearer_auth(&admin).json(&body))
    };
    let one = || json!(1);
    for path in [&server.elsewhere, &server.elsewhere.join("nothing"), &server.root.join("way"), &"/".into()] {
        folder(path, one()).await.refused(422, "path_outside_roots");
    }
    folder(&server.root.join("nothing"), one()).await.refused(422, "path_not_found");
    folder(&server.root.join("file"), one()).await.refused(422, "not_a_folder");
    folder("relative".as_ref(), one()).await.refused(422, "path_relative");
    for depth in [0, 6, 255] {
        folder(&server.root.join("empty"), json!(depth)).await.refused(422, "depth_invalid");
    }
    for depth in [json!(256), json!(-1), json!("1"), json!(1.5)] {
        folder(&server.root.join("empty"), depth).await.refused(400, "body_invalid");
    }
    assert!(server.get("/api/v1/integrations").await.items().is_empty());
    let added = folder(&server.root.join("empty"), json!(5)).await.with(StatusCode::CREATED);
    let at = format!("/api/v1/integrations/{}", added.id());
    let none = json!({ "repositories": 0, "indexed": 0, "failed": 0, "waiting": 0, "eta_seconds": null });
    assert_eq!(server.get(&at).await.body["indexing"], none);
    // Who is on this machine may track what they can read anyway.
    let connection = json!({ "kind": "folder", "path": server.elsewhere });
    server.connect("elsewhere", connection).await.with(StatusCode::CREATED);
}

on_both_engines!(
    the_repositories_of_a_folder_are_indexed_and_counted,
    a_folder_and_a_repository_may_be_at_one_path,
    a_folder_is_held_to_the_roots_and_to_what_is_there,
);
