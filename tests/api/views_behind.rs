//! Views that do not follow the log for a while: what they have to decide is not taken on, and what is on disk is told with
//! its position.

use futures::future::join_all;
use keytrail::store::{Area, Statement};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::{
    access::operations,
    commit_links::name,
    host_keys::KNOWN,
    indexing::indexed,
    repository,
    server::{Answer, Server, answer, on_both_engines},
};

const NOBODY: &str = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

async fn by_hand(server: &Server, sql: String) {
    server.app.db.write(Area::Views, vec![Statement::new(sql, vec![])]).await.expect("it can be done by hand");
}

/// The store refuses to move the checkpoints of these views, whatever their node tries.
async fn hold_back(server: &Server, views: &[&str]) {
    if !server.is_sqlite() {
        let refusing = "CREATE OR REPLACE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS \
                        'BEGIN RAISE EXCEPTION ''it is held back''; END'";
        by_hand(server, refusing.to_owned()).await;
    }
    for view in views {
        let what = if server.is_sqlite() {
            format!("WHEN NEW.view = '{view}' BEGIN SELECT RAISE(ABORT, 'it is held back'); END")
        } else {
            format!("FOR EACH ROW WHEN (NEW.view = '{view}') EXECUTE FUNCTION hold_back()")
        };
        by_hand(server, format!("CREATE TRIGGER hold_{view} BEFORE UPDATE OF position ON view_builds {what}")).await;
    }
}

async fn let_go(server: &Server, views: &[&str]) {
    let of = if server.is_sqlite() { "" } else { " ON view_builds" };
    for view in views {
        by_hand(server, format!("DROP TRIGGER hold_{view}{of}")).await;
    }
}

async fn all_at_once(requests: Vec<RequestBuilder>) -> Vec<Answer> {
    join_all(requests.into_iter().map(answer)).await
}

/// The log goes on by something that none of the views here tells of.
async fn goes_on(server: &Server) -> i64 {
    let issued = json!({ "name": "laptop", "role": "viewer", "expires_in_days": 1 });
    let position = server.post("/api/v1/tokens", issued).await.with(StatusCode::CREATED).header("x-log-position");
    position.parse().expect("a number")
}

async fn what_a_view_has_to_decide_is_not_taken_on_while_it_is_behind(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "no key"]);
    let (named, plain) = (name(&path, "HEAD~1"), name(&path, "HEAD"));
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let at = |sha: &str, rest: &str| format!("/api/v1/issues/SHOP-1/commits/{id}/{sha}{rest}");
    server.look_behind().await;
    let requests = || -> Vec<RequestBuilder> {
        [
            (Method::POST, at(&plain, "")),
            (Method::POST, at(&named, "/restore")),
            (Method::DELETE, at(&named, "")),
            (Method::POST, format!("/api/v1/index-runs/{NOBODY}/retry")),
            (Method::POST, format!("/api/v1/operations/index_run.{NOBODY}/cancel")),
            (Method::GET, format!("/api/v1/index-runs/{NOBODY}")),
            (Method::GET, format!("/api/v1/index-runs/{NOBODY}?wait_ms=10")),
            (Method::GET, format!("/api/v1/operations/index_run.{NOBODY}")),
            (Method::GET, format!("/api/v1/repositories/{NOBODY}")),
        ]
        .into_iter()
        .map(|(method, path)| server.local(method, &path))
        .collect()
    };
    let held = ["repository_list", "index_runs"];
    hold_back(&server, &held).await;
    let head = goes_on(&server).await;
    for refused in all_at_once(requests()).await {
        let refused = refused.refused(503, "busy");
        assert_eq!(refused.header("retry-after"), "1");
        assert!(held.contains(&&*refused.text_of("view")), "{}", refused.text);
        assert!(refused.body["position"].as_i64().is_some_and(|position| position < head), "{}", refused.text);
    }
    assert_eq!(server.app.log.stored_head().await.expect("a head").position, head, "nothing was done");
    let_go(&server, &held).await;

    // The repository is known, and not what is linked in it. Nothing is left to restore: that is not taken on, either.
    hold_back(&server, &["issue_commits"]).await;
    let head = goes_on(&server).await;
    for refused in all_at_once(requests().into_iter().take(3).collect()).await {
        assert_eq!(refused.refused(503, "busy").text_of("view"), "issue_commits");
    }
    assert_eq!(server.app.log.stored_head().await.expect("a head").position, head, "nothing was done");
    let_go(&server, &["issue_commits"]).await;

    // The same is carried out as soon as the views are there.
    for view in ["issue_commits", "repository_list", "index_runs"] {
        crate::server::soon("it has caught up", || async { server.app.views.wait_for(view, head).await.is_ok() }).await;
    }
    let statuses: Vec<u16> = all_at_once(requests()).await.iter().map(|one| one.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 404, 404, 404, 404, 404, 404]);
}

async fn a_hashed_name_is_not_decided_by_a_list_that_is_behind(server: Server) {
    let import = async || server.post("/api/v1/host-keys/import", json!({ "known_hosts": KNOWN })).await;
    hold_back(&server, &["host_key_list"]).await;
    let head = goes_on(&server).await;
    assert_eq!(import().await.refused(503, "busy").text_of("view"), "host_key_list");
    assert_eq!(server.app.log.stored_head().await.expect("a head").position, head, "nothing was done");
    let_go(&server, &["host_key_list"]).await;
    let view = || async { server.app.views.wait_for("host_key_list", head).await.is_ok() };
    crate::server::soon("it has caught up", view).await;
    import().await.with(StatusCode::OK);
}

async fn what_is_on_disk_is_told_with_its_position_while_the_view_is_behind(server: Server) {
    let path = server.root.join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();
    let integration = server.get(&format!("/api/v1/repositories/{id}")).await.text_of("integration");
    let at = format!("/api/v1/integrations/{integration}");
    server.look_behind().await;
    hold_back(&server, &["integration_list"]).await;
    let rename = server.local(Method::PUT, &format!("{at}/name")).header("If-Match", "*");
    let told = answer(rename.json(&json!({ "name": "store" }))).await.with(StatusCode::ACCEPTED);
    assert_eq!(told.body["code"], serde_json::Value::Null, "it is no problem: {}", told.text);
    assert_eq!(told.body, json!({ "id": integration, "position": told.body["position"] }));
    assert_eq!(told.header("x-log-position"), told.body["position"].to_string());
    let events = server.get(&format!("/api/v1/streams/integration/{integration}/events")).await.with(StatusCode::OK);
    let renamed = events.items().iter().find(|event| event["event_type"] == "integration.renamed");
    assert_eq!(renamed.expect("it is done")["position"], told.body["position"]);
    // Who asks for that position is told to come again, and who asks for none sees what was there.
    let waiting = format!("{at}?min_position={}", told.body["position"]);
    server.get(&waiting).await.refused(202, "view_behind");
    assert_eq!(server.get(&at).await.with(StatusCode::OK).body["name"], "shop");
    let_go(&server, &["integration_list"]).await;
    crate::server::soon("it has caught up", || async { server.get(&waiting).await.body["name"] == "store" }).await;
}

async fn no_change_is_answered_as_a_view_that_has_to_be_waited_for(server: Server) {
    server.look_behind().await;
    let views: Vec<&str> = server.app.views.states().iter().map(|(name, ..)| *name).collect();
    hold_back(&server, &views).await;
    goes_on_unseen(&server).await;
    // It folds the views itself, and ends only when they have come to rest.
    let changes = operations().into_iter().filter(|one| one.method != Method::GET && one.name != "VerifyViews");
    let changes: Vec<_> = changes.collect();
    assert!(changes.len() >= 30, "{}", changes.len());
    let requests = changes.iter().map(|change| {
        let request = server.local(change.method.clone(), &change.path).header("If-Match", "*");
        if change.takes_body { request.json(&json!({})) } else { request }
    });
    for (change, told) in changes.iter().zip(all_at_once(requests.collect()).await) {
        assert_ne!(told.body["code"], "view_behind", "{}: {}", change.name, told.text);
        if told.status == StatusCode::ACCEPTED {
            assert!(told.headers.contains_key("x-log-position"), "{} was taken on: {}", change.name, told.text);
        }
    }
    let_go(&server, &views).await;
}

/// The same where the view of tokens is behind, too.
async fn goes_on_unseen(server: &Server) {
    let issued = json!({ "name": "laptop", "role": "viewer", "expires_in_days": 1 });
    let told = server.post("/api/v1/tokens", issued).await.with(StatusCode::ACCEPTED);
    assert!(told.body["token"].is_string() && told.body["position"].is_i64(), "{}", told.text);
}

on_both_engines!(
    what_a_view_has_to_decide_is_not_taken_on_while_it_is_behind,
    a_hashed_name_is_not_decided_by_a_list_that_is_behind,
    what_is_on_disk_is_told_with_its_position_while_the_view_is_behind,
    no_change_is_answered_as_a_view_that_has_to_be_waited_for,
);
