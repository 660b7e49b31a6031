//! Runs that failed are asked for again, and tell what they did; lists come filtered and in the order that is asked for.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    indexing::{indexed, indexed_again},
    repository,
    server::{Server, answer, on_both_engines},
};

async fn ended(server: &Server, run: &str) -> Value {
    let run = server.get(&format!("/api/v1/index-runs/{run}?wait_ms=30000")).await.with(StatusCode::OK);
    run.body
}

async fn a_run_that_failed_is_asked_for_again_and_tells_what_it_did(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-2 more"]);
    let row = indexed(&server, "shop", &path).await;
    let (id, first) = (row["id"].as_str().expect("an id"), row["last_run"].as_str().expect("a run"));
    let at = |run: &str, rest: &str| format!("/api/v1/index-runs/{run}{rest}");

    let log = server.get(&at(first, "/events")).await.with(StatusCode::OK);
    let told: Vec<_> = log.items().iter().map(|entry| entry["summary"].as_str().expect("a sentence")).collect();
    assert_eq!(told[0], format!("asked for the first index of repository {id}"));
    assert!(told[1].starts_with("started to index repository number "), "{told:?}");
    assert!(told.contains(&"recorded 1 ref that is new or moved, 0 gone"), "{told:?}");
    assert!(told.contains(&"recorded 2 commits with issue keys, 2 looked at so far"), "{told:?}");
    assert_eq!(told.last(), Some(&"completed the index run: 2 commits looked at, 2 with issue keys, 1 ref moved"));
    assert_eq!(
        (&log.items()[0]["actor"]["name"], &log.items()[0]["source"]),
        (&json!("index_on_discover"), &json!("job"))
    );
    let page = server.get(&at(first, "/events?limit=2")).await.with(StatusCode::OK);
    let cursor = page.body["next"].as_str().expect("more");
    let rest = server.get(&at(first, &format!("/events?cursor={cursor}"))).await.with(StatusCode::OK);
    assert_eq!([page.items(), rest.items()].concat(), log.items());
    server.post(&at(first, "/retry"), json!({})).await.refused(409, "index_run_not_failed");

    let away = server.root.join("away");
    std::fs::rename(&path, &away).expect("a folder");
    let failing = server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await;
    let failing = match failing.status {
        StatusCode::ACCEPTED => failing.id(),
        // The schedule was faster.
        _ => failing.refused(409, "index_run_active").text_of("index_run"),
    };
    assert_eq!(ended(&server, &failing).await["state"], "failed");
    std::fs::rename(&away, &path).expect("a folder");
    let log = server.get(&at(&failing, "/events")).await.with(StatusCode::OK);
    let last = log.items().last().expect("an end").clone();
    assert!(
        last["summary"].as_str().is_some_and(|told| told.starts_with("could not finish the index run: ")),
        "{last}"
    );

    let retry = || answer(server.local(Method::POST, &at(&failing, "/retry")).header("Idempotency-Key", "1"));
    let again = retry().await;
    // The schedule may have asked for it first.
    if again.status == StatusCode::ACCEPTED {
        assert_eq!((&again.body["cause"], &again.body["repository"]), (&json!("asked"), &json!(id)));
        assert_eq!(ended(&server, &again.id()).await["state"], "completed");
        assert_eq!(retry().await.with(StatusCode::ACCEPTED).id(), again.id(), "once");
    } else {
        again.refused(409, "index_run_active");
    }
    let unknown = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    server.post(&at(unknown, "/retry"), json!({})).await.refused(404, "index_run_unknown");
    server.get(&at(unknown, "/events")).await.refused(404, "index_run_unknown");
    let viewer = server.token("viewer").await;
    answer(server.request(Method::GET, &at(first, "/events")).bearer_auth(&viewer))
        .await
        .refused(403, "role_insufficient");

    server.look_behind().await;
    let all = server.get("/api/v1/index-runs").await.with(StatusCode::OK).items().to_vec();
    let oldest = server.get("/api/v1/index-runs?order=asc").await.with(StatusCode::OK);
    assert!(oldest.items().iter().rev().map(|run| &run["id"]).eq(all.iter().map(|run| &run["id"])));
    assert_eq!(server.get("/api/v1/index-runs?cause=discovered").await.items().len(), 1);
    assert_eq!(
        server.get(&format!("/api/v1/index-runs?repository={id}&state=failed&order=asc")).await.items()[0]["id"],
        failing.as_str()
    );
    assert_eq!(server.get("/api/v1/index-runs?state=failed&cause=discovered").await.items().len(), 0);
    let page = server.get("/api/v1/index-runs?order=asc&limit=1").await;
    let cursor = page.body["next"].as_str().expect("more");
    let next = server.get(&format!("/api/v1/index-runs?order=asc&limit=1&cursor={cursor}")).await;
    assert_eq!(next.items()[0], oldest.items()[1]);
    server.get(&format!("/api/v1/index-runs?limit=1&cursor={cursor}")).await.refused(400, "cursor_other_list");
    for bad in ["order=up", "cause=luck", "state=lost"] {
        server.get(&format!("/api/v1/index-runs?{bad}")).await.refused(400, "query_invalid");
    }
}

async fn repositories_are_listed_by_what_is_asked_for(server: Server) {
    for (name, messages) in [("beta", vec!["SHOP-1 a"]), ("Alpha", vec![]), ("gamma_x", vec!["SHOP-2 a"])] {
        let path = server.root.join(name);
        repository::empty(&path);
        messages.into_iter().for_each(|message| repository::commit(&path, message));
        indexed(&server, name, &path).await;
    }
    // The last that changed is the first that was added.
    let list = server.get("/api/v1/repositories?name=BET").await.with(StatusCode::OK);
    let id = list.items()[0]["id"].as_str().expect("an id").to_owned();
    repository::commit(&server.root.join("beta"), "SHOP-3 a");
    let position = indexed_again(&server, &id).await["position"].clone();
    let names = |query: &str| {
        let path = format!("/api/v1/repositories?min_position={position}&{query}");
        let server = server.clone();
        async move {
            let mut found = Vec::new();
            let mut cursor = String::new();
            loop {
                let page = server.get(&format!("{path}&limit=1{cursor}")).await.with(StatusCode::OK);
                found.extend(page.items().iter().map(|row| row["name"].as_str().expect("a name").to_owned()));
                let Some(next) = page.body["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            found.join(" ")
        }
    };
    for (query, expected) in [
        ("sort=added", "beta Alpha gamma_x"),
        ("order=desc", "gamma_x Alpha beta"),
        ("sort=name", "Alpha beta gamma_x"),
        ("sort=name&order=desc", "gamma_x beta Alpha"),
        ("sort=state", "beta Alpha gamma_x"),
        ("sort=state&order=desc", "gamma_x Alpha beta"),
        ("sort=activity", "Alpha gamma_x beta"),
        ("sort=activity&order=desc", "beta gamma_x Alpha"),
        ("sort=indexed&trouble=false&state=indexed&name=a", "beta Alpha gamma_x"),
        ("sort=name&name=A%25", ""),
        ("sort=name&name=a_x", "gamma_x"),
        ("trouble=true", ""),
        ("sort=name&state=failed", ""),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    let of = list.items()[0]["integration"].as_str().expect("an id");
    assert_eq!(names(&format!("sort=name&integration={of}")).await, "beta");
    let within = server.get(&format!("/api/v1/integrations/{of}/repositories?sort=activity&order=desc&name=b")).await;
    assert_eq!(within.with(StatusCode::OK).items().len(), 1);
    let page = server.get("/api/v1/repositories?limit=1&sort=name").await;
    let cursor = page.body["next"].as_str().expect("more");
    server
        .get(&format!("/api/v1/repositories?limit=1&sort=state&cursor={cursor}"))
        .await
        .refused(400, "cursor_other_list");
    for bad in ["sort=luck", "name=", "order=up"] {
        server.get(&format!("/api/v1/repositories?{bad}")).await.refused(400, "query_invalid");
    }
}

on_both_engines!(
    a_run_that_failed_is_asked_for_again_and_tells_what_it_did,
    repositories_are_listed_by_what_is_asked_for,
);
