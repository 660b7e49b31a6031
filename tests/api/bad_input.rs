//! What nobody should send, sent to every operation of the description: it is refused with a code, or means nothing, and
//! the server goes on.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    access::{Operation, operations},
    server::{Server, answer, on_both_engines, on_sqlite},
};

/// What came back over a bare connection.
struct Raw {
    status: u16,
    head: String,
    body: Value,
    text: String,
}

async fn raw(server: &Server, request: &[u8]) -> Raw {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
    // A server that has refused need not read on.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("it closes");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    Raw { status, head: head.to_lowercase(), body, text: text.clone() }
}

fn request(method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    format!("{text}\r\n{body}").into_bytes()
}

impl Raw {
    /// A refusal in our shape.
    #[track_caller]
    fn is_a_problem(&self, what: &str) {
        assert!((400..500).contains(&self.status), "{what}: {}", self.text);
        assert!(self.head.contains("content-type: application/problem+json"), "{what}: {}", self.text);
        assert!(self.body["code"].is_string() && self.body["request_id"].is_string(), "{what}: {}", self.text);
    }

    /// The same; only what is no request at all, by the rules of HTTP, is answered 400 without a word.
    fn is_a_refusal(&self, what: &str) {
        if self.status != 400 || !self.text.ends_with("\r\n\r\n") {
            self.is_a_problem(what);
        }
    }
}

async fn lives(server: &Server) {
    answer(server.request(Method::GET, "/livez")).await.with(StatusCode::OK);
}

/// Other ways to write an address, some of which some program takes for the address itself.
fn forms(path: &str) -> Vec<String> {
    let (first, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let escaped: String = path.chars().map(|one| if one == 'a' { "%61".to_owned() } else { one.to_string() }).collect();
    vec![
        format!("{path};x"),
        format!("{path};jsessionid=1"),
        format!("{path}/;/"),
        format!("{path}/"),
        format!("{path}//"),
        format!("/{path}"),
        format!("/{first}//{rest}"),
        format!("/./{first}/{rest}"),
        format!("/{first}/./{rest}"),
        format!("/{first}/%2e/{rest}"),
        format!("/{first}/%2e%2e/{first}/{rest}"),
        format!("/x/../{first}/{rest}"),
        format!("/livez/..{path}"),
        format!("/livez/%2e%2e{path}"),
        format!("/livez%2f..{path}"),
        format!("/docs/..{path}"),
        format!("/docs/..%2f{first}/{rest}"),
        format!("{path}."),
        format!("{path}.."),
        format!("{path}.json"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%0d%0aX-Evil:1"),
        format!("{path}%ff"),
        format!("{path}%"),
        format!("{path}#x"),
        format!("/{first}\\{rest}"),
        path.to_uppercase(),
        path.replacen('/', "/%2f", 1),
        escaped,
    ]
}

async fn no_form_of_an_address_goes_around_the_check(server: Server) {
    let viewer = server.token("viewer").await;
    let bearer = format!("Bearer {viewer}");
    for Operation { name, method, path, role, .. } in operations() {
        let Some(role) = role else { continue };
        for form in forms(&path) {
            let stranger = raw(&server, &request(&method, &form, &[], "")).await;
            assert!([400, 401, 404, 405].contains(&stranger.status), "{name} {form}: {}", stranger.text);
            stranger.is_a_refusal(&format!("{name} {form}"));
            if role != "viewer" {
                let known = raw(&server, &request(&method, &form, &[("Authorization", &bearer)], "")).await;
                assert!([400, 403, 404, 405].contains(&known.status), "{name} {form}: {}", known.text);
                known.is_a_refusal(&format!("{name} {form}"));
            }
        }
    }
    lives(&server).await;
}

async fn headers_that_say_two_things_are_not_believed(server: Server) {
    let token = server.token("viewer").await;
    let bearer = format!("Bearer {token}");
    let get = |headers: &[(&str, &str)]| request(&Method::GET, "/api/v1/integrations", headers, "");
    for headers in [
        &[("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())][..],
        &[("Authorization", bearer.as_str()), ("Authorization", "Bearer x")],
        &[("Authorization", "Bearer x"), ("Authorization", bearer.as_str())],
        &[("authorization", "Bearer x, Bearer y")],
        &[("Authorization", &format!("{bearer} {bearer}"))],
        &[("Authorization", &format!("Bearer\u{a0}{token}"))],
        &[("Authorization", &format!("Bearer {}", "x".repeat(60_000)))],
    ] {
        let refused = raw(&server, &get(headers)).await;
        refused.is_a_problem("two tokens");
        assert_eq!((refused.status, &refused.body["code"]), (401, &json!("token_invalid")), "{}", refused.text);
    }
    let mut not_text =
        b"GET /api/v1/integrations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ".to_vec();
    not_text.extend_from_slice(b"kt_\xff\xfe\r\n\r\n");
    assert_eq!(raw(&server, &not_text).await.body["code"], "token_invalid");
    // A role, a method or an address that a header names is nobody's word.
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/api/v1/tokens"),
        ("X-Rewrite-URL", "/api/v1/tokens"),
        ("X-Forwarded-User", "admin"),
        ("X-Remote-User", "admin"),
        ("X-Role", "admin"),
    ] {
        let answered = raw(&server, &get(&[("Authorization", &bearer), (name, value)])).await;
        assert!(answered.status == 200 && answered.body["items"].is_array(), "{name}: {}", answered.text);
        let denied = request(&Method::GET, "/api/v1/tokens", &[("Authorization", &bearer), (name, value)], "");
        assert_eq!(raw(&server, &denied).await.body["code"], "role_insufficient", "{name}");
        assert_eq!(raw(&server, &get(&[(name, value)])).await.body["code"], "token_missing", "{name}");
    }
    lives(&server).await;
}

async fn a_request_never_hides_another(server: Server) {
    let bearer = format!("Bearer {}", server.local_token);
    let hidden = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    for headers in [
        &[("Content-Length", "0"), ("Content-Length", "38")][..],
        &[("Content-Length", "38"), ("Content-Length", "0")],
        &[("Content-Length", "0, 38")],
        &[("Content-Length", "+0")],
        &[("Content-Length", "0x0")],
        &[("Content-Length", "-1")],
        &[("Content-Length", "18446744073709551616")],
        &[("Transfer-Encoding", "chunked"), ("Content-Length", "38")],
        &[("Content-Length", "38"), ("Transfer-Encoding", "chunked")],
        &[("Transfer-Encoding", "chunked, identity")],
        &[("Transfer-Encoding", "xchunked")],
        &[("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")],
        &[("Transfer-Encoding ", "chunked")],
        &[("Content Length", "0")],
    ] {
        let mut all = vec![("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        let mut text = String::from_utf8(request(&Method::POST, "/api/v1/integrations", &all, hidden)).expect("text");
        // The connection stays open, so that a second answer would be seen.
        text = text.replace("Connection: close\r\n", "");
        let answers = answers_within(&server, &text).await;
        assert!(!answers.contains("\"ready\""), "{headers:?}: {answers}");
        assert!(!answers.contains("HTTP/1.1 5"), "{headers:?}: {answers}");
        assert!(!answers.contains("HTTP/1.1 2"), "{headers:?}: {answers}");
    }
    assert!(server.get("/api/v1/integrations").await.items().is_empty());
    lives(&server).await;
}

/// What comes until the connection is quiet or closed.
async fn answers_within(server: &Server, request: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("a connection");
    let _ = stream.write_all(request.as_bytes()).await;
    let (mut all, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    while let Ok(Ok(read @ 1..)) =
        tokio::time::timeout(std::time::Duration::from_millis(300), stream.read(&mut buffer)).await
    {
        all.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

async fn nothing_that_is_answered_comes_from_a_forged_host(server: Server) {
    let bearer = format!("Bearer {}", server.local_token);
    for Operation { name, method, path, takes_body, .. } in operations() {
        let body = if takes_body { "{}" } else { "" };
        let length = body.len().to_string();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\
             X-Forwarded-Proto: https\r\nX-Host: evil.example\r\nForwarded: host=evil.example;proto=https\r\n\
             X-Request-Id: evil.example\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        // A stream goes on: what it begins with is looked at.
        let answered = match path.ends_with("/stream") {
            true => answers_within(&server, &text).await,
            false => raw(&server, text.as_bytes()).await.text,
        };
        let status: u16 = answered.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert!(status > 0 && !answered.contains("evil.example"), "{name}: {answered}");
        assert!(status < 500 || path == "/readyz", "{name}: {answered}");
    }
    let absolute = raw(&server, &request(&Method::GET, "http://evil.example/api/v1/integrations", &[], "")).await;
    assert!([400, 401, 404].contains(&absolute.status) && !absolute.text.contains("evil.example"), "{}", absolute.text);
    let created = answer(
        server
            .local(Method::POST, "/api/v1/tokens")
            .header("Host", "evil.example")
            .json(&json!({ "name": "x", "role": "viewer", "expires_in_days": 1 })),
    );
    let created = created.await.with(StatusCode::CREATED);
    assert!(created.header("location").starts_with("/api/v1/tokens/"), "{:?}", created.headers);
    for text in [
        "GET /docs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        "GET /docs HTTP/1.1\r\nConnection: close\r\n\r\n",
    ] {
        assert!(!raw(&server, text.as_bytes()).await.text.contains("evil.example"));
    }
}

async fn every_body_is_bounded_and_has_its_form(server: Server) {
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20));
    let deep = format!("{{\"connection\":{}", "{\"kind\":".repeat(50_000));
    let mut looked_at = 0;
    // What is delivered is let in by its signature first, and has bounds of its own: tests/api/webhooks.rs.
    let ours = operations().into_iter().filter(|one| one.name != "ReceiveGithubWebhook");
    for Operation { name, method, path, takes_body, .. } in ours {
        let send = |kind: &str, body: String| {
            let request = server.local(method.clone(), &path).header("If-Match", "*");
            answer(request.header("Content-Type", kind).body(body))
        };
        if !takes_body {
            // What nobody reads harms nobody.
            if method != Method::GET {
                let status = send("application/json", "[".repeat(2_000_000)).await.status;
                assert!(!status.is_server_error(), "{name}: {status}");
            }
            continue;
        }
        looked_at += 1;
        send("application/json", long.clone()).await.refused(413, "body_too_large");
        let length = request(
            &method,
            &path,
            &[
                ("Authorization", &format!("Bearer {}", server.local_token)),
                ("If-Match", "*"),
                ("Content-Type", "application/json"),
                ("Content-Length", "99999999999"),
            ],
            "{",
        );
        let refused = raw(&server, &length).await;
        refused.is_a_problem(&name);
        assert_eq!(refused.body["code"], "body_too_large", "{name}: {}", refused.text);
        for kind in ["text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"] {
            send(kind, "{}".into()).await.refused(415, "content_type_unsupported");
        }
        for body in [
            deep.as_str(),
            "{\"unheard_of\":\"kt_secret\"}",
            "[]",
            "null",
            "\"kt_secret\"",
            "{",
            "{}{}",
            "1e999",
            "{\"name\":\"\\ud800\"}",
            "\u{feff}{}",
        ] {
            let refused = send("application/json", body.to_owned()).await.refused(400, "body_invalid");
            assert!(!refused.text.contains("kt_secret"), "{name}: {}", refused.text);
        }
    }
    assert!(looked_at >= 4, "{looked_at}");
    lives(&server).await;
}

async fn a_cursor_continues_its_own_list_only(server: Server) {
    server.token("viewer").await;
    server.token("viewer").await;
    let cursor = server.get("/api/v1/tokens?limit=1").await.text_of("next");
    let spec: Value = serde_json::from_str(&keytrail::http::spec::json()).expect("a description");
    let mut lists = 0;
    for Operation { name, method, path, .. } in operations().into_iter().filter(|one| one.method == Method::GET) {
        let mut all = spec["paths"].as_object().expect("paths").values().flat_map(|item| item["get"].as_object());
        let found = all.find(|operation| operation["operationId"] == name.as_str()).expect("it is described");
        let parameters = found.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        if name == "ListTokens" || !parameters.iter().any(|one| one["name"] == "cursor") {
            continue;
        }
        lists += 1;
        let ask = |cursor: &str| answer(server.local(method.clone(), &path).query(&[("cursor", cursor)]));
        let other = ask(&cursor).await;
        let code = other.body["code"].as_str().unwrap_or_default();
        assert!(code == "cursor_other_list" || code.ends_with("_unknown"), "{name}: {}", other.text);
        let none = "eyJhbGciOiJub25lIn0.eyJsaXN0IjoiIiwiYWZ0ZXIiOjAsImV4cCI6OTk5OTk5OTk5OX0.";
        for wrong in [none, "x", "", "0", &cursor[1..], &format!("{cursor}x"), &"x".repeat(20_000)] {
            let refused = ask(wrong).await;
            let code = refused.body["code"].as_str().unwrap_or_default();
            assert!(code == "cursor_invalid" || code.ends_with("_unknown"), "{name}: {}", refused.text);
        }
    }
    assert!(lists >= 6, "{lists}");
}

async fn an_unknown_word_in_a_query_is_refused_by_every_read(server: Server) {
    let mut refused = 0;
    for Operation { name, path, method, .. } in operations() {
        if method != Method::GET || ["/livez", "/readyz", "/metrics"].contains(&path.as_str()) {
            continue;
        }
        let answered = server.get(&format!("{path}?kt_unheard_of=kt_secret")).await;
        assert!(!answered.text.contains("kt_secret"), "{name}: {}", answered.text);
        answered.refused(400, "query_invalid");
        refused += 1;
        for query in ["%00", "a=%ff", "=&=&=", "a[]=1", &"x".repeat(30_000)] {
            let answered = server.get(&format!("{path}?{query}")).await;
            assert!(!answered.status.is_server_error(), "{name} {query}: {}", answered.text);
        }
    }
    assert!(refused >= 40, "{refused}");
    lives(&server).await;
}

async fn an_id_that_is_none_is_refused_without_repeating_it(server: Server) {
    for Operation { name, path, method, takes_body, .. } in operations() {
        let wrong = path.replace("0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "kt_Qsecret");
        if wrong == path {
            continue;
        }
        let request = server.local(method, &wrong).header("If-Match", "*");
        let refused = answer(if takes_body { request.json(&json!({})) } else { request }).await;
        assert!(refused.status.is_client_error(), "{name}: {}", refused.text);
        assert!(!refused.text.contains("Qsecret") && !refused.text.contains("`k`"), "{name}: {}", refused.text);
    }
}

on_both_engines!(
    no_form_of_an_address_goes_around_the_check,
    headers_that_say_two_things_are_not_believed,
    a_request_never_hides_another,
    nothing_that_is_answered_comes_from_a_forged_host,
    every_body_is_bounded_and_has_its_form,
    a_cursor_continues_its_own_list_only,
    an_unknown_word_in_a_query_is_refused_by_every_read,
    an_id_that_is_none_is_refused_without_repeating_it,
);

#[test]
fn headers_that_never_end_are_sent_away() {
    on_sqlite(|server| async move {
        let slow = raw(&server, b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
        assert!(slow.text.is_empty() || slow.status == 408, "{}", slow.text);
        let large = format!("GET /livez HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n\r\n", "x".repeat(1 << 20));
        let large = raw(&server, large.as_bytes()).await;
        assert!(large.text.is_empty() || (400..500).contains(&large.status), "{}", large.text);
        let many = "X-Many: 1\r\n".repeat(10_000);
        let many = raw(&server, format!("GET /livez HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes()).await;
        assert!(many.text.is_empty() || (400..500).contains(&many.status), "{}", many.text);
        for nonsense in [
            &b"\x16\x03\x01\x02\x00\x01\x00"[..],
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET\r\n\r\n",
            b"\0\0\0\0\r\n\r\n",
        ] {
            let answered = raw(&server, nonsense).await;
            assert!(answered.text.is_empty() || (400..500).contains(&answered.status), "{}", answered.text);
        }
        lives(&server).await;
    });
}
