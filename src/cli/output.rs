//! Lines on standard output: for eyes, or JSON for machines.

use std::io::{IsTerminal, Write};

pub(super) use keytrail_domain::grouped::grouped;
use serde::Serialize;

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

/// `1 commit`, `2 commits`, `12,345 commits`; `2 branches`.
pub(super) fn count(number: u64, one: &str) -> String {
    let ending = match number {
        1 => "",
        _ if one.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {one}{ending}", grouped(number))
}
