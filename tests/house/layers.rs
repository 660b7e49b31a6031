//! Who may know whom: the manifests of the pure crates, and the arrows between the parts of `src`.

use super::{
    rule::Rule,
    source::{self, Source},
    stack::{Dependency, dependencies},
};

/// Each part of `src` and the parts that it may name. A part that is not here has no place in the house yet.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "app",
        &["clock", "config", "ids", "inbox", "jobs", "log", "public_address", "reactors", "secrets", "store", "views"],
    ),
    (
        "boot",
        &["app", "clock", "config", "git", "ids", "jobs", "key_folder", "log", "public_address", "secrets", "store"],
    ),
    (
        "cli",
        &[
            "app",
            "boot",
            "clock",
            "config",
            "demo",
            "doctor",
            "http",
            "ids",
            "secrets",
            "ssh_hosts",
            "ssh_keys",
            "store",
            "telemetry",
        ],
    ),
    ("clock", &[]),
    ("config", &[]),
    ("demo", &["git"]),
    (
        "doctor",
        &[
            "app",
            "config",
            "git",
            "jobs",
            "key_folder",
            "process",
            "reactors",
            "secrets",
            "ssh_hosts",
            "store",
            "views",
        ],
    ),
    ("explain", &["app", "git", "jobs", "views"]),
    ("gauges", &["app", "jobs", "process", "reactors", "store"]),
    ("git", &[]),
    (
        "http",
        &[
            "app",
            "clock",
            "config",
            "doctor",
            "explain",
            "gauges",
            "git",
            "ids",
            "inbox",
            "jobs",
            "key_folder",
            "log",
            "public_address",
            "secrets",
            "ssh_hosts",
            "ssh_keys",
            "store",
            "views",
        ],
    ),
    ("ids", &[]),
    ("inbox", &["ids", "store"]),
    (
        "jobs",
        &[
            "app",
            "clock",
            "git",
            "ids",
            "inbox",
            "key_folder",
            "log",
            "secrets",
            "ssh_hosts",
            "ssh_keys",
            "store",
            "views",
        ],
    ),
    ("key_folder", &["secrets", "ssh_keys"]),
    ("log", &["clock", "ids", "store"]),
    ("main", &["cli"]),
    ("process", &[]),
    ("public_address", &["config"]),
    ("reactors", &["app", "jobs", "log", "store"]),
    ("secrets", &["ids", "store"]),
    ("ssh_hosts", &["git"]),
    ("ssh_keys", &["secrets"]),
    ("store", &[]),
    ("telemetry", &["config", "process"]),
    ("views", &["clock", "ids", "log", "store"]),
];

/// A crate, and the only places that may name it.
const FENCES: &[(&str, &[&str])] = &[
    ("actix_web", &["src/http/", "src/cli/"]),
    ("argon2", &["src/ssh_keys/"]),
    ("bcrypt_pbkdf", &["src/ssh_keys/"]),
    ("cqrs_es", &["domain/src/es.rs", "src/log/", "src/app/"]),
    ("git2", &["src/git/"]),
    ("gix", &["src/git/"]),
    ("postgres_es", &["src/log/"]),
    ("rusqlite", &["src/store/", "src/log/"]),
    ("sqlx", &["src/store/", "src/log/"]),
    ("ssh_cipher", &["src/ssh_keys/"]),
    ("utoipa", &["src/http/"]),
    ("utoipa_actix_web", &["src/http/"]),
    ("utoipa_swagger_ui", &["src/http/"]),
];

/// What the pure core may be built on: nothing of it does input or output, or knows the time.
const DOMAIN: &[&str] = &["base64", "chrono", "cqrs-es", "memchr", "serde", "serde_json", "sha2", "thiserror", "uuid"];
/// What the views may be built on.
const PROJECTIONS: &[&str] = &["keytrail-domain", "serde", "serde_json", "thiserror", "uuid"];
/// Features that bring the time or randomness along.
const IMPURE_FEATURES: &[&str] = &["clock", "now", "v1", "v4", "v6", "v7", "rng"];

fn only(rule: &mut Rule, path: &str, package: &str, allowed: &[&str]) {
    for Dependency { name, features, .. } in dependencies(package).into_iter().filter(|found| !found.dev) {
        if !allowed.contains(&name.as_str()) {
            rule.broken_in(path, format_args!("depends on {name}"));
        }
        for feature in features.iter().filter(|feature| IMPURE_FEATURES.contains(&feature.as_str())) {
            rule.broken_in(path, format_args!("asks {name} for the feature {feature}"));
        }
    }
}

#[test]
fn the_manifests_are_the_fence_of_the_pure_crates() {
    let mut rule =
        Rule::new("domain and projections depend on nothing that knows a disk, a network, a runtime or the time");
    only(&mut rule, "domain/Cargo.toml", "keytrail-domain", DOMAIN);
    only(&mut rule, "projections/Cargo.toml", "keytrail-projections", PROJECTIONS);
    rule.hold();
}

#[test]
fn the_parts_of_the_server_know_only_those_below_them() {
    let mut rule =
        Rule::new("inside src every part names only the parts that the arrows in tests/house/layers.rs allow it");
    for source in source::of_product().iter().filter(|source| source.path.starts_with("src/")) {
        let Some(part) = part(source) else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == part) else {
            rule.broken_in(&source.path, format_args!("{part} is not among the arrows: say there what it may know"));
            continue;
        };
        for (line, path) in paths_of_ours(source) {
            let other = path.first().map_or("", String::as_str);
            let known = ARROWS.iter().any(|(name, _)| *name == other);
            if known && other != part && !allowed.contains(&other) {
                rule.broken_at(&source.path, line, format_args!("{part} names {other}"));
            }
        }
    }
    rule.hold();
}

#[test]
fn views_know_of_the_log_only_its_feed() {
    let mut rule = Rule::new("src/views reads the log through Feed, and never appends");
    for source in source::of_product().iter().filter(|source| source.is_below(&["src/views/"])) {
        for (line, path) in paths_of_ours(source).into_iter().filter(|(_, path)| path[0] == "log") {
            let item = path.get(1).map_or("everything", String::as_str);
            if !["Feed", "FeedError", "Page"].contains(&item) {
                rule.broken_at(&source.path, line, format_args!("names log::{item}"));
            }
        }
    }
    rule.hold();
}

#[test]
fn a_crate_with_a_fence_is_named_inside_it_only() {
    let mut rule =
        Rule::new("only src/git knows git, only src/store and src/log know a database, only the edge knows HTTP");
    for source in source::of_product() {
        for (name, places) in FENCES.iter().filter(|(_, places)| !source.is_below(places)) {
            for line in source.lines_with(name) {
                rule.broken_at(
                    &source.path,
                    line,
                    format_args!("names {name}, which belongs in {}", places.join(", ")),
                );
            }
        }
    }
    rule.hold();
}

/// The part of `src` that a file belongs to; `None` for the list of parts itself.
fn part(source: &Source) -> Option<&str> {
    let rest = source.path.strip_prefix("src/")?;
    let part = rest.split('/').next()?.trim_end_matches(".rs");
    (part != "lib").then_some(part)
}

/// Every path into our own crate, with its line: written from `crate` on, or reaching its root by `super`.
fn paths_of_ours(source: &Source) -> Vec<(usize, Vec<String>)> {
    let inner = source.path.strip_prefix("src/").unwrap_or_default();
    let inner = inner.trim_end_matches(".rs").trim_end_matches("/mod");
    let depth = inner.split('/').count();
    let ups = "super::".repeat(depth);
    let own = if source.path == "src/main.rs" { "keytrail::" } else { "crate::" };
    let mut paths = Vec::new();
    for root in [own, &ups] {
        for (at, _) in source.code.match_indices(root) {
            let before = source.code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$' || c == ':') {
                continue;
            }
            let line = source.code[..at].matches('\n').count() + 1;
            let mut found = Vec::new();
            expand(&source.code[at + root.len()..], &[], &mut found);
            paths.extend(found.into_iter().map(|path| (line, path)));
        }
    }
    paths
}

/// Reads a path or a tree of paths; what follows it.
fn expand<'a>(text: &'a str, before: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut text = text.trim_start();
    if let Some(inside) = text.strip_prefix('{') {
        text = inside;
        loop {
            text = text.trim_start();
            if let Some(rest) = text.strip_prefix('}') {
                return rest;
            }
            let rest = expand(text, before, found).trim_start();
            let rest = rest.strip_prefix(',').unwrap_or(rest);
            if rest.len() == text.len() {
                return rest;
            }
            text = rest;
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let mut path = before.to_vec();
    path.push(text[..end].to_owned());
    let rest = &text[end..];
    match rest.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => expand(rest, &path, found),
        _ => {
            found.push(path);
            // `name as other`
            rest.trim_start().strip_prefix("as ").map_or(rest, |renamed| {
                let renamed = renamed.trim_start();
                &renamed[renamed.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(renamed.len())..]
            })
        }
    }
}

#[test]
fn trees_of_paths_are_read_to_their_ends() {
    let mut found = Vec::new();
    expand("{\n log::{Feed, append::{self, Head as H}},\n store::Db, };", &[], &mut found);
    let found: Vec<String> = found.iter().map(|path| path.join("/")).collect();
    assert_eq!(found, ["log/Feed", "log/append/self", "log/append/Head", "store/Db"]);
}
