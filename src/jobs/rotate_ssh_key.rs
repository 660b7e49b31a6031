//! Puts one key of SSH in the place of another: the new one is tried alone at each repository that is read with the old one,
//! and only where all of them let it in, it gets what the old one had, and the old one goes. It may be repeated at any point:
//! how far it is stands in the stream of the old key, and from the moment when the new one is accepted, it is offered wherever
//! the old one was.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use keytrail_domain::{
    display_text::DisplayText,
    id::{IntegrationId, RepositoryId, SshKeyId},
    index_run::FailureCode,
    integration::{self, Integration},
    recorded::StreamId,
    repository::Repository,
    service::Connection,
    ssh_key::{Command, NotTaken, Rotation, SshKey},
};
use keytrail_projections::{
    integration_list,
    repository_list::{self, RepositoryState},
};

use super::{JobError, Running, TakenJob, repository_source, ssh_access, ssh_key_uses::taken_at};
use crate::{
    app::{App, Context, DispatchError},
    git::{self, remote::list_remote_refs},
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
        for repository in users {
            let refused = tokio::select! {
                refused = self.at(app, *repository) => refused?,
                stopped = self.is_stopped(app, running) => return stopped.map(|()| None),
            };
            if let Some(refused) = refused {
                count += 1;
                if not_taken.len() < NotTaken::MOST {
                    not_taken.push(refused);
                }
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Some((not_taken, count)))
    }

    /// Waits until it is not to go on: somebody stopped it, or, as an error, the server stops.
    async fn is_stopped(&self, app: &App, running: &Running) -> Result<(), JobError> {
        loop {
            for _ in 0..ROUND {
                if running.cancel.load(Ordering::Relaxed) {
                    return Err(JobError::Left);
                }
                tokio::time::sleep(LOOK).await;
            }
            let goes_on = Rotation { to: self.to, accepted: false };
            match app.load::<SshKey>(stream(self.old)).await?.0 {
                SshKey::Active { rotation, .. } if rotation == Some(goes_on) => {}
                _ => return Ok(()),
            }
        }
    }

    /// Why a repository does not take it; nothing where it does, or is not read with the old one.
    async fn at(&self, app: &App, id: RepositoryId) -> Result<Option<NotTaken>, JobError> {
        let Some(listed) = app.read(repository_list::by_id(id)).await?.pop() else { return Ok(None) };
        let row = listed.repository;
        let is_gone = matches!(row.state, RepositoryState::Forgotten | RepositoryState::Refused);
        if is_gone || !self.is_read_with_the_old_one(app, &row).await? {
            return Ok(None);
        }
        let refused = |code, text: &str| {
            let (name, text) = (DisplayText::clean(&row.name), DisplayText::clean(text));
            Ok(Some(NotTaken { repository: id, name, code, text }))
        };
        let (remote, refs) = match repository_source::with_key(app, &row, self.to).await {
            Ok(Some(way)) => way,
            Ok(None) => return Ok(None),
            Err(JobError::Failed(code, text)) => return refused(code, &text),
            Err(error) => return Err(error),
        };
        match list_remote_refs(&remote, &refs, git::MAX_REFS).await {
            Ok(_) => Ok(None),
            Err(error) => {
                ssh_access::met(app, &remote.url, &error).await;
                refused(error.failure_code().unwrap_or(FailureCode::Internal), &error.to_string())
            }
        }
    }

    async fn is_read_with_the_old_one(&self, app: &App, row: &repository_list::Repository) -> Result<bool, JobError> {
        if let Some(associated) = ssh_access::associated(app, row.id).await? {
            return Ok(associated == self.old);
        }
        let stream = StreamId::new("integration", row.integration.0);
        Ok(match app.load::<Integration>(stream).await?.0 {
            Integration::Active { connection, .. } | Integration::Paused { connection, .. } => {
                connection.ssh_key().map_or(self.common, |chosen| chosen == self.old)
            }
            Integration::Absent | Integration::Removed { .. } => false,
        })
    }
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
