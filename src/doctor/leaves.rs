//! Whether the newest events are what was appended, and whether the database still refuses to change any.

use std::sync::Arc;

use super::{Finding, counted, mirrors::some};
use crate::{app::App, jobs::JobError};

const LEAVES: &str = "log_leaves";
const GUARDS: &str = "log_guards";
/// So many events are computed again: a second's work at most.
const NEWEST: i64 = 2_000;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let found = app.log.check_leaves(NEWEST).await?;
    let checked = counted(found.checked, "event");
    let leaves = if found.wrong.is_empty() {
        Finding::ok(LEAVES, format!("each of the newest {checked} is what was appended, and has its leaf"))
    } else {
        let which: Vec<_> = found.wrong.iter().map(ToString::to_string).collect();
        let sentence = format!("of the newest {checked} these were changed after they were appended: {}", some(&which));
        Finding::fail(LEAVES, sentence, "stop the server, find out who writes to the store, and put a backup back")
    };
    let guards = if app.log.is_guarded().await? {
        Finding::ok(GUARDS, "the database refuses to change or delete an event")
    } else {
        let sentence = "the triggers that keep events from being changed are gone or turned off";
        let remedy = "find out who took them away; a store from a backup, or a new one, has them";
        Finding::fail(GUARDS, sentence, remedy)
    };
    Ok(vec![leaves, guards])
}
