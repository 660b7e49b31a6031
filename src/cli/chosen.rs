//! Which thing a person means: its id, a beginning of the id that no other has, or its name where it has one that no other
//! has. Called by the commands that take one; it changes nothing.

use serde_json::{Value, json};

use super::{CliError, client::Client};
use crate::app::OperationId;

/// So many candidates are told to a person.
const TOLD: usize = 10;
/// Fewer digits are no beginning of an id.
const FEWEST: usize = 4;

/// Of what kind it is.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// What it is called in a sentence.
    noun: &'static str,
    /// Where the API lists them.
    path: &'static str,
    /// The command that lists them.
    list: &'static str,
    /// The member of a row that holds its name; nothing when they have none.
    name: Option<&'static str>,
    /// The state of those that are found by their ids only: they are there no more.
    gone: &'static str,
    /// The parameter that makes the list shorter.
    filter: Option<&'static str>,
}

pub(super) const INTEGRATION: Kind = Kind {
    noun: "integration",
    path: "/api/v1/integrations",
    list: "integration list",
    name: Some("name"),
    gone: "removed",
    filter: None,
};
pub(super) const REPOSITORY: Kind = Kind {
    noun: "repository",
    path: "/api/v1/repositories",
    list: "repository list",
    gone: "forgotten",
    ..INTEGRATION
};
pub(super) const TOKEN: Kind =
    Kind { noun: "token", path: "/api/v1/tokens", list: "token list", gone: "revoked", ..INTEGRATION };
pub(super) const SSH_KEY: Kind =
    Kind { noun: "SSH key", path: "/api/v1/ssh-keys", list: "ssh-key list", gone: "retired", ..INTEGRATION };
pub(super) const HOST_KEY: Kind =
    Kind { noun: "SSH server", path: "/api/v1/host-keys", list: "host-key list", gone: "forgotten", ..INTEGRATION };
pub(super) const RUN: Kind =
    Kind { noun: "run", path: "/api/v1/index-runs", list: "run list", name: None, gone: "", filter: None };
pub(super) const OPERATION: Kind =
    Kind { noun: "operation", path: "/api/v1/operations", list: "operation list", ..RUN };
pub(super) const PERSON: Kind = Kind {
    noun: "person",
    path: "/api/v1/people",
    list: "person list",
    name: Some("name"),
    gone: "",
    filter: Some("fragment"),
};

impl Kind {
    /// The address of the one that is meant.
    pub(super) async fn at(self, client: &Client, word: &str) -> Result<String, CliError> {
        Ok(format!("{}/{}", self.path, self.id(client, word).await?))
    }

    /// The id of the one that is meant.
    pub(super) async fn id(self, client: &Client, word: &str) -> Result<String, CliError> {
        // A whole one need not be listed: it may have ended.
        let is_whole = match self.noun == OPERATION.noun {
            true => word.parse::<OperationId>().is_ok(),
            false => word.len() == 36 && word.parse::<uuid::Uuid>().is_ok(),
        };
        if is_whole {
            return Ok(word.to_owned());
        }
        let filter: Vec<_> = self.filter.map(|filter| (filter, word.to_owned())).into_iter().collect();
        let mut rows: Vec<Value> = Vec::new();
        // What is too long or empty is no part of anything.
        if filter.is_empty() || (1..=100).contains(&word.chars().count()) {
            rows = client.list(self.path, &filter, usize::MAX).await?;
        }
        if !filter.is_empty() && rows.is_empty() && can_begin_an_id(word) {
            rows = client.list(self.path, &[], usize::MAX).await?;
        }
        self.among(&rows, word)
    }

    fn among(self, rows: &[Value], word: &str) -> Result<String, CliError> {
        let id = |row: &Value| row["id"].as_str().unwrap_or_default().to_owned();
        let folded = word.to_lowercase();
        let is_called = |row: &&Value| {
            row["state"] != json!(self.gone)
                && self.name.and_then(|name| row[name].as_str()).is_some_and(|name| name.to_lowercase() == folded)
        };
        let mut found: Vec<_> = rows.iter().filter(is_called).collect();
        if found.is_empty() && (can_begin_an_id(word) || word.contains('.')) {
            found = rows.iter().filter(|row| id(row).starts_with(&folded)).collect();
        }
        match found[..] {
            [one] => Ok(id(one)),
            [] => {
                let detail = format!("there is no {} {word:?}; `keytrail {}` shows them", self.noun, self.list);
                Err(CliError::Missing(detail))
            }
            _ => {
                let mut lines: Vec<_> = found.iter().take(TOLD).map(|row| self.told(row)).collect();
                if found.len() > TOLD {
                    lines.push(format!("  … {} more", found.len() - TOLD));
                }
                let plural = if self.noun.ends_with("ry") {
                    format!("{}ies", self.noun.trim_end_matches('y'))
                } else if self.noun == PERSON.noun {
                    "people".to_owned()
                } else {
                    format!("{}s", self.noun)
                };
                let head = format!("{word:?} means {} {plural}; name one by its id:", found.len());
                Err(CliError::Input(format!("{head}\n{}", lines.join("\n"))))
            }
        }
    }

    /// A candidate, and what tells it from the others.
    fn told(self, row: &Value) -> String {
        let members = ["id", "name", "state", "location", "email", "requested_at", "created_at"];
        let words: Vec<_> = members.iter().filter_map(|member| row[*member].as_str()).collect();
        format!("  {}", words.join("  "))
    }
}

fn can_begin_an_id(word: &str) -> bool {
    word.len() >= FEWEST && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Value> {
        vec![
            json!({ "id": "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "name": "web", "state": "indexed" }),
            json!({ "id": "0199a1b2-c3d5-7e5f-8a9b-0c1d2e3f4a5b", "name": "api", "state": "indexed" }),
            json!({ "id": "0199a1b2-c3d6-7e5f-8a9b-0c1d2e3f4a5b", "name": "Api", "state": "indexed" }),
            json!({ "id": "0199a1b2-c3d7-7e5f-8a9b-0c1d2e3f4a5b", "name": "web", "state": "forgotten" }),
        ]
    }

    #[test]
    fn a_name_or_a_beginning_means_the_only_one_that_has_it() {
        for word in ["web", "WEB", "0199a1b2-c3d4"] {
            assert_eq!(REPOSITORY.among(&rows(), word).ok().as_deref(), rows()[0]["id"].as_str(), "{word}");
        }
        assert_eq!(REPOSITORY.among(&rows(), "0199a1b2-c3d7").ok().as_deref(), rows()[3]["id"].as_str());
    }

    #[test]
    fn what_means_several_names_them_and_what_means_nothing_says_where_to_look() {
        for (word, count) in [("api", 2), ("0199a1b2", 4)] {
            let Err(CliError::Input(said)) = REPOSITORY.among(&rows(), word) else { panic!("{word} means several") };
            assert!(said.contains(&format!("{count} repositories")) && said.contains("c3d6-7e5f"), "{said}");
        }
        for word in ["nope", "019", "", "ffff"] {
            let Err(CliError::Missing(said)) = REPOSITORY.among(&rows(), word) else { panic!("{word} means nothing") };
            assert!(said.contains("keytrail repository list"), "{said}");
        }
    }
}
