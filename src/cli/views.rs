//! `keytrail views`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, Page, with_client},
    output,
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
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Fold a view anew beside the live one, and let it take its place
    Rebuild {
        /// Its name
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Views {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await
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
            Self::Verify { json } => {
                let page: Page<Value> = client.post("/api/v1/views/verify?wait=true", &json!({})).await?;
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
            Self::Rebuild { name, json: as_json } => {
                if !name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    return Err(CliError::Input(format!("there is no view {name:?}; see `keytrail views list`")));
                }
                let begun: Value = client.post(&format!("/api/v1/views/{name}/rebuild"), &json!({})).await?;
                if as_json {
                    output::json(&begun["operation"])?;
                    return Ok(ExitCode::SUCCESS);
                }
                output::print("it is being built beside the live one; `keytrail views list` says how far it is");
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}
