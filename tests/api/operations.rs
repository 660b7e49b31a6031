//! Long work is watched as one thing, whatever it is, and stopped where that can be.

use keytrail::{
    app::Context,
    store::{Area, Statement},
};
use keytrail_domain::{
    id::RepositoryId,
    index_run::{Cause, Command, IndexRun},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    indexing::indexed,
    repository,
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// Waits until an operation has ended.
async fn ended(server: &Server, href: &str) -> Answer {
    soon("the operation ends", || async {
        let now = server.get(href).await.with(StatusCode::OK);
        ["succeeded", "failed", "cancelled"].contains(&now.text_of("state").as_str())
    })
    .await;
    server.get(href).await
}

fn href(answer: &Answer) -> String {
    answer.body["operation"]["href"].as_str().unwrap_or_else(|| panic!("no operation in {}", answer.text)).to_owned()
}

async fn long_work_is_watched_to_its_end(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let row = indexed(&server, "shop", &path).await;
    let (id, integration) = (row["id"].as_str().expect("an id"), row["integration"].as_str().expect("an id"));

    // What is discovered was looked for; nothing was forgotten.
    let discovery = format!("/api/v1/operations/discover_repositories.{integration}");
    assert_eq!(ended(&server, &discovery).await.text_of("state"), "succeeded");
    server
        .get(&format!("/api/v1/operations/forget_repositories.{integration}"))
        .await
        .refused(404, "operation_unknown");

    let run = server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await.with(StatusCode::ACCEPTED);
    let done = ended(&server, &href(&run)).await;
    assert_eq!((done.text_of("kind"), done.text_of("state")), ("index_run".into(), "succeeded".into()));
    assert_eq!(done.body["index_run"], format!("/api/v1/index-runs/{}", run.id()));
    assert!(done.body["started_at"].is_string() && done.body["ended_at"].is_string(), "{}", done.text);
    assert_eq!((&done.body["cancellable"], &done.body["progress"]), (&json!(false), &Value::Null));
    server.post(&format!("{}/cancel", href(&run)), json!({})).await.refused(409, "index_run_ended");

    let look = server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
    let looked = ended(&server, &href(&look)).await;
    assert_eq!((looked.text_of("kind"), looked.text_of("state")), ("fetch_repository".into(), "succeeded".into()));
    assert_eq!(looked.body["index_run"], Value::Null, "nothing is new: {}", looked.text);
    repository::commit(&path, "SHOP-1 more");
    let look = server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
    let looked = ended(&server, &href(&look)).await;
    assert_eq!(looked.text_of("state"), "succeeded", "{}", looked.text);
    let run = looked.body["index_run"].as_str().expect("a run").to_owned();
    assert_eq!(server.get(&format!("{run}?wait_ms=30000")).await.body["state"], "completed");
    server.post(&format!("{}/cancel", href(&look)), json!({})).await.refused(409, "operation_not_cancellable");

    let build = server.post("/api/v1/views/issue_search/rebuild", json!({})).await.with(StatusCode::ACCEPTED);
    let built = ended(&server, &href(&build)).await;
    assert_eq!((built.text_of("kind"), built.text_of("state")), ("rebuild_view".into(), "succeeded".into()));
    let again = server.post("/api/v1/views/issue_search/rebuild", json!({})).await.with(StatusCode::ACCEPTED);
    assert_ne!(href(&again), href(&build));
    assert_eq!(ended(&server, &href(&again)).await.text_of("state"), "succeeded");
    assert_eq!(server.get(&href(&build)).await.text_of("state"), "succeeded", "although another one took its place");

    let verifying = server.post("/api/v1/views/verify", json!({})).await.with(StatusCode::ACCEPTED);
    let at = verifying.header("location");
    assert_eq!(at, format!("/api/v1/operations/{}", verifying.id()));
    let verified = ended(&server, &at).await;
    assert_eq!((verified.text_of("state"), &verified.body["verdicts"]["same"]), ("succeeded".into(), &json!(true)));
    let waited = server.post("/api/v1/views/verify?wait=true", json!({})).await.with(StatusCode::OK);
    assert_eq!(
        waited.body["items"].as_array().map(Vec::len),
        verified.body["verdicts"]["items"].as_array().map(Vec::len)
    );

    let listed = server.get("/api/v1/operations").await.with(StatusCode::OK);
    let kinds: Vec<_> = listed.items().iter().map(|one| one["kind"].as_str().expect("a kind")).collect();
    assert_eq!(kinds, ["verify_views", "verify_views", "fetch_repository"], "{}", listed.text);

    // Whatever it is, it takes its place of a page.
    let ids = |page: &Answer| page.items().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    let first = server.get("/api/v1/operations?limit=2").await.with(StatusCode::OK);
    let next = first.body["next"].as_str().expect("more");
    let last = server.get(&format!("/api/v1/operations?limit=2&cursor={next}")).await.with(StatusCode::OK);
    assert_eq!([ids(&first).len(), ids(&last).len()], [2, 1], "{}", first.text);
    assert_eq!(([ids(&first), ids(&last)].concat(), &last.body["next"]), (ids(&listed), &Value::Null));

    // A look that fails says why as the repository does.
    let away = server.root.join("away");
    std::fs::rename(&path, &away).expect("it can be moved");
    let look = server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await.with(StatusCode::ACCEPTED);
    let failed = ended(&server, &href(&look)).await;
    let trouble = server.get(&format!("/api/v1/repositories/{id}")).await.body["trouble"]["code"].clone();
    assert!(trouble.is_string() && failed.body["problem"]["code"] == trouble, "{}", failed.text);
    std::fs::rename(&away, &path).expect("it can be moved back");

    answer(server.local(Method::DELETE, &format!("/api/v1/integrations/{integration}")).header("If-Match", "*"))
        .await
        .with(StatusCode::OK);
    let forgetting = format!("/api/v1/operations/forget_repositories.{integration}");
    assert_eq!(ended(&server, &forgetting).await.text_of("state"), "succeeded");
    // Nobody looks at it any more.
    let look = server.post(&format!("/api/v1/repositories/{id}/fetch"), json!({})).await;
    look.refused(409, "repository_forgotten");
    for unknown in
        ["index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "rebuild_view.issue_search.999", "nothing", "verify_views.x"]
    {
        server.get(&format!("/api/v1/operations/{unknown}")).await.refused(404, "operation_unknown");
        server.post(&format!("/api/v1/operations/{unknown}/cancel"), json!({})).await.refused(404, "operation_unknown");
    }
}

async fn a_run_is_known_as_soon_as_it_is_in_the_log(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let row = indexed(&server, "shop", &path).await;
    let repository = RepositoryId(row["id"].as_str().expect("an id").parse().expect("an id"));
    for _ in 0..10 {
        let (run, context) = (keytrail::ids::new_id(), Context::server("case", 0));
        let request = Command::Request { repository, cause: Cause::Asked };
        server.app.dispatch::<IndexRun>(run, request, context, Vec::new()).await.expect("it is asked for");
        let at = format!("/api/v1/operations/index_run.{run}");
        server.get(&at).await.with(StatusCode::OK);
        ended(&server, &at).await;
    }
    // What only one node can know is told so.
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    for kind in ["fetch_repository", "verify_views"] {
        let unknown = server.get(&format!("/api/v1/operations/{kind}.{nobody}")).await;
        let detail = unknown.refused(404, "operation_unknown").text_of("detail");
        assert!(detail.contains("node"), "{detail}");
    }
}

async fn what_waits_is_listed_page_by_page_and_stopped(server: Server) {
    let mut runs = Vec::new();
    for n in 0..3 {
        let path = server.root.join(format!("r{n}"));
        repository::with_commits(&path, &["SHOP-1 begins"]);
        runs.push(indexed(&server, &format!("r{n}"), &path).await["id"].as_str().expect("an id").to_owned());
    }
    // An outdated node takes no job.
    server.app.jobs.set_outdated();
    let mut operations = Vec::new();
    for id in &runs {
        let run = server.post(&format!("/api/v1/repositories/{id}/index-runs"), json!({})).await;
        operations.push(href(&run.with(StatusCode::ACCEPTED)));
    }
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/index-runs?min_position={head}")).await.with(StatusCode::OK);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/operations?limit=1{cursor}")).await.with(StatusCode::OK);
        found.extend(
            page.items().iter().map(|one| (one["id"].clone(), one["state"].clone(), one["cancellable"].clone())),
        );
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<_> =
        operations.iter().map(|at| (json!(at.rsplit('/').next()), json!("waiting"), json!(true))).collect();
    assert_eq!(found, expected);
    for at in &operations {
        let stopped = server.post(&format!("{at}/cancel"), json!({})).await.with(StatusCode::ACCEPTED);
        assert_eq!((stopped.text_of("state"), &stopped.body["cancellable"]), ("cancelled".into(), &json!(false)));
        server.post(&format!("{at}/cancel"), json!({})).await.with(StatusCode::ACCEPTED);
    }
    assert_eq!(server.get("/api/v1/operations").await.items().len(), 0);
    let viewer = server.token("viewer").await;
    let asked = server.request(Method::GET, "/api/v1/operations").bearer_auth(&viewer);
    answer(asked).await.refused(403, "role_insufficient");
    // What is left of them, which nobody takes here any more.
    let jobs = Statement::new("DELETE FROM jobs WHERE cancelled = 1", Vec::new());
    soon("the jobs are not wanted any more", || async {
        let sql = "SELECT key FROM jobs WHERE cancelled = 0";
        server.app.db.read(Area::Log, sql, &[]).await.expect("the jobs").is_empty()
    })
    .await;
    server.app.db.write(Area::Log, vec![jobs]).await.expect("they are taken away");
}

on_both_engines!(
    long_work_is_watched_to_its_end,
    a_run_is_known_as_soon_as_it_is_in_the_log,
    what_waits_is_listed_page_by_page_and_stopped,
);
