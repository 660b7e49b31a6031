//! `keytrail migrate`

use std::process::ExitCode;

use clap::Args;

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
}

impl Migrate {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let db = boot::open_store(config).await?;
        let (names, said) = if self.dry_run {
            (migrate::pending(&db).await.map_err(BootError::from)?, "would run")
        } else {
            (migrate::migrate(&db, Clock::System.now()).await.map_err(BootError::from)?, "ran")
        };
        for name in &names {
            output::print(&format!("{said}: {name}"));
        }
        if names.is_empty() {
            output::print("the store is up to date");
        }
        db.close().await;
        Ok(ExitCode::SUCCESS)
    }
}
