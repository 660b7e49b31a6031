//! `keytrail project`

use std::{collections::BTreeSet, process::ExitCode};

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

/// Where the rules are.
const RULES: &str = "/api/v1/project-rules";

#[derive(Debug, Subcommand)]
pub(super) enum Project {
    /// The projects that commits name, the most named first
    List {
        /// Those that the rules leave out, too
        #[arg(long)]
        all: bool,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Which projects count
    Rules {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Add projects to those that are known: from then on no other counts
    Allow {
        /// For example KAFKA
        #[arg(required = true)]
        projects: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take projects off those that are known; when none is left, every project counts
    Disallow {
        /// For example KAFKA
        #[arg(required = true)]
        projects: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Leave out projects that are none, or single issues
    Deny {
        /// For example UTF or KAFKA-404
        #[arg(required = true)]
        entries: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Leave them out no more
    Undeny {
        /// For example UTF or KAFKA-404
        #[arg(required = true)]
        entries: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The lists of the rules.
#[derive(Debug, Deserialize, Serialize)]
struct Rules {
    known: BTreeSet<String>,
    denied: BTreeSet<String>,
    #[serde(default, skip_serializing)]
    version: i64,
}

impl Project {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        // The server reads any case; here texts are compared.
        let upper = |texts: Vec<String>| texts.into_iter().map(|text| text.to_ascii_uppercase()).collect::<Vec<_>>();
        match self {
            Self::List { all, json } => list(client, all, json).await,
            Self::Rules { json: true } => output::json(&client.get::<Value>(RULES, &[]).await?),
            Self::Rules { json: false } => {
                show(&client.get(RULES, &[]).await?);
                Ok(())
            }
            Self::Allow { projects, json } => {
                change(client, json, |rules| {
                    for project in upper(projects) {
                        rules.denied.remove(&project);
                        rules.known.insert(project);
                    }
                })
                .await
            }
            Self::Disallow { projects, json } => {
                change(client, json, |rules| upper(projects).iter().for_each(|project| drop(rules.known.take(project))))
                    .await
            }
            Self::Deny { entries, json } => {
                change(client, json, |rules| {
                    for entry in upper(entries) {
                        rules.known.remove(&entry);
                        rules.denied.insert(entry);
                    }
                })
                .await
            }
            Self::Undeny { entries, json } => {
                change(client, json, |rules| upper(entries).iter().for_each(|entry| drop(rules.denied.take(entry))))
                    .await
            }
        }
    }
}

async fn list(client: &Client, all: bool, json: bool) -> Result<(), CliError> {
    let query = [("all", all.to_string()), ("limit", "500".to_owned())];
    let found: Value = client.get("/api/v1/projects", &query).await?;
    let items = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if json {
        return items.iter().try_for_each(output::json);
    }
    let number = |row: &Value, member: &str| output::grouped(row[member].as_u64().unwrap_or(0));
    let text = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().replace('_', " ");
    let row = |row: &Value| vec![text(row, "project"), number(row, "issues"), number(row, "links"), text(row, "rule")];
    output::table(&["project", "issues", "links", "rule"], &items.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Changes the rules that are there, and no others: somebody else's change meanwhile is refused, not lost.
async fn change(client: &Client, json: bool, change: impl FnOnce(&mut Rules)) -> Result<(), CliError> {
    let mut rules: Rules = client.get(RULES, &[]).await?;
    let version = rules.version;
    change(&mut rules);
    let now: Value = client.put_at(RULES, version, &rules).await?;
    if json {
        return output::json(&now);
    }
    show(&serde_json::from_value(now).map_err(|error| CliError::Failed(error.to_string()))?);
    Ok(())
}

fn show(rules: &Rules) {
    let list = |texts: &BTreeSet<String>| texts.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    match rules.known.is_empty() {
        true => output::print("known:  every project"),
        false => output::print(&format!("known:  {}", list(&rules.known))),
    }
    match rules.denied.is_empty() {
        true => output::print("denied: none"),
        false => output::print(&format!("denied: {}", list(&rules.denied))),
    }
}
