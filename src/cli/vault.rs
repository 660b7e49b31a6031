//! `keytrail vault`

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::{CliError, output};
use crate::{
    boot::{self, BootError},
    config::Config,
    secrets::{RootKey, rotate_root_key},
};

#[derive(Debug, Subcommand)]
pub(super) enum Vault {
    /// Make a new root key and put every secret under it; the server must be stopped
    RotateRootKey {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Vault {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let Self::RotateRootKey { json } = self;
        let folder = &config.store.folder;
        let path: PathBuf = config
            .secrets
            .root_key_file
            .clone()
            .ok_or_else(|| CliError::Input("say which file holds the root key: --root-key-file FILE".into()))?;
        let db = boot::open_store(config).await?;
        let rotated = async {
            let old = RootKey::read(&path, folder).map_err(BootError::from)?;
            let new_path = path.with_extension("key.new");
            // A rotation that was interrupted left its new key behind: it is gone on with.
            let new = if new_path.exists() {
                RootKey::read(&new_path, folder).map_err(BootError::from)?
            } else {
                let new = RootKey::random();
                let write = |source| CliError::System { what: "write the new root key", source };
                new.write_new(&new_path).map_err(write)?;
                new
            };
            let keys = rotate_root_key(&db, &old, &new).await.map_err(BootError::from)?;
            let replace = |source| CliError::System { what: "put the new root key in the old one's place", source };
            RootKey::put_in_place(&new_path, &path).map_err(replace)?;
            Ok::<_, CliError>(keys)
        };
        let rotated = rotated.await;
        db.close().await;
        let keys = rotated?;
        if json {
            output::json(&serde_json::json!({ "data_keys": keys, "root_key_file": path.display().to_string() }))?;
            return Ok(ExitCode::SUCCESS);
        }
        output::print(&format!(
            "{} now under a new root key in {}",
            output::count(keys as u64, "data key"),
            path.display()
        ));
        output::print("backups made before need the old root key: keep it with them, apart from them");
        Ok(ExitCode::SUCCESS)
    }
}
