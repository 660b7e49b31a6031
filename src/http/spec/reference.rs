//! docs/api.md, made from the description: conventions first, then every operation with what it needs. After a change of a
//! route `KEYTRAIL_WRITE_API=1 cargo test -p keytrail --lib http::spec` writes it anew.

use std::fmt::Write as _;

use serde_json::Value;

use super::{TAGS, json};

/// What all operations have in common.
const CONVENTIONS: &str = r#"# The API

Made from the description of the routes (`openapi/v1.json`, served at `/openapi.json` and shown at `/docs/`), which has
every field, bound, code and an example of each answer. Errors are explained in [errors.md](errors.md), tokens, scopes and
limits in [access.md](access.md).

## Conventions

- **Who asks** is told by `Authorization: Bearer …`: an access token (`kt_…`) or a signed token of a service. Below, *needs*
  is the least role (viewer, auditor, admin; each may do what the one before may) and the scope that a narrowed token needs.
- **JSON** in snake_case. Times are RFC 3339 in UTC, ids are UUIDs. Unknown fields are refused, and so are unknown
  parameters, below `/api/` also by what takes none.
- **Refusals** are `application/problem+json` (RFC 9457) with a stable `code`, a sentence that says what to do, and the
  `request_id` by which the server's log names the request. Send your own as `X-Request-Id`; a `traceparent` (W3C) goes into
  the metadata of events.
- **Lists** are pages `{items, next}`: ask again with `next` as `cursor`, with the same filters. A cursor works for a day.
- **Changes** answer with the thing as it is then, its version as `ETag`, and `X-Log-Position`. Send the ETag as `If-Match`,
  so that nobody else's change is lost (412 when there was one, 428 where it is needed), or `*`.
- **Sending it again** is harmless with an `Idempotency-Key`: it is done once, and answered as the first time
  (`Idempotency-Replayed: true`). Every POST that makes or changes one thing takes one, and so does a PUT that makes
  something new each time (another secret, another key). Every PUT and DELETE takes `If-Match`: it says how something is to
  be, and said again it changes nothing. What takes neither is harmless without: a look at a repository, a rebuild or a
  verification of views begins no second time while it goes on; which keys a server of SSH shows, and which a file of
  known_hosts says, is recorded once; repairing an app does again what is wished; what follows from a delivery is said once.
- **Reading what you wrote**: `min_position` is the position of a change; a read waits for it up to two seconds, and answers
  202 `view_behind` when it takes longer. A change that is on disk, and that its view does not show by then, answers 202 with
  `id` and `position`. What a view has to decide, or to find, before anything can be done waits for the view as long, and
  answers 503 `busy` when it takes longer: then nothing was done.
- **The past**: `as_of` shows an issue as it was known at a position, by today's rules.
- **Long work** answers 202 with an `operation` to watch under `/api/v1/operations`.
- **Streams** (`text/event-stream`) go on where they were with `Last-Event-ID`; they end when the token does.
- **Limits**: `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` come with every answer to a token or a service; 429 `rate_limited` has
  `Retry-After`.
"#;

/// The page.
fn page() -> String {
    let spec: Value = serde_json::from_str(&json()).expect("a description is JSON");
    let mut text = CONVENTIONS.to_owned();
    for (tag, about) in TAGS {
        let _ = write!(text, "\n## {tag}\n\n{about}\n\n| | operation | needs | |\n|---|---|---|---|\n");
        for (path, item) in spec["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                if operation["tags"][0] == tag {
                    let _ = writeln!(text, "{}", row(path, method, operation));
                }
            }
        }
    }
    text
}

fn row(path: &str, method: &str, operation: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let needs = match operation.pointer("/security/0/bearer/0").and_then(Value::as_str) {
        Some(role) => format!("{role}, `{}`", word(&operation["x-scope"])),
        None => "no token".to_owned(),
    };
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let query: Vec<_> = parameters
        .filter(|parameter| parameter["in"] == "query")
        .map(|parameter| format!("`{}`", word(&parameter["name"])))
        .collect();
    let summary = word(&operation["summary"]).replace('\n', " ");
    let takes = if query.is_empty() { String::new() } else { format!(" Takes {}.", query.join(", ")) };
    format!("| `{} {path}` | {} | {needs} | {summary}{takes} |", method.to_uppercase(), word(&operation["operationId"]))
}

#[test]
fn the_page_of_the_api_is_the_one_that_the_routes_give() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
    #[expect(clippy::disallowed_methods, reason = "a switch for who changes a route, not for the program")]
    if std::env::var_os("KEYTRAIL_WRITE_API").is_some() {
        std::fs::write(path, page()).expect("the folder docs can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/api.md is not what the routes say; run KEYTRAIL_WRITE_API=1 cargo test -p keytrail --lib http::spec"
    );
}
