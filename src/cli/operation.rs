//! `keytrail operation`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    form::Form,
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Operation {
    /// Long work that goes on or waits, and looks and verifications that ended lately
    List {
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One of them, and how far it is
    Show {
        /// Its id, such as index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b
        id: String,
        #[command(flatten)]
        form: Form,
    },
    /// Stop an index run, a verification, or the runs of a whole integration; what was recorded so far stays
    Cancel {
        /// Its id, such as index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b
        id: String,
        #[command(flatten)]
        form: Form,
    },
}

impl Operation {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::List { json } => {
                let all: Vec<Value> = client.list("/api/v1/operations", &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let rows: Vec<_> = all.iter().map(row).collect();
                output::table(&["id", "state", "requested at", "progress", "why"], &rows);
                Ok(())
            }
            Self::Show { id, form } => form.show(&client.get(&at(client, &id).await?, &[]).await?),
            Self::Cancel { id, form } => {
                form.show(&client.post::<Value>(&format!("{}/cancel", at(client, &id).await?), &json!({})).await?)
            }
        }
    }
}

/// Part of a path: only what can be an id goes there.
async fn at(client: &Client, id: &str) -> Result<String, CliError> {
    let can_be = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if id.trim_matches('.').is_empty() || !id.chars().all(can_be) {
        let detail = format!("{id:?} is no id of an operation; `keytrail operation list` shows them");
        return Err(CliError::Input(detail));
    }
    chosen::OPERATION.at(client, id).await
}

fn row(operation: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let progress = &operation["progress"];
    let number = |member: &str| output::grouped(progress[member].as_u64().unwrap_or_default());
    let far = match progress["total"].as_u64() {
        None => String::new(),
        Some(0) => format!("{} {}", number("done"), text(&progress["unit"])),
        Some(_) => format!("{} of {} {}", number("done"), number("total"), text(&progress["unit"])),
    };
    let why = text(&operation["problem"]["detail"]);
    vec![text(&operation["id"]), text(&operation["state"]), output::cell(&operation["requested_at"]), far, why]
}
