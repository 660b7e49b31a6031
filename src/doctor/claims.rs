//! What may exist only once: whether the table says what the events say.

use std::sync::Arc;

use super::{Finding, counted};
use crate::{app::App, jobs::JobError};

const ID: &str = "claims";
/// Events of each type of stream that are read, the newest first.
const MOST: u64 = 100_000;
/// So many differences are told.
const TOLD: usize = 20;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    let told = app.log.check_claims(MOST).await.map_err(|error| JobError::Later(error.to_string()))?;
    let of = if told.is_whole { "all" } else { "the newest" };
    let read = format!(
        "{} of which there may be only one, by {of} {} that can say so",
        counted(told.held, "thing"),
        counted(told.events, "event")
    );
    Ok(vec![if told.differences.is_empty() {
        Finding::ok(ID, format!("{read}, and the table of claims agrees"))
    } else {
        let sentence = format!("{read}, and the table of claims differs in {}", told.differences.len());
        let remedy = "stop the server and put a backup back: something else than keytrail wrote to the store";
        Finding::fail(ID, sentence, remedy).of(told.differences.into_iter().take(TOLD).collect())
    }])
}
