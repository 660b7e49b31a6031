//! Each view, job, policy and route is a file or folder and one line of a registry; nothing is forgotten in either.

use super::{rule::Rule, source, tree};

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map_or("", |(inside, _)| inside)
}

#[test]
fn every_view_is_in_the_registry() {
    let mut rule = Rule::new("a view is a folder under projections/src and one entry of VIEWS");
    let registry = tree::read("projections/src/registry.rs").split_whitespace().collect::<Vec<_>>().join(" ");
    let entries = between(&registry, "[&dyn View] = &[", "];").split(',');
    let entries: Vec<&str> = entries.map(|entry| entry.trim().trim_start_matches('&')).collect();
    let mut known = Vec::new();
    for source in source::of_product().iter().filter(|source| source.is_below(&["projections/src/"])) {
        for (number, line) in source.lines() {
            let Some(name) = between(line, "impl View for ", " {").split_whitespace().next() else { continue };
            let folder = source.path.trim_start_matches("projections/src/").split('/').next().unwrap_or_default();
            if !source.path.ends_with("/mod.rs") || snake(name) != folder {
                rule.broken_at(&source.path, number, format_args!("{name} is not in a folder of its name"));
            }
            if !entries.contains(&name) {
                rule.broken_at(&source.path, number, format_args!("{name} is not in VIEWS"));
            }
            if !source.text.contains(&format!("\"{folder}\"")) {
                rule.broken_at(&source.path, number, format_args!("{name} is not called {folder:?}"));
            }
            known.push(name.to_owned());
        }
    }
    for entry in entries.iter().filter(|entry| !entry.is_empty() && !known.iter().any(|name| name == *entry)) {
        rule.broken_in("projections/src/registry.rs", format_args!("{entry} has no folder"));
    }
    if known.is_empty() {
        rule.broken_in("projections/src", "no view was found: this test looks in the wrong place");
    }
    rule.hold();
}

#[test]
fn every_kind_of_job_has_its_file() {
    let mut rule = Rule::new("a job is a file under src/jobs named after it, a word of Kind and an arm of the runner");
    let list = tree::read("src/jobs/kind.rs");
    let words: Vec<&str> =
        list.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split('"').nth(1)).collect();
    let runner = tree::read("src/jobs/runner.rs");
    for word in &words {
        if !tree::exists(&format!("src/jobs/{word}.rs")) {
            rule.broken_in("src/jobs/kind.rs", format_args!("{word} has no file"));
        }
        if !runner.contains(&format!("{word}::{word}")) {
            rule.broken_in("src/jobs/runner.rs", format_args!("{word} is never carried out"));
        }
    }
    for name in tree::names_in("src/jobs") {
        let name = name.trim_end_matches(".rs");
        if ![
            "admission",
            "app_access",
            "app_webhooks",
            "approved_roots",
            "backlog",
            "caches",
            "changed_hosts",
            "mod",
            "missed_deliveries",
            "mounts",
            "one_by_one",
            "commit_diff",
            "commit_lookup",
            "connection_test",
            "folder_scans",
            "git_settings",
            "index_again",
            "index_progress",
            "installation_listing",
            "installation_turns",
            "key_folders_of_nodes",
            "keys_on_disk",
            "kind",
            "known_obstacles",
            "left_behind",
            "looks",
            "paths_to_add",
            "queue",
            "refs_of_commit",
            "removed_app",
            "repository_source",
            "runner",
            "schedule",
            "shards",
            "ssh_access",
            "ssh_key_uses",
            "tests",
            "upkeep",
            "way",
            "webhook_secrets",
            "work_off",
        ]
        .contains(&name)
            && !words.contains(&name)
        {
            rule.broken_in(&format!("src/jobs/{name}"), "is no kind of job");
        }
    }
    rule.hold();
}

#[test]
fn every_policy_is_in_the_list() {
    let mut rule =
        Rule::new("a policy is a file under domain/src/policy and one entry of POLICIES, under its own name");
    let list = tree::read("domain/src/policy/mod.rs");
    let list = between(&list, "POLICIES: &[Policy] = &[", "];");
    let entries: Vec<&str> = list.lines().filter_map(|line| line.split('"').nth(1)).collect();
    for name in tree::names_in("domain/src/policy") {
        let name = name.trim_end_matches(".rs");
        if !["mod", "tests"].contains(&name) && !list.contains(&format!("(\"{name}\", {name}::{name})")) {
            rule.broken_in(&format!("domain/src/policy/{name}.rs"), "is not in POLICIES under its name");
        }
    }
    for entry in entries.iter().filter(|entry| !tree::exists(&format!("domain/src/policy/{entry}.rs"))) {
        rule.broken_in("domain/src/policy/mod.rs", format_args!("{entry} has no file"));
    }
    rule.hold();
}

#[test]
fn every_route_is_on_the_page_of_routes() {
    let mut rule = Rule::new("a route is described where it stands and listed once in src/http/routes.rs");
    let page = if tree::exists("src/http/routes.rs") { tree::read("src/http/routes.rs") } else { String::new() };
    for source in source::of_product().iter().filter(|source| source.is_below(&["src/http/"])) {
        let mut lines = source.lines();
        while let Some((number, line)) = lines.next() {
            let method =
                ["#[get(", "#[post(", "#[put(", "#[delete(", "#[patch("].iter().any(|m| line.trim().starts_with(m));
            if !method {
                continue;
            }
            let function = lines.find_map(|(_, line)| line.split_once("fn ").map(|(_, rest)| rest));
            let name = function.and_then(|rest| rest.split(['(', '<']).next()).unwrap_or_default();
            let times = page.matches(&format!("::{name})")).count();
            if times != 1 {
                rule.broken_at(&source.path, number, format_args!("{name} is listed {times} times"));
            }
        }
    }
    rule.hold();
}

/// `IssueCommits` is `issue_commits`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}
