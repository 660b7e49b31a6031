//! `keytrail delivery`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    CliError,
    client::{Client, with_client},
    integration::at,
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Delivery {
    /// What was delivered to an integration within the last week, the latest first
    List {
        /// The integration's name or its id
        integration: String,
        /// Only those of which this became: waiting, done, ignored or failed
        #[arg(long)]
        state: Option<String>,
        /// Only those that their service calls so, such as push
        #[arg(long)]
        event: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 100)]
        most: usize,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One delivery with its headers and its body
    Show {
        /// The integration's name or its id
        integration: String,
        /// The delivery's id, as its service shows it
        delivery: Uuid,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Work a delivery off again
    Replay {
        /// The integration's name or its id
        integration: String,
        /// The delivery's id, as its service shows it
        delivery: Uuid,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Delivery {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let text = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
        match self {
            Self::List { integration, state, event, most, json } => {
                let filters = [("state", state), ("event", event)];
                let query: Vec<_> = filters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                let at = format!("{}/deliveries", at(client, &integration).await?);
                let all: Vec<Value> = client.list(&at, &query, most).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                if all.is_empty() {
                    output::print("nothing of this kind was delivered within the last week");
                    return Ok(());
                }
                let columns = ["id", "received_at", "event", "action", "state", "outcome"];
                let cells = |row: &Value| columns.map(|member| output::cell(&row[member])).to_vec();
                let rows: Vec<_> = all.iter().map(cells).collect();
                output::table(&["id", "received at", "event", "action", "state", "what became of it"], &rows);
                Ok(())
            }
            Self::Show { integration, delivery, json } => {
                let at = format!("{}/deliveries/{delivery}", at(client, &integration).await?);
                let shown: Value = client.get(&at, &[]).await?;
                if json {
                    return output::json(&shown);
                }
                for member in ["id", "event", "action", "origin", "received_at", "state", "outcome"] {
                    output::print(&format!("{member}: {}", text(&shown, member)));
                }
                for (name, value) in shown["headers"].as_object().into_iter().flatten() {
                    output::print(&format!("{name}: {}", value.as_str().unwrap_or_default()));
                }
                output::print(&serde_json::to_string_pretty(&shown["body"]).unwrap_or_default());
                Ok(())
            }
            Self::Replay { integration, delivery, json: as_json } => {
                let at = format!("{}/deliveries/{delivery}/replay", at(client, &integration).await?);
                let shown: Value = client.post(&at, &json!({})).await?;
                if as_json {
                    return output::json(&shown);
                }
                output::print("it is worked off again");
                Ok(())
            }
        }
    }
}
