//! Whether a command that asks for long work waits for it, and what it prints then. Called by the commands that ask for
//! runs and operations.

use clap::Args;
use serde_json::{Value, json};

use super::{CliError, client::Client, form::Form, output, watched_operation, watched_run};

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Waiting {
    /// Only ask for it, and name what to watch
    #[arg(long)]
    pub(super) no_wait: bool,
}

impl Waiting {
    /// Asks for a run. Prints it: as it ended, or as it was asked for.
    pub(super) async fn for_run(self, client: &Client, asked: &str, form: Form) -> Result<(), CliError> {
        let mut run: Value = client.post(asked, &json!({})).await?;
        if let (false, Some(id)) = (self.no_wait, run["id"].as_str().map(str::to_owned)) {
            watched_run::watch(client, &id).await?;
            run = client.get(&format!("/api/v1/index-runs/{id}"), &[]).await?;
        }
        form.show(&run)
    }

    /// Waits for an operation that was asked for, and for the run that it led to, and prints it; what went wrong is an
    /// error.
    pub(super) async fn for_operation(self, client: &Client, id: &str, form: Form) -> Result<(), CliError> {
        if self.no_wait {
            if form.json {
                return output::json(&client.get::<Value>(&format!("/api/v1/operations/{id}"), &[]).await?);
            }
            output::print(&format!("asked for; how far it is: keytrail operation show {id}"));
            return Ok(());
        }
        let ended = watched_operation::watch(client, id).await?;
        let led_to = ended["index_run"].as_str().and_then(|at| at.rsplit('/').next());
        if let Some(run) = led_to.filter(|_| ended["state"] == "succeeded") {
            watched_run::watch(client, run).await?;
        }
        form.show(&ended)?;
        watched_operation::succeeded(&ended)
    }
}
