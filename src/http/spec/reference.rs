//! docs/api.md, made from the description: conventions first, then every operation with what it needs. After a change of a
//! route `KEYTRAIL_WRITE_API=1 cargo test -p keytrail --lib http::spec` writes it anew.

use std::fmt::Write as _;

use serde_json::Value;

use super::{TAGS, json};

const CONVENTIONS: &str = include_str!("reference.md");

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
