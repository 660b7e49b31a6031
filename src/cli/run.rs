//! `keytrail run`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    json_anyway::JsonAnyway,
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Run {
    /// Index runs, newest first
    List {
        /// How many
        #[arg(long, default_value_t = 50)]
        last: usize,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One run, and how far it is
    Show {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        _json: JsonAnyway,
    },
    /// What a run did, as it happened
    Log {
        /// Its id
        id: uuid::Uuid,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Ask again for what failed or was cancelled
    Retry {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        _json: JsonAnyway,
    },
    /// Stop a run
    Cancel {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        _json: JsonAnyway,
    },
}

impl Run {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let at = |id: &uuid::Uuid| format!("/api/v1/index-runs/{id}");
        match self {
            Self::List { last, json } => {
                let all: Vec<Value> = client.list("/api/v1/index-runs", &[], last).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let rows: Vec<_> = all
                    .iter()
                    .map(|row| {
                        let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
                        let commits = row["counts"]["commits"].as_u64().map(output::grouped).unwrap_or_default();
                        let why = row["failure"]["text"].as_str().unwrap_or_default().to_owned();
                        vec![text("id"), text("state"), text("cause"), text("requested_at"), commits, why]
                    })
                    .collect();
                output::table(&["id", "state", "cause", "requested at", "commits", "why"], &rows);
                Ok(())
            }
            Self::Show { id, .. } => output::json(&client.get::<Value>(&at(&id), &[]).await?),
            Self::Log { id, json } => {
                let all: Vec<Value> = client.list(&format!("{}/events", at(&id)), &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                for row in &all {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let (when, who) = (text(&row["recorded_at"]), text(&row["actor"]["name"]));
                    output::print(&format!("{when}  {who} {}", text(&row["summary"])));
                }
                Ok(())
            }
            Self::Retry { id, .. } => {
                output::json(&client.post::<Value>(&format!("{}/retry", at(&id)), &json!({})).await?)
            }
            Self::Cancel { id, .. } => {
                output::json(&client.post::<Value>(&format!("{}/cancel", at(&id)), &json!({})).await?)
            }
        }
    }
}
