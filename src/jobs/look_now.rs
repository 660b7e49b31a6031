//! Looks at a repository of this node because another node was asked to. Enqueued by the schedule of that one; the look
//! itself is this node's schedule's.

use keytrail_domain::id::RepositoryId;

use super::{JobError, TakenJob};
use crate::app::App;

pub(super) fn look_now(app: &App, job: &TakenJob) -> Result<(), JobError> {
    if let Ok(repository) = job.key.parse::<RepositoryId>() {
        app.jobs.look_now(repository, app.clock.now());
    }
    Ok(())
}
