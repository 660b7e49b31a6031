//! Every refusal that was seen of GitHub is told apart from the others.

use std::time::Duration;

use keytrail_test_support::web_server::Scripted;
use reqwest::Method;
use serde_json::Value;

use super::{
    super::{GithubError, GithubTrouble, convert_code, rest::As},
    NOW, reached,
};

const OBSERVED: &str = include_str!("../../../../../tests/fixtures/github/observed-errors.json");

/// What each row is for us. By its operation and when it comes.
const EXPECTED: [(&str, &str); 22] = [
    ("installation suspended (by either side)", "installation_suspended"),
    ("installation deleted or never existed", "github_not_found"),
    ("app deleted, or iss unknown", "app_deleted"),
    ("key does not belong to the app (rotated, deleted, wrong id)", "app_key_rejected"),
    ("exp in the past", "clock_skew"),
    ("exp more than 10 minutes ahead of the server clock", "clock_skew"),
    ("iat in the future of the server clock", "clock_skew"),
    ("no credentials", "token_rejected"),
    ("token expired or revoked", "token_rejected"),
    ("permission missing", "permission_missing"),
    ("asked for a permission the installation lacks", "permission_missing"),
    ("asked for a repository outside the installation", "github_not_found"),
    ("primary rate limit", "rate_limited"),
    ("secondary rate limit, with retry-after", "rate_limited"),
    ("secondary rate limit, WITHOUT retry-after", "rate_limited"),
    ("organisation IP allow list", "address_not_allowed"),
    ("repository renamed or transferred", "github_not_found"),
    ("code used, expired (1 h), or sent to the wrong host", "github_not_found"),
    ("branch exists", "github_refused"),
    ("empty repository", "github_refused"),
    ("pull request exists", "github_refused"),
    ("head equals base", "github_refused"),
];

/// Said to an app that it knows, of something that is not there or not for it.
const WITHHELD: [&str; 3] = ["github_not_found", "permission_missing", "github_refused"];

/// What a server with this row in it makes of a request.
async fn said(row: &Value, status: u64) -> GithubError {
    let mut answer = format!("HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nConnection: close\r\n");
    answer.push_str("Date: Sat, 21 Nov 2026 06:30:00 GMT\r\n");
    for (name, value) in row["headers"].as_object().expect("headers") {
        let value = value.as_str().expect("a text").replace("EPOCH", &(NOW.seconds() + 99).to_string());
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = row["body"].to_string();
    answer.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let server = Scripted::start(answer.as_bytes(), keytrail_test_support::web_server::Ending::Closes);
    let github = reached(&format!("http://{}", server.address())).await;
    if row["op"].as_str().is_some_and(|op| op.contains("conversions")) {
        return convert_code(&github, "abc", NOW).await.err().expect("a refusal");
    }
    let answer = github.ask(Method::GET, "/app", As::Bearer("secret"), None).await.expect("an answer");
    github.checked(answer, NOW).err().expect("a refusal")
}

#[tokio::test]
async fn every_refusal_that_was_seen_has_its_own_code() {
    let observed: Value = serde_json::from_str(OBSERVED).expect("JSON");
    let rows = observed["errors"].as_array().expect("rows");
    let mut seen = 0;
    for row in rows {
        let (op, when) = (row["op"].as_str().expect("a text"), row["when"].as_str().expect("a text"));
        if op.starts_with("git ") {
            // Said to git, and told apart where git's refusals are.
            continue;
        }
        let expected = EXPECTED.iter().find(|(known, _)| *known == when);
        let (_, expected) = expected.unwrap_or_else(|| panic!("nobody says what this is for us: {op}: {when}"));
        let status = row["status"].as_u64().expect("a status");
        let error = said(row, status).await;
        assert_eq!(error.trouble.code(), *expected, "{op}: {when}");
        // A key that is refused, a clock that is wrong, and what passes say nothing of what was asked for.
        assert_eq!(error.withholds(), WITHHELD.contains(expected), "{op}: {when}");
        let text = error.to_string();
        assert!(text.contains("127.0.0.1") || *expected == "app_key_unreadable", "it names the host: {text}");
        assert!(!text.contains("secret"), "{text}");
        // Our own address, which an owner needs, and nothing else of what it said.
        assert_eq!(text.contains("203.0.113.7"), *expected == "address_not_allowed", "{text}");
        assert!(!text.contains("Although") && !text.contains("resource"), "{text}");
        // Limits come with 429 as well.
        if *expected == "rate_limited" {
            let error = said(row, 429).await;
            assert_eq!(error.trouble.code(), *expected, "429: {when}");
        }
        seen += 1;
    }
    assert_eq!(seen, 23, "every row but those of git");
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait() {
    let observed: Value = serde_json::from_str(OBSERVED).expect("JSON");
    let row = |when: &str| observed["errors"].as_array().expect("rows").iter().find(|row| row["when"] == when).cloned();
    for (when, seconds) in [
        // A second more: the clocks differ.
        ("primary rate limit", 100),
        ("secondary rate limit, with retry-after", 60),
        ("secondary rate limit, WITHOUT retry-after", 60),
    ] {
        let error = said(&row(when).expect("a row"), 403).await;
        assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)), "{when}");
        assert!(error.passes(), "{when}");
    }
}

#[tokio::test]
async fn a_refused_signature_tells_how_far_the_clocks_are_apart() {
    let observed: Value = serde_json::from_str(OBSERVED).expect("JSON");
    for row in observed["errors"].as_array().expect("rows") {
        if let GithubTrouble::ClockSkew { ahead } = said(row, row["status"].as_u64().expect("a status")).await.trouble {
            assert_eq!(ahead, 1_800);
        }
    }
}

#[tokio::test]
async fn what_is_no_github_is_said_to_be_none() {
    for (status, kind, body) in [
        ("200 OK", "text/html", "<html>Sign in</html>"),
        ("302 Found", "text/html", ""),
        ("200 OK", "application/json", "[]"),
    ] {
        let server = Scripted::answering(status, kind, body.as_bytes());
        let github = reached(&format!("http://{}", server.address())).await;
        let answer = github.ask(Method::GET, "/app", As::Nobody, None).await.expect("an answer");
        let read = github.checked(answer, NOW).and_then(|answer| github.read::<super::super::HookConfig>(&answer));
        // A list is no configuration.
        assert_eq!(read.err().map(|error| error.trouble.code()), Some("not_github"), "{status} {body}");
    }
}
