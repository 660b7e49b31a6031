//! Pages of other origins: none may ask, unless it is named.

use std::path::Path;

use keytrail::config::Access;
use reqwest::{Method, StatusCode};

use crate::server::{Server, answer, on_both_engines};

const BOARD: &str = "https://board.example";

fn with_a_board(access: &mut Access, _: &Path) {
    access.origins = vec![BOARD.into(), "http://localhost:3000".into()];
}

async fn a_named_origin_may_ask_and_no_other(server: Server) {
    let ask = |origin: &str| server.local(Method::GET, "/api/v1/integrations").header("Origin", origin);
    let let_in = answer(ask(BOARD)).await.with(StatusCode::OK);
    assert_eq!(let_in.header("access-control-allow-origin"), BOARD);
    assert!(let_in.header("access-control-expose-headers").contains("etag"));
    assert!(!let_in.headers.contains_key("access-control-allow-credentials"));
    assert_eq!(let_in.header("vary"), "origin");
    for origin in [
        "https://board.example.evil.example",
        "https://evil-board.example",
        "http://board.example",
        "https://board.example:8443",
        "HTTPS://BOARD.EXAMPLE",
        "null",
        "*",
        "",
    ] {
        let answered = answer(ask(origin)).await.with(StatusCode::OK);
        assert!(!answered.headers.contains_key("access-control-allow-origin"), "{origin}");
        assert_eq!(answered.header("vary"), "origin");
    }
    let twice = answer(ask(BOARD).header("Origin", BOARD)).await.with(StatusCode::OK);
    assert!(!twice.headers.contains_key("access-control-allow-origin"));
    // The page sees refusals, too.
    let refused = answer(server.request(Method::GET, "/api/v1/integrations").header("Origin", BOARD)).await;
    assert_eq!(refused.refused(401, "token_missing").header("access-control-allow-origin"), BOARD);
}

async fn a_browser_is_told_what_a_page_may_ask_without_a_token(server: Server) {
    let ask = |origin: &str, path: &str| {
        let request = server.request(Method::OPTIONS, path).header("Origin", origin);
        answer(request.header("Access-Control-Request-Method", "PUT"))
    };
    for path in ["/api/v1/integrations", "/api/v1/nothing"] {
        let told = ask(BOARD, path).await.with(StatusCode::NO_CONTENT);
        assert_eq!(told.header("access-control-allow-origin"), BOARD);
        assert!(told.header("access-control-allow-methods").contains("PUT"));
        assert!(told.header("access-control-allow-headers").contains("authorization"));
        assert!(!told.headers.contains_key("access-control-allow-credentials"));
        ask("https://evil.example", path).await.refused(401, "token_missing");
    }
}

on_both_engines!(access with_a_board;
    a_named_origin_may_ask_and_no_other,
    a_browser_is_told_what_a_page_may_ask_without_a_token,
);

mod as_it_comes {
    use super::*;

    async fn no_page_may_ask(server: Server) {
        let ask = server.local(Method::GET, "/api/v1/integrations").header("Origin", BOARD);
        let answered = answer(ask).await.with(StatusCode::OK);
        assert!(answered.headers.keys().all(|name| !name.as_str().starts_with("access-control")));
        let preflight = server.request(Method::OPTIONS, "/api/v1/integrations").header("Origin", BOARD);
        let refused = answer(preflight.header("Access-Control-Request-Method", "GET")).await;
        refused.refused(401, "token_missing");
    }

    on_both_engines!(no_page_may_ask);
}
