//! Whether the tables of the store are this version's.

use std::sync::Arc;

use super::Finding;
use crate::{
    app::App,
    jobs::JobError,
    store::migrate::{self, MigrateError},
};

const ID: &str = "migrations";

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    Ok(vec![match migrate::pending(&app.db).await {
        Ok(pending) if pending.is_empty() => Finding::ok(ID, "the tables are those of this version"),
        Ok(pending) => {
            let sentence = format!("these migrations did not run: {}", pending.join(", "));
            Finding::fail(
                ID,
                sentence,
                "restart the server, which runs them; `keytrail migrate --dry-run` says what would run",
            )
        }
        Err(error @ (MigrateError::Newer { .. } | MigrateError::Changed { .. })) => Finding::fail(
            ID,
            error.to_string(),
            "run the version of keytrail that belongs to this store, on every node",
        ),
        Err(MigrateError::Store(error)) => return Err(error.into()),
    }])
}
