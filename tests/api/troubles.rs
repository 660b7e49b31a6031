//! A repository that cannot be looked at says so, and what happens next; a person can have it looked at now.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    repository,
    server::{Server, on_both_engines, soon},
};

async fn fetch(server: &Server, id: &str) {
    let asked = server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await;
    assert_eq!(asked.with(StatusCode::ACCEPTED).id(), id);
}

async fn the_only_one(server: &Server, query: &str) -> Option<Value> {
    server.get(&format!("/api/v1/repositories{query}")).await.with(StatusCode::OK).items().first().cloned()
}

async fn a_repository_is_looked_at_when_a_person_asks(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let integration = server.add("shop", &path).await.with(StatusCode::CREATED).id();
    soon("it is indexed", || async { the_only_one(&server, "").await.is_some_and(|row| row["state"] == "indexed") })
        .await;
    let row = the_only_one(&server, "").await.expect("a repository");
    let id = row["id"].as_str().expect("an id").to_owned();
    assert_eq!((&row["trouble"], &row["reading"]), (&Value::Null, &json!("in_place")));

    // Nothing else looks within this time: polls are minutes apart.
    repository::commit(&path, "SHOP-2 goes on");
    fetch(&server, &id).await;
    soon("the new commit is found", || async {
        server.get("/api/v1/issues/SHOP-2").await.with(StatusCode::OK).body["commits"] == 1
    })
    .await;

    soon("the run has ended", || async {
        the_only_one(&server, "").await.is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    std::fs::rename(&path, server.root.join("aside")).expect("it can be moved");
    soon("its trouble is told", || async {
        fetch(&server, &id).await;
        the_only_one(&server, "?trouble=true").await.is_some()
    })
    .await;
    let list = format!("/api/v1/integrations/{integration}/repositories");
    assert_eq!(server.get(&format!("{list}?trouble=true")).await.items().len(), 1);
    assert!(the_only_one(&server, "?trouble=false").await.is_none());
    let trouble = the_only_one(&server, "").await.expect("a repository")["trouble"].clone();
    assert!(trouble["code"].is_string() && trouble["since"].is_string(), "{trouble}");
    for member in ["sentence", "next"] {
        assert!(trouble[member].as_str().is_some_and(|text| text.ends_with('.')), "{trouble}");
    }

    std::fs::rename(server.root.join("aside"), &path).expect("it can be moved back");
    soon("the trouble is over", || async {
        fetch(&server, &id).await;
        the_only_one(&server, "").await.is_some_and(|row| row["trouble"].is_null())
    })
    .await;
    assert!(the_only_one(&server, "?trouble=true").await.is_none());
    soon("the last run has ended", || async {
        the_only_one(&server, "").await.is_some_and(|row| row["state"] == "indexed")
    })
    .await;

    let unknown = "/api/v1/repositories/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b/fetch";
    server.post(unknown, json!({})).await.refused(404, "repository_unknown");
    let at = format!("/api/v1/integrations/{integration}");
    let removed = crate::server::answer(server.local(reqwest::Method::DELETE, &at).header("If-Match", "*")).await;
    removed.with(StatusCode::OK);
    soon("it is forgotten", || async {
        the_only_one(&server, "").await.is_some_and(|row| row["state"] == "forgotten")
    })
    .await;
    server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await.refused(409, "repository_forgotten");
}

on_both_engines!(a_repository_is_looked_at_when_a_person_asks);
