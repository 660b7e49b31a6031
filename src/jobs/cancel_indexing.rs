//! Cancels the runs that were asked for because of what is not wanted of an integration any more. Also called by the job
//! that asks for them, for those that it asked for meanwhile. It may be repeated: a run is cancelled once.

use keytrail_domain::{
    id::IntegrationId,
    index_run::{Command, IndexRun},
    integration::Integration,
    recorded::{Position, StreamId},
};
use keytrail_projections::repository_list::{self, RepositoryState};

use super::{JobError, Kind, TakenJob, index_again::run_of};
use crate::app::{App, Context, DispatchError};

/// Repositories that are read at once.
const PAGE: u32 = 500;

pub(super) async fn cancel_indexing(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    cancel_unwanted(app, id, job.caused_by).await
}

/// Cancels what was asked for up to this position and is not wanted any more.
pub(super) async fn cancel_unwanted(app: &App, id: IntegrationId, position: Position) -> Result<(), JobError> {
    let integration = app.load::<Integration>(StreamId::new("integration", id.0)).await?.0;
    let (Integration::Active { cancelled, .. } | Integration::Paused { cancelled, .. }) = &integration else {
        return Ok(());
    };
    let mut after = None;
    loop {
        let page = app.read_at_least(position, repository_list::briefs_of(id, after, PAGE)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.added_position);
        for repository in page {
            let Some(run) = repository.last_run.filter(|_| repository.state == RepositoryState::Indexing) else {
                continue;
            };
            let is_unwanted = |asked: &Position| {
                [Kind::ReindexIntegration, Kind::ResetIntegration]
                    .into_iter()
                    .any(|kind| run_of(kind, *asked, &repository) == run)
            };
            if !cancelled.iter().any(is_unwanted) {
                continue;
            }
            let context = Context::server(Kind::CancelIndexing.as_str(), position);
            match app.dispatch::<IndexRun>(run.0, Command::Cancel, context, Vec::new()).await {
                // It ended just now.
                Ok(_) | Err(DispatchError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
