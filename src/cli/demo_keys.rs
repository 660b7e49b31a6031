//! The SSH keys of the demo: one that is in use, and one that somebody took away. Called by the demo as it is set up.

use serde_json::{Value, json};

use super::{CliError, client::Client};

const KEYS: &str = "/api/v1/ssh-keys";
const KEPT: &str = "Deploy key of the shop";
const RETIRED: &str = "Old build server";

/// The server makes both; the older one is retired.
pub(super) async fn keep_keys(maria: &Client) -> Result<(), CliError> {
    for name in [RETIRED, KEPT] {
        let made: Value = maria.post(&format!("{KEYS}/generate"), &json!({ "name": name })).await?;
        if name == RETIRED {
            maria.delete(&format!("{KEYS}/{}", made["id"].as_str().unwrap_or_default())).await?;
        }
    }
    Ok(())
}
