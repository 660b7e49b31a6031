//! Puts one key of SSH in the place of another: the new one is tried alone at each repository that is read with the old one,
//! and only where all of them let it in, it gets what the old one had, and the old one goes. It may be repeated at any point:
//! how far it is stands in the stream of the old key, and from the moment when the new one is accepted, it is offered wherever
//! the old one was. What was not accepted in half an hour is refused.

use std::{
    collections::BTreeSet,
    pin::pin,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use keytrail_domain::{
    display_text::DisplayText,
    fact::Fact,
    id::{IntegrationId, RepositoryId, SshKeyId},
    index_run::FailureCode,
    integration::{self, Integration},
    recorded::{Position, StreamId},
    repository::Repository,
    service::Connection,
    ssh_key::{Command, Event, NotTaken, Rotation, SshKey},
    timestamp::Timestamp,
};
use keytrail_projections::{
    integration_list,
    repository_list::{self, RepositoryState},
};

use super::{
    JobError, Running, TakenJob, repository_source, ssh_access,
    ssh_key_uses::{offers_of, taken_at},
};
use crate::{
    app::{App, Context, DispatchError},
    git::{self, GitError, remote::list_remote_refs},
    log::as_long_as,
    secrets::{Vault, ssh_private_keys},
    store::{Statement, StoreError},
};

/// The actor of what follows from the wish.
const PART: &str = "rotate_on_request";
/// More integrations or repositories than these have no key in common.
const MOST: u32 = 100_000;
/// How often something is decided again after somebody else was faster.
const TRIES: u32 = 5;
/// How often it is looked whether the server stops while a host is asked.
const LOOK: Duration = Duration::from_millis(50);
/// Every so many looks, it is also looked whether somebody stopped it.
const ROUND: u32 = 10;
/// So many repositories are tried at once, and of one host no more than it has places.
const AT_ONCE: usize = 4;
/// So long after it was asked for, what was not accepted is refused.
const MOST_MINUTES: i64 = 30;

pub(super) async fn rotate_ssh_key(app: &App, job: &TakenJob, running: &Running) -> Result<(), JobError> {
    let Ok(old) = job.key.parse::<SshKeyId>() else { return Ok(()) };
    let context = || Context::server(PART, job.caused_by);
    let (state, _) = app.load::<SshKey>(stream(old)).await?;
    if let SshKey::Active { rotation: Some(Rotation { to, accepted: false }), common, repositories, .. } = state {
        let users = users(app, old, common, repositories).await?;
        let tried = Tried { old, common, to };
        let Some((not_taken, count)) = tried.everywhere(app, running, &users).await? else { return Ok(()) };
        let is_there = as_long_as_it_is_there(app, to).await?.filter(|_| count == 0);
        let (command, companions) = match is_there {
            Some(is_there) => (Command::AcceptRotation { to }, vec![is_there]),
            None => {
                let others = count.saturating_sub(not_taken.len() as u64);
                (Command::RefuseRotation { to, not_taken, others }, Vec::new())
            }
        };
        match app.dispatch::<SshKey>(old.0, command, context(), companions).await {
            Err(DispatchError::Store(StoreError::Fenced)) => {
                return Err(JobError::Later("something happened to the new key at this very moment".to_owned()));
            }
            done => done.map(|_| ())?,
        }
    }
    switch(app, old, context).await
}

/// Ends one that panicked again and again, so that another one may begin. One that was accepted has no way back, and is tried
/// on.
pub(super) async fn give_up(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(old) = job.key.parse::<SshKeyId>() else { return Ok(()) };
    let (state, _) = app.load::<SshKey>(stream(old)).await?;
    if let SshKey::Active { rotation: Some(Rotation { accepted: true, .. }), .. } = state {
        return Err(JobError::Later("the server made an error again and again; its log has more".to_owned()));
    }
    let context = Context::server(PART, job.caused_by);
    app.dispatch::<SshKey>(old.0, Command::CancelRotation, context, Vec::new()).await?;
    Ok(())
}

fn stream(key: SshKeyId) -> StreamId {
    StreamId::new("ssh_key", key.0)
}

/// Takes it back where the key is retired or rotated at the same moment; nothing where it was before.
async fn as_long_as_it_is_there(app: &App, key: SshKeyId) -> Result<Option<Statement>, JobError> {
    let (state, version) = app.load::<SshKey>(stream(key)).await?;
    Ok(match state {
        SshKey::Active { rotation: None, .. } => Some(as_long_as::stands_at(stream(key), version)),
        SshKey::Active { .. } | SshKey::Absent | SshKey::Retired { .. } => None,
    })
}

/// The repositories that may be read with a key: it is associated with them, chosen for them, or their host took it last.
async fn users(
    app: &App,
    old: SshKeyId,
    common: bool,
    associated: BTreeSet<RepositoryId>,
) -> Result<BTreeSet<RepositoryId>, JobError> {
    let mut users = associated;
    let head = app.log.feed().head().position;
    for integration in app.read_at_least(head, integration_list::by_ssh_key(old, MOST)).await? {
        let briefs = repository_list::briefs_of(integration.id, None, MOST);
        users.extend(app.read_at_least(head, briefs).await?.into_iter().map(|brief| brief.id));
    }
    if common {
        users.extend(taken_at(&app.db, old, MOST).await?);
    }
    Ok(users)
}

/// When somebody asked for it.
async fn begun_at(app: &App, old: SshKeyId) -> Result<Timestamp, JobError> {
    let events = app.log.stream(stream(old), Position::MAX).await;
    let events = events.map_err(|error| JobError::Later(error.to_string()))?;
    let begun = events.iter().rev().find(|event| matches!(event.fact, Fact::SshKey(Event::RotationBegun { .. })));
    Ok(begun.map_or_else(|| app.clock.now(), |event| event.metadata.at))
}

/// Why no more repositories are tried.
enum Stopped {
    /// Somebody wants it so.
    Wished,
    /// It has taken as long as it may.
    TimeIsOver,
}

/// What is tried.
struct Tried {
    old: SshKeyId,
    common: bool,
    to: SshKeyId,
}

impl Tried {
    /// The first that do not take it, and how many do not. `None` when somebody stopped it.
    async fn everywhere(
        &self,
        app: &App,
        running: &Running,
        users: &BTreeSet<RepositoryId>,
    ) -> Result<Option<(Vec<NotTaken>, u64)>, JobError> {
        let (done, total) = (Arc::new(AtomicU64::new(0)), users.len());
        let far = done.clone();
        let tell = move || format!("{{\"done\":{},\"total\":{total}}}", far.load(Ordering::Relaxed));
        *running.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tell));
        let (mut not_taken, mut count) = (Vec::new(), 0);
        let end = begun_at(app, self.old).await?.plus_micros(MOST_MINUTES * 60 * 1_000_000);
        let mut stopped = pin!(self.stopped(app, running, end));
        let (mut left, mut next) = (users.clone(), users.iter().copied());
        let mut asked = FuturesUnordered::new();
        while !left.is_empty() {
            while asked.len() < AT_ONCE
                && let Some(repository) = next.next()
            {
                asked.push(self.asked(app, repository));
            }
            let (repository, refused) = tokio::select! {
                biased;
                stopped = &mut stopped => match stopped? {
                    Stopped::Wished => return Ok(None),
                    Stopped::TimeIsOver => break,
                },
                Some(answer) = asked.next() => answer?,
            };
            left.remove(&repository);
            if let Some(refused) = refused {
                count += 1;
                if not_taken.len() < NotTaken::MOST {
                    not_taken.push(refused);
                }
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
        // Who did not answer is not waited for any more.
        drop(asked);
        count += self.without_answer(app, running, &left, &mut not_taken).await?;
        not_taken.sort_by_key(|one| one.repository);
        Ok(Some((not_taken, count)))
    }

    /// Adds those that had not answered when the time was over; how many they are.
    async fn without_answer(
        &self,
        app: &App,
        running: &Running,
        left: &BTreeSet<RepositoryId>,
        not_taken: &mut Vec<NotTaken>,
    ) -> Result<u64, JobError> {
        let mut count = 0;
        for repository in left {
            if running.cancel.load(Ordering::Relaxed) {
                return Err(JobError::Left);
            }
            // Also where no more are named: what is read by another key is none of those that are counted.
            let Some(row) = self.user(app, *repository).await? else { continue };
            count += 1;
            if not_taken.len() < NotTaken::MOST {
                let text = format!("it had not answered {MOST_MINUTES} minutes after the rotation was asked for");
                not_taken.push(refused(&row, FailureCode::RemoteSlow, &text));
            }
        }
        Ok(count)
    }

    /// Waits until it is not to go on. An error when the server stops.
    async fn stopped(&self, app: &App, running: &Running, end: Timestamp) -> Result<Stopped, JobError> {
        loop {
            for _ in 0..ROUND {
                if running.cancel.load(Ordering::Relaxed) {
                    return Err(JobError::Left);
                }
                if app.clock.now() >= end {
                    return Ok(Stopped::TimeIsOver);
                }
                tokio::time::sleep(LOOK).await;
            }
            let goes_on = Rotation { to: self.to, accepted: false };
            match app.load::<SshKey>(stream(self.old)).await?.0 {
                SshKey::Active { rotation, .. } if rotation == Some(goes_on) => {}
                _ => return Ok(Stopped::Wished),
            }
        }
    }

    async fn asked(&self, app: &App, id: RepositoryId) -> Result<(RepositoryId, Option<NotTaken>), JobError> {
        Ok((id, self.at(app, id).await?))
    }

    /// Why a repository does not take it; nothing where it does, or is not read with the old one.
    async fn at(&self, app: &App, id: RepositoryId) -> Result<Option<NotTaken>, JobError> {
        let Some(row) = self.user(app, id).await? else { return Ok(None) };
        let (remote, refs) = match repository_source::with_key(app, &row, self.to).await {
            Ok(Some(way)) => way,
            Ok(None) => return Ok(None),
            Err(JobError::Failed(code, text)) => return Ok(Some(refused(&row, code, &text))),
            Err(error) => return Err(error),
        };
        let listed = loop {
            match list_remote_refs(&remote, &refs, git::MAX_REFS).await {
                // It says nothing of the key, and what was tried before is not tried again.
                Err(GitError::HostBusy { .. }) => {}
                listed => break listed,
            }
        };
        match listed {
            Ok(_) => Ok(None),
            Err(error) => {
                ssh_access::met(app, &remote.url, &error).await;
                let code = error.failure_code().unwrap_or(FailureCode::Internal);
                Ok(Some(refused(&row, code, &error.to_string())))
            }
        }
    }

    /// The row of a repository that is read with the old one.
    async fn user(&self, app: &App, id: RepositoryId) -> Result<Option<repository_list::Repository>, JobError> {
        let Some(listed) = app.read(repository_list::by_id(id)).await?.pop() else { return Ok(None) };
        let row = listed.repository;
        let is_gone = matches!(row.state, RepositoryState::Forgotten | RepositoryState::Refused);
        Ok(if is_gone || !self.is_read_with_the_old_one(app, &row).await? { None } else { Some(row) })
    }

    async fn is_read_with_the_old_one(&self, app: &App, row: &repository_list::Repository) -> Result<bool, JobError> {
        if let Some(associated) = ssh_access::associated(app, row.id).await? {
            return Ok(associated == self.old);
        }
        let stream = StreamId::new("integration", row.integration.0);
        Ok(match app.load::<Integration>(stream).await?.0 {
            Integration::Active { connection, .. } | Integration::Paused { connection, .. } => {
                match connection.ssh_key() {
                    Some(chosen) if chosen == self.old => true,
                    Some(chosen) => self.common && self.is_taken_instead_of(app, chosen, row.id).await?,
                    None => self.common,
                }
            }
            Integration::Absent | Integration::Removed { .. } => false,
        })
    }

    /// Whether the host refused the key that is chosen for a repository, and took the old one because it is common.
    async fn is_taken_instead_of(
        &self,
        app: &App,
        chosen: SshKeyId,
        repository: RepositoryId,
    ) -> Result<bool, JobError> {
        let taken = offers_of(&app.db, repository).await?.accepted;
        Ok(taken == Some(self.old) && ssh_access::in_its_place(app, chosen).await?.is_some())
    }
}

fn refused(row: &repository_list::Repository, code: FailureCode, text: &str) -> NotTaken {
    let (name, text) = (DisplayText::clean(&row.name), DisplayText::clean(text));
    NotTaken { repository: row.id, name, code, text }
}

/// Gives the new key what the old one had, where it was accepted, and takes the old one away.
async fn switch(app: &App, old: SshKeyId, context: impl Fn() -> Context) -> Result<(), JobError> {
    let (state, _) = app.load::<SshKey>(stream(old)).await?;
    let SshKey::Active { rotation: Some(Rotation { to, accepted: true }), common, repositories, .. } = state else {
        return Ok(());
    };
    // Where the new one is gone, too, there is nothing to give it.
    if let Some(to) = ssh_access::in_its_place(app, to).await? {
        if common {
            app.dispatch::<SshKey>(to.0, Command::Share { common: true }, context(), Vec::new()).await?;
        }
        for repository in repositories {
            associate(app, repository, to, &context).await?;
        }
        let head = app.log.feed().head().position;
        for integration in app.read_at_least(head, integration_list::by_ssh_key(old, MOST)).await? {
            choose(app, integration.id, (old, to), &context).await?;
        }
    }
    let forget = vec![Vault::forget_all_of(ssh_private_keys::owner(old))];
    app.dispatch::<SshKey>(old.0, Command::FinishRotation, context(), forget).await?;
    Ok(())
}

/// Also where another key was associated meanwhile: then that is what somebody wants.
async fn associate(
    app: &App,
    repository: RepositoryId,
    to: SshKeyId,
    context: &impl Fn() -> Context,
) -> Result<(), JobError> {
    let of_repository = StreamId::new("repository", repository.0);
    for _ in 0..TRIES {
        let (state, version) = app.load::<Repository>(of_repository).await?;
        if !matches!(state, Repository::Known { .. }) {
            return Ok(());
        }
        let command = Command::Associate { repositories: [repository].into() };
        let companions = vec![as_long_as::stands_at(of_repository, version)];
        match app.dispatch::<SshKey>(to.0, command, context(), companions).await {
            Err(DispatchError::Store(StoreError::Fenced)) => {}
            Ok(_) | Err(DispatchError::Claimed(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(DispatchError::Busy.into())
}

/// Chooses the new key for an integration for which the old one was chosen.
async fn choose(
    app: &App,
    id: IntegrationId,
    (old, to): (SshKeyId, SshKeyId),
    context: &impl Fn() -> Context,
) -> Result<(), JobError> {
    for _ in 0..TRIES {
        let (state, version) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
        let (Integration::Active { connection, .. } | Integration::Paused { connection, .. }) = state else {
            return Ok(());
        };
        let Connection::Git(mut remote) = connection else { return Ok(()) };
        if remote.ssh_key != Some(old) {
            return Ok(());
        }
        remote.ssh_key = Some(to);
        let command = integration::Command::ChangeConnection { connection: Connection::Git(remote) };
        let context = Context { if_match: Some(version), ..context() };
        match app.dispatch::<Integration>(id.0, command, context, Vec::new()).await {
            Err(DispatchError::Stale { .. }) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Err(DispatchError::Busy.into())
}
