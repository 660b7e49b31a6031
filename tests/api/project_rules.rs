//! Which projects count: changed by an administrator, applied at once to issues, branches and lists, and nothing is read
//! again for it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    indexing::indexed,
    repository::{self, git},
    server::{Answer, Server, answer, on_both_engines},
};

/// Sets the rules, whatever they were; the position of the change.
pub(crate) async fn set(server: &Server, known: &[&str], denied: &[&str]) -> String {
    let body = json!({ "known": known, "denied": denied });
    let put = server.local(Method::PUT, "/api/v1/project-rules").header("If-Match", "*").json(&body);
    answer(put).await.with(StatusCode::OK).header("x-log-position")
}

/// The project keys of a list.
fn projects(answer: &Answer) -> Vec<String> {
    answer.items().iter().map(|row| row["project"].as_str().expect("a key").to_owned()).collect()
}

async fn what_the_rules_leave_out_is_not_shown_and_comes_back(server: Server) {
    let path = server.root.join("shop");
    let messages = ["SHOP-1 in UTF-8", "SHOP-1 and SHOP-404", "PAY-7 with SHA-256"];
    repository::with_commits(&path, &messages);
    git(&path, &["branch", "pay-7-and-utf-8"]);
    let id = indexed(&server, "shop", &path).await["id"].as_str().expect("an id").to_owned();

    let rules = server.get("/api/v1/project-rules").await.with(StatusCode::OK);
    assert_eq!((rules.header("etag"), &rules.body["known"]), ("\"0\"".into(), &json!([])));
    assert!(rules.body["denied"].as_array().expect("a list").contains(&json!("UTF")));
    assert_eq!(rules.body["denied"], rules.body["denied_at_first"]);

    let shown = async |key: &str, position: &str| {
        let at = |what: &str| format!("/api/v1/issues/{key}{what}?min_position={position}");
        let issue = server.get(&at("")).await.with(StatusCode::OK);
        let commits = server.get(&at("/commits")).await.with(StatusCode::OK).items().len();
        let branches = server.get(&at("/branches")).await.with(StatusCode::OK).items().len();
        assert_eq!((&issue.body["commits"], &issue.body["branches"]), (&json!(commits), &json!(branches)));
        assert_eq!(issue.body["denied"], issue.body["rule"] != "counts");
        (commits, branches, issue.text_of("rule"))
    };
    assert_eq!(shown("SHOP-1", "0").await, (2, 0, "counts".into()));
    assert_eq!(shown("PAY-7", "0").await, (1, 1, "counts".into()));
    assert_eq!(shown("UTF-8", "0").await, (0, 0, "project_denied".into()));
    let all = server.get("/api/v1/projects").await;
    assert_eq!(projects(&all), ["SHOP", "PAY"]);

    // A list of known projects, and an issue that is none.
    let position = set(&server, &["shop"], &["SHOP-404"]).await;
    assert_eq!(shown("SHOP-1", &position).await, (2, 0, "counts".into()));
    assert_eq!(shown("SHOP-404", &position).await, (0, 0, "issue_denied".into()));
    assert_eq!(shown("PAY-7", &position).await, (0, 0, "project_not_known".into()));
    assert_eq!(projects(&server.get("/api/v1/projects").await), ["SHOP"]);
    let all = server.get(&format!("/api/v1/projects?all=true&repository={id}")).await;
    let rule = |project: &str| {
        let row = all.items().iter().find(|row| row["project"] == project).expect("a project");
        (row["rule"].as_str().expect("a word").to_owned(), row["denied"].clone())
    };
    assert_eq!(rule("SHOP"), ("counts".to_owned(), json!(false)));
    assert_eq!(rule("UTF"), ("project_not_known".to_owned(), json!(true)));

    // What really is a project may be called so.
    let position = set(&server, &["PAY", "UTF"], &["SHA"]).await;
    assert_eq!(shown("UTF-8", &position).await, (1, 1, "counts".into()));
    assert_eq!(shown("SHOP-1", &position).await, (0, 0, "project_not_known".into()));
    // The rules of today hold, also for the past.
    let before = server.get("/api/v1/issues/SHOP-1/commits?as_of=100000").await.with(StatusCode::OK);
    assert_eq!(before.items().len(), 0);
    let position = set(&server, &[], &[]).await;
    for key in ["SHOP-1", "SHOP-404", "PAY-7", "UTF-8", "SHA-256"] {
        assert_eq!(shown(key, &position).await.2, "counts", "{key}");
    }
    assert_eq!(server.get("/api/v1/index-runs").await.items().len(), 1, "nothing was read again");
}

async fn rules_are_changed_by_who_saw_them(server: Server) {
    let rules = "/api/v1/project-rules";
    let put = |body: Value, seen: Option<&str>| {
        let request = server.local(Method::PUT, rules).json(&body);
        answer(match seen {
            Some(seen) => request.header("If-Match", seen),
            None => request,
        })
    };
    let list = |known: &[&str], denied: &[&str]| json!({ "known": known, "denied": denied });
    put(list(&[], &[]), None).await.refused(428, "if_match_missing");
    put(list(&[], &[]), Some("\"1\"")).await.refused(412, "version_stale");
    for (known, denied) in
        [(&["SHOP-1"][..], &[][..]), (&["1"], &[]), (&[], &["x"]), (&[], &["SHOP-0"]), (&["ÄB"], &[])]
    {
        put(list(known, denied), Some("*")).await.refused(422, "project_invalid");
    }
    put(list(&["SHOP"], &["shop"]), Some("*")).await.refused(422, "project_rules_contradict");
    let many: Vec<String> = (0..5_001).map(|n| format!("P{n}")).collect();
    put(json!({ "known": many, "denied": [] }), Some("*")).await.refused(422, "project_rules_too_many");
    put(json!({ "known": [] }), Some("*")).await.refused(400, "body_invalid");
    assert_eq!(server.get(rules).await.header("etag"), "\"0\"", "nothing was changed");

    let changed = put(list(&["Shop", "SHOP"], &["utf"]), Some("\"0\"")).await.with(StatusCode::OK);
    assert_eq!((changed.header("etag"), &changed.body["known"]), ("\"1\"".into(), &json!(["SHOP"])));
    assert_eq!(changed.body["denied"], json!(["UTF"]));
    put(list(&[], &[]), Some("\"0\"")).await.refused(412, "version_stale");
    let same = put(list(&["SHOP"], &["UTF"]), Some("\"1\"")).await.with(StatusCode::OK);
    assert_eq!(same.header("etag"), "\"1\"", "saying it again is no second fact");
    assert_eq!(server.get(rules).await.body, same.body);

    let viewer = server.token("viewer").await;
    let request = server.request(Method::PUT, rules).bearer_auth(&viewer).header("If-Match", "*").json(&list(&[], &[]));
    answer(request).await.refused(403, "role_insufficient");
    answer(server.request(Method::GET, rules).bearer_auth(&viewer)).await.with(StatusCode::OK);
    let events = server.get("/api/v1/events?type=project_rules.changed").await.with(StatusCode::OK);
    assert!(
        events.text.contains("changed which projects count: known are SHOP; denied no more are"),
        "{}",
        events.text
    );
    let stream = events.items()[0]["stream_id"].as_str().expect("an id").to_owned();
    let told = server.get(&format!("/api/v1/streams/project_rules/{stream}/events?state=true")).await;
    assert_eq!(told.with(StatusCode::OK).items()[0]["state"], json!({ "known": ["SHOP"], "denied": ["UTF"] }));
}

on_both_engines!(what_the_rules_leave_out_is_not_shown_and_comes_back, rules_are_changed_by_who_saw_them);
