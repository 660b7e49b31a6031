//! `keytrail project`

use std::{collections::BTreeSet, fmt::Display, process::ExitCode, str::FromStr};

use clap::Subcommand;
use keytrail_domain::project_key::{Denied, ProjectKey};
use serde_json::Value;

use super::{
    CliError,
    client::{Client, with_client},
    consent::Consent,
    hidden_projects::{Rules, agreed, projects, would_allow, would_deny, would_disallow},
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
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take projects off those that are known; when none is left, every project counts
    Disallow {
        /// For example KAFKA
        #[arg(required = true)]
        projects: Vec<String>,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Leave out projects that are none, or single issues
    Deny {
        /// For example UTF or KAFKA-404
        #[arg(required = true)]
        entries: Vec<String>,
        #[command(flatten)]
        consent: Consent,
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

impl Project {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::List { all, json } => list(client, all, json).await,
            Self::Rules { json: true } => output::json(&client.get::<Value>(RULES, &[]).await?),
            Self::Rules { json: false } => {
                show(&client.get(RULES, &[]).await?);
                Ok(())
            }
            Self::Allow { projects, consent, json } => {
                let (projects, rules) = (read::<ProjectKey>(&projects)?, rules(client).await?);
                if !agreed(consent, json, would_allow(client, &rules, &projects)).await? {
                    return Ok(());
                }
                change(client, rules, json, |rules| {
                    for project in projects {
                        rules.denied.remove(&project);
                        rules.known.insert(project);
                    }
                })
                .await
            }
            Self::Disallow { projects, consent, json } => {
                let (projects, rules) = (read::<ProjectKey>(&projects)?, rules(client).await?);
                if !agreed(consent, json, would_disallow(client, &rules, &projects)).await? {
                    return Ok(());
                }
                change(client, rules, json, |rules| rules.known.retain(|known| !projects.contains(known))).await
            }
            Self::Deny { entries, consent, json } => {
                let (entries, rules) = (read::<Denied>(&entries)?, rules(client).await?);
                if !agreed(consent, json, would_deny(client, &rules, &entries)).await? {
                    return Ok(());
                }
                change(client, rules, json, |rules| {
                    for entry in entries {
                        rules.known.remove(&entry);
                        rules.denied.insert(entry);
                    }
                })
                .await
            }
            Self::Undeny { entries, json } => {
                let (entries, rules) = (read::<Denied>(&entries)?, rules(client).await?);
                change(client, rules, json, |rules| rules.denied.retain(|denied| !entries.contains(denied))).await
            }
        }
    }
}

/// As the rules write them. What is none is refused as the server refuses it, also where somebody only looks.
fn read<T: FromStr<Err: Display> + Display>(texts: &[String]) -> Result<Vec<String>, CliError> {
    let one = |text: &String| {
        text.parse::<T>().map(|one| one.to_string()).map_err(|error| {
            let detail = format!("{text:?} is none: {error}");
            CliError::Problem { status: 422, code: "project_invalid".to_owned(), detail }
        })
    };
    texts.iter().map(one).collect()
}

/// The rules that are there.
async fn rules(client: &Client) -> Result<Rules, CliError> {
    client.get(RULES, &[]).await
}

async fn list(client: &Client, all: bool, json: bool) -> Result<(), CliError> {
    let items = projects(client, all).await?;
    if json {
        return items.iter().try_for_each(output::json);
    }
    let number = |row: &Value, member: &str| output::grouped(row[member].as_u64().unwrap_or(0));
    let text = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().replace('_', " ");
    let row = |row: &Value| vec![text(row, "project"), number(row, "issues"), number(row, "links"), text(row, "rule")];
    output::table(&["project", "issues", "links", "rule"], &items.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// Changes the rules that were judged, and no others: somebody else's change meanwhile is refused, not lost.
async fn change(
    client: &Client,
    mut rules: Rules,
    json: bool,
    change: impl FnOnce(&mut Rules),
) -> Result<(), CliError> {
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
