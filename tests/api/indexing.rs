//! From a repository to the commits of an issue, and how runs are watched, repeated and stopped.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// Adds it, and waits until it is indexed. The repository as it is shown.
pub(crate) async fn indexed(server: &Server, name: &str, path: &std::path::Path) -> Value {
    let added = server.add(name, path).await.with(StatusCode::CREATED);
    let list = format!("/api/v1/integrations/{}/repositories", added.id());
    soon("its first run is asked for", || async {
        server.get(&list).await.items().first().is_some_and(|row| !row["last_run"].is_null())
    })
    .await;
    let row = server.get(&list).await.items()[0].clone();
    let run = ended(server, row["last_run"].as_str().expect("a run")).await;
    assert_eq!(run.body["state"], "completed", "{}", run.text);
    let id = row["id"].as_str().expect("an id");
    let at = format!("/api/v1/repositories/{id}?min_position={}", run.body["position"]);
    server.get(&at).await.with(StatusCode::OK).body
}

/// Asks for one more run until one was asked for after what is there now, and waits for it. The run as it is shown.
pub(crate) async fn indexed_again(server: &Server, repository: &str) -> Value {
    loop {
        let asked = server.post(&format!("/api/v1/repositories/{repository}/index-runs"), json!({})).await;
        if asked.status == StatusCode::ACCEPTED {
            let run = ended(server, &asked.id()).await;
            assert_eq!(run.body["state"], "completed", "{}", run.text);
            return run.body;
        }
        // The schedule was faster.
        let active = asked.refused(409, "index_run_active");
        ended(server, active.body["index_run"].as_str().expect("the run")).await;
    }
}

/// Waits until a run has ended, as a client does.
pub(crate) async fn ended(server: &Server, run: &str) -> Answer {
    server.get(&format!("/api/v1/index-runs/{run}?wait_ms=30000")).await.with(StatusCode::OK)
}

async fn the_commits_of_an_issue_are_found(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(
        &path,
        &["SHOP-1 the beginning", "SHOP-2 more\n\nSee SHOP-1, and UTF-8.", "no key", "SHOP-1 and SHOP-2 again"],
    );
    git(&path, &["branch", "feature/shop-1-cart"]);
    let repository = indexed(&server, "shop", &path).await;
    assert_eq!(
        (&repository["state"], &repository["commits"], &repository["keyed"]),
        (&json!("indexed"), &json!(4), &json!(3))
    );
    assert_eq!(repository["name"], "shop");

    let issue = server.get("/api/v1/issues/shop-1").await.with(StatusCode::OK);
    assert_eq!(
        (issue.text_of("key"), &issue.body["commits"], &issue.body["branches"]),
        ("SHOP-1".into(), &json!(3), &json!(1))
    );
    assert_eq!(issue.body["denied"], false);
    assert_eq!(issue.body["repositories"][0]["repository"]["id"], repository["id"]);
    assert_eq!(issue.body["repositories"][0]["commits"], 3);
    assert_eq!(server.get("/api/v1/issues/UTF-8").await.body["denied"], true);
    let nothing = server.get("/api/v1/issues/SHOP-999").await.with(StatusCode::OK);
    assert_eq!((&nothing.body["commits"], &nothing.body["last_commit_at"]), (&json!(0), &Value::Null));

    let commits = server.get("/api/v1/issues/SHOP-1/commits").await.with(StatusCode::OK);
    assert_eq!(commits.items().len(), 3);
    for commit in commits.items() {
        assert_eq!(commit["author"]["name"], "Ada");
        assert_eq!(commit["repository"]["name"], "shop");
        assert_eq!(commit["on_default_branch"], true);
        assert_eq!(commit["sha"].as_str().map(str::len), Some(40));
        let expected = if commit["subject"] == "SHOP-2 more" { json!(["body"]) } else { json!(["subject"]) };
        assert_eq!(commit["places"], expected);
    }
    assert!(!commits.text.contains("ada@example.org"), "addresses are not shown");
    let branches = server.get("/api/v1/issues/SHOP-1/branches").await.with(StatusCode::OK);
    assert_eq!(branches.items()[0]["name"], "refs/heads/feature/shop-1-cart");

    let projects = server.get(&format!("/api/v1/projects?repository={}", repository["id"].as_str().expect("id"))).await;
    assert_eq!(
        projects.items()[0],
        json!({ "project": "SHOP", "denied": false, "rule": "counts", "issues": 2, "links": 5 })
    );
    // Page after page, each project once and in the same order.
    let all = server.get("/api/v1/projects?all=true").await.with(StatusCode::OK);
    for filter in ["", &format!("&repository={}", repository["id"].as_str().expect("id"))] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                server.get(&format!("/api/v1/projects?all=true&limit=1{filter}{cursor}")).await.with(StatusCode::OK);
            found.extend(page.items().to_vec());
            let Some(next) = page.body["next"].as_str() else { break };
            server
                .get(&format!("/api/v1/projects?limit=1{filter}&cursor={next}"))
                .await
                .refused(400, "cursor_other_list");
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, all.items());
        assert!(found.len() > 1, "{}", all.text);
    }
    for key in ["ABC", "abc-0", "ABC-", "-1", "A-1", "ABC-01", "ABC-1x", "ÄBC-1"] {
        for rest in ["", "/commits", "/branches"] {
            server.get(&format!("/api/v1/issues/{key}{rest}")).await.refused(400, "issue_key_invalid");
        }
    }
}

async fn pages_follow_each_other_and_cursors_are_ours(server: Server) {
    let path = server.root.join("shop");
    let messages: Vec<_> = (0..7).map(|n| format!("SHOP-1 SHOP-2 number {n}")).collect();
    repository::with_commits(&path, &messages.iter().map(String::as_str).collect::<Vec<_>>());
    indexed(&server, "shop", &path).await;
    let all = server.get("/api/v1/issues/SHOP-1/commits").await;
    assert_eq!(all.body["next"], Value::Null);
    let mut found = Vec::new();
    let mut cursor = String::new();
    let mut first = None;
    loop {
        let page = server.get(&format!("/api/v1/issues/SHOP-1/commits?limit=3{cursor}")).await.with(StatusCode::OK);
        found.extend(page.items().to_vec());
        let Some(next) = page.body["next"].as_str() else { break };
        first.get_or_insert_with(|| next.to_owned());
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, all.items());
    let cursor = first.expect("more than one page");
    let with = |path: &str, cursor: &str| {
        let path = format!("{path}cursor={cursor}");
        let server = server.clone();
        async move { server.get(&path).await }
    };
    with("/api/v1/issues/SHOP-1/commits?", &cursor).await.with(StatusCode::OK);
    with("/api/v1/issues/SHOP-2/commits?", &cursor).await.refused(400, "cursor_other_list");
    with("/api/v1/issues/SHOP-1/branches?", &cursor).await.refused(400, "cursor_other_list");
    with("/api/v1/issues/SHOP-1/commits?as_of=1&", &cursor).await.refused(400, "cursor_other_list");
    with("/api/v1/integrations?", &cursor).await.refused(400, "cursor_other_list");
    let signature = cursor.rfind('.').expect("a signature") + 1;
    let other = if cursor[signature..].starts_with('A') { "B" } else { "A" };
    let altered = format!("{}{other}{}", &cursor[..signature], &cursor[signature + 1..]);
    let none = "eyJhbGciOiJub25lIn0.eyJsaXN0IjoiIn0.";
    for bad in [altered.as_str(), "x", "", "a.b.c", none] {
        with("/api/v1/issues/SHOP-1/commits?", bad).await.refused(400, "cursor_invalid");
    }
    server.pass_days(1);
    with("/api/v1/issues/SHOP-1/commits?", &cursor).await.refused(400, "cursor_expired");
    for limit in ["0", "501", "-1", "x", "99999999999"] {
        server.get(&format!("/api/v1/issues/SHOP-1/commits?limit={limit}")).await.refused(400, "query_invalid");
    }
}

async fn runs_are_asked_for_watched_reset_and_cancelled(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 the beginning"]);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    repository::commit(&path, "SHOP-1 more");
    let request = |what: &str, key: &str| {
        let at = format!("/api/v1/repositories/{id}/{what}");
        answer(server.local(Method::POST, &at).header("Idempotency-Key", key))
    };
    let asked = request("index-runs", "1").await.with(StatusCode::ACCEPTED);
    assert_eq!(asked.header("location"), format!("/api/v1/index-runs/{}", asked.id()));
    assert_eq!((asked.text_of("cause"), &asked.body["repository"]), ("asked".into(), &json!(id)));
    assert_eq!(request("index-runs", "1").await.with(StatusCode::ACCEPTED).id(), asked.id());
    request("reset", "1").await;
    let run = ended(&server, &asked.id()).await;
    assert_eq!((run.text_of("state"), &run.body["counts"]["commits"]), ("completed".into(), &json!(1)));
    server.post(&format!("/api/v1/index-runs/{}/cancel", asked.id()), json!({})).await.refused(409, "index_run_ended");
    // Whichever came first, the reset is done once nothing else is under way.
    let reset = loop {
        let answered = request("reset", "2").await;
        if answered.status == StatusCode::ACCEPTED {
            break answered;
        }
        let active = answered.refused(409, "index_run_active");
        ended(&server, active.body["index_run"].as_str().expect("the run")).await;
    };
    let run = ended(&server, &reset.id()).await;
    assert_eq!((run.text_of("state"), run.text_of("cause")), ("completed".into(), "reset".into()));
    assert_eq!(run.body["counts"]["commits"], 2);
    let at = format!("/api/v1/issues/SHOP-1/commits?min_position={}", run.body["position"]);
    assert_eq!(server.get(&at).await.items().len(), 2);
    let runs = server.get(&format!("/api/v1/index-runs?repository={id}&state=completed")).await;
    assert!(runs.items().len() >= 3, "{}", runs.text);
    assert_eq!(server.get(&format!("/api/v1/repositories?integration={id}")).await.items().len(), 0);
    assert_eq!(server.get("/api/v1/repositories?state=indexed").await.items().len(), 1);
    let unknown = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    server.get(&format!("/api/v1/repositories/{unknown}")).await.refused(404, "repository_unknown");
    server.get(&format!("/api/v1/projects?repository={unknown}")).await.refused(404, "repository_unknown");
    server.get(&format!("/api/v1/index-runs/{unknown}")).await.refused(404, "index_run_unknown");
    server.get(&format!("/api/v1/index-runs/{}?wait_ms=30001", reset.id())).await.refused(400, "query_invalid");
    server
        .post(&format!("/api/v1/repositories/{unknown}/index-runs"), json!({}))
        .await
        .refused(404, "repository_unknown");
    server.post(&format!("/api/v1/index-runs/{unknown}/cancel"), json!({})).await.refused(404, "index_run_unknown");
}

async fn an_empty_repository_is_indexed_at_once(server: Server) {
    let path = server.root.join("empty");
    repository::empty(&path);
    let repository = indexed(&server, "empty", &path).await;
    assert_eq!((&repository["state"], &repository["commits"]), (&json!("indexed"), &json!(0)));
}

async fn a_position_that_is_not_reached_is_not_waited_for_for_ever(server: Server) {
    let behind = server.get("/api/v1/integrations?min_position=1000000").await.with(StatusCode::ACCEPTED);
    assert_eq!((behind.text_of("code"), behind.header("retry-after")), ("view_behind".into(), "1".into()));
    assert_eq!(behind.body["min_position"], 1_000_000);
    server.get("/api/v1/integrations?min_position=0").await.with(StatusCode::OK);
}

on_both_engines!(
    the_commits_of_an_issue_are_found,
    pages_follow_each_other_and_cursors_are_ours,
    runs_are_asked_for_watched_reset_and_cancelled,
    an_empty_repository_is_indexed_at_once,
    a_position_that_is_not_reached_is_not_waited_for_for_ever,
);
