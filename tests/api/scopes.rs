//! Tokens that are narrowed to a part of what their role allows, and when tokens were used.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access::{asked, operations},
    server::{Answer, Server, answer, on_both_engines},
};

async fn issue(server: &Server, role: &str, scopes: Value) -> Answer {
    let body = json!({ "name": "narrow", "role": role, "scopes": scopes, "expires_in_days": 30 });
    server.post("/api/v1/tokens", body).await
}

async fn every_scope_opens_its_operations_and_no_other(server: Server) {
    let all: BTreeSet<_> = operations().into_iter().filter_map(|one| one.scope).collect();
    assert!(all.len() >= 10, "{all:?}");
    for scope in &all {
        let issued = issue(&server, "admin", json!([scope])).await.with(StatusCode::CREATED);
        let token = issued.text_of("token");
        for operation in operations().iter().filter(|one| one.role.is_some()) {
            let status = asked(&server, operation, Some(&token)).await;
            let mine = operation.scope.as_ref() == Some(scope);
            assert_eq!(status == StatusCode::FORBIDDEN, !mine, "{} with {scope}: {status}", operation.name);
            assert!(!status.is_server_error() && status != StatusCode::UNAUTHORIZED, "{}: {status}", operation.name);
        }
    }
    // The role still counts.
    let reader = issue(&server, "viewer", json!(["issues:read"])).await.with(StatusCode::CREATED).text_of("token");
    answer(server.request(Method::GET, "/api/v1/projects").bearer_auth(&reader)).await.with(StatusCode::OK);
    let refused = answer(server.request(Method::GET, "/api/v1/repositories").bearer_auth(&reader)).await;
    assert_eq!(refused.refused(403, "scope_insufficient").body["scope"], "repositories:read");
    let refused = answer(server.request(Method::GET, "/api/v1/events").bearer_auth(&reader)).await;
    refused.refused(403, "role_insufficient");
    let head = server.request(Method::HEAD, "/api/v1/repositories").bearer_auth(&reader).send().await;
    assert_eq!(head.expect("an answer").status(), StatusCode::FORBIDDEN);
}

async fn whoever_begins_long_work_looks_at_it_and_stops_it_and_nobody_else_does(server: Server) {
    let mut tokens = Vec::new();
    for scope in ["server:write", "repositories:write", "integrations:write", "ssh_keys:write", "repositories:read"] {
        let issued = issue(&server, "admin", json!([scope])).await.with(StatusCode::CREATED);
        tokens.push((scope, issued.text_of("token")));
    }
    let nobody = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let verifying = server.post("/api/v1/views/verify", json!({})).await.with(StatusCode::ACCEPTED).id();
    for (operation, begins) in [
        (verifying.clone(), "server:write"),
        ("rebuild_view.issue_search.1".to_owned(), "server:write"),
        (format!("index_run.{nobody}"), "repositories:write"),
        (format!("fetch_repository.{nobody}"), "repositories:write"),
        (format!("reindex_integration.{nobody}.7"), "repositories:write"),
        (format!("reset_integration.{nobody}.7"), "repositories:write"),
        (format!("discover_repositories.{nobody}"), "integrations:write"),
        (format!("forget_repositories.{nobody}"), "integrations:write"),
        (format!("rotate_ssh_key.{nobody}.7"), "ssh_keys:write"),
    ] {
        let at = format!("/api/v1/operations/{operation}");
        for (scope, token) in &tokens {
            let looked = answer(server.request(Method::GET, &at).bearer_auth(token)).await;
            let may_look = *scope == begins || *scope == "repositories:read";
            assert_eq!(looked.status != StatusCode::FORBIDDEN, may_look, "{scope} looks at {operation}");
            let stopped = server.request(Method::POST, &format!("{at}/cancel")).bearer_auth(token);
            let stopped = answer(stopped).await;
            assert_eq!(stopped.status != StatusCode::FORBIDDEN, *scope == begins, "{scope} stops {operation}");
            if *scope != begins {
                let wanted = if *scope == "repositories:read" { "repositories:write" } else { begins };
                assert_eq!(stopped.refused(403, "scope_insufficient").body["scope"], wanted, "{operation}");
            }
        }
    }
    let looked = server.request(Method::GET, &format!("/api/v1/operations/{verifying}")).bearer_auth(&tokens[0].1);
    assert_eq!(answer(looked).await.with(StatusCode::OK).id(), verifying);
}

async fn scopes_that_make_no_sense_are_refused(server: Server) {
    for (role, scopes) in
        [("viewer", json!([])), ("viewer", json!(["events:read"])), ("auditor", json!(["issues:read", "tokens:write"]))]
    {
        issue(&server, role, scopes).await.refused(422, "token_bad_scopes");
    }
    for scopes in [json!(["issues:kt_secret"]), json!("issues:read"), json!([1]), json!(["*"]), json!(["Issues:Read"])]
    {
        let refused = issue(&server, "admin", scopes).await.refused(400, "body_invalid");
        assert!(!refused.text.contains("kt_secret"), "{}", refused.text);
    }
    assert!(server.get("/api/v1/tokens").await.items().is_empty());
}

async fn who_issues_tokens_gives_no_more_than_it_has(server: Server) {
    let own = json!(["tokens:write", "tokens:read", "issues:read"]);
    let token = issue(&server, "admin", own).await.with(StatusCode::CREATED).text_of("token");
    let ask = |scopes: Option<Value>| {
        let mut body = json!({ "name": "more", "role": "admin", "expires_in_days": 1 });
        if let Some(scopes) = scopes {
            body["scopes"] = scopes;
        }
        answer(server.request(Method::POST, "/api/v1/tokens").bearer_auth(&token).json(&body))
    };
    ask(None).await.refused(403, "scope_insufficient");
    ask(Some(json!(["issues:read", "integrations:write"]))).await.refused(403, "scope_insufficient");
    let issued = ask(Some(json!(["issues:read", "issues:read"]))).await.with(StatusCode::CREATED);
    assert_eq!(issued.body["item"]["scopes"], json!(["issues:read"]));
}

async fn scopes_and_the_last_use_are_listed_and_scopes_are_history(server: Server) {
    let issued = issue(&server, "auditor", json!(["events:read", "issues:read"])).await.with(StatusCode::CREATED);
    let (id, token) = (issued.id(), issued.text_of("token"));
    server.token("viewer").await;
    let listed = || async { server.get("/api/v1/tokens").await.with(StatusCode::OK) };
    let list = listed().await;
    assert_eq!(list.items()[0]["scopes"], json!(["issues:read", "events:read"]));
    assert_eq!((&list.items()[1]["scopes"], &list.items()[0]["last_used_at"]), (&Value::Null, &Value::Null));
    server.pass_days(2);
    let used = || answer(server.request(Method::GET, "/api/v1/events").bearer_auth(&token));
    let events = used().await.with(StatusCode::OK);
    let summary = events.items().last().map(|event| event["summary"].to_string()).expect("an event");
    assert!(summary.contains("for issues:read events:read only"), "{summary}");
    let list = listed().await;
    assert_eq!(list.items()[0]["last_used_at"], "2026-11-23T06:00:00.000000Z", "seen by this node");
    assert_eq!(list.items()[1]["last_used_at"], Value::Null);
    server.app.tokens.write_uses().await.expect("it is written");
    server.pass_days(1);
    used().await.with(StatusCode::OK);
    server.app.tokens.write_uses().await.expect("it is written");
    // Another node, which saw nothing itself.
    let other = keytrail::secrets::Tokens::new(server.app.db.clone());
    let token_id = keytrail_domain::id::TokenId(id.parse().expect("an id"));
    let uses = other.last_uses(token_id, token_id).await.expect("it can be read");
    let seen = uses.get(&token_id).map(ToString::to_string);
    assert_eq!(seen.as_deref(), Some("2026-11-24T06:00:00.000000Z"));
    // An earlier use that is written later takes nothing back.
    let before = server.app.log.feed().head().position;
    server.pass_days(-2);
    used().await.with(StatusCode::OK);
    server.app.tokens.write_uses().await.expect("it is written");
    assert_eq!(listed().await.items()[0]["last_used_at"], "2026-11-24T06:00:00.000000Z");
    assert_eq!(server.app.log.feed().head().position, before, "none of it is in the log");
    let at = format!("/api/v1/streams/access/{id}/events?state=true");
    let history = server.get(&at).await.with(StatusCode::OK);
    assert_eq!(history.items()[0]["state"]["scopes"], json!(["issues:read", "events:read"]));
}

on_both_engines!(
    every_scope_opens_its_operations_and_no_other,
    whoever_begins_long_work_looks_at_it_and_stops_it_and_nobody_else_does,
    scopes_that_make_no_sense_are_refused,
    who_issues_tokens_gives_no_more_than_it_has,
    scopes_and_the_last_use_are_listed_and_scopes_are_history,
);
