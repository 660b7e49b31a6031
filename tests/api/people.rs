//! Those whom commits name as authors: found by name, and forgotten everywhere, at once and for good.

use keytrail_test_support::server::{Home, Options};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    command_line::{done, failed, lines, text},
    indexing::indexed,
    repository::{self, git},
    server::{Server, answer, on_both_engines},
};

fn commit_as(path: &std::path::Path, name: &str, email: &str, message: &str) {
    let author = format!("{name} <{email}>");
    git(path, &["commit", "-q", "--allow-empty", "--author", &author, "-m", message]);
}

async fn a_person_is_forgotten_everywhere_and_for_good(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    commit_as(&path, "Grace Hopper", "grace@navy.example", "SHOP-1 begins");
    commit_as(&path, "Alan", "alan@example.org", "SHOP-2 more");
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();

    let listed = server.get("/api/v1/people?fragment=GRACE").await.with(StatusCode::OK);
    assert_eq!(listed.items().len(), 1);
    let person = listed.items()[0].clone();
    assert_eq!((&person["name"], &person["email"]), (&json!("Grace Hopper"), &json!("grace@navy.example")));
    let grace = person["id"].as_str().expect("an id").to_owned();
    let at = format!("/api/v1/people/{grace}");
    assert_eq!(server.get(&at).await.with(StatusCode::OK).body, person);
    // Addresses are the administrators'.
    let (viewer, auditor) = (server.token("viewer").await, server.token("auditor").await);
    let as_auditor = |path: String| answer(server.request(Method::GET, &path).bearer_auth(&auditor));
    let as_viewer = |path: String| answer(server.request(Method::GET, &path).bearer_auth(&viewer));
    let seen = as_auditor(at.clone()).await.with(StatusCode::OK);
    assert_eq!((seen.text_of("name"), seen.body.get("email")), ("Grace Hopper".into(), None));
    assert_eq!(as_auditor("/api/v1/people?fragment=navy".into()).await.items().len(), 0);
    // The list of all is not for viewers, who see a name beside each commit and may search by it.
    for path in [&at, "/api/v1/people", "/api/v1/people?forgotten=true"] {
        as_viewer(path.to_owned()).await.refused(403, "role_insufficient");
    }
    assert_eq!(server.get("/api/v1/people?fragment=navy").await.items().len(), 1);
    let head = server.app.log.feed().head().position;
    server.get(&format!("/api/v1/search?min_position={head}")).await.with(StatusCode::OK);
    assert_eq!(as_viewer("/api/v1/search?author=hopper".into()).await.with(StatusCode::OK).items().len(), 1);
    assert_eq!(as_viewer("/api/v1/search?author=navy".into()).await.with(StatusCode::OK).items().len(), 0);
    // Of an administrator's token only where it is for persons.
    for (scopes, sees) in [(json!(["issues:read"]), false), (json!(["issues:read", "people:read"]), true)] {
        let body = json!({ "name": "narrow", "role": "admin", "scopes": scopes, "expires_in_days": 1 });
        let token = server.post("/api/v1/tokens", body).await.with(StatusCode::CREATED).text_of("token");
        let as_it = |path: &str| answer(server.request(Method::GET, path).bearer_auth(&token));
        assert_eq!(as_it("/api/v1/search?author=grace").await.with(StatusCode::OK).items().len(), 1);
        let found = as_it("/api/v1/search?author=navy").await.with(StatusCode::OK).items().len();
        assert_eq!(found, usize::from(sees), "{scopes}");
        if sees {
            assert_eq!(as_it(&at).await.body, person);
        }
    }
    let forbidden = server.request(Method::POST, &format!("{at}/forget")).bearer_auth(&viewer);
    answer(forbidden).await.refused(403, "role_insufficient");

    let commits = "/api/v1/issues/SHOP-1/commits";
    let shown = server.get(commits).await;
    assert_eq!(shown.items()[0]["author"]["name"], "Grace Hopper");
    let sha = shown.items()[0]["sha"].as_str().expect("a name").to_owned();
    let commit = format!("/api/v1/repositories/{id}/commits/{sha}");
    server.get(&commit).await.with(StatusCode::OK);
    let page = server.get("/api/v1/people?limit=1").await;
    let cursor = page.body["next"].as_str().expect("more").to_owned();
    assert_eq!(server.get(&format!("/api/v1/people?limit=1&cursor={cursor}")).await.items()[0]["id"], grace.as_str());

    let forget = || answer(server.local(Method::POST, &format!("{at}/forget")).header("Idempotency-Key", "1"));
    let forgotten = forget().await.with(StatusCode::OK);
    assert_eq!((&forgotten.body["name"], forgotten.body.get("email")), (&Value::Null, None));
    assert!(forgotten.body["forgotten_at"].is_string(), "{}", forgotten.text);
    assert_eq!(forget().await.with(StatusCode::OK).header("idempotency-replayed"), "true");
    server.post(&format!("{at}/forget"), json!({})).await.with(StatusCode::OK);
    let gone = |server: Server| {
        let (commit, at) = (commit.clone(), at.clone());
        async move {
            for path in
                [commits, &commit, &at, "/api/v1/people", "/api/v1/people?forgotten=true", "/api/v1/events?limit=500"]
            {
                let told = server.get(path).await.with(StatusCode::OK);
                assert!(!told.text.contains("Grace") && !told.text.contains("navy"), "{path}: {}", told.text);
            }
            assert_eq!(server.get("/api/v1/search?author=grace").await.with(StatusCode::OK).items().len(), 0);
        }
    };
    gone(server.clone()).await;
    let shown = server.get(commits).await;
    assert_eq!((&shown.items()[0]["author"]["id"], &shown.items()[0]["author"]["name"]), (&json!(grace), &Value::Null));
    let shown = server.get(&commit).await;
    assert_eq!(shown.body["author"], json!({ "id": grace, "name": null }));
    assert_eq!(shown.body["committer"]["name"], "Ada");
    assert_eq!(server.get("/api/v1/people?forgotten=true").await.items().len(), 1);
    assert_eq!(server.get(&format!("/api/v1/search?author={grace}")).await.items().len(), 1, "work stays");

    // Neither another look at everything nor a new commit brings the name back.
    commit_as(&path, "Grace Hopper", "Grace@Navy.example", "SHOP-1 again");
    let reset = loop {
        let asked = server.post(&format!("/api/v1/repositories/{id}/reset"), json!({})).await;
        if asked.status == StatusCode::ACCEPTED {
            break asked;
        }
        // The schedule was faster.
        let active = asked.refused(409, "index_run_active").text_of("index_run");
        server.get(&format!("/api/v1/index-runs/{active}?wait_ms=30000")).await.with(StatusCode::OK);
    };
    let run = server.get(&format!("/api/v1/index-runs/{}?wait_ms=30000", reset.id())).await;
    assert_eq!(run.body["state"], "completed", "{}", run.text);
    let head = server.app.log.feed().head().position;
    assert_eq!(server.get(&format!("{commits}?min_position={head}")).await.items().len(), 2);
    gone(server.clone()).await;

    let events = server.get(&format!("/api/v1/events?stream={grace}&min_position={head}")).await;
    assert_eq!(events.items().len(), 1, "saying it twice is not a second fact");
    assert_eq!(
        (&events.items()[0]["event_type"], &events.items()[0]["actor"]["kind"]),
        (&json!("person.forgotten"), &json!("local"))
    );
    let replayed = server.get(&format!("/api/v1/streams/person/{grace}/events?state=true")).await.with(StatusCode::OK);
    assert_eq!(replayed.items()[0]["state"], json!({ "state": "forgotten" }));
}

async fn nobody_is_forgotten_who_is_no_person(server: Server) {
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    server.get(&format!("/api/v1/people/{nobody}")).await.refused(404, "person_unknown");
    server.post(&format!("/api/v1/people/{nobody}/forget"), json!({})).await.refused(404, "person_unknown");
    // Somebody whom no table has, such as one who only committed what others wrote, may ask all the same.
    let committer = "abababab-abab-8bab-abab-abababababab";
    server.get(&format!("/api/v1/people/{committer}")).await.refused(404, "person_unknown");
    server.post(&format!("/api/v1/people/{committer}/forget"), json!({})).await.with(StatusCode::OK);
    assert!(server.get(&format!("/api/v1/people/{committer}")).await.body["forgotten_at"].is_string());
    for bad in ["fragment=", "fragment=a%00b", "limit=0", "cursor=x", "other=1"] {
        let told = server.get(&format!("/api/v1/people?{bad}")).await;
        assert_eq!(told.status, StatusCode::BAD_REQUEST, "{bad}: {}", told.text);
    }
}

async fn a_page_after_somebody_who_was_forgotten_is_begun_anew(server: Server) {
    let path = server.root.join("shop");
    repository::empty(&path);
    for name in ["Ann", "Bob", "Cleo"] {
        commit_as(&path, name, &format!("{name}@example.org"), "SHOP-1 more");
    }
    indexed(&server, "shop", &path).await;
    let first = server.get("/api/v1/people?limit=1").await.with(StatusCode::OK);
    let cursor = first.body["next"].as_str().expect("more").to_owned();
    let ann = first.items()[0]["id"].as_str().expect("an id");
    let next = format!("/api/v1/people?limit=1&cursor={cursor}");
    assert_eq!(server.get(&next).await.items()[0]["name"], "Bob");
    server.post(&format!("/api/v1/people/{ann}/forget"), json!({})).await.with(StatusCode::OK);
    server.get(&next).await.refused(400, "cursor_expired");
    assert_eq!(server.get("/api/v1/people?limit=1").await.items()[0]["name"], "Bob");
}

on_both_engines!(
    a_person_is_forgotten_everywhere_and_for_good,
    nobody_is_forgotten_who_is_no_person,
    a_page_after_somebody_who_was_forgotten_is_begun_anew,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_listed_and_forgotten_by_command() {
    let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default()).start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(home.run(["index", text(&path)]).await);
    let listed = lines(&done(home.run(["person", "list", "ada@", "--json"]).await));
    assert_eq!(listed[0]["name"], "Ada");
    let id = listed[0]["id"].as_str().expect("an id");
    assert!(failed(home.run(["person", "forget", id]).await, 2).contains("--yes"));
    assert_eq!(done(home.run(["person", "forget", id, "--yes"]).await), "forgotten\n");
    assert_eq!(lines(&done(home.run(["person", "list", "--json"]).await)).len(), 0);
    assert!(done(home.run(["person", "list", "--forgotten"]).await).contains(id));
    assert!(done(home.run(["issue", "show", "SHOP-1"]).await).contains("(unknown)"));
    failed(home.run(["person", "forget", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "--yes"]).await, 3);
}
