//! The app of an integration for eyes: how it is first, then what is known of it. Called by `keytrail installation`; for
//! machines there is JSON.

use serde_json::Value;

use super::output;

/// As wide as the longest word in front.
const WIDTH: usize = 14;

/// Its lines.
pub(super) fn lines(shown: &Value) -> Vec<String> {
    let mut all = Lines(Vec::new());
    all.say("status", format!("{}, since {}", text(shown, "status"), time(shown, "since")));
    all.say("", text(shown, "text"));
    all.say("next", next(shown));
    all.say("to do", text(shown, "action"));
    all.say("page", text(shown, "page_url"));
    confirmation(&mut all, text(shown, "integration"), &shown["confirmation"]);
    let app = &shown["app"];
    if app.is_object() {
        let owner = app["owner"].as_str().map(|owner| format!(", owned by {owner}")).unwrap_or_default();
        all.say("app", format!("{}, id {}{owner}", text(app, "name"), app["id"]));
        all.say("", text(app, "url"));
        all.say("key", text(app, "key_fingerprint"));
    }
    installation(&mut all, &shown["installation"]);
    all.say("deliveries", text(shown, "webhooks_text"));
    budget(&mut all, &shown["budget"]);
    remainder(&mut all, &shown["remainder"]);
    if shown["secrets_kept"] == true {
        all.say("secrets", "kept sealed, until the app is confirmed to be gone");
    }
    properties(&mut all, shown["properties"].as_array().map(Vec::as_slice).unwrap_or_default());
    all.0
}

struct Lines(Vec<String>);

impl Lines {
    /// What is nothing, is not said.
    fn say(&mut self, word: &str, text: impl AsRef<str>) {
        let text = text.as_ref();
        if !text.is_empty() {
            self.0.push(format!("{word:<WIDTH$}{text}"));
        }
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn time(value: &Value, member: &str) -> String {
    output::time(text(value, member)).unwrap_or_default()
}

fn next(shown: &Value) -> String {
    let at = output::time(text(shown, "next_at")).map(|at| format!(" The next time is {at} UTC.")).unwrap_or_default();
    format!("{}{at}", text(shown, "next_step"))
}

fn confirmation(all: &mut Lines, integration: &str, confirmation: &Value) {
    if confirmation["state"] == "wanted" {
        let count = confirmation["repositories"].as_u64().unwrap_or_default();
        all.say("confirmation", format!("wanted for {}", output::count(count, "repository")));
        let filter = text(confirmation, "proposed_filter");
        if !filter.is_empty() {
            // It has quotes of its own.
            let filter = output::quoted(filter);
            all.say("", format!("or take this filter: keytrail installation set-filter {integration} {filter}"));
        }
    }
}

fn installation(all: &mut Lines, installation: &Value) {
    if !installation.is_object() {
        return;
    }
    let mut line = format!("id {}", installation["id"]);
    if let Some(organisation) = installation["organisation"].as_str() {
        line += &format!(" in {organisation}");
    }
    line += &format!(", {} repositories", text(installation, "repositories"));
    if let Some(since) = output::time(text(installation, "suspended_at")) {
        line += &format!(", suspended at GitHub since {since}");
    }
    if let Some(by) = installation["suspended_by"].as_str() {
        line += &format!(" by {by}");
    }
    all.say("installation", line);
}

fn budget(all: &mut Lines, budget: &Value) {
    if let (Some(left), Some(limit)) = (budget["remaining"].as_u64(), budget["limit"].as_u64()) {
        let (left, limit) = (output::grouped(left), output::grouped(limit));
        all.say("budget", format!("{left} of {limit} requests are left until {}", time(budget, "reset_at")));
    }
    if let Some(until) = output::time(text(budget, "not_before")) {
        all.say("", format!("GitHub wants to be left alone until {until}"));
    }
}

/// What is left at GitHub, and who can take it away.
pub(super) fn remains(remainder: &Value) -> Vec<String> {
    if !remainder.is_object() {
        return Vec::new();
    }
    let name = remainder["app_name"].as_str().map(|name| format!(" {name}")).unwrap_or_default();
    let what = format!("the app{name}{}", if remainder["installed"] == true { ", still installed" } else { "" });
    let who = match remainder["owner"].as_str() {
        Some(owner) => format!("only {owner}, which owns it, or a manager of its apps can delete it:"),
        None => "only its owner or a manager of its apps can delete it:".to_owned(),
    };
    let since = time(remainder, "since");
    vec![format!("{what}, since {since}; {who}"), text(remainder, "link").to_owned()]
}

fn remainder(all: &mut Lines, remainder: &Value) {
    for (word, line) in ["left there", ""].into_iter().zip(remains(remainder)) {
        all.say(word, line);
    }
}

fn properties(all: &mut Lines, properties: &[Value]) {
    let words = |state: &str| {
        let of_it = properties.iter().filter(|one| one["state"] == state);
        of_it.map(|one| text(one, "property").replace('_', " ")).collect::<Vec<_>>().join(", ")
    };
    all.say("as set up", words("kept"));
    for one in properties.iter().filter(|one| one["state"] == "not_told") {
        let property = text(one, "property").replace('_', " ");
        all.say("not told", format!("{property}, which should be {}", text(one, "expected")));
        all.say("", format!("GitHub's API says nothing of it; it stands at {}", text(one, "link")));
    }
    for one in properties.iter().filter(|one| one["state"] == "differs") {
        let is = one["actual"].as_str().unwrap_or_default();
        all.say("differs", text(one, "property").replace('_', " "));
        for (word, said) in
            [("should be", text(one, "expected")), ("is", is), ("do", text(one, "repair")), ("at", text(one, "link"))]
        {
            if !said.is_empty() {
                all.say("", format!("{word:<10}{said}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn how_it_is_comes_first_and_what_differs_says_what_to_do() {
        let shown = json!({
            "status": "active", "since": "2026-11-22T01:57:08.794280Z", "text": "It is installed.",
            "next_step": "It asks again.", "next_at": "2026-11-22T02:57:08Z", "action": "Nothing.", "page_url": null,
            "app": { "name": "Keytrail acme", "id": 7, "owner": "acme", "url": "https://k/apps/x", "key_fingerprint": "SHA256:x" },
            "installation": { "id": 9, "organisation": "acme", "repositories": "all", "suspended_at": null },
            "webhooks_text": "They come.", "budget": { "limit": 5000, "remaining": 4990, "reset_at": "2026-11-22T03:00:00Z" },
            "properties": [
                { "property": "name", "state": "kept", "expected": "a", "actual": "a", "repair": null, "link": null },
                { "property": "webhook", "state": "differs", "expected": "b", "actual": "c", "repair": "Repair.", "link": "d" },
            ],
        });
        assert_eq!(
            lines(&shown),
            [
                "status        active, since 2026-11-22 01:57",
                "              It is installed.",
                "next          It asks again. The next time is 2026-11-22 02:57 UTC.",
                "to do         Nothing.",
                "app           Keytrail acme, id 7, owned by acme",
                "              https://k/apps/x",
                "key           SHA256:x",
                "installation  id 9 in acme, all repositories",
                "deliveries    They come.",
                "budget        4,990 of 5,000 requests are left until 2026-11-22 03:00",
                "as set up     name",
                "differs       webhook",
                "              should be b",
                "              is        c",
                "              do        Repair.",
                "              at        d",
            ]
        );
    }

    #[test]
    fn what_is_proposed_is_shown_as_a_shell_takes_it() {
        let filter = "repositories[?size < `9` && max([pushed_at, '2025-11-21']) != '2025-11-21']";
        let confirmation = json!({ "state": "wanted", "repositories": 1_005, "proposed_filter": filter });
        let shown = lines(&json!({ "integration": "0199", "confirmation": confirmation }));
        let command = shown.iter().find_map(|line| line.split_once("or take this filter: keytrail "));
        let line = format!("printf '%s\\n' {}", command.expect("a command").1);
        let output = std::process::Command::new("/bin/sh").args(["-c", &line]).output().expect("a shell");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("installation\nset-filter\n0199\n{filter}\n"));
    }

    #[test]
    fn what_is_left_names_who_can_take_it_away() {
        let left = json!({ "installed": true, "app_name": "Keytrail acme", "owner": "acme", "link": "https://k/advanced", "since": "2026-11-22T01:57:08Z" });
        let lines = remains(&left);
        assert!(lines[0].starts_with("the app Keytrail acme, still installed"), "{lines:?}");
        assert!(lines[0].contains("only acme"), "{lines:?}");
        assert_eq!(lines[1], "https://k/advanced");
        assert!(remains(&Value::Null).is_empty());
    }
}
