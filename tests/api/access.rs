//! Who may do what: every operation of the description, with every kind of token.

use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use crate::server::{Server, answer, looked_at, on_both_engines};

pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The role it needs; nothing for those that are open to all.
    pub(crate) role: Option<String>,
    /// The scope it needs of a token that has scopes.
    pub(crate) scope: Option<String>,
    pub(crate) takes_body: bool,
    /// Whether it knows any word of a query.
    pub(crate) takes_query: bool,
}

/// Every operation, with an address that leads to nothing in particular.
pub(crate) fn operations() -> Vec<Operation> {
    let spec: Value = serde_json::from_str(&keytrail::http::spec::json()).expect("a description");
    let mut all = Vec::new();
    for (path, item) in spec["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let mut parameters = operation["parameters"].as_array().into_iter().flatten();
            let path = path
                .replace("{id}", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
                .replace("{sha}", "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
                .replace("{key}", "ABC-1")
                .replace("{type}", "integration")
                .replace("{repository}", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
                .replace("{commit}", "0123456789abcdef0123456789abcdef01234567")
                .replace("{delivery}", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
                .replace("{name}", "nothing");
            assert!(!path.contains('{'), "{path}");
            all.push(Operation {
                name: operation["operationId"].as_str().expect("a name").to_owned(),
                method: method.to_uppercase().parse().expect("a method"),
                path,
                role: operation.pointer("/security/0/bearer/0").and_then(Value::as_str).map(str::to_owned),
                scope: operation["x-scope"].as_str().map(str::to_owned),
                takes_body: operation.get("requestBody").is_some(),
                takes_query: parameters.any(|one| one["in"] == "query"),
            });
        }
    }
    assert!(all.len() >= 30, "{}", all.len());
    all
}

pub(crate) async fn asked(server: &Server, operation: &Operation, token: Option<&str>) -> StatusCode {
    let mut request = server.request(operation.method.clone(), &operation.path);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if operation.takes_body {
        request = request.json(&json!({}));
    }
    let response = request.send().await.expect("an answer");
    // A stream that was let in does not end by itself.
    if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return response.status();
    }
    looked_at(&operation.method, &operation.path, response).await.status
}

async fn no_operation_is_open_that_should_not_be(server: Server) {
    let open: Vec<_> = operations().into_iter().filter(|one| one.role.is_none()).map(|one| one.name).collect();
    // What GitHub delivers lets itself in by its signature.
    assert_eq!(open, ["GetLiveness", "GetReadiness", "ReceiveGithubWebhook"]);
    let admin = server.token("admin").await;
    let mut altered = admin.clone();
    let last = altered.pop();
    altered.push(if last == Some('0') { '1' } else { '0' });
    for operation in operations().iter().filter(|one| one.role.is_some()) {
        for token in [None, Some(altered.as_str()), Some("kt_x"), Some("x"), Some(&admin[3..])] {
            let status = asked(&server, operation, token).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{} with {token:?}", operation.name);
        }
    }
}

async fn every_role_may_what_it_may_and_nothing_else(server: Server) {
    let rank = |role: &str| ["viewer", "auditor", "admin"].iter().position(|known| *known == role).expect("a role");
    for role in ["viewer", "auditor", "admin"] {
        let token = server.token(role).await;
        for operation in operations() {
            let Some(needed) = &operation.role else { continue };
            let status = asked(&server, &operation, Some(&token)).await;
            let name = &operation.name;
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{name} as {role}");
            assert_eq!(status == StatusCode::FORBIDDEN, rank(role) < rank(needed), "{name} as {role}: {status}");
            assert!(!status.is_server_error(), "{name} as {role}: {status}");
        }
    }
}

async fn a_token_works_until_it_expires_or_is_revoked(server: Server) {
    let (short, long) = (server.token("admin").await, server.token("admin").await);
    let list = server.get("/api/v1/tokens").await.with(StatusCode::OK);
    let revoked = list.items()[1]["id"].as_str().expect("an id").to_owned();
    let answered = answer(server.local(Method::DELETE, &format!("/api/v1/tokens/{revoked}"))).await;
    assert_eq!(answered.with(StatusCode::OK).body["state"], "revoked");
    let ask = |token: String| answer(server.request(Method::GET, "/api/v1/integrations").bearer_auth(token));
    ask(short.clone()).await.with(StatusCode::OK);
    let refused = ask(long).await.refused(401, "token_invalid");
    assert!(refused.headers[WWW_AUTHENTICATE].to_str().expect("ASCII").contains("invalid_token"));
    server.pass_days(29);
    ask(short.clone()).await.with(StatusCode::OK);
    server.pass_days(1);
    ask(short).await.refused(401, "token_invalid");
    for operation in operations().iter().filter(|one| one.role.is_some()) {
        let status = asked(&server, operation, Some(&server.local_token)).await;
        assert_ne!(status, StatusCode::UNAUTHORIZED, "{}", operation.name);
    }
}

async fn headers_and_addresses_that_try_to_slip_through_do_not(server: Server) {
    let token = server.token("viewer").await;
    let ask = |path: &str| server.request(Method::GET, path);
    let path = "/api/v1/integrations";
    answer(ask(path)).await.refused(401, "token_missing");
    answer(ask(path).bearer_auth(&token)).await.with(StatusCode::OK);
    answer(ask(path).header(AUTHORIZATION, format!("bearer {token}"))).await.with(StatusCode::OK);
    answer(ask(path).bearer_auth(&token).bearer_auth(&token)).await.refused(401, "token_invalid");
    for value in
        [format!("Basic {token}"), token.clone(), "Bearer".into(), "Bearer ".into(), format!("Bearer\t{token}")]
    {
        answer(ask(path).header(AUTHORIZATION, value)).await.refused(401, "token_invalid");
    }
    for path in [
        "/api/v1/integrations;x",
        "/api/v1/integrations/;x",
        "//api/v1/integrations",
        "/api//v1/integrations",
        "/api/v1/../v1/integrations",
        "/livez/../api/v1/integrations",
        "/api/v1/%2e/integrations",
        "/livez/%2e%2e/api/v1/integrations",
        "/api%2fv1/integrations",
        "/%61pi/v1/integrations",
        "/api/v1/integrations%00",
        "/API/v1/integrations",
        "/metrics/",
        "/docs/../api/v1/integrations",
    ] {
        let answered = server.raw(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let status = answered.split(' ').nth(1).unwrap_or_default();
        assert!(["401", "404", "400"].contains(&status), "{path}: {answered}");
        assert!(!answered.contains("\"items\""), "{path}: {answered}");
    }
}

on_both_engines!(
    no_operation_is_open_that_should_not_be,
    every_role_may_what_it_may_and_nothing_else,
    a_token_works_until_it_expires_or_is_revoked,
    headers_and_addresses_that_try_to_slip_through_do_not,
);
