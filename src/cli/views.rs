//! `keytrail views`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, Page, with_client},
    form::Form,
    output,
    waiting::Waiting,
    watched_operation::watch,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Views {
    /// How each view stands
    List {
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Compare every live view, row by row, with one that is folded anew from the log
    Verify {
        #[command(flatten)]
        waiting: Waiting,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Fold a view anew beside the live one, and let it take its place
    Rebuild {
        /// Its name
        name: String,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        form: Form,
    },
}

impl Views {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let mut config = config.clone();
        if let Self::Verify { waiting, .. } | Self::Rebuild { waiting, .. } = &self {
            // A server that ends with the command would do nothing.
            config.reach.starts &= !waiting.no_wait;
        }
        with_client(&config, async |client| self.carry_out(client).await).await
    }

    async fn carry_out(self, client: &Client) -> Result<ExitCode, CliError> {
        match self {
            Self::List { json } => {
                let page: Page<Value> = client.get("/api/v1/views", &[]).await?;
                if json {
                    page.items.iter().try_for_each(output::json)?;
                    return Ok(ExitCode::SUCCESS);
                }
                let rows: Vec<_> = page
                    .items
                    .iter()
                    .map(|row| {
                        let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
                        let number = |member: &str| row[member].as_u64().map(output::grouped).unwrap_or_default();
                        vec![text("name"), text("status"), number("version"), number("position"), text("error")]
                    })
                    .collect();
                output::table(&["name", "status", "version", "position", "error"], &rows);
                Ok(ExitCode::SUCCESS)
            }
            Self::Verify { waiting, json } => {
                let asked: Value = client.post("/api/v1/views/verify", &json!({})).await?;
                let id = asked["id"].as_str().unwrap_or_default();
                if waiting.no_wait {
                    waiting.for_operation(client, id, Form { json }).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                let ended = watch(client, id).await?;
                let page: Page<Value> = match serde_json::from_value(ended["verdicts"].clone()) {
                    Ok(page) => page,
                    // It could not be done: the answer to who waits says why, in a code, and whether trying again helps.
                    Err(_) => client.post("/api/v1/views/verify?wait=true", &json!({})).await?,
                };
                let mut same = true;
                for verdict in &page.items {
                    let ok = verdict["same"].as_bool() == Some(true);
                    same &= ok;
                    if json {
                        output::json(verdict)?;
                        continue;
                    }
                    let name = verdict["view"].as_str().unwrap_or_default();
                    let rows: u64 = verdict["tables"]
                        .as_array()
                        .iter()
                        .flat_map(|tables| tables.iter())
                        .filter_map(|table| table["rows"].as_u64())
                        .sum();
                    let said = if ok { "same as rebuilt" } else { "DIFFERS from rebuilt" };
                    output::print(&format!(
                        "{name:<20} {said}: {} at position {}",
                        output::count(rows, "row"),
                        verdict["position"]
                    ));
                    for table in verdict["tables"].as_array().iter().flat_map(|tables| tables.iter()).filter(|_| !ok) {
                        output::print(&format!(
                            "    {}: {} missing, {} surplus",
                            table["table"].as_str().unwrap_or_default(),
                            table["missing"],
                            table["surplus"]
                        ));
                    }
                }
                if same {
                    Ok(ExitCode::SUCCESS)
                } else {
                    Err(CliError::Failed(
                        "a view differs from what the log says; rebuild it: keytrail views rebuild NAME".into(),
                    ))
                }
            }
            Self::Rebuild { name, waiting, form } => {
                if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    return Err(CliError::Missing(format!("there is no view {name:?}; see `keytrail views list`")));
                }
                let begun: Value = client.post(&format!("/api/v1/views/{name}/rebuild"), &json!({})).await?;
                let id = begun["operation"]["id"].as_str().unwrap_or_default();
                waiting.for_operation(client, id, form).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
