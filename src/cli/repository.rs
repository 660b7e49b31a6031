//! `keytrail repository`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    consent::Consent,
    form::Form,
    output,
    waiting::Waiting,
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
        /// Its name or its id
        repository: String,
        #[command(flatten)]
        form: Form,
    },
    /// Look at once whether anything is new in it, and fetch and index that
    Fetch {
        /// Its name or its id
        repository: String,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        form: Form,
    },
    /// Ask for an index run over what is new in it
    Index {
        /// Its name or its id
        repository: String,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        form: Form,
    },
    /// Throw away what was found in it, and look at everything again
    Reset {
        /// Its name or its id
        repository: String,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        consent: Consent,
        #[command(flatten)]
        form: Form,
    },
}

impl Repository {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
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
                        let mut cells = ["id", "name", "state", "commits", "keyed"]
                            .map(|member| output::cell(&row[member]))
                            .to_vec();
                        cells.extend([output::cell(&wrong(row)["code"]), output::cell(&row["location"])]);
                        cells
                    })
                    .collect();
                output::table(&["id", "name", "state", "commits", "with keys", "trouble", "location"], &rows);
                tell_troubles(&all);
                Ok(())
            }
            Self::Show { repository, form } => {
                let at = chosen::REPOSITORY.at(client, &repository).await?;
                let mut row: Value = client.get(&at, &[]).await?;
                // It is no trouble before the run has failed: until then the run says what is in its way.
                if !form.json
                    && row["state"] == "indexing"
                    && let Some(run) = row["last_run"].as_str()
                {
                    let run: Value = client.get(&format!("/api/v1/index-runs/{run}"), &[]).await?;
                    row["tried_again"] = run["tried_again"].clone();
                }
                form.show(&row)
            }
            Self::Fetch { repository, waiting, form } => {
                let at = chosen::REPOSITORY.at(client, &repository).await?;
                let asked: Value = client.post(&format!("{at}/fetch"), &json!({})).await?;
                if waiting.no_wait && form.json {
                    return output::json(&asked);
                }
                let operation = asked["operation"]["id"].as_str().unwrap_or_default();
                waiting.for_operation(client, operation, form).await
            }
            Self::Index { repository, waiting, form } => {
                let at = chosen::REPOSITORY.at(client, &repository).await?;
                waiting.for_run(client, &format!("{at}/index-runs"), form).await
            }
            Self::Reset { repository, waiting, consent, form } => {
                let at = chosen::REPOSITORY.at(client, &repository).await?;
                let found: Value = client.get(&at, &[]).await?;
                let would = format!(
                    "this throws away what was found in {} ({} that name issues), and reads all of it again",
                    found["name"].as_str().unwrap_or_default(),
                    output::count(found["keyed"].as_u64().unwrap_or_default(), "commit"),
                );
                if !consent.given(&[would], form.json)? {
                    return Ok(());
                }
                waiting.for_run(client, &format!("{at}/reset"), form).await
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
