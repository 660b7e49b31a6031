//! Asks for an index run, or a reset, of each repository that an integration saw when somebody asked for that. Called by
//! the two jobs that differ in which of them; the runs themselves are jobs of their own. It may be repeated: a repository gets one run for one request.

use std::{sync::atomic::Ordering, time::Duration};

use keytrail_domain::{
    id::IntegrationId,
    index_run::{Cause, Command, IndexRun},
    integration::Integration,
    recorded::StreamId,
};
use keytrail_projections::repository_list::{self, RepositoryState};

use super::{JobError, Running, TakenJob};
use crate::{
    app::{App, Context, DispatchError},
    ids,
};

/// Repositories that are read at once.
const PAGE: u32 = 500;
/// When it is looked again at what could not be asked for, at the earliest.
const LATER: Duration = Duration::from_secs(2);

pub(super) async fn index_again(app: &App, job: &TakenJob, running: &Running, cause: Cause) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    let (mut after, mut busy) = (None, 0_u64);
    loop {
        match app.load::<Integration>(StreamId::new("integration", id.0)).await?.0 {
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
            // The same run however often the job is repeated; where a repository stands in the list does not change.
            let nth = usize::try_from(repository.added_position).unwrap_or(usize::MAX);
            let run = ids::derived_id(job.kind.as_str(), job.caused_by, nth);
            let (command, context) = (
                Command::Request { repository: repository.id, cause },
                Context::server(job.kind.as_str(), job.caused_by),
            );
            match app.dispatch::<IndexRun>(run, command, context, Vec::new()).await {
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
