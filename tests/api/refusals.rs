//! Requests that no route takes, and bodies that no route reads.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    access::{Operation, operations},
    server::{Answer, Server, answer, on_both_engines, on_sqlite},
};

async fn send(server: &Server, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = server.local(Method::POST, "/api/v1/integrations").header("Content-Type", kind);
    answer(request.body(body)).await
}

async fn a_body_is_json_of_the_right_shape_and_size(server: Server) {
    let fine = json!({ "name": "x", "connection": { "kind": "path", "path": "/nonexistent/x" } });
    let text = fine.to_string();
    send(&server, "application/json", text.clone()).await.refused(422, "path_not_found");
    send(&server, "application/json; charset=utf-8", text.clone()).await.refused(422, "path_not_found");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        send(&server, kind, text.clone()).await.refused(415, "content_type_unsupported");
    }
    let zipped = server.local(Method::POST, "/api/v1/integrations").header("Content-Encoding", "gzip").json(&fine);
    answer(zipped).await.refused(415, "content_type_unsupported");
    for body in [
        r#"{"name":"x","connection":{"kind":"path","path":"/x"},"colour":"kt_secret"}"#,
        r#"{"name":"x","connection":{"kind":"path","path":"/x","host":"kt_secret"}}"#,
        r#"{"name":"x","connection":{"kind":"kt_secret","path":"/x"}}"#,
        r#"{"name":"x","connection":{"path":"/x"}}"#,
        r#"{"name":"x","connection":{"kind":0,"path":"/x"}}"#,
        r#"{"name":"x","connection":{"kind":"git","url":"https://git.example.com/x","trust":{"kind":0}}}"#,
        r#"{"name":"x","connection":{"kind":"path","path":"/x","path":"kt_secret"}}"#,
        r#"{"name":["kt_secret"],"connection":{"kind":"path","path":"/x"}}"#,
        r#"{"name":"x","connection":"kt_secret"}"#,
        r#"{"name":"x"}"#,
        r#"{"name":"x","name":"kt_secret","connection":{"kind":"path","path":"/x"}}"#,
        r#"{"name":"x","connection":{"kind":"path","path":"/x"}} kt_secret"#,
        r#"kt_secret"#,
        "",
        "null",
    ] {
        let refused = send(&server, "application/json", body).await.refused(400, "body_invalid");
        assert!(!refused.text.contains("kt_secret"), "{}", refused.text);
    }
    send(&server, "application/json", vec![0xff, 0xfe]).await.refused(400, "body_invalid");
    let deep = "[".repeat(100_000);
    send(&server, "application/json", deep).await.refused(400, "body_invalid");
    let large = json!({ "name": "x".repeat(1 << 20), "connection": { "kind": "path", "path": "/x" } });
    send(&server, "application/json", large.to_string()).await.refused(413, "body_too_large");
    // Without a length, too.
    let chunks = (0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 32 << 10]));
    let stream = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    send(&server, "application/json", stream).await.refused(413, "body_too_large");
    assert!(server.get("/api/v1/integrations").await.items().is_empty());
}

async fn addresses_and_methods_that_nobody_takes_are_problems_too(server: Server) {
    for path in ["/", "/nothing", "/docs/nothing.js", "/openapi.json/x"] {
        answer(server.request(Method::GET, path)).await.refused(404, "route_unknown");
    }
    server.get("/api/v1/nothing").await.refused(404, "route_unknown");
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let refused = answer(server.local(Method::PATCH, &format!("/api/v1/integrations/{id}"))).await;
    assert_eq!(refused.refused(405, "method_not_allowed").header("allow"), "GET, HEAD, DELETE, OPTIONS");
    answer(server.request(Method::DELETE, "/livez")).await.refused(405, "method_not_allowed");
    let options = answer(server.request(Method::OPTIONS, "/livez")).await.with(StatusCode::NO_CONTENT);
    assert_eq!(options.header("allow"), "GET, HEAD, OPTIONS");
    let head = answer(server.local(Method::HEAD, "/api/v1/integrations")).await.with(StatusCode::OK);
    assert!(head.text.is_empty() && head.header("content-length") != "0");
    let head = server.request(Method::HEAD, "/api/v1/integrations").send().await.expect("an answer");
    assert_eq!(head.status(), StatusCode::UNAUTHORIZED);
    server.get("/api/v1/integrations?colour=red").await.refused(400, "query_invalid");
    server.get("/api/v1/integrations?state=sleeping").await.refused(400, "query_invalid");
    server.get("/api/v1/integrations/not-an-id").await.refused(400, "parameter_invalid");
    server.get("/api/v1/integrations?min_position=x").await.refused(400, "query_invalid");
}

#[test]
fn a_slow_sender_is_sent_away() {
    on_sqlite(|server| async move {
        let request = format!(
            "POST /api/v1/integrations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
            server.local_token
        );
        let started = std::time::Instant::now();
        let answered = tokio::time::timeout(std::time::Duration::from_secs(20), raw_until_answer(&server, &request));
        let answered = answered.await.expect("an answer");
        assert!(answered.contains("408") && answered.contains("body_too_slow"), "{answered}");
        assert!(started.elapsed() >= std::time::Duration::from_secs(9));
    });
}

async fn raw_until_answer(server: &Server, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("it takes bytes");
    let mut answer = vec![0; 8192];
    let read = stream.read(&mut answer).await.expect("it answers");
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

async fn a_wrong_value_of_a_query_is_named_by_its_parameter_and_not_repeated(server: Server) {
    let id = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let stream = format!("streams/integration/{id}/events");
    for (path, parameter) in [
        ("integrations", "state"),
        ("integrations", "limit"),
        ("index-runs", "repository"),
        ("index-runs", "min_position"),
        ("events", "order"),
        ("events", "stream"),
        (stream.as_str(), "state"),
        ("issues/SHOP-1/commits", "as_of"),
    ] {
        let at = format!("/api/v1/{path}?{parameter}=kt_secret");
        let refused = server.get(&at).await.refused(400, "query_invalid");
        assert!(!refused.text.contains("kt_secret"), "{}", refused.text);
        assert!(refused.text_of("detail").contains(&format!("The parameter {parameter} ")), "{}", refused.text);
    }
    // A letter of it would be a part of it.
    let refused = server.get("/api/v1/events?stream=Q199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b").await;
    assert!(!refused.refused(400, "query_invalid").text_of("detail").contains('Q'));
}

async fn an_operation_without_a_query_refuses_any_and_what_is_no_part_of_the_api_takes_any(server: Server) {
    let mut refused = 0;
    for Operation { name, method, path, takes_body, takes_query, .. } in operations() {
        let ask = |query: &str| {
            let request = server.local(method.clone(), &format!("{path}?{query}"));
            answer(if takes_body { request.json(&json!({})) } else { request })
        };
        if !path.starts_with("/api/") {
            let answered = ask("dry_run=true").await;
            assert_ne!(answered.body["code"], "query_invalid", "{name}: {}", answered.text);
            continue;
        }
        if takes_query {
            continue;
        }
        let told = ask("dry_run=kt_secret&x=1").await.refused(400, "query_invalid");
        let detail = "The parameter dry_run is unknown: this operation takes no query.";
        assert_eq!(told.text_of("detail"), detail, "{name}");
        let hidden = ask("kt_secret=true").await.refused(400, "query_invalid");
        assert!(!hidden.text.contains("kt_secret"), "{name}: {}", hidden.text);
        refused += 1;
    }
    assert!(refused >= 50, "{refused}");
}

async fn a_change_with_a_query_that_it_does_not_know_is_not_made(server: Server) {
    let body = json!({ "name": "ci", "role": "viewer", "expires_in_days": 30 });
    let issued = server.post("/api/v1/tokens", body.clone()).await.with(StatusCode::CREATED);
    let (at, token) = (issued.header("location"), issued.text_of("token"));
    let dry = format!("{at}?dry_run=true");
    answer(server.local(Method::DELETE, &dry)).await.refused(400, "query_invalid");
    // Who may not do it is told that first.
    answer(server.request(Method::DELETE, &dry)).await.refused(401, "token_missing");
    answer(server.request(Method::DELETE, &dry).bearer_auth(&token)).await.refused(403, "role_insufficient");
    // Nothing came in between; and a mark with nothing behind it asks for nothing.
    let revoke = server.local(Method::DELETE, &format!("{at}?&")).header("If-Match", "\"1\"");
    assert_eq!(answer(revoke).await.with(StatusCode::OK).text_of("state"), "revoked");
    let issue = |query: &str| {
        let request = server.local(Method::POST, &format!("/api/v1/tokens{query}"));
        answer(request.header("Idempotency-Key", "t").json(&body))
    };
    issue("?dry_run=true").await.refused(400, "query_invalid");
    // One that had been made would not be told again.
    assert!(issue("").await.with(StatusCode::CREATED).text_of("token").starts_with("kt_"));
}

on_both_engines!(
    a_body_is_json_of_the_right_shape_and_size,
    addresses_and_methods_that_nobody_takes_are_problems_too,
    a_wrong_value_of_a_query_is_named_by_its_parameter_and_not_repeated,
    an_operation_without_a_query_refuses_any_and_what_is_no_part_of_the_api_takes_any,
    a_change_with_a_query_that_it_does_not_know_is_not_made,
);
