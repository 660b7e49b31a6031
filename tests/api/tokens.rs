//! Tokens from outside: told once, listed without themselves, revoked at once.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Server, answer, on_both_engines};

async fn a_token_is_told_once(server: Server) {
    let body = json!({ "name": "ci", "role": "viewer", "expires_in_days": 30 });
    let issue = || answer(server.local(Method::POST, "/api/v1/tokens").header("Idempotency-Key", "t").json(&body));
    let issued = issue().await.with(StatusCode::CREATED);
    let token = issued.text_of("token");
    assert!(token.starts_with("kt_"), "it does not begin as tokens do");
    assert_eq!(issued.body["item"]["state"], "active");
    assert_eq!(issued.body["item"]["expires_at"], "2026-12-21T06:00:00.000000Z");
    let again = issue().await.with(StatusCode::CREATED);
    assert_eq!((again.id(), &again.body["token"]), (issued.id(), &Value::Null));
    assert!(!again.text.contains(&token));
    let listed = server.get("/api/v1/tokens").await.with(StatusCode::OK);
    assert_eq!(listed.items().len(), 1);
    assert!(!listed.text.contains(&token) && listed.text.contains(&token[..8]));
    let at = issued.header("location");
    assert_eq!(at, format!("/api/v1/tokens/{}", issued.id()));
    let one = server.get(&at).await.with(StatusCode::OK);
    assert_eq!((&one.body, one.header("etag")), (&listed.items()[0], "\"1\"".into()));
    assert!(!one.text.contains(&token));
    answer(server.local(Method::DELETE, &at).header("If-Match", "\"7\"")).await.refused(412, "version_stale");
    let revoked = answer(server.local(Method::DELETE, &at)).await.with(StatusCode::OK);
    assert_eq!(revoked.text_of("state"), "revoked");
    assert_eq!(server.get(&at).await.with(StatusCode::OK).text_of("state"), "revoked");
    answer(server.request(Method::GET, "/api/v1/integrations").bearer_auth(&token)).await.refused(401, "token_invalid");
    // Twice is once.
    answer(server.local(Method::DELETE, &at)).await.with(StatusCode::OK);
}

async fn tokens_that_make_no_sense_are_not_made(server: Server) {
    let issue = |body: Value| {
        let server = server.clone();
        async move { server.post("/api/v1/tokens", body).await }
    };
    for days in [0, 367, 4_000_000_000_u64] {
        let body = json!({ "name": "x", "role": "viewer", "expires_in_days": days });
        issue(body).await.refused(422, "token_bad_expiry");
    }
    for name in ["", "  ", &"x".repeat(101)] {
        issue(json!({ "name": name, "role": "viewer", "expires_in_days": 1 })).await.refused(422, "token_bad_name");
    }
    for body in [
        json!({ "name": "x", "role": "root", "expires_in_days": 1 }),
        json!({ "name": "x", "role": "viewer", "expires_in_days": -1 }),
        json!({ "name": "x", "role": "viewer", "expires_in_days": "1" }),
        json!({ "name": "x", "role": "viewer" }),
        json!({ "name": "x", "role": "viewer", "expires_in_days": 1, "token": "kt_mine" }),
        json!([]),
    ] {
        let refused = issue(body).await.refused(400, "body_invalid");
        assert!(!refused.text.contains("kt_mine"), "{}", refused.text);
    }
    let unknown = "/api/v1/tokens/0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    answer(server.local(Method::DELETE, unknown)).await.refused(404, "token_unknown");
    server.get(unknown).await.refused(404, "token_unknown");
    assert!(server.get("/api/v1/tokens").await.items().is_empty());
}

on_both_engines!(a_token_is_told_once, tokens_that_make_no_sense_are_not_made);
