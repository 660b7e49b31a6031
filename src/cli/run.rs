//! `keytrail run`

use std::{collections::BTreeMap, process::ExitCode};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    form::Form,
    output,
    waiting::Waiting,
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
        /// Its id, or how it begins
        id: String,
        #[command(flatten)]
        form: Form,
    },
    /// What a run did, as it happened
    Log {
        /// Its id, or how it begins
        id: String,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Ask again for what failed or was cancelled
    Retry {
        /// Its id, or how it begins
        id: String,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        form: Form,
    },
    /// Stop a run
    Cancel {
        /// Its id, or how it begins
        id: String,
        #[command(flatten)]
        form: Form,
    },
}

impl Run {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let at = async |id: &str| chosen::RUN.at(client, id).await;
        match self {
            Self::List { last, json } => {
                let all: Vec<Value> = client.list("/api/v1/index-runs", &[], last).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let repositories: Vec<Value> = client.list("/api/v1/repositories", &[], usize::MAX).await?;
                let names: BTreeMap<_, _> =
                    repositories.iter().map(|row| (row["id"].as_str(), output::cell(&row["name"]))).collect();
                let rows: Vec<_> = all
                    .iter()
                    .map(|row| {
                        // One that was forgotten long ago is listed no more.
                        let name = names.get(&row["repository"].as_str()).cloned();
                        let name = name.unwrap_or_else(|| output::cell(&row["repository"]));
                        let cell = |value: &Value| output::cell(value);
                        vec![
                            cell(&row["id"]),
                            name,
                            cell(&row["state"]),
                            cell(&row["requested_at"]),
                            cell(&row["counts"]["commits"]),
                            cell(&row["cause"]),
                            cell(&row["failure"]["text"]),
                        ]
                    })
                    .collect();
                output::table(&["id", "repository", "state", "requested at", "commits", "cause", "why"], &rows);
                Ok(())
            }
            Self::Show { id, form } => form.show(&client.get(&at(&id).await?, &[]).await?),
            Self::Log { id, json } => {
                let all: Vec<Value> = client.list(&format!("{}/events", at(&id).await?), &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                for row in &all {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let (when, who) = (output::moment(&row["recorded_at"]), text(&row["actor"]["name"]));
                    output::print(&format!("{when}  {who} {}", text(&row["summary"])));
                }
                Ok(())
            }
            Self::Retry { id, waiting, form } => {
                waiting.for_run(client, &format!("{}/retry", at(&id).await?), form).await
            }
            Self::Cancel { id, form } => {
                form.show(&client.post::<Value>(&format!("{}/cancel", at(&id).await?), &json!({})).await?)
            }
        }
    }
}
