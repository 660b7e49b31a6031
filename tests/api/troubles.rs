//! A repository that cannot be looked at says so, and what happens next; a person can have it looked at now.

use keytrail::store::{Area, Statement};
use keytrail_projections::value::Value as Stored;
use keytrail_test_support::web_server::{Door, Ending, Scripted};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    remotes::{credential, served},
    repository::{self, git},
    server::{Server, answer, on_both_engines, soon},
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
        the_only_one(&server, "?trouble=true").await.is_some_and(|row| row["trouble"].is_object())
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

async fn change(server: &Server, integration: &str, connection: Value) {
    let at = format!("/api/v1/integrations/{integration}/connection");
    let request = server.local(Method::PUT, &at).header("If-Match", "*").json(&json!({ "connection": connection }));
    answer(request).await.with(StatusCode::OK);
}

/// The code of the trouble of the only repository, after somebody had it looked at until there is one.
async fn trouble(server: &Server, id: &str) -> Value {
    soon("its trouble is told", || async {
        fetch(server, id).await;
        // A run that failed is listed with those in trouble before a look has said what it is.
        the_only_one(server, "?trouble=true").await.is_some_and(|row| row["trouble"].is_object())
    })
    .await;
    the_only_one(server, "").await.expect("a repository")["trouble"].clone()
}

async fn is_over(server: &Server, id: &str) {
    soon("the trouble is over", || async {
        fetch(server, id).await;
        the_only_one(server, "").await.is_some_and(|row| row["trouble"].is_null())
    })
    .await;
}

async fn is_indexed(server: &Server) -> String {
    soon("it is indexed", || async { the_only_one(server, "").await.is_some_and(|row| row["state"] == "indexed") })
        .await;
    the_only_one(server, "").await.expect("a repository")["id"].as_str().expect("an id").to_owned()
}

async fn a_folder_that_is_not_there_is_told_with_its_repositories(server: Server) {
    let folder = server.root.join("share");
    repository::with_commits(&folder.join("shop"), &["SHOP-1 begins"]);
    let connection = json!({ "kind": "folder", "path": folder });
    server.connect("share", connection).await.with(StatusCode::CREATED);
    let id = is_indexed(&server).await;
    std::fs::rename(&folder, server.root.join("unmounted")).expect("it can be moved");
    let told = trouble(&server, &id).await;
    assert_eq!(told["code"], "folder_absent", "{told}");
    assert!(told["next"].as_str().is_some_and(|next| next.contains("Mount the share")), "{told}");
    assert_eq!(the_only_one(&server, "").await.expect("a repository")["state"], "indexed", "nothing is forgotten");
    std::fs::rename(server.root.join("unmounted"), &folder).expect("it can be moved back");
    is_over(&server, &id).await;
}

async fn repositories_of_a_folder_are_looked_at_when_other_refs_are_chosen(server: Server) {
    let folder = server.root.join("all");
    repository::with_commits(&folder.join("shop"), &["SHOP-1 begins"]);
    git(&folder.join("shop"), &["update-ref", "refs/heads/aside", "HEAD"]);
    git(&folder.join("shop"), &["checkout", "-q", "aside"]);
    repository::commit(&folder.join("shop"), "SHOP-7 aside");
    git(&folder.join("shop"), &["update-ref", "refs/reviews/7", "HEAD"]);
    git(&folder.join("shop"), &["checkout", "-q", "main"]);
    git(&folder.join("shop"), &["branch", "-q", "-D", "aside"]);
    let connection = |patterns: Value| {
        let refs = json!({ "notes": false, "changes": false, "patterns": patterns });
        json!({ "kind": "folder", "path": folder, "refs": refs })
    };
    let integration = server.connect("all", connection(json!([]))).await.with(StatusCode::CREATED).id();
    is_indexed(&server).await;
    let count = async || server.get("/api/v1/issues/SHOP-7").await.with(StatusCode::OK).body["commits"].clone();
    assert_eq!(count().await, 0);
    // Nothing else looks within this time: polls are minutes apart.
    change(&server, &integration, connection(json!(["refs/reviews/*"]))).await;
    soon("the other commit is found", || async { count().await == 1 }).await;
}

on_both_engines!(
    a_repository_is_looked_at_when_a_person_asks,
    a_folder_that_is_not_there_is_told_with_its_repositories,
    repositories_of_a_folder_are_looked_at_when_other_refs_are_chosen,
);

async fn a_credential_that_cannot_be_opened_fails_the_run_and_is_told(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let connection = json!({ "kind": "git", "url": web.url_at(Door::Private, "shop.git"), "credential": credential() });
    let integration = server.connect("shop", connection.clone()).await.with(StatusCode::CREATED).id();
    let id = is_indexed(&server).await;
    let lost = Statement::new("DELETE FROM secrets WHERE owner_kind = 'integration'", vec![]);
    server.app.db.write(Area::Log, vec![lost]).await.expect("a change by hand");
    let asked = server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await;
    let run = format!("/api/v1/index-runs/{}?wait_ms=30000", asked.with(StatusCode::ACCEPTED).id());
    let ended = server.get(&run).await.with(StatusCode::OK);
    assert_eq!(
        (&ended.body["state"], &ended.body["failure"]["code"]),
        (&json!("failed"), &json!("credential_unreadable"))
    );
    assert!(!ended.text.contains(credential()["password"].as_str().expect("a text")), "{}", ended.text);
    assert_eq!(trouble(&server, &id).await["code"], "credential_unreadable");
    change(&server, &integration, connection).await;
    is_over(&server, &id).await;
    soon("it is indexed again", || async {
        the_only_one(&server, "").await.is_some_and(|row| row["state"] == "indexed")
    })
    .await;
}

async fn a_run_leaves_a_server_alone_as_long_as_it_asks(server: Server) {
    let answer =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1800\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let busy = Scripted::start(answer.as_bytes(), Ending::Closes);
    let connection = json!({ "kind": "git", "url": busy.url("shop.git") });
    server.connect("shop", connection).await.with(StatusCode::CREATED);
    let pause = async || {
        let sql = "SELECT run_after - noted_at FROM jobs WHERE kind = 'index_repository' AND attempts = 1";
        server.app.db.read(Area::Log, sql, &[]).await.expect("the jobs")
    };
    soon("it was tried", || async { !pause().await.is_empty() }).await;
    assert!(matches!(pause().await[0][0], Stored::Int(1_800_000_000..)), "{:?}", pause().await);
    // Who does not want it any more need not wait so long.
    let run = server.get("/api/v1/index-runs").await.items()[0]["id"].as_str().expect("an id").to_owned();
    server.post(&format!("/api/v1/index-runs/{run}/cancel"), json!({})).await.with(StatusCode::OK);
    soon("nothing is left of it", || async { pause().await.is_empty() }).await;
}

mod of_servers {
    use super::{
        a_credential_that_cannot_be_opened_fails_the_run_and_is_told, a_run_leaves_a_server_alone_as_long_as_it_asks,
    };
    use crate::server::on_both_engines;

    on_both_engines!(
        reaching_this_machine;
        a_credential_that_cannot_be_opened_fails_the_run_and_is_told,
        a_run_leaves_a_server_alone_as_long_as_it_asks,
    );
}
