//! Whether the engine is set so that what is acknowledged is on disk, and how new it is.

use std::sync::Arc;

use super::Finding;
use crate::{app::App, jobs::JobError, store::StoreSetting};

const SETTINGS: &str = "store_settings";
const ENGINE: &str = "store_engine";

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let mut findings = vec![finding(&app.db.settings().await?, app.db.engine())];
    if let Some(version) = app.db.sqlite_version() {
        findings.push(Finding::ok(ENGINE, format!("the embedded store is SQLite {version}, part of this program")));
    }
    Ok(findings)
}

fn finding(settings: &[StoreSetting], engine: &str) -> Finding {
    let say = |setting: &StoreSetting| format!("{} = {}", setting.name, setting.value);
    let bad: Vec<_> = settings.iter().filter(|setting| !setting.is_well()).map(say).collect();
    if bad.is_empty() {
        let all: Vec<_> = settings.iter().map(say).collect();
        return Finding::ok(SETTINGS, format!("what is acknowledged is on disk: {}", all.join(", ")));
    }
    let sentence = format!("a power failure may take what was acknowledged, or more: {}", bad.join(", "));
    let remedy = if engine == "postgres" {
        "turn them on, in postgresql.conf and of the database and the role (ALTER DATABASE, ALTER ROLE), and restart the server"
    } else {
        "restart the server, which sets them; if it stays so, another program changed the file"
    };
    Finding::fail(SETTINGS, sentence, remedy)
}
