//! The migrations of the two engines are twins: the same names, tables, columns and indexes.

use std::collections::BTreeMap;

use super::{rule::Rule, tree};

/// Tables with their columns (name, kind, nullable) and key, indexes with what they are over.
type Shape = BTreeMap<String, Vec<String>>;

#[test]
fn the_migrations_are_twins() {
    let mut rule = Rule::new("a migration has the same name, tables, columns, nullability and indexes on both engines");
    let (postgres, sqlite) = (tree::names_in("migrations/postgres"), tree::names_in("migrations/sqlite"));
    for name in postgres.iter().filter(|name| !sqlite.contains(name)) {
        rule.broken_in(&format!("migrations/postgres/{name}"), "has no twin in migrations/sqlite");
    }
    for name in &sqlite {
        let path = format!("migrations/sqlite/{name}");
        if !postgres.contains(name) {
            rule.broken_in(&path, "has no twin in migrations/postgres");
            continue;
        }
        let (ours, theirs) = (shape(&tree::read(&path)), shape(&tree::read(&format!("migrations/postgres/{name}"))));
        for thing in ours.keys().chain(theirs.keys()) {
            let (ours, theirs) = (ours.get(thing), theirs.get(thing));
            if ours != theirs {
                rule.broken_in(&path, format_args!("{thing} is {ours:?} here and {theirs:?} on PostgreSQL"));
            }
        }
    }
    rule.hold();
}

#[test]
fn every_migration_is_in_the_list_that_is_run() {
    let mut rule =
        Rule::new("every file in migrations is named in src/store/migrate.rs, in its order, and nothing else is");
    let list = tree::read("src/store/migrate.rs");
    let named: Vec<&str> =
        list.lines().filter_map(|line| line.trim().strip_prefix("migration!(Area::")?.split('"').nth(1)).collect();
    for name in tree::names_in("migrations/sqlite") {
        if !named.contains(&name.trim_end_matches(".sql")) {
            rule.broken_in(&format!("migrations/sqlite/{name}"), "is never run");
        }
    }
    for name in &named {
        if !tree::exists(&format!("migrations/sqlite/{name}.sql")) {
            rule.broken_in("src/store/migrate.rs", format_args!("names {name}, which is not there"));
        }
    }
    if !named.is_sorted() {
        rule.broken_in("src/store/migrate.rs", "the list is not in the order of its names");
    }
    rule.hold();
}

fn shape(sql: &str) -> Shape {
    let lines: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let mut shape = Shape::new();
    for statement in lines.join(" ").split(';') {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let inside = || {
            let (from, to) = (statement.find('(').unwrap_or(0) + 1, statement.rfind(')').unwrap_or(0));
            // What follows the columns (`WITH (fillfactor = 10)`) is of one engine only.
            let to = statement.find(") WITH").or_else(|| statement.find(") STRICT")).unwrap_or(to);
            parts(statement.get(from..to).unwrap_or_default())
        };
        match words.as_slice() {
            ["CREATE", "TABLE", name, ..] => {
                shape.insert(format!("table {name}"), inside().iter().map(|part| column(part)).collect());
            }
            ["CREATE", "INDEX", name, ..] => {
                shape.insert(format!("index {name}"), inside());
            }
            ["CREATE", "UNIQUE", "INDEX", name, ..] => {
                shape.insert(format!("unique index {name}"), inside());
            }
            _ => {}
        }
    }
    shape
}

/// Splits at the commas that stand in no parentheses.
fn parts(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if character == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts.iter().map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn column(part: &str) -> String {
    if part.starts_with("PRIMARY KEY") {
        return part.to_owned();
    }
    let mut words = part.split(' ');
    let name = words.next().unwrap_or_default();
    let kind = match words.next().unwrap_or_default() {
        "BIGINT" | "INTEGER" | "SMALLINT" => "whole number",
        "TEXT" | "JSON" => "text",
        "BYTEA" | "BLOB" => "bytes",
        other => other,
    };
    let null = if part.contains("NOT NULL") || part.contains("PRIMARY KEY") { "" } else { ", or nothing" };
    let key = if part.contains("PRIMARY KEY") { ", key" } else { "" };
    format!("{name}: {kind}{null}{key}")
}

#[test]
fn a_column_that_may_be_null_on_one_engine_only_is_found() {
    let one = shape("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL, c BLOB) STRICT;");
    let same =
        shape("-- why\nCREATE TABLE t (a BIGINT PRIMARY KEY, b TEXT COLLATE \"C\" NOT NULL, c BYTEA) WITH (x = 1);");
    assert_eq!(one, same);
    assert_ne!(one, shape("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB) STRICT;"));
    assert_eq!(one["table t"].len(), 3);
}
