//! `keytrail health`: for whoever restarts servers, such as the health check of a container. It needs no token.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use serde_json::Value;

use super::{CliError, elsewhere, output};
use crate::{boot::Endpoint, config::Config};

/// A server that is well answers sooner.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Health {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Health {
    /// Ends with 0 when the server is ready, with 1 when it is not, with 5 when there is none.
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let url = match &config.reach.server {
            Some(server) => elsewhere::address(server, &config.reach)?,
            None => match Endpoint::find(&config.store.folder) {
                Some(endpoint) => endpoint.url,
                None => {
                    let folder = config.store.folder.clone();
                    return Err(CliError::NoServer { folder, start_with: config.reach.start_with.clone() });
                }
            },
        };
        let http = elsewhere::http(&config.reach)?;
        let no_answer = |source| CliError::NoAnswer { url: url.clone(), source };
        let answer = http.get(format!("{url}/readyz")).timeout(PATIENCE).send().await.map_err(no_answer)?;
        let status = answer.status().as_u16();
        let Some(said) = answer.json::<Value>().await.ok().filter(|said| said["ready"].is_boolean()) else {
            return Err(CliError::NotOurs { url, status });
        };
        let ready = said["ready"] == true;
        if self.json {
            output::json(&said)?;
        } else if ready {
            output::print("ready");
        } else {
            output::print(&format!("not ready: {}", said["causes"]));
        }
        Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
