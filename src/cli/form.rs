//! How one thing is printed: its fields, one a line, for eyes; JSON when it is asked for. Called by the commands that show
//! or change one thing; it knows nothing of what the fields mean.

use clap::Args;
use serde_json::Value;

use super::{CliError, output};

/// What a person looks for first.
const FIRST: [&str; 7] = ["id", "key", "sha", "name", "state", "kind", "location"];
/// Said by other fields, or for programs only.
const LEFT_OUT: [&str; 3] = ["href", "version", "position"];

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Form {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl Form {
    /// Prints it.
    pub(super) fn show(self, thing: &Value) -> Result<(), CliError> {
        if self.json {
            return output::json(thing);
        }
        lines(thing).iter().for_each(|line| output::print(line));
        Ok(())
    }
}

/// Whether it is the answer to a change that is on disk, and that the server does not show yet.
pub(super) fn is_pending(thing: &Value) -> bool {
    thing.as_object().is_some_and(|members| members.len() == 2 && members.contains_key("id"))
        && thing["position"].is_i64()
}

/// What is said of such a change.
pub(super) const PENDING: &str = "it is recorded, and shown in a moment";

fn lines(thing: &Value) -> Vec<String> {
    if is_pending(thing) {
        return vec![format!("id  {}", output::cell(&thing["id"])), PENDING.to_owned()];
    }
    let mut fields = Vec::new();
    collect("", thing, &mut fields);
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    fields.sort_by_key(|(name, _)| rank(name));
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    fields.into_iter().map(|(name, text)| format!("{name:<width$}  {text}")).collect()
}

/// What is nothing, is not said.
fn collect(name: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let said = match value {
        Value::Null => return,
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), output::grouped),
        Value::String(text) => output::time(text).unwrap_or_else(|| text.clone()),
        Value::Array(items) if items.is_empty() => return,
        Value::Array(items) => {
            let words: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
            match words {
                Some(words) => words.join(", "),
                None => {
                    for (place, item) in items.iter().enumerate() {
                        collect(&format!("{name} {}", place + 1), item, fields);
                    }
                    return;
                }
            }
        }
        Value::Object(members) => {
            for (member, value) in members.iter().filter(|(member, _)| !LEFT_OUT.contains(&member.as_str())) {
                let member = member.replace('_', " ");
                collect(format!("{name} {member}").trim_start(), value, fields);
            }
            return;
        }
    };
    fields.push((name.to_owned(), said));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_recorded_and_not_shown_yet_is_said_to_be() {
        assert_eq!(lines(&json!({ "id": "x", "position": 7 })), ["id  x", PENDING]);
        assert_eq!(lines(&json!({ "id": "x", "position": 7, "name": "shop" })), ["id    x", "name  shop"]);
        assert_eq!(lines(&json!({ "id": "x", "token": "y" })), ["id     x", "token  y"]);
    }

    #[test]
    fn fields_stand_one_a_line_what_names_it_first_and_nothing_is_not_said() {
        let thing = json!({
            "connection": { "reading": "in_place", "refs": { "notes": false, "patterns": [] } },
            "created_at": "2026-11-21T23:42:07.123Z",
            "failure": null,
            "id": "x",
            "keyed": 12345,
            "name": "shop",
            "scopes": ["issues:read", "events:read"],
            "version": 7,
        });
        assert_eq!(
            lines(&thing),
            [
                "id                     x",
                "name                   shop",
                "connection reading     in_place",
                "connection refs notes  no",
                "created at             2026-11-21 23:42",
                "keyed                  12,345",
                "scopes                 issues:read, events:read",
            ]
        );
    }
}
