//! Whether what is sealed can be opened. Nothing of it is shown.

use std::sync::Arc;

use super::{Finding, counted};
use crate::{app::App, jobs::JobError};

const ID: &str = "secrets";
/// So many are opened.
const MOST: u64 = 5_000;
/// So many are told.
const TOLD: usize = 20;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let found = app.vault.try_open(MOST).await.map_err(|error| JobError::Later(error.to_string()))?;
    let tried = format!("{}{}", if found.more { "the first " } else { "" }, counted(found.tried, "sealed secret"));
    Ok(vec![if found.damaged.is_empty() {
        Finding::ok(ID, format!("each of {tried} opens with this root key"))
    } else {
        let sentence = format!("of {tried} these were changed, or moved from elsewhere: {}", found.damaged.len());
        let remedy = "give the integrations that are named their password again (`keytrail integration move`), or put a \
                      backup back";
        Finding::fail(ID, sentence, remedy).of(found.damaged.into_iter().take(TOLD).collect())
    }])
}
