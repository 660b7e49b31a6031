//! Who sends what nobody signed is soon not listened to; everybody else is.

use keytrail::config;
use reqwest::{Method, StatusCode};
use uuid::Uuid;

use crate::server::{Server, answer, on_both_engines};

on_both_engines!(access few; who_delivers_to_nobody_too_often_is_not_listened_to);

fn few(access: &mut config::Access, _: &std::path::Path) {
    access.requests_per_minute = 0;
    access.address_requests_per_minute = 1;
    access.address_failures_per_minute = 3;
}

async fn who_delivers_to_nobody_too_often_is_not_listened_to(server: Server) {
    let deliver = |n: u128| {
        // What is no id at all counts the same.
        let id = if n == 1 { "nobody".to_owned() } else { Uuid::from_u128(n).to_string() };
        let at = format!("/webhooks/github/{id}");
        let request = server.request(Method::POST, &at).header("X-Hub-Signature-256", "sha256=00");
        answer(request.header("Content-Type", "application/json").body("{}"))
    };
    // Those that ask for pages are counted otherwise: a service delivers as often as something happens.
    for n in 0..3 {
        deliver(n).await.refused(404, "route_unknown");
    }
    let refused = deliver(3).await.refused(429, "rate_limited");
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    // Who asks for what is not there is counted as everybody else.
    let ask = || answer(server.request(Method::GET, "/webhooks/github/nobody"));
    ask().await;
    ask().await.refused(429, "rate_limited");
    // Tokens of that address were not refused.
    server.get("/api/v1/integrations").await.with(StatusCode::OK);
}
