//! Lines on standard output: for eyes, or JSON for machines.

use std::io::{IsTerminal, Write};

pub(super) use keytrail_domain::grouped::{counted as count, grouped};
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
    shown_time(text, 16)
}

/// A time of the API as it stands before what happened then: `2026-11-21 23:42:07`, where one thing follows another within a
/// second. Nothing when it is none.
pub(super) fn moment(value: &Value) -> String {
    value.as_str().and_then(|text| shown_time(text, 19)).unwrap_or_default()
}

fn shown_time(text: &str, length: usize) -> Option<String> {
    let bytes = text.as_bytes();
    let is_time =
        bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':' && text.ends_with('Z');
    is_time.then(|| text.get(..length).map(|shown| shown.replace('T', " "))).flatten()
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
