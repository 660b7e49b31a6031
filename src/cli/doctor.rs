//! `keytrail doctor`

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Print JSON, one a line
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Examined {
    items: Vec<Finding>,
}

#[derive(Deserialize, Serialize)]
struct Finding {
    id: String,
    state: String,
    sentence: String,
    remedy: Option<String>,
}

impl Doctor {
    /// Ends with 1 when something fails.
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await
    }

    async fn carry_out(self, client: &Client) -> Result<ExitCode, CliError> {
        let examined: Examined = client.get("/api/v1/doctor", &[]).await?;
        for finding in &examined.items {
            if self.json {
                output::json(finding)?;
                continue;
            }
            output::print(&format!("{:<5} {:<18} {}", finding.state, finding.id, finding.sentence));
            if let Some(remedy) = &finding.remedy {
                output::print(&format!("{:24} -> {remedy}", ""));
            }
        }
        let failed = examined.items.iter().any(|finding| finding.state == "fail");
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
