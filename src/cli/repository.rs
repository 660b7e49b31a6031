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
                            row["trouble"]["code"].as_str().unwrap_or_default().to_owned(),
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

/// What is wrong with which repository, and what happens next: below the table, where there is room for it.
fn tell_troubles(all: &[Value]) {
    for row in all.iter().filter(|row| row["trouble"].is_object()) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, trouble) = (text(&row["name"]), &row["trouble"]);
        output::print(&format!("{name}: {} {}", text(&trouble["sentence"]), text(&trouble["next"])));
    }
}
