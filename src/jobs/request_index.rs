//! Asks for an index run of a repository that was just discovered.

use keytrail_domain::{
    id::RepositoryId,
    index_run::{Cause, Command, IndexRun},
};

use super::{JobError, TakenJob};
use crate::{
    app::{App, Context, DispatchError},
    ids,
};

pub(super) async fn request_index(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(repository) = job.key.parse::<RepositoryId>() else { return Ok(()) };
    // The same run however often the job is repeated.
    let run = ids::derived_id("index_on_discover", job.caused_by, 0);
    let command = Command::Request { repository, cause: Cause::Discovered };
    let context = Context::server("index_on_discover", job.caused_by);
    match app.dispatch::<IndexRun>(run, command, context, Vec::new()).await {
        // Requested before, or somebody else's run is under way: that one does it.
        Ok(_) | Err(DispatchError::Refused { .. } | DispatchError::Claimed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
