//! `keytrail person`

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
pub(super) enum Person {
    /// Those whom commits name as authors, by name
    List {
        /// Only those whose name or address has this in it
        fragment: Option<String>,
        /// Those that were forgotten, instead of the others
        #[arg(long)]
        forgotten: bool,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Delete a person's name and address everywhere, for good
    Forget {
        /// The person's id
        id: uuid::Uuid,
        /// Do it: nothing brings them back
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Person {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::List { fragment, forgotten, json } => {
                let mut query: Vec<_> = fragment.into_iter().map(|fragment| ("fragment", fragment)).collect();
                query.extend(forgotten.then(|| ("forgotten", "true".to_owned())));
                let all: Vec<Value> = client.list("/api/v1/people", &query, usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let columns = ["id", "name", "email", "forgotten_at"];
                let cell = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
                let rows: Vec<_> = all.iter().map(|row| columns.map(|member| cell(row, member)).to_vec()).collect();
                output::table(&["id", "name", "address", "forgotten at"], &rows);
                Ok(())
            }
            Self::Forget { id, yes, json: as_json } => {
                if !yes {
                    let what = "name and address of the person go everywhere and do not come back";
                    return Err(CliError::Input(format!("{what}; say --yes when that is meant")));
                }
                let forgotten: Value = client.post(&format!("/api/v1/people/{id}/forget"), &json!({})).await?;
                if as_json {
                    return output::json(&forgotten);
                }
                output::print("forgotten");
                Ok(())
            }
        }
    }
}
