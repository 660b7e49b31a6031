//! One poll of a repository: whether its refs are what the log knows. It reads refs, and of objects at most tags that it
//! does not know; when nothing moved it writes nothing. Called by the schedule.

use std::{
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use keytrail_domain::{
    display_text::DisplayText,
    id::RepositoryId,
    index_run::{Cause, Command as RunCommand, FailureCode, IndexRun, batch::RefMove},
    recorded::Position,
    ref_selection::RefSelection,
    repository::{Command, Repository as Aggregate},
};
use keytrail_projections::repository_list::{self, Repository, RepositoryState};

use crate::{
    app::{App, Context, DispatchError},
    git::{self, GitError, Graph, RefsStamp, ssh::SshAccess},
    ids,
    jobs::{
        JobError, RepositorySource, Source,
        index_repository::{Failure, Outgrowth, known_refs, look, stopped},
        source_of, ssh_access, ssh_key_uses,
    },
};

const PART: &str = "poll";

/// What is remembered of a poll that found nothing new; in memory only.
#[derive(Clone, Debug, Default)]
pub(super) struct Remembered {
    /// Of a repository on this machine: what its refs looked like from outside.
    stamp: Option<RefsStamp>,
    /// Of the refs themselves, and at which position of the repository's row they were compared with the log: any run since
    /// may have recorded others.
    digest: Option<([u8; 32], Position)>,
    /// Of the refs because of which a run was asked for. Once it ended, what it left out (a remote's tag of a folder, which
    /// looks like one of a commit) is no news.
    asked: Option<([u8; 32], Position)>,
    /// Under which number of the repository, and of which refs.
    of: Option<(Position, RefSelection)>,
    /// How many polls failed since the last that worked.
    failures: u32,
}

/// How a poll ended.
#[derive(Debug)]
pub(super) enum Polled {
    /// The refs are what the log knows.
    Nothing,
    /// Something is new, and a run was asked for.
    Moved,
    /// A run is under way.
    Busy,
    /// A run was asked for though nothing is newer than when one was that did not complete, or though the last one was given
    /// up because it took too much.
    Again,
    /// The last run was given up because it took too much, and would be again.
    Held,
    /// The refs could not be listed; nobody should look again before this time is over, when the remote says so.
    Failed(Option<Duration>),
    /// There is nothing to look at any more.
    Gone,
}

/// Looks once. Where somebody wants it, also for what was too much before. What tells how long a place at the host is waited
/// for is put into `over_ssh`.
pub(super) async fn poll(
    app: &App,
    id: RepositoryId,
    remembered: &mut Remembered,
    is_wanted: bool,
    cancel: &AtomicBool,
    over_ssh: &OnceLock<Arc<SshAccess>>,
) -> Result<Polled, JobError> {
    // As it is now: what the schedule knows of it may be some seconds old.
    let listed = app.read(repository_list::by_id(id)).await?;
    let Some(repository) = &listed.into_iter().next().map(|listed| listed.repository) else { return Ok(Polled::Gone) };
    match repository.state {
        RepositoryState::Indexed | RepositoryState::Failed | RepositoryState::Waiting => {}
        RepositoryState::Indexing => return Ok(Polled::Busy),
        RepositoryState::Refused | RepositoryState::Forgotten => return Ok(Polled::Gone),
    }
    let source = match source_of(app, repository).await {
        // The status of its integration says so.
        Ok(Some(RepositorySource { source: Source::Held(_), .. })) => return Ok(Polled::Held),
        Ok(Some(source)) => source,
        Ok(None) => return Ok(Polled::Gone),
        Err(JobError::Failed(code, text)) => {
            say(app, repository, Command::ReportUnreachable { code, text: DisplayText::clean(&text) }).await?;
            remembered.failures = remembered.failures.saturating_add(1);
            return Ok(Polled::Failed(None));
        }
        Err(error) => return Err(error),
    };
    if remembered.of != Some((repository.number, source.refs.clone())) {
        // Another number, or other refs are looked at: nothing that was seen before says anything.
        let failures = remembered.failures;
        *remembered =
            Remembered { of: Some((repository.number, source.refs.clone())), failures, ..Remembered::default() };
    }
    // A run that failed or was cancelled before the first one completed left commits unread, whatever the refs are.
    let unread = repository.state != RepositoryState::Indexed;
    let stamp = match &source.source {
        Source::InPlace(connection) | Source::Copied(connection) => {
            let (path, now) = (connection.path().to_owned(), i128::from(app.clock.now().0) * 1_000);
            let taking = tokio::task::spawn_blocking(move || RefsStamp::take(&path, now));
            tokio::select! {
                // Listing says what is wrong.
                taken = taking => taken?.ok(),
                () = stopped(cancel) => return Err(JobError::Left),
            }
        }
        Source::Remote(_) | Source::Held(_) => None,
    };
    if let (Some(now), Some(before)) = (&stamp, &remembered.stamp)
        && now.shows_nothing_moved_since(before)
        && remembered.failures == 0
        && !unread
    {
        return Ok(Polled::Nothing);
    }
    // Tags that are known need not be read again.
    let graph = match &source.source {
        Source::Remote(_) | Source::Held(_) => Graph::empty(),
        Source::InPlace(_) | Source::Copied(_) => {
            let (path, number) = (app.caches.graph(repository.id), repository.number);
            tokio::task::spawn_blocking(move || Graph::load(&path, number)).await?
        }
    };
    let ssh = source.ssh();
    if let Some((_, access)) = &ssh {
        over_ssh.get_or_init(|| access.clone());
    }
    let looked = look(cancel, source, graph, &Arc::default()).await;
    if let Some((_, access)) = &ssh {
        ssh_key_uses::note(app, id, access).await;
    }
    let looked = match looked {
        // Nothing was looked at.
        Err(Failure::Git(error @ GitError::HostBusy { .. })) => return Err(error.into()),
        looked => looked,
    };
    // The repository says what it is in trouble with before its host is told of: a scan of that may take a while.
    let failing = match &looked {
        Err(Failure::Git(GitError::Cancelled)) | Ok(_) | Err(Failure::Job(_)) => None,
        Err(Failure::Git(error)) => Some(failed(app, repository, remembered, error).await),
    };
    if let (Some((url, _)), Err(Failure::Git(error))) = (&ssh, &looked) {
        ssh_access::met(app, url, error).await;
    }
    if let Some(polled) = failing {
        return polled;
    }
    let refs = match looked {
        Ok(looked) => looked.refs,
        Err(Failure::Git(_)) => return Err(JobError::Left),
        Err(Failure::Job(error)) => return Err(error),
    };
    metrics::counter!("keytrail_git_objects_read_total", "by" => "poll").increment(refs.objects_read);
    // The row may be older than the trouble that was told after it was read. Where none is, this says nothing.
    if std::mem::take(&mut remembered.failures) > 0 || repository.trouble.is_some() {
        say(app, repository, Command::ReportReachable).await?;
    }
    let digest = refs.digest();
    let mut again = unread;
    if !unread {
        let asked = remembered.asked.filter(|(asked, _)| *asked == digest);
        // A run for just these refs was cancelled.
        again = asked.is_some_and(|(_, at)| repository.indexed_position < Some(at));
        let seen = Some((digest, repository.position));
        let as_known = remembered.digest == seen || {
            // Of refs because of which a run was asked for it left some out, perhaps.
            let left_out = |one: &RefMove| asked.is_some() && !again && one.from.is_none();
            // Refs that a run recorded which did not complete are news still, whether they are there now or not.
            let (number, at_least) = (repository.number, repository.position);
            let completed = known_refs(app, number, repository.indexed_position, at_least).await?;
            let recorded = known_refs(app, number, None, at_least).await?;
            [completed, recorded].iter().all(|known| git::moved(known, &refs.refs).iter().all(left_out))
        };
        if as_known {
            (remembered.stamp, remembered.digest) = (stamp, seen);
            return Ok(Polled::Nothing);
        }
    }
    let outgrowth = match app.jobs.outgrown.of(repository.id, digest, &app.caches).await {
        Ok(outgrowth) => outgrowth,
        Err(error) => return Err(error.into()),
    };
    // It would be fetched, and thrown away, at every poll.
    if outgrowth == Outgrowth::Same && !is_wanted {
        return Ok(Polled::Held);
    }
    (remembered.stamp, remembered.digest, remembered.asked) = (None, None, None);
    let command = RunCommand::Request { repository: repository.id, cause: Cause::Moved };
    let context = Context::server(PART, repository.position);
    match app.dispatch::<IndexRun>(ids::new_id(), command, context, Vec::new()).await {
        Ok(committed) => {
            remembered.asked = Some((digest, committed.last));
            Ok(if again || outgrowth != Outgrowth::None { Polled::Again } else { Polled::Moved })
        }
        // It may have begun before this; the next poll sees what it left.
        Err(DispatchError::Claimed(_)) => Ok(Polled::Busy),
        Err(error) => Err(error.into()),
    }
}

/// A trouble that may pass is said when it came twice; what will not pass, at once.
async fn failed(
    app: &App,
    repository: &Repository,
    remembered: &mut Remembered,
    error: &GitError,
) -> Result<Polled, JobError> {
    remembered.failures = remembered.failures.saturating_add(1);
    if !error.is_transient() || remembered.failures > 1 {
        let code = error.failure_code().unwrap_or(FailureCode::Internal);
        let text = DisplayText::clean(&error.to_string());
        say(app, repository, Command::ReportUnreachable { code, text }).await?;
    }
    Ok(Polled::Failed(error.retry_after()))
}

async fn say(app: &App, repository: &Repository, command: Command) -> Result<(), JobError> {
    let context = Context::server(PART, repository.position);
    app.dispatch::<Aggregate>(repository.id.0, command, context, Vec::new()).await?;
    Ok(())
}
