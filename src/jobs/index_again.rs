//! Asks for an index run, or a reset, of each repository that an integration saw when somebody asked for that. Called by
//! the two jobs that differ in which of them; the runs themselves are jobs of their own. It may be repeated: a repository gets one run for one request.

use std::{sync::atomic::Ordering, time::Duration};

use keytrail_domain::{
    id::{IndexRunId, IntegrationId},
    index_run::{Cause, Command, IndexRun},
    integration::Integration,
    recorded::{Position, StreamId},
};
use keytrail_projections::repository_list::{self, Brief, RepositoryState};

use super::{JobError, Kind, Running, TakenJob, cancel_indexing::cancel_unwanted};
use crate::{
    app::{App, Context, DispatchError},
    ids,
};

/// Repositories that are read at once.
const PAGE: u32 = 500;
/// When it is looked again at what could not be asked for, at the earliest.
const LATER: Duration = Duration::from_secs(2);

/// The run of a repository because of what was asked for at this position: the same however often the job is repeated, for
/// where a repository stands in the list does not change.
pub(super) fn run_of(kind: Kind, asked: Position, repository: &Brief) -> IndexRunId {
    let nth = usize::try_from(repository.added_position).unwrap_or(usize::MAX);
    IndexRunId(ids::derived_id(kind.as_str(), asked, nth))
}

pub(super) async fn index_again(app: &App, job: &TakenJob, running: &Running, cause: Cause) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    let (mut after, mut busy) = (None, 0_u64);
    loop {
        let integration = app.load::<Integration>(StreamId::new("integration", id.0)).await?.0;
        // Looked at last when all of them are asked for: whoever says so later finds them all in the log.
        if integration.has_cancelled(job.caused_by) {
            return cancel_unwanted(app, id, app.log.feed().head().position).await;
        }
        match integration {
            Integration::Active { .. } => {}
            Integration::Paused { .. } => {
                let text = "the integration is paused; the rest is asked for when it is resumed";
                return Err(JobError::NotBefore(LATER, text.to_owned()));
            }
            Integration::Absent | Integration::Removed { .. } => return Ok(()),
        }
        let page = app.read_at_least(job.caused_by, repository_list::briefs_of(id, after, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.added_position);
        for repository in page {
            if running.cancel.load(Ordering::Relaxed) {
                return Err(JobError::Left);
            }
            // One that was discovered since is indexed anyway.
            let was_there = repository.added_position <= job.caused_by;
            if !was_there || matches!(repository.state, RepositoryState::Forgotten | RepositoryState::Refused) {
                continue;
            }
            let run = run_of(job.kind, job.caused_by, &repository);
            let (command, context) = (
                Command::Request { repository: repository.id, cause },
                Context::server(job.kind.as_str(), job.caused_by),
            );
            match app.dispatch::<IndexRun>(run.0, command, context, Vec::new()).await {
                // Asked for just now, or by an earlier try.
                Ok(_) | Err(DispatchError::Refused { .. }) => {}
                // Somebody else's run is under way: what is new it finds, too; what it found before it does not reset.
                Err(DispatchError::Claimed(_)) => busy += u64::from(cause == Cause::Reset),
                Err(error) => return Err(error.into()),
            }
        }
    }
    if busy > 0 {
        let text = format!("an index run of {busy} of its repositories is under way; they are reset when it has ended");
        return Err(JobError::NotBefore(LATER, text));
    }
    Ok(())
}
