//! What an app of ours may do, and what it is told of: what its manifest asks for, and what is compared afterwards.

use std::collections::BTreeMap;

use crate::github::App;

/// Permissions in GitHub's words. Writing is for branches and pull requests that people begin from an issue.
pub const PERMISSIONS: [(&str, &str); 3] = [("contents", "write"), ("metadata", "read"), ("pull_requests", "write")];

/// Events in GitHub's words. What an app is told in any case (`installation` and its like) cannot be asked for.
pub const EVENTS: [&str; 7] = ["create", "delete", "meta", "pull_request", "pull_request_review", "push", "repository"];

/// Whether the app may do all that is wanted, and is told of all that counts.
pub fn suffices(app: &App) -> bool {
    let may = |(name, how): &(&str, &str)| app.permissions.get(*name).is_some_and(|has| rank(has) >= rank(how));
    PERMISSIONS.iter().all(may)
        && EVENTS.iter().all(|event| *event == "meta" || app.events.iter().any(|has| has == event))
}

fn rank(how: &str) -> u8 {
    match how {
        "read" => 1,
        "write" => 2,
        "admin" => 3,
        _ => 0,
    }
}

/// Permissions in one line.
pub fn listed(permissions: &BTreeMap<String, String>) -> String {
    if permissions.is_empty() {
        return "none".to_owned();
    }
    permissions.iter().map(|(name, how)| format!("{name}={how}")).collect::<Vec<_>>().join(", ")
}

/// What is wanted in one line.
pub fn wanted_listed() -> String {
    let permissions = PERMISSIONS.iter().map(|(name, how)| ((*name).to_owned(), (*how).to_owned())).collect();
    format!("{}; {}", listed(&permissions), EVENTS.join(", "))
}
