//! The SSH keys of the demo: one that is in use, one that somebody took away, and the server that is known by its own. Called
//! by the demo as it is set up.

use serde_json::{Value, json};

use super::{CliError, client::Client};

const KEYS: &str = "/api/v1/ssh-keys";
const KEPT: &str = "Deploy key of the shop";
const RETIRED: &str = "Old build server";
/// A line of known_hosts: nobody connects to that server, as there is none.
const KNOWN: &str =
    "git.erp.invalid ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n";

/// The server makes both; the older one is retired. What is known of a git server comes from a file.
pub(super) async fn keep_keys(maria: &Client) -> Result<(), CliError> {
    for name in [RETIRED, KEPT] {
        let made: Value = maria.post(&format!("{KEYS}/generate"), &json!({ "name": name })).await?;
        if name == RETIRED {
            maria.delete(&format!("{KEYS}/{}", made["id"].as_str().unwrap_or_default())).await?;
        }
    }
    let _: Value = maria.post("/api/v1/host-keys/import", &json!({ "known_hosts": KNOWN })).await?;
    Ok(())
}
