//! `keytrail integration`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Integration {
    /// Connect a repository of this machine
    Add {
        /// The repository
        path: PathBuf,
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
    /// Connect it to another repository; what was found in the one before is forgotten
    Move {
        /// Its id
        id: uuid::Uuid,
        /// The other repository
        path: PathBuf,
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
            Self::Add { path, name } => {
                let body = json!({ "name": name, "connection": connection(&absolute(&path)?)? });
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
            Self::Move { id, path } => {
                let body = json!({ "connection": connection(&absolute(&path)?)? });
                output::json(&client.put::<Value>(&format!("{}/connection", at(&id)), &body).await?)
            }
            Self::Pause { id } => output::json(&client.post::<Value>(&format!("{}/pause", at(&id)), &json!({})).await?),
            Self::Resume { id } => {
                output::json(&client.post::<Value>(&format!("{}/resume", at(&id)), &json!({})).await?)
            }
            Self::Remove { id, keep_mirrors } => {
                let mirrors = if keep_mirrors { "kept" } else { "deleted" };
                client.delete(&format!("{}?mirrors={mirrors}", at(&id))).await?;
                output::print("removed; its repositories are forgotten, their folders were not touched");
                if keep_mirrors {
                    output::print("their copies are kept; `keytrail doctor` says where");
                }
                Ok(())
            }
        }
    }
}

/// The path from the root on; the server has another working folder.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::Input(format!("{}: {error}", path.display())))
}

/// The place as the API takes it.
pub(super) fn connection(path: &Path) -> Result<Value, CliError> {
    let text = path.to_str().ok_or_else(|| CliError::Input("the path is not UTF-8; rename the folder".into()))?;
    Ok(json!({ "kind": "path", "path": text }))
}
