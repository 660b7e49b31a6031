//! `keytrail migrate`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CliError, output};
use crate::{
    boot::{self, BootError},
    clock::Clock,
    config::Config,
    store::migrate,
};

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Only say what would run
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let db = boot::open_store(config).await?;
        let (names, said) = if self.dry_run {
            (migrate::pending(&db).await.map_err(BootError::from)?, "would run")
        } else {
            (migrate::migrate(&db, Clock::System.now()).await.map_err(BootError::from)?, "ran")
        };
        db.close().await;
        if self.json {
            output::json(&json!({ "ran": !self.dry_run, "migrations": names }))?;
            return Ok(ExitCode::SUCCESS);
        }
        for name in &names {
            output::print(&format!("{said}: {name}"));
        }
        if names.is_empty() {
            output::print("the store is up to date");
        }
        Ok(ExitCode::SUCCESS)
    }
}
