//! `keytrail repository`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Repository {
    /// All repositories
    List {
        /// Only those that looking at fails
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
    },
    /// Look at once whether anything is new in it, and fetch and index that
    Fetch {
        /// Its id
        id: uuid::Uuid,
    },
    /// Ask for an index run over what is new in it
    Index {
        /// Its id
        id: uuid::Uuid,
    },
    /// Throw away what was found in it, and look at everything again
    Reset {
        /// Its id
        id: uuid::Uuid,
    },
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
            Self::Show { id } => output::json(&client.get::<Value>(&at(&id), &[]).await?),
            Self::Fetch { id } => output::json(&client.post::<Value>(&format!("{}/fetch", at(&id)), &json!({})).await?),
            Self::Index { id } => {
                output::json(&client.post::<Value>(&format!("{}/index-runs", at(&id)), &json!({})).await?)
            }
            Self::Reset { id } => output::json(&client.post::<Value>(&format!("{}/reset", at(&id)), &json!({})).await?),
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
