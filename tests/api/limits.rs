//! How often anybody may ask: who is counted together, who is not, and what is told.

use std::path::Path;

use keytrail::config::Access;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::server::{Answer, Server, answer, on_both_engines};

/// Few requests, and a proxy on this machine whose word counts.
fn few(access: &mut Access, _: &Path) {
    access.requests_per_minute = 5;
    access.address_requests_per_minute = 20;
    access.address_failures_per_minute = 3;
    access.trusted_proxies = vec!["127.0.0.0/8".into()];
}

async fn ask(server: &Server, token: &str, address: &str) -> Answer {
    let request = server.request(Method::GET, "/api/v1/integrations").header("X-Forwarded-For", address);
    answer(if token.is_empty() { request } else { request.bearer_auth(token) }).await
}

async fn a_token_that_asks_too_often_is_told_when_to_come_again(server: Server) {
    let (one, other) = (server.token("viewer").await, server.token("viewer").await);
    for left in (0..5).rev() {
        // From wherever it asks.
        let answered = ask(&server, &one, &format!("192.0.2.{left}")).await.with(StatusCode::OK);
        assert_eq!(
            (answered.header("ratelimit-limit"), answered.header("ratelimit-remaining")),
            ("5".into(), left.to_string())
        );
        assert!(answered.header("ratelimit-reset").parse::<u32>().is_ok_and(|seconds| seconds <= 60));
    }
    let refused = ask(&server, &one, "192.0.2.9").await.refused(429, "rate_limited");
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), ("5".into(), "0".into()));
    assert!((1..=12).contains(&refused.header("retry-after").parse::<u32>().expect("seconds")));
    ask(&server, &other, "192.0.2.9").await.with(StatusCode::OK);
    // Also what is refused for another reason counts and is told.
    let denied = answer(server.request(Method::GET, "/api/v1/events").bearer_auth(&other)).await;
    assert_eq!(denied.refused(403, "role_insufficient").header("ratelimit-remaining"), "3");
    // The command line of this machine is not counted.
    for _ in 0..30 {
        let local = server.get("/api/v1/integrations").await.with(StatusCode::OK);
        assert!(!local.headers.contains_key("ratelimit-limit"));
    }
}

async fn an_address_is_counted_before_anybody_is_known(server: Server) {
    for _ in 0..20 {
        ask(&server, "", "198.51.100.7").await.refused(401, "token_missing");
    }
    let refused = ask(&server, "", "198.51.100.7").await.refused(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-limit"), "20");
    let token = server.token("viewer").await;
    ask(&server, &token, "198.51.100.7").await.refused(429, "rate_limited");
    ask(&server, &token, "198.51.100.8").await.with(StatusCode::OK);
    // What needs no token counts, too; but not those who look after the server.
    let open = |path: &'static str| server.request(Method::GET, path).header("X-Forwarded-For", "198.51.100.7");
    answer(open("/openapi.json")).await.refused(429, "rate_limited");
    answer(open("/nothing")).await.refused(429, "rate_limited");
    answer(open("/livez")).await.with(StatusCode::OK);
    answer(open("/readyz")).await.with(StatusCode::OK);
    // A network of one host is one caller.
    for host in 0..20 {
        ask(&server, "", &format!("2001:db8::{host:x}")).await.refused(401, "token_missing");
    }
    ask(&server, "", "[2001:db8::ffff]:4711").await.refused(429, "rate_limited");
    ask(&server, "", "2001:db8:0:1::1").await.refused(401, "token_missing");
}

async fn who_guesses_tokens_is_stopped_and_stops_nobody_else(server: Server) {
    let (known, fresh) = (server.token("viewer").await, server.token("viewer").await);
    let at = "203.0.113.5";
    ask(&server, &known, at).await.with(StatusCode::OK);
    let mut wrong = fresh.clone();
    wrong.replace_range(10..11, if &wrong[10..11] == "a" { "b" } else { "a" });
    for _ in 0..3 {
        ask(&server, &wrong, at).await.refused(401, "token_invalid");
    }
    let refused = ask(&server, &wrong, at).await.refused(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-limit"), "3");
    // One that nobody has seen here is not even looked up, a known one goes on, and elsewhere all is as before.
    ask(&server, &fresh, at).await.refused(429, "rate_limited");
    ask(&server, &known, at).await.with(StatusCode::OK);
    ask(&server, &fresh, "203.0.113.6").await.with(StatusCode::OK);
    ask(&server, &wrong, "203.0.113.6").await.refused(401, "token_invalid");
    // A token that is known and was revoked is refused at once, and has no advantage.
    let list = server.get("/api/v1/tokens").await;
    let id = list.items()[0]["id"].as_str().expect("an id").to_owned();
    answer(server.local(Method::DELETE, &format!("/api/v1/tokens/{id}"))).await.with(StatusCode::OK);
    ask(&server, &known, at).await.refused(429, "rate_limited");
    ask(&server, &known, "203.0.113.7").await.refused(401, "token_invalid");
    let body = json!({ "name": "x" });
    let request = server.request(Method::POST, "/api/v1/integrations").header("X-Forwarded-For", at);
    answer(request.bearer_auth(&wrong).json(&body)).await.refused(429, "rate_limited");
}

on_both_engines!(access few;
    a_token_that_asks_too_often_is_told_when_to_come_again,
    an_address_is_counted_before_anybody_is_known,
    who_guesses_tokens_is_stopped_and_stops_nobody_else,
);

mod without_a_proxy {
    use super::*;

    fn few_directly(access: &mut Access, folder: &Path) {
        few(access, folder);
        access.trusted_proxies = Vec::new();
    }

    async fn what_a_caller_says_of_its_address_counts_for_nothing(server: Server) {
        for host in 0..20 {
            let address = format!("192.0.2.{host}");
            let request = server.request(Method::GET, "/api/v1/integrations");
            let request = request.header("X-Forwarded-For", &address).header("Forwarded", format!("for={address}"));
            answer(request.header("X-Real-IP", &address)).await.refused(401, "token_missing");
        }
        ask(&server, "", "192.0.2.99").await.refused(429, "rate_limited");
    }

    on_both_engines!(access few_directly; what_a_caller_says_of_its_address_counts_for_nothing);
}
