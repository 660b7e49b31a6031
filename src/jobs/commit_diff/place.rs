//! Where a repository is whose commits are looked at, and what of it is on this machine: read, and fetched into, within
//! the quota of its copy. Made for each batch; it asks a server only with a place to do so.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use keytrail_domain::{
    id::RepositoryId,
    index_run::{FailureCode, batch::CommitSha},
};
use keytrail_projections::repository_list::Repository;
use tokio::time::error::Elapsed;

use super::{DiffTrouble, FETCH_TAKES, batch::blocking, places::Asking};
use crate::{
    app::App,
    git::{
        GitError, Mirror, Steps,
        diff::DiffObjects,
        object_cache::ObjectCache,
        transport::{self, FetchLimits, FetchProgress, FetchSource, LocalRepository, ObjectsRequest},
    },
    jobs::{
        Source,
        left_behind::{self, Turn},
        mounts::Mounts,
        source_of, ssh_access,
    },
};

/// Bytes of objects that are fetched at once.
const QUOTA_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of memory that one fetch may take. What needs more has no lines that anybody would read.
const MEMORY_BYTES: u64 = 512 * 1024 * 1024;

/// Where the repository is, and what of it is on this machine.
pub(super) struct Place {
    pub(super) source: Source,
    repository: RepositoryId,
    mirror: PathBuf,
    cache: PathBuf,
    pub(super) graph: PathBuf,
}

impl Place {
    pub(super) async fn of(app: &App, repository: &Repository) -> Result<Self, DiffTrouble> {
        let source = source_of(app, repository).await?.ok_or(DiffTrouble::Forgotten)?.source;
        let id = repository.id;
        Ok(Self {
            source,
            repository: id,
            mirror: app.caches.mirror(id),
            cache: app.caches.objects_of(id),
            graph: app.caches.graph(id),
        })
    }

    /// Looks at what is on this machine, with a place to do so. A file system that hangs is waited for as long as it gets on.
    pub(super) async fn read<R: Send + 'static>(
        self: &Arc<Self>,
        app: &App,
        work: impl FnOnce(&mut DiffObjects) -> Result<R, DiffTrouble> + Send + 'static,
    ) -> Result<R, DiffTrouble> {
        let place = self.clone();
        let read = move |steps: &Arc<Steps>| work(&mut place.objects(steps)?);
        match &self.source {
            Source::InPlace(local) => {
                let (_place, turn) = self.ask(app, local).await?;
                turn.read(read).await
            }
            // The copy is the server's own.
            Source::Copied(_) | Source::Remote(_) | Source::Held(_) => {
                let _place = app.jobs.diffs.places.to_read().await?;
                blocking(move || read(&Arc::default())).await
            }
        }
    }

    /// A place to ask the file system of this repository, and a turn to read it; at once an error while that hangs.
    async fn ask(&self, app: &App, local: &LocalRepository) -> Result<(Asking, Turn), DiffTrouble> {
        let (jobs, path) = (&app.jobs, local.path());
        let silence = jobs.git.limits.silence;
        jobs.left_behind.admit(path, self.repository, silence)?;
        let place = jobs.diffs.places.to_ask(&Mounts::lately().of(path)).await?;
        Ok((place, jobs.left_behind.turn(path, self.repository, silence).await?))
    }

    fn objects(&self, steps: &Arc<Steps>) -> Result<DiffObjects, GitError> {
        if let Source::InPlace(connection) = &self.source {
            return Ok(DiffObjects::of(&[&connection.open_telling(steps)?]));
        }
        let cache = ObjectCache::open_or_make(&self.cache)?.open()?;
        if !self.mirror.is_dir() {
            // Deleted, or never made on this node: then the commit is missing, and that is said.
            return Ok(DiffObjects::of(&[&cache]));
        }
        Ok(DiffObjects::of(&[&Mirror::open_or_make(&self.mirror)?.open()?, &cache]))
    }

    /// Fetches these objects into the cache beside the copy, with a place to ask the server. Of commits, so many
    /// generations of those before them come, too.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        app: &App,
        wanted: &BTreeSet<CommitSha>,
        generations: Option<u8>,
    ) -> Result<(), Unfetched> {
        let source = match &self.source {
            Source::InPlace(local) | Source::Copied(local) => FetchSource::Local(local),
            Source::Held(text) => {
                let (code, text) = (Some(FailureCode::InstallationHeld), text.clone());
                return Err(DiffTrouble::Unreadable { code, text, is_transient: true }.into());
            }
            Source::Remote(remote) => FetchSource::Remote(remote),
        };
        let settings = &app.jobs.git;
        let quota_bytes = QUOTA_BYTES.min(self.room(app).await?);
        let silence = settings.limits.silence.min(FETCH_TAKES / 2);
        let (_place, mut turn, silence) = match source {
            FetchSource::Local(local) => {
                let (place, turn) = self.ask(app, local).await?;
                (place, Some(turn), left_behind::patience(silence))
            }
            FetchSource::Remote(remote) => (app.jobs.diffs.places.to_ask(&remote.url.origin()).await?, None, silence),
        };
        // It goes before the turn does, which looks whether anybody reads still.
        let progress = turn.as_ref().map_or_else(FetchProgress::default, |turn| FetchProgress::telling(turn.steps()));
        let memory_bytes = settings.limits.memory_bytes.min(MEMORY_BYTES);
        let limits = FetchLimits { silence, quota_bytes, memory_bytes, ..settings.limits };
        let (program, cancel) = (settings.program.as_ref(), &AtomicBool::new(false));
        let folder = self.cache.clone();
        let opening = tokio::task::spawn_blocking(move || ObjectCache::open_or_make(&folder)).await;
        let doing = || "opening the cache of files".to_owned();
        let cache = opening.map_err(|error| GitError::Transient { doing: doing(), source: error.into() })??;
        let cache = cache.repository();
        let progress = &progress;
        let request = ObjectsRequest { cache, source, wanted, generations, program, limits, progress, cancel };
        let waited = waited_for(source);
        let fetching = tokio::time::timeout(FETCH_TAKES, transport::fetch_objects(&request));
        let fetched = match &mut turn {
            Some(turn) => turn.heed(|| progress.count(), fetching).await?,
            None => fetching.await,
        };
        metrics::counter!("keytrail_diff_fetches_total").increment(1);
        let found_no_place = matches!(&fetched, Ok(Err(GitError::HostBusy { .. })));
        if let FetchSource::Remote(remote) = source
            && (found_no_place || fetched.is_err() && remote.waited().saturating_sub(waited) > FETCH_TAKES / 2)
        {
            return Err(DiffTrouble::from(remote.busy()).into());
        }
        let doing = "fetching what a commit changed within a minute".to_owned();
        let late = |error: Elapsed| GitError::Transient { doing, source: error.into() };
        let fetched = fetched.map_err(late).and_then(|fetched| fetched);
        if let Source::Remote(remote) = &self.source
            && let Some(ssh) = &remote.ssh
        {
            // A host that is not who it should be raises its alarm here, too.
            let (url, ssh) = (remote.url.clone(), Arc::clone(ssh));
            ssh_access::ended(app, self.repository, &(url, ssh), fetched.as_ref().err()).await;
        }
        let fetched = fetched?;
        metrics::counter!("keytrail_fetched_bytes_total").increment(fetched.bytes);
        metrics::counter!("keytrail_fetched_objects_total").increment(fetched.objects);
        Ok(())
    }

    /// Throws away what was fetched for diffs before when it leaves little of the quota: it is the cheaper half of the
    /// copy. Only before a batch looks at anything.
    pub(super) async fn clear(self: &Arc<Self>, app: &App) -> Result<(), DiffTrouble> {
        if matches!(self.source, Source::InPlace(_)) {
            return Ok(());
        }
        let (place, quota) = (self.clone(), app.jobs.git.limits.quota_bytes);
        blocking(move || {
            let (left, cached) = place.left(quota)?;
            if left.saturating_sub(cached) < QUOTA_BYTES.min(left / 2)
                && let Some(cache) = Mirror::recognised(&place.cache)
            {
                cache.delete()?;
            }
            Ok(())
        })
        .await
    }

    /// Bytes that the copy may still get.
    async fn room(self: &Arc<Self>, app: &App) -> Result<u64, DiffTrouble> {
        let (place, quota) = (self.clone(), app.jobs.git.limits.quota_bytes);
        blocking(move || match place.left(quota)? {
            (left, cached) if left > cached => Ok(left - cached),
            _ => Err(GitError::from(transport::over_quota(quota)).into()),
        })
        .await
    }

    /// What the mirror leaves of the quota, and how much of that was fetched for diffs.
    fn left(&self, quota: u64) -> Result<(u64, u64), GitError> {
        let bytes = |folder: &Path| Mirror::recognised(folder).map_or(Ok(0), |mirror| mirror.bytes());
        Ok((quota.saturating_sub(bytes(&self.mirror)?), bytes(&self.cache)?))
    }
}

/// How long connections that a host may have over SSH were waited for until now.
fn waited_for(source: FetchSource<'_>) -> Duration {
    match source {
        FetchSource::Remote(remote) => remote.waited(),
        FetchSource::Local(_) => Duration::ZERO,
    }
}

/// Why objects did not come.
pub(super) enum Unfetched {
    /// Of which fewer may do better.
    Git(GitError),
    /// Which is the same for all of them.
    Trouble(DiffTrouble),
}

impl From<GitError> for Unfetched {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<DiffTrouble> for Unfetched {
    fn from(trouble: DiffTrouble) -> Self {
        Self::Trouble(trouble)
    }
}
