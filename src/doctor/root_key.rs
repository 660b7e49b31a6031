//! The root key: where it is, who can read it, whether it is one. What it holds is cleared at once and told to nobody.

use super::Finding;
use crate::{
    config::Config,
    secrets::{RootKey, SecretsError},
};

const ID: &str = "root_key";

pub(super) fn check(config: &Config) -> Vec<Finding> {
    let Some(path) = &config.secrets.root_key_file else {
        let error = SecretsError::RootKeyNotGiven;
        return vec![Finding::fail(ID, error.to_string(), "name its file: secrets.root_key_file, or --root-key-file")];
    };
    vec![match RootKey::read(path, &config.store.folder) {
        Ok(_) => Finding::ok(
            ID,
            format!("{} is a root key, readable by its owner only, outside the data folder", path.display()),
        ),
        Err(SecretsError::RootKeyMissing { .. })
            if config.store.database_url.is_none() && !config.store.folder.join("log.db").exists() =>
        {
            Finding::ok(ID, format!("{} is not there yet; the first server makes it", path.display()))
        }
        Err(error) => {
            let remedy = "do what the sentence says; without this key what is sealed cannot be read by anybody";
            Finding::fail(ID, error.to_string(), remedy)
        }
    }]
}
