//! Asks for an index run of each repository of an integration, because somebody asked for all of them.

use keytrail_domain::index_run::Cause;

use super::{JobError, Running, TakenJob, index_again::index_again};
use crate::app::App;

pub(super) async fn reindex_integration(app: &App, job: &TakenJob, running: &Running) -> Result<(), JobError> {
    index_again(app, job, running, Cause::Asked).await
}
