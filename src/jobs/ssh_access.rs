//! How a repository is reached over SSH: which keys may be offered, in which order, and which keys of the host are trusted.
//! Called for each look and fetch. The key that is associated with the repository is the only one; otherwise the one that was
//! chosen for the connection comes before the common ones. Where either of them was retired, no other is offered in its place.

use std::sync::{Arc, Mutex, PoisonError};

use keytrail_domain::{
    fact::Fact,
    host_key::{HostKeyId, HostKeys},
    id::{IntegrationId, RepositoryId, SshKeyId},
    index_run::FailureCode,
    integration,
    recorded::{Position, StreamId},
    remote_url::RemoteUrl,
    ssh_key::SshKey as Pooled,
    timestamp::Timestamp,
};
use keytrail_projections::{
    repository_list::Repository,
    ssh_key_list::{self, KeyState},
};
use uuid::Uuid;

use super::{
    DiskTrouble, JobError, KeysOnDisk, changed_hosts,
    keys_on_disk::PATIENCE,
    ssh_key_uses::{self, offers_of, refused_at},
};
use crate::{
    app::{App, DispatchError, States},
    git::{
        GitError,
        ssh::{HOST_ALIAS, Keychain, Opening, Signer, SshAccess, TrustedHost, Trusting},
    },
    key_folder::Missing,
    secrets::{Vault, ssh_private_keys},
    ssh_keys::{self, SshKey},
};

const CHOSEN_RETIRED: &str = "the key that was chosen was retired: choose another, or none, by changing the connection; no \
                              common key is offered in its place";
const ASSOCIATED_RETIRED: &str = "the key that is associated with the repository was retired: dissociate it, and associate \
                                  another one if there is to be one; no other key is offered in its place";

const TRIED_RETIRED: &str = "the key that is tried was retired; choose another one";

/// So many keys may have taken the place of each other, one after the other, before somebody chooses anew.
const MOST_SUCCESSORS: usize = 32;

/// A chosen key that the host refused is offered first again after so long, in microseconds: somebody may have given it to
/// the host meanwhile.
const REFUSAL_COUNTS: i64 = 24 * 3_600 * 1_000_000;

/// Rows that are read at once.
const PAGE: u32 = 500;

/// The keys of the pool that are common, as of a position of the log.
#[derive(Debug, Default)]
pub(super) struct CommonKeys(Mutex<Option<(Position, Arc<[SshKeyId]>)>>);

/// The way to a repository. The key that is associated with it is the only one that may be offered; otherwise `chosen` is,
/// and after it the common ones.
pub(super) async fn access(
    app: &App,
    repository: &Repository,
    url: &RemoteUrl,
    chosen: Option<SshKeyId>,
) -> Result<Arc<SshAccess>, JobError> {
    let (mut keys, chosen) = match (associated(app, repository.id).await?, chosen) {
        (Some(key), _) => (vec![in_pool(app, key, ASSOCIATED_RETIRED).await?], None),
        (None, Some(key)) => {
            let key = in_pool(app, key, CHOSEN_RETIRED).await?;
            let common = common(app).await?;
            let others = common.iter().copied().filter(|other| *other != key);
            (std::iter::once(key).chain(others).collect(), Some(key))
        }
        (None, None) => (common(app).await?.to_vec(), None),
    };
    // The one that was taken may have been replaced since.
    let before = match offers_of(&app.db, repository.id).await?.accepted {
        Some(key) if !keys.contains(&key) => in_its_place(app, key).await?.filter(|key| keys.contains(key)),
        accepted => accepted,
    };
    keys.sort_by_key(|key| Some(*key) != before);
    let first = match chosen {
        Some(key) if Some(key) != before && !is_refused(app, repository, key).await? => Some(key),
        _ => before,
    };
    way(app, url, keys, first).await
}

/// The way for who is at no repository of ours yet: by the common keys.
pub(super) async fn access_by_common_keys(app: &App, url: &RemoteUrl) -> Result<Arc<SshAccess>, JobError> {
    let keys = common(app).await?.to_vec();
    way(app, url, keys, None).await
}

/// Whether the key that is chosen for a repository was refused there since it was chosen, and not long ago, while the
/// repository is read well with another one. Then it does not cost a failed login at each look.
async fn is_refused(app: &App, repository: &Repository, chosen: SshKeyId) -> Result<bool, JobError> {
    if repository.trouble.is_some() || repository.failure.is_some() {
        return Ok(false);
    }
    let Some(at) = refused_at(&app.db, repository.id, chosen).await? else { return Ok(false) };
    let is_recent = app.clock.now().0.saturating_sub(at.0) < REFUSAL_COUNTS;
    Ok(is_recent && chosen_at(app, repository.integration).await?.is_none_or(|chosen| chosen <= at))
}

/// When the key that an integration has was chosen.
async fn chosen_at(app: &App, integration: IntegrationId) -> Result<Option<Timestamp>, JobError> {
    let events = app.log.stream(StreamId::new("integration", integration.0), Position::MAX).await;
    let events = events.map_err(|error| JobError::Later(error.to_string()))?;
    let chooses = |fact: &Fact| match fact {
        Fact::Integration(integration::Event::Added { .. }) => true,
        Fact::Integration(integration::Event::ConnectionChanged { connection, previous }) => {
            connection.ssh_key() != previous.ssh_key()
        }
        _ => false,
    };
    Ok(events.iter().rev().find(|event| chooses(&event.fact)).map(|event| event.metadata.at))
}

/// The way with this one key, whatever else may be offered: to try it.
pub(super) async fn access_with(app: &App, url: &RemoteUrl, key: SshKeyId) -> Result<Arc<SshAccess>, JobError> {
    let keys = vec![in_pool(app, key, TRIED_RETIRED).await?];
    way(app, url, keys, None).await
}

/// The way with a key that somebody gives for this alone: it is in no pool, and gone with the way.
pub(super) async fn access_with_given(app: &App, url: &RemoteUrl, key: SshKey) -> Result<Arc<SshAccess>, JobError> {
    let given = SshKeyId(Uuid::nil());
    way_by(app, url, (vec![given], None), Arc::new(GivenAlone(Arc::new(OpenKey(key))))).await
}

/// The key that is associated with a repository, or was and is being replaced.
pub(super) async fn associated(app: &App, repository: RepositoryId) -> Result<Option<SshKeyId>, JobError> {
    let (now, in_rotation) = (Pooled::association(repository), Pooled::rotated_association(repository));
    Ok(app.log.holder_of_either(&now, &in_rotation).await?.map(SshKeyId))
}

async fn way(
    app: &App,
    url: &RemoteUrl,
    keys: Vec<SshKeyId>,
    first: Option<SshKeyId>,
) -> Result<Arc<SshAccess>, JobError> {
    let keychain = Arc::new(Pool {
        vault: app.vault.clone(),
        on_disk: app.jobs.git.ssh.keys_on_disk.clone(),
        states: app.states(),
        host: id_of(url),
    });
    way_by(app, url, (keys, first), keychain).await
}

async fn way_by(
    app: &App,
    url: &RemoteUrl,
    keys: (Vec<SshKeyId>, Option<SshKeyId>),
    keychain: Arc<dyn Keychain>,
) -> Result<Arc<SshAccess>, JobError> {
    let settings = &app.jobs.git.ssh;
    let host = known(&app.states(), id_of(url)).await?;
    let (program, folder) = (settings.program.clone(), app.caches.ssh());
    Ok(Arc::new(SshAccess::new(program, folder, keys, keychain, host, settings.places.clone())))
}

fn id_of(url: &RemoteUrl) -> HostKeyId {
    HostKeyId::of(&url.host().to_string(), url.port())
}

/// What is known of the host's own keys.
async fn known(states: &States, host: HostKeyId) -> Result<TrustedHost, DispatchError> {
    let (known, _) = states.load::<HostKeys>(StreamId::new("host_key", host.0)).await?;
    let lines = known.trusted().iter().map(|key| key.known_hosts_line(HOST_ALIAS)).collect();
    Ok(TrustedHost { lines, is_alarmed: known.is_alarmed() })
}

/// After a look or a fetch over SSH: which keys were offered is written down, and a host that is not who it should be is told.
pub(super) async fn ended(
    app: &App,
    repository: RepositoryId,
    (url, ssh): &(RemoteUrl, Arc<SshAccess>),
    trouble: Option<&GitError>,
) {
    ssh_key_uses::note(app, repository, ssh).await;
    if let Some(error) = trouble {
        met(app, url, error).await;
    }
}

/// A host that is not who it should be is told, whoever came to it.
pub(super) async fn met(app: &App, url: &RemoteUrl, trouble: &GitError) {
    if let GitError::Remote(error) = trouble {
        changed_hosts::report(app, url, &error.trouble).await;
    }
}

/// A key, or the one that took its place, as long as it is in the pool; otherwise what to do.
async fn in_pool(app: &App, key: SshKeyId, retired: &str) -> Result<SshKeyId, JobError> {
    let found = in_its_place(app, key).await?;
    found.ok_or_else(|| JobError::Failed(FailureCode::SshNoKey, retired.to_owned()))
}

/// A key, or the one that took its place, as long as it is in the pool.
pub(super) async fn in_its_place(app: &App, mut key: SshKeyId) -> Result<Option<SshKeyId>, JobError> {
    for _ in 0..MOST_SUCCESSORS {
        let (state, _) = app.load::<Pooled>(StreamId::new("ssh_key", key.0)).await?;
        match (state.successor(), state) {
            (Some(successor), _) => key = successor,
            (None, Pooled::Active { .. }) => return Ok(Some(key)),
            (None, Pooled::Absent | Pooled::Retired { .. }) => break,
        }
    }
    Ok(None)
}

/// The common keys, in the order of the pool.
async fn common(app: &App) -> Result<Arc<[SshKeyId]>, JobError> {
    let head = app.log.feed().head().position;
    let known = &app.jobs.common_keys.0;
    if let Some((at, keys)) = &*known.lock().unwrap_or_else(PoisonError::into_inner)
        && *at == head
    {
        return Ok(keys.clone());
    }
    let mut keys = Vec::new();
    let mut after = None;
    loop {
        let page = app.read_at_least(head, ssh_key_list::page(Some(KeyState::Active), None, after, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.added_position);
        keys.extend(page.iter().filter(|row| row.common).map(|row| row.id));
    }
    let keys: Arc<[SshKeyId]> = keys.into();
    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some((head, keys.clone()));
    Ok(keys)
}

/// Opens keys of the pool, sealed or in files, and knows the host.
struct Pool {
    vault: Arc<Vault>,
    on_disk: Arc<KeysOnDisk>,
    states: States,
    host: HostKeyId,
}

impl Keychain for Pool {
    fn open(&self, key: SshKeyId) -> Opening<'_> {
        Box::pin(async move {
            let doing = || format!("opening the SSH key {key}");
            let failed = |why: String| GitError::Transient { doing: doing(), source: why.into() };
            let sealed = self.vault.open_field(ssh_private_keys::owner(key), ssh_private_keys::PRIVATE_KEY).await;
            let private = sealed.map_err(|error| failed(error.to_string()))?;
            let Some(private) = private else { return self.open_on_disk(key).await };
            // Trying a large key out takes a while.
            let read = tokio::task::spawn_blocking(move || ssh_keys::read(private.expose(), None)).await;
            let read = read.map_err(|error| failed(error.to_string()))?;
            let signer = OpenKey(read.map_err(|problem| failed(problem.to_string()))?);
            Ok(Arc::new(signer) as Arc<dyn Signer>)
        })
    }

    fn host(&self) -> Trusting<'_> {
        Box::pin(async move {
            known(&self.states, self.host).await.map(Some).map_err(|error| GitError::Transient {
                doing: "reading the keys of the host".to_owned(),
                source: error.to_string().into(),
            })
        })
    }
}

impl Pool {
    /// Opens a key of which nothing is sealed, from its file on this node.
    async fn open_on_disk(&self, key: SshKeyId) -> Result<Arc<dyn Signer>, GitError> {
        let failed =
            |why: String| GitError::Transient { doing: format!("opening the SSH key {key}"), source: why.into() };
        let state = self.states.load::<Pooled>(StreamId::new("ssh_key", key.0)).await;
        let (state, _) = state.map_err(|error| failed(error.to_string()))?;
        let Pooled::Active { name, sha256, path: Some(path), .. } = state else {
            return Err(failed("it was retired a moment ago".to_owned()));
        };
        match self.on_disk.open(sha256, path).await {
            Ok(opened) => Ok(Arc::new(OpenKey(opened)) as Arc<dyn Signer>),
            Err(DiskTrouble::Silent(_)) => {
                let (place, seconds) = ("the folder with keys".to_owned(), PATIENCE.as_secs());
                Err(GitError::FileSystemSilent { place, seconds })
            }
            Err(trouble @ (DiskTrouble::Busy | DiskTrouble::Fault(_))) => Err(failed(trouble.to_string())),
            Err(trouble @ (DiskTrouble::Off | DiskTrouble::Folder(_) | DiskTrouble::Key(_))) => {
                let (name, reason) = (name.as_str().to_owned(), without_path(&trouble));
                Err(GitError::SshKeyNotOnThisNode { name, reason })
            }
        }
    }
}

/// The one key that somebody gave.
struct GivenAlone(Arc<OpenKey>);

impl Keychain for GivenAlone {
    fn open(&self, _: SshKeyId) -> Opening<'_> {
        Box::pin(async move { Ok(self.0.clone() as Arc<dyn Signer>) })
    }
}

/// Why a key is not opened from its file, without where that lies: it is said of the repository to everybody who sees it.
fn without_path(trouble: &DiskTrouble) -> String {
    match trouble {
        DiskTrouble::Key(Missing::Absent(_)) => "no file in the folder with keys holds it".to_owned(),
        DiskTrouble::Key(Missing::Locked(_)) => {
            "a file holds it with a passphrase, which nobody is there to type".to_owned()
        }
        DiskTrouble::Folder(unreadable) | DiskTrouble::Key(Missing::Folder(unreadable)) => {
            format!("the folder with keys cannot be read: {}", unreadable.source)
        }
        DiskTrouble::Silent(_) => "the folder with keys does not answer".to_owned(),
        DiskTrouble::Off | DiskTrouble::Busy | DiskTrouble::Fault(_) => trouble.to_string(),
    }
}

/// A key that is open, for an agent.
pub struct OpenKey(pub SshKey);

impl Signer for OpenKey {
    fn public_blob(&self) -> &[u8] {
        self.0.public().blob()
    }

    fn public_line(&self) -> String {
        self.0.public().openssh("")
    }

    fn sign(&self, message: &[u8], flags: u32) -> Option<Vec<u8>> {
        self.0.signed(message, flags).ok()
    }
}
