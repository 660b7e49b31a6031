//! `keytrail integration`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    consent::Consent,
    output,
    place::Place,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Integration {
    /// Connect a repository of this machine or of a git server, or a folder of repositories
    Add {
        #[command(flatten)]
        place: Box<Place>,
        /// What people call it
        #[arg(long)]
        name: String,
    },
    /// All integrations
    List {
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One integration
    Show {
        /// Its id
        id: uuid::Uuid,
    },
    /// Call it something else
    Rename {
        /// Its id
        id: uuid::Uuid,
        /// The new name
        name: String,
    },
    /// Connect it to another place, or to the same in another way; what was found in repositories that it does not see
    /// any more is forgotten. The password stays as long as scheme, host and port do
    Move {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        place: Box<Place>,
    },
    /// Stop looking for anything new
    Pause {
        /// Its id
        id: uuid::Uuid,
    },
    /// Look again
    Resume {
        /// Its id
        id: uuid::Uuid,
    },
    /// Take it away; its repositories are forgotten, their folders are not touched
    Remove {
        /// Its id
        id: uuid::Uuid,
        /// Keep the copies that the server made of its repositories; they stay until a person deletes them
        #[arg(long)]
        keep_mirrors: bool,
        #[command(flatten)]
        consent: Consent,
    },
}

impl Integration {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let at = |id: &uuid::Uuid| format!("/api/v1/integrations/{id}");
        match self {
            Self::Add { place, name } => {
                let body = json!({ "name": name, "connection": place.connection()? });
                output::json(&client.post::<Value>("/api/v1/integrations", &body).await?)
            }
            Self::List { json } => {
                let all: Vec<Value> = client.list("/api/v1/integrations", &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let cell = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
                let rows: Vec<_> = all
                    .iter()
                    .map(|row| ["id", "name", "kind", "state", "location"].map(|member| cell(row, member)).to_vec())
                    .collect();
                output::table(&["id", "name", "kind", "state", "location"], &rows);
                Ok(())
            }
            Self::Show { id } => output::json(&client.get::<Value>(&at(&id), &[]).await?),
            Self::Rename { id, name } => {
                let body = json!({ "name": name });
                output::json(&client.put::<Value>(&format!("{}/name", at(&id)), &body).await?)
            }
            Self::Move { id, place } => {
                let body = json!({ "connection": place.connection()? });
                output::json(&client.put::<Value>(&format!("{}/connection", at(&id)), &body).await?)
            }
            Self::Pause { id } => output::json(&client.post::<Value>(&format!("{}/pause", at(&id)), &json!({})).await?),
            Self::Resume { id } => {
                output::json(&client.post::<Value>(&format!("{}/resume", at(&id)), &json!({})).await?)
            }
            Self::Remove { id, keep_mirrors, consent } => {
                if !consent.given(&would_remove(client, &at(&id), keep_mirrors).await?)? {
                    return Ok(());
                }
                let mirrors = if keep_mirrors { "kept" } else { "deleted" };
                client.delete(&format!("{}?mirrors={mirrors}", at(&id))).await?;
                output::print("removed; its repositories and passwords are forgotten, their folders were not touched");
                if keep_mirrors {
                    output::print("their copies are kept; `keytrail doctor` says where");
                }
                Ok(())
            }
        }
    }
}

/// What would go with it, as the server has it now.
async fn would_remove(client: &Client, at: &str, keep_mirrors: bool) -> Result<Vec<String>, CliError> {
    let integration: Value = client.get(at, &[]).await?;
    let repositories: Vec<Value> = client.list(&format!("{at}/repositories"), &[], usize::MAX).await?;
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let seen: Vec<_> = repositories.iter().filter(|repository| repository["state"] != "forgotten").collect();
    let keyed: u64 = seen.iter().filter_map(|repository| repository["keyed"].as_u64()).sum();
    let mut lines = vec![format!(
        "this removes the integration {} at {}, and forgets {} with {} that name issues",
        text(&integration, "name"),
        text(&integration, "location"),
        counted(seen.len() as u64),
        output::count(keyed, "commit"),
    )];
    lines.extend(seen.iter().take(20).map(|repository| format!("  {}", text(repository, "name"))));
    if seen.len() > 20 {
        lines.push(format!("  … {} more", output::grouped(seen.len() as u64 - 20)));
    }
    if !keep_mirrors {
        lines.push("the copies that the server made of them are deleted, too; --keep-mirrors keeps them".to_owned());
    }
    Ok(lines)
}

fn counted(repositories: u64) -> String {
    if repositories == 1 {
        "1 repository".to_owned()
    } else {
        format!("{} repositories", output::grouped(repositories))
    }
}
