//! Lines on standard output: for eyes, or JSON for machines.

use std::io::{IsTerminal, Write};

pub(super) use keytrail_domain::grouped::grouped;
use serde::Serialize;
use serde_json::Value;

use super::CliError;
pub(super) use super::table::table;

/// Prints a line. Nobody reads any more (`| head`): that is no failure.
pub(super) fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Says what takes long, where it is not taken for a result.
pub(super) fn wait(what: &str) {
    eprintln!("keytrail: waiting {what}");
}

/// Prints a value as JSON, on one line.
pub(super) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Failed(error.to_string()))?;
    print(&text);
    Ok(())
}

/// Whether a person looks at it.
pub(super) fn to_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// As a shell takes it for one word.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A time of the API (RFC 3339, UTC) as people read it: `2026-11-21 23:42`. Nothing when it is none.
pub(super) fn time(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_time =
        bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':' && text.ends_with('Z');
    is_time.then(|| text.get(..16).map(|minute| minute.replace('T', " "))).flatten()
}

/// What stands in a table: words, times as people read them, numbers in groups; nothing for nothing.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => time(text).unwrap_or_else(|| text.clone()),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    }
}

/// `1 commit`, `2 commits`, `12,345 commits`; `2 branches`, `2 repositories`.
pub(super) fn count(number: u64, one: &str) -> String {
    let ending = match number {
        1 => "",
        _ if one.ends_with("ch") => "es",
        _ if one.ends_with("ry") => return format!("{} {}ies", grouped(number), &one[..one.len() - 1]),
        _ => "s",
    };
    format!("{} {one}{ending}", grouped(number))
}
