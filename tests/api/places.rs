//! Which paths may be added, and what is given away of the others.

use std::{os::unix::fs::symlink, path::Path};

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines, soon},
};

async fn add_remotely(server: &Server, token: &str, path: impl AsRef<Path>) -> Answer {
    let body = json!({ "name": "a name", "connection": { "kind": "path", "path": path.as_ref() } });
    answer(server.request(Method::POST, "/api/v1/integrations").bearer_auth(token).json(&body)).await
}

async fn only_what_lies_below_a_root_may_be_added_and_nothing_is_said_of_the_rest(server: Server) {
    let admin = server.token("admin").await;
    let (root, elsewhere) = (server.root.clone(), server.elsewhere.clone());
    repository::with_commits(&elsewhere.join("secret"), &["SECRET-1"]);
    repository::empty(&root.join("fine"));
    symlink(elsewhere.join("secret"), root.join("link")).expect("a link");
    symlink(elsewhere.join("nothing"), root.join("dangling")).expect("a link");
    symlink(&elsewhere, root.join("way")).expect("a link");
    std::fs::create_dir(root.join("pointing")).expect("a folder");
    let gitdir = format!("gitdir: {}\n", elsewhere.join("secret/.git").display());
    std::fs::write(root.join("pointing/.git"), gitdir).expect("a file");
    std::fs::create_dir(root.join("half")).expect("a folder");
    symlink(elsewhere.join("secret/.git"), root.join("half/.git")).expect("a link");
    // Git's own folder is below the root; what it borrows or links to is not.
    git(&root, &["clone", "-q", "--shared", elsewhere.join("secret").to_str().expect("UTF-8"), "borrowing"]);
    repository::with_commits(&root.join("lent"), &["A-1"]);
    repository::with_commits(&root.join("packed"), &["A-1"]);
    symlink(elsewhere.join("secret/.git/objects"), root.join("packed/.git/objects/ab")).expect("a link");
    repository::with_commits(&root.join("named"), &["A-1"]);
    symlink(elsewhere.join("secret/.git/HEAD"), root.join("named/.git/refs/heads/x")).expect("a link");
    let outside = [
        elsewhere.join("secret"),
        elsewhere.join("nothing"),
        elsewhere.clone(),
        "/".into(),
        "/etc/passwd".into(),
        "/nonexistent/x".into(),
        root.join("../elsewhere/secret"),
        root.join("../elsewhere/nothing"),
        root.join("fine/../../nothing"),
        root.join("link"),
        root.join("dangling"),
        root.join("dangling/below"),
        root.join("way/secret"),
        root.join("way/nothing"),
        root.join("pointing"),
        root.join("half"),
        root.join("borrowing"),
        root.join("packed"),
        root.join("named"),
    ];
    let mut words = std::collections::HashSet::new();
    for path in outside {
        let refused = add_remotely(&server, &admin, &path).await.refused(422, "path_outside_roots");
        assert!(!refused.text.contains(elsewhere.to_str().expect("UTF-8")), "{}", refused.text);
        words.insert(refused.text_of("detail"));
    }
    assert_eq!(words.len(), 1, "what is there and what is not are told apart: {words:?}");
    add_remotely(&server, &admin, root.join("nothing")).await.refused(422, "path_not_found");
    add_remotely(&server, &admin, root.join("fine")).await.with(StatusCode::CREATED);
    // Who is on this machine may add what they can read anyway.
    server.add("local", &elsewhere.join("secret")).await.with(StatusCode::CREATED);
}

async fn what_cannot_be_indexed_is_refused_before_anything_is_made(server: Server) {
    let root = server.root.clone();
    std::fs::create_dir(root.join("plain")).expect("a folder");
    std::fs::write(root.join("file"), "text").expect("a file");
    std::fs::create_dir(root.join("sha256")).expect("a folder");
    git(&root.join("sha256"), &["init", "-q", "--object-format=sha256"]);
    repository::with_commits(&root.join("deep"), &["A-1", "A-2"]);
    let source = format!("file://{}", root.join("deep").display());
    git(&root, &["clone", "-q", "--depth", "1", &source, "shallow"]);
    server.add("a", &root.join("plain")).await.refused(422, "not_a_repository");
    server.add("a", &root.join("file")).await.refused(422, "not_a_repository");
    server.add("a", &root.join("sha256")).await.refused(422, "sha256_unsupported");
    server.add("a", &root.join("shallow")).await.refused(422, "shallow");
    server.add("a", Path::new("relative")).await.refused(422, "path_relative");
    server.add("a", Path::new("")).await.refused(422, "path_relative");
    server.add("a", &root.join("nul\u{0}byte")).await.refused(422, "path_invalid");
    server.add("a", &root.join("line\nend")).await.refused(422, "path_invalid");
    server.add("a", &root.join("x".repeat(5000))).await.refused(422, "path_invalid");
    server.add("a", &root.join("x".repeat(300))).await.refused(422, "path_not_found");
    assert!(server.get("/api/v1/integrations").await.items().is_empty());
    assert!(server.get("/api/v1/events?stream=&type=integration.").await.status.is_client_error());
    assert!(server.get("/api/v1/events?type=integration.").await.items().is_empty());
}

async fn a_repository_may_borrow_from_another_below_the_roots_and_no_pipe_is_waited_for(server: Server) {
    let admin = server.token("admin").await;
    let root = server.root.clone();
    repository::with_commits(&root.join("lender"), &["A-1"]);
    git(&root, &["clone", "-q", "--shared", "lender", "borrower"]);
    add_remotely(&server, &admin, root.join("borrower")).await.with(StatusCode::CREATED);
    for part in ["commondir", "HEAD", "config", "packed-refs", "refs/heads/pipe", "objects/info/alternates"] {
        let path = root.join(part.replace('/', "-"));
        repository::with_commits(&path, &["A-1"]);
        let pipe = path.join(".git").join(part);
        let _ = std::fs::remove_file(&pipe);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        add_remotely(&server, &admin, &path).await.refused(422, "not_a_repository");
    }
    let path = root.join("large");
    repository::with_commits(&path, &["A-1"]);
    std::fs::write(path.join(".git/commondir"), "x".repeat(1 << 20)).expect("a file");
    add_remotely(&server, &admin, &path).await.refused(422, "not_a_repository");
}

/// What was fine when it was added may lead elsewhere by the time it is read.
async fn a_run_is_held_to_the_roots_too(server: Server) {
    let admin = server.token("admin").await;
    let (root, elsewhere) = (server.root.clone(), server.elsewhere.clone());
    repository::with_commits(&elsewhere.join("secret"), &["SECRET-1"]);
    repository::with_commits(&root.join("shop"), &["SHOP-1"]);
    let added = add_remotely(&server, &admin, root.join("shop")).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories", added.id());
    soon("it is indexed", || async {
        server.get(&list).await.items().first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    for part in [".git/refs", ".git/HEAD", ".git", ""] {
        let path = root.join("shop").join(part);
        let path = path.components().as_path();
        std::fs::rename(path, root.join("aside")).expect("it can be put aside");
        symlink(elsewhere.join("secret").join(part), path).expect("a link");
        let repository = server.get(&list).await.items()[0]["id"].as_str().expect("an id").to_owned();
        let request = format!("/api/v1/repositories/{repository}/index-runs");
        let asked = server.post(&request, json!({})).await.with(StatusCode::ACCEPTED);
        let run = server.get(&format!("/api/v1/index-runs/{}?wait_ms=30000", asked.id())).await.with(StatusCode::OK);
        assert_eq!(
            (&run.body["state"], &run.body["failure"]["code"]),
            (&json!("failed"), &json!("outside_roots")),
            "{}",
            run.text
        );
        assert!(!run.text.contains("secret"), "{}", run.text);
        let position = &run.body["position"];
        for (trouble, count) in [(true, 1), (false, 0)] {
            let list = format!("/api/v1/repositories?trouble={trouble}&min_position={position}");
            assert_eq!(server.get(&list).await.items().len(), count, "{list}");
        }
        if !part.is_empty() {
            // Who is on this machine is held to it as well, and told what is wrong.
            server.add("again", &root.join("shop")).await.refused(422, "outside_roots");
        }
        std::fs::remove_file(path).expect("a link");
        std::fs::rename(root.join("aside"), path).expect("it can be put back");
    }
    let issue = server.get("/api/v1/issues/SECRET-1").await.with(StatusCode::OK);
    assert_eq!(issue.body["commits"], 0, "{}", issue.text);
}

on_both_engines!(
    a_run_is_held_to_the_roots_too,
    only_what_lies_below_a_root_may_be_added_and_nothing_is_said_of_the_rest,
    what_cannot_be_indexed_is_refused_before_anything_is_made,
    a_repository_may_borrow_from_another_below_the_roots_and_no_pipe_is_waited_for,
);
