//! Where a browser finds what answers show: templates that are set, and the links that come of them.

use keytrail_test_support::{
    repositories::Repository,
    server::{Home, Options},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    command_line::{done, failed, lines},
    indexing::indexed,
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines},
    ssh_transport::change,
};

async fn set(server: &Server, integration: &str, links: Value) -> Answer {
    let path = format!("/api/v1/integrations/{integration}/web-links");
    answer(server.local(Method::PUT, &path).header("If-Match", "*").json(&links)).await
}

fn own() -> Value {
    json!({ "by": "templates", "commit": "https://code.example.com/shop/c/${rev}",
        "file": "https://code.example.com/shop/f/${path}?at=${rev}", "branch": "https://code.example.com/shop/b/${branch}",
        "pull_request": "https://code.example.com/shop/p/${number}" })
}

async fn links_that_are_set_stand_in_every_answer(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    std::fs::create_dir(path.join("src")).expect("a folder");
    std::fs::write(path.join("src/a b#1.txt"), "x\n").expect("a file");
    git(&path, &["add", "."]);
    git(&path, &["commit", "-q", "-m", "SHOP-1 adds a file"]);
    git(&path, &["rm", "-q", "src/a b#1.txt"]);
    git(&path, &["commit", "-q", "-m", "SHOP-1 takes it away"]);
    git(&path, &["branch", "SHOP-1/side"]);
    git(&path, &["tag", "v1"]);
    git(&path, &["update-ref", "refs/pull/7/head", "HEAD"]);
    let repository = indexed(&server, "shop", &path).await;
    let (id, integration) =
        (repository["id"].as_str().expect("an id"), repository["integration"].as_str().expect("an id"));
    let commits = || server.get("/api/v1/issues/SHOP-1/commits");
    assert!(commits().await.items().iter().all(|one| one["url"].is_null()), "nobody said where");

    let set_now = set(&server, integration, own()).await.with(StatusCode::OK);
    assert_eq!(set_now.body["web_links"]["by"], "templates");
    assert_eq!(set_now.body["web_links"]["commit"], own()["commit"]);
    assert_eq!(set_now.body["recommendation"], Value::Null);
    let again = set(&server, integration, own()).await.with(StatusCode::OK);
    assert_eq!(again.body["version"], set_now.body["version"], "saying it again is no second fact");

    let commits = commits().await;
    assert_eq!(commits.items().len(), 3);
    for one in commits.items() {
        let sha = one["sha"].as_str().expect("a name");
        assert_eq!(one["url"], format!("https://code.example.com/shop/c/{sha}"));
    }
    let branches = server.get("/api/v1/issues/SHOP-1/branches").await;
    assert_eq!(branches.items()[0]["url"], "https://code.example.com/shop/b/SHOP-1/side");
    let [gone, adds] = ["HEAD", "HEAD~1"]
        .map(|revision| Repository { path: path.clone() }.git_line(&["rev-parse", revision]).expect("a name"));
    let at = |sha: &str| format!("/api/v1/repositories/{id}/commits/{sha}");
    let shown = server.get(&at(&adds)).await.with(StatusCode::OK);
    assert_eq!(shown.body["url"], format!("https://code.example.com/shop/c/{adds}"));
    // Of a file that is gone the last that there was.
    for (sha, rest) in [(&adds, "files"), (&adds, "diff"), (&gone, "files")] {
        let files = server.get(&format!("{}/{rest}", at(sha))).await.with(StatusCode::OK);
        let url = format!("https://code.example.com/shop/f/src/a%20b%231.txt?at={adds}");
        assert_eq!(files.body["files"][0]["url"], url, "{}", files.text);
    }
    let refs = server.get(&format!("{}/refs", at(&gone))).await.with(StatusCode::OK);
    let url_of = |name: &str| refs.items().iter().find(|one| one["name"] == name).map(|one| one["url"].clone());
    assert_eq!(url_of("refs/heads/main"), Some(json!("https://code.example.com/shop/b/main")));
    assert_eq!(url_of("refs/pull/7/head"), Some(json!("https://code.example.com/shop/p/7")));
    assert_eq!(url_of("refs/tags/v1"), Some(Value::Null));

    let issue = server.get("/api/v1/issues/SHOP-1").await.with(StatusCode::OK);
    let why = issue.body["repositories"][0]["pull_requests_unknown"].as_str().unwrap_or_default();
    assert!(why.starts_with("Git alone tells of no pull requests"), "{}", issue.text);

    set(&server, integration, json!({ "by": "off" })).await.with(StatusCode::OK);
    assert_eq!(server.get(&at(&adds)).await.body["url"], Value::Null);
}

async fn links_that_would_lead_elsewhere_are_refused(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let repository = indexed(&server, "shop", &path).await;
    let integration = repository["integration"].as_str().expect("an id");
    for bad in [
        json!({ "by": "templates", "commit": "javascript:alert(${rev})" }),
        json!({ "by": "templates", "commit": "https://${rev}.example.com/" }),
        json!({ "by": "templates", "commit": "https://code.example.com/${secret}/${rev}" }),
        json!({ "by": "templates", "file": "https://code.example.com/${branch}" }),
        json!({ "by": "templates" }),
        json!({ "by": "preset" }),
        json!({ "by": "preset", "preset": "sourceforge" }),
        json!({ "by": "off", "preset": "gitlab" }),
        json!({ "by": "somebody" }),
    ] {
        let refused = set(&server, integration, bad.clone()).await.refused(422, "web_links_invalid");
        assert!(!refused.text.contains("alert"), "{}", refused.text);
    }
    // A path has no host.
    let preset = json!({ "by": "preset", "preset": "gitlab" });
    set(&server, integration, preset.clone()).await.refused(422, "integration_no_web_links");
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    set(&server, nobody, json!({ "by": "off" })).await.refused(404, "integration_unknown");
    let folder = server.root.join("all");
    std::fs::create_dir(&folder).expect("a folder");
    let all = server.connect("all", json!({ "kind": "folder", "path": folder })).await.with(StatusCode::CREATED);
    assert_eq!(all.body["web_links"], Value::Null);
    set(&server, &all.id(), own()).await.refused(422, "integration_no_web_links");
}

/// As long as nobody said anything; what a person said stays.
async fn links_of_a_host_follow_the_connection_to_another_one(server: Server) {
    // An outdated node takes no job: nobody goes to these hosts.
    server.app.jobs.set_outdated();
    let at = |host: &str| json!({ "kind": "git", "url": format!("https://{host}/shop/api.git") });
    let shop = server.connect("shop", at("github.com")).await.with(StatusCode::CREATED);
    let id = shop.id();
    let links = |told: &Answer| {
        let links = &told.body["web_links"];
        [&links["by"], &links["preset"], &links["commit"]].map(Clone::clone)
    };
    let of = |by: &str, preset: &str, commit: &str| [json!(by), json!(preset), json!(commit)];
    assert_eq!(links(&shop), of("host", "github", "https://github.com/shop/api/commit/${rev}"));
    let better = &shop.body["recommendation"];
    assert_eq!(
        (&better["kind"], &better["lacks"]),
        (&json!("github_app"), &json!(["pull_requests", "discovery", "deliveries"]))
    );
    let moved = async |host: &str| links(&change(&server, &id, at(host)).await.with(StatusCode::OK));
    assert_eq!(moved("gitlab.com").await, of("host", "gitlab", "https://gitlab.com/shop/api/-/commit/${rev}"));
    assert_eq!(moved("codeberg.org").await, of("host", "gitea", "https://codeberg.org/shop/api/commit/${rev}"));
    let unknown = [json!("host"), Value::Null, Value::Null];
    assert_eq!(moved("git.example.invalid").await, unknown, "nobody knows what it is");
    assert_eq!(server.get(&format!("/api/v1/integrations/{id}")).await.body["recommendation"], Value::Null);
    assert_eq!(moved("github.com").await, of("host", "github", "https://github.com/shop/api/commit/${rev}"));
    assert_eq!(links(&server.get(&format!("/api/v1/integrations/{id}")).await), moved("github.com").await);

    set(&server, &id, json!({ "by": "preset", "preset": "gitea" })).await.with(StatusCode::OK);
    let own = of("preset", "gitea", "https://git.example.invalid/shop/api/commit/${rev}");
    assert_eq!(moved("git.example.invalid").await, own);
    set(&server, &id, json!({ "by": "off" })).await.with(StatusCode::OK);
    assert_eq!(moved("gitlab.com").await, [json!("off"), Value::Null, Value::Null]);
    let remove = server.local(Method::DELETE, &format!("/api/v1/integrations/{id}")).header("If-Match", "*");
    answer(remove).await.with(StatusCode::OK);
    server.restarted().await.look_behind().await;
}

async fn links_come_with_what_is_added_or_nothing_is(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let add = async |name: &str, links: Value| {
        let body = json!({ "name": name, "connection": { "kind": "path", "path": path }, "web_links": links });
        server.post("/api/v1/integrations", body).await
    };
    add("shop", json!({ "by": "templates", "commit": "javascript:alert(${rev})" }))
        .await
        .refused(422, "web_links_invalid");
    // A path has no host.
    add("shop", json!({ "by": "preset", "preset": "gitlab" })).await.refused(422, "integration_no_web_links");
    assert!(server.get("/api/v1/integrations").await.items().is_empty(), "nothing was added");
    let added = add("shop", own()).await.with(StatusCode::CREATED);
    assert_eq!(added.body["web_links"]["by"], "templates");
    assert_eq!(added.body["web_links"]["file"], own()["file"]);
    let events_of = async |added: &Answer| {
        let at = format!("/api/v1/events?stream={}&order=asc&min_position={}", added.id(), added.body["position"]);
        let events = server.get(&at).await.with(StatusCode::OK);
        events.items().iter().map(|event| event["event_type"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(events_of(&added).await, ["integration.added", "integration.web_links_set"]);
    let path = format!("/api/v1/integrations/{}", added.id());
    answer(server.local(Method::DELETE, &path).header("If-Match", "*")).await.with(StatusCode::OK);
    // What holds anyway is no fact of its own.
    let usual = add("usual", json!({ "by": "host" })).await.with(StatusCode::CREATED);
    assert_eq!(usual.body["web_links"]["by"], "host");
    assert_eq!(events_of(&usual).await, ["integration.added"]);
}

on_both_engines!(
    links_that_are_set_stand_in_every_answer,
    links_that_would_lead_elsewhere_are_refused,
    links_of_a_host_follow_the_connection_to_another_one,
    links_come_with_what_is_added_or_nothing_is,
);

#[tokio::test(flavor = "multi_thread")]
async fn links_are_set_by_the_command_line() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["integration", "add", path.to_str().expect("UTF-8"), "--name", "shop"]).await);
    let template = "https://code.example.com/shop/c/${rev}";
    let set = done(home.run(["integration", "set-web-links", "shop", "--commit", template, "--json"]).await);
    assert_eq!(lines(&set)[0]["web_links"]["commit"], template);
    let off = done(home.run(["integration", "set-web-links", "shop", "--off", "--json"]).await);
    assert_eq!(lines(&off)[0]["web_links"]["by"], "off");
    let host = done(home.run(["integration", "set-web-links", "shop", "--host", "--json"]).await);
    assert_eq!(lines(&host)[0]["web_links"]["by"], "host");
    failed(home.run(["integration", "set-web-links", "shop"]).await, 2);
    let other = home.folder().join("other");
    repository::with_commits(&other, &["SHOP-2 begins"]);
    let add =
        ["integration", "add", other.to_str().expect("UTF-8"), "--name", "other", "--json", "--commit-link", template];
    failed(home.run([&add[..], &["--no-links"]].concat()).await, 2);
    assert_eq!(lines(&done(home.run(add).await))[0]["web_links"]["commit"], template);
    failed(home.run(["integration", "set-web-links", "shop", "--off", "--commit", template]).await, 2);
}
