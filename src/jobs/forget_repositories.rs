//! Forgets the repositories of an integration that was removed, and stops what is done to them.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    index_run,
    recorded::Position,
    repository::{Command, Repository},
    ssh_key::{self, SshKey},
};
use keytrail_projections::{index_runs, repository_list};

use super::{JobError, TakenJob, list_pull_requests::forget_statement};
use crate::{
    app::{App, Context, DispatchError},
    log::as_long_as,
    store::StoreError,
};

const PART: &str = "forget_on_remove";
/// How often a key is taken from a repository that somebody associates with one meanwhile.
const TRIES: u32 = 5;

pub(super) async fn forget_repositories(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    forget_all(app, id, PART, job.caused_by).await
}

/// Forgets the repositories that an integration has, as of this position or later.
pub(super) async fn forget_all(app: &App, id: IntegrationId, part: &str, cause: Position) -> Result<(), JobError> {
    let mut after = None;
    loop {
        let known = app.read_at_least(cause, repository_list::page(Some(id), None, after, 500)).await?;
        let Some(last) = known.last() else { return Ok(()) };
        after = Some(last.repository.added_position);
        for listed in known.iter().map(|listed| &listed.repository) {
            if listed.state != repository_list::RepositoryState::Forgotten {
                forget(app, listed.id, part, cause).await?;
            }
        }
    }
}

/// Forgets one repository; a run of it that has not ended is cancelled, and no key of SSH is associated with it any more.
pub(super) async fn forget(app: &App, id: RepositoryId, part: &str, cause: Position) -> Result<(), JobError> {
    let context = || Context::server(part, cause);
    let later = |error: DispatchError| match error {
        // Nothing of the kind, or it ended by itself.
        DispatchError::Refused { .. } => Ok(()),
        error => Err(JobError::from(error)),
    };
    for attempt in 1.. {
        dissociate(app, id, context()).await?;
        let companions = vec![forget_statement(id), as_long_as::nobody_holds(&SshKey::association(id))];
        match app.dispatch::<Repository>(id.0, Command::Forget, context(), companions).await {
            // A key was associated with it at this very moment.
            Err(DispatchError::Store(StoreError::Fenced)) if attempt < TRIES => {}
            Err(error) => {
                later(error)?;
                break;
            }
            Ok(_) => break,
        }
    }
    for run in app.read_at_least(cause, index_runs::active(id)).await? {
        let cancel = index_run::Command::Cancel;
        app.dispatch::<index_run::IndexRun>(run.id.0, cancel, context(), Vec::new())
            .await
            .map(|_| ())
            .or_else(later)?;
    }
    Ok(())
}

/// Takes the key of SSH from it that is associated with it, if there is one.
async fn dissociate(app: &App, id: RepositoryId, context: Context) -> Result<(), JobError> {
    if let Some(key) = app.log.holder(&SshKey::association(id)).await? {
        let command = ssh_key::Command::Dissociate { repositories: [id].into() };
        app.dispatch::<SshKey>(key, command, context, Vec::new()).await?;
    }
    Ok(())
}
