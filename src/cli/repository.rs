//! `keytrail repository`

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    consent::Consent,
    json_anyway::JsonAnyway,
    output,
    watched_run::watch,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Repository {
    /// All repositories
    List {
        /// Only those in trouble: looking at them fails, their last run failed, or they cannot be indexed
        #[arg(long)]
        trouble: bool,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One repository
    Show {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        _json: JsonAnyway,
    },
    /// Look at once whether anything is new in it, and fetch and index that
    Fetch {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        _json: JsonAnyway,
    },
    /// Ask for an index run over what is new in it
    Index {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        _json: JsonAnyway,
    },
    /// Throw away what was found in it, and look at everything again
    Reset {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON, also of what would happen
        #[arg(long)]
        json: bool,
    },
}

/// Whether the run is watched until it has ended.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Waiting {
    /// Only ask for the run, and name it
    #[arg(long)]
    no_wait: bool,
}

impl Waiting {
    /// Prints the run: as it ended, or as it was asked for.
    async fn for_run(self, client: &Client, asked: &str) -> Result<(), CliError> {
        let mut run: Value = client.post(asked, &json!({})).await?;
        if let (false, Some(id)) = (self.no_wait, run["id"].as_str().map(str::to_owned)) {
            watch(client, &id).await?;
            run = client.get(&format!("/api/v1/index-runs/{id}"), &[]).await?;
        }
        output::json(&run)
    }
}

impl Repository {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let at = |id: &uuid::Uuid| format!("/api/v1/repositories/{id}");
        match self {
            Self::List { trouble, json } => {
                let query: Vec<_> = trouble.then(|| ("trouble", "true".to_owned())).into_iter().collect();
                let all: Vec<Value> = client.list("/api/v1/repositories", &query, usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let rows: Vec<_> = all
                    .iter()
                    .map(|row| {
                        let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
                        let number = |member: &str| output::grouped(row[member].as_u64().unwrap_or(0));
                        vec![
                            text("id"),
                            text("name"),
                            text("state"),
                            number("commits"),
                            number("keyed"),
                            text("location"),
                            wrong(row)["code"].as_str().unwrap_or_default().to_owned(),
                        ]
                    })
                    .collect();
                output::table(&["id", "name", "state", "commits", "with keys", "location", "trouble"], &rows);
                tell_troubles(&all);
                Ok(())
            }
            Self::Show { id, .. } => output::json(&client.get::<Value>(&at(&id), &[]).await?),
            Self::Fetch { id, .. } => {
                output::json(&client.post::<Value>(&format!("{}/fetch", at(&id)), &json!({})).await?)
            }
            Self::Index { id, waiting, .. } => waiting.for_run(client, &format!("{}/index-runs", at(&id))).await,
            Self::Reset { id, waiting, consent, json } => {
                let repository: Value = client.get(&at(&id), &[]).await?;
                let would = format!(
                    "this throws away what was found in {} ({} that name issues), and reads all of it again",
                    repository["name"].as_str().unwrap_or_default(),
                    output::count(repository["keyed"].as_u64().unwrap_or_default(), "commit"),
                );
                if !consent.given(&[would], json)? {
                    return Ok(());
                }
                waiting.for_run(client, &format!("{}/reset", at(&id))).await
            }
        }
    }
}

/// Why it cannot be looked at or, when it can, why it was not indexed.
fn wrong(row: &Value) -> &Value {
    if row["trouble"].is_object() { &row["trouble"] } else { &row["failure"] }
}

/// What is wrong with which repository, and what happens next: below the table, where there is room for it.
fn tell_troubles(all: &[Value]) {
    for row in all.iter().filter(|row| wrong(row).is_object()) {
        let text = |value: &Value| value.as_str().unwrap_or_default().trim_end_matches('.').to_owned();
        let wrong = wrong(row);
        let what = wrong.get("sentence").unwrap_or(&wrong["text"]);
        output::print(&format!("{}: {}. {}.", text(&row["name"]), text(what), text(&wrong["next"])));
    }
}
