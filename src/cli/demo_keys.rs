//! The SSH keys of the demo: one that is in use, one that somebody took away, and two servers that are known by their own, of
//! which one shows another by now. Called by the demo as it is set up.

use keytrail_domain::host_key::{Command, Endpoint, HostKeys, HostPublicKey, SSH_PORT};
use serde_json::{Value, json};

use super::{CliError, client::Client};
use crate::app::{App, Context};

const KEYS: &str = "/api/v1/ssh-keys";
const KEPT: &str = "Deploy key of the shop";
const RETIRED: &str = "Old build server";
/// Nobody connects to these servers, as there are none.
const TRUSTED: &str = "git.erp.invalid";
const CHANGED: &str = "git.partner.invalid";
const KIND: &str = "ssh-ed25519";
const KNOWN_KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
const OTHER_KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC";

/// The server makes both; the older one is retired. What is known of git servers comes from a file, and what one of them
/// shows instead is said as a connection would say it.
pub(super) async fn keep_keys(maria: &Client, app: &App) -> Result<(), CliError> {
    for name in [RETIRED, KEPT] {
        let made: Value = maria.post(&format!("{KEYS}/generate"), &json!({ "name": name })).await?;
        if name == RETIRED {
            maria.delete(&format!("{KEYS}/{}", made["id"].as_str().unwrap_or_default())).await?;
        }
    }
    let known = format!("{TRUSTED},{CHANGED} {KIND} {KNOWN_KEY}\n");
    let _: Value = maria.post("/api/v1/host-keys/import", &json!({ "known_hosts": known })).await?;

    let key = HostPublicKey::read(KIND, OTHER_KEY).map_err(|error| CliError::Failed(error.to_string()))?;
    let host = Endpoint::host_of(CHANGED).map_err(|error| CliError::Failed(error.to_string()))?;
    let server = Endpoint { host, port: SSH_PORT };
    let id = server.id().0;
    let shown = Command::ReportOffered { host: server.host, port: server.port, keys: vec![key] };
    let said = app.dispatch::<HostKeys>(id, shown, Context::server("demo", 0), Vec::new()).await;
    said.map(|_| ()).map_err(|error| CliError::Failed(error.to_string()))
}
