//! Keeps the caches of this node in order: deletes copies that nothing reads, tends the others, and counts their bytes.
//! Started with the server. It never touches an original or what it does not know, and writes nothing to the log.

mod handed_over;
mod survey;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use keytrail_domain::{id::RepositoryId, recorded::Position};
use tokio_util::sync::CancellationToken;

pub use self::survey::{Kept, Standing, Survey, standing_of};
use super::{JobError, index_repository::known_refs, shards};
use crate::{
    app::App,
    git::{self, GitError, Graph, Mirror, Neglect, transport::WantedRef},
};

/// The first round waits until what is urgent after a start is done.
const AFTER_START: Duration = Duration::from_secs(300);

/// Starts the rounds.
pub(super) fn start(app: &Arc<App>, stop: &CancellationToken) {
    let upkeep = Upkeep { app: app.clone(), stop: stop.clone() };
    app.jobs.keep(tokio::spawn(upkeep.run()));
}

struct Upkeep {
    app: Arc<App>,
    stop: CancellationToken,
}

/// What a round did.
#[derive(Debug, Default)]
struct Round {
    deleted: u64,
    tended: u64,
    mirrors: u64,
    over_quota: u64,
    bytes: u64,
}

impl Upkeep {
    async fn run(self) {
        let every = self.app.jobs.git.upkeep;
        let mut pause = every.min(AFTER_START);
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return,
            }
            pause = every;
            // What it would delete may be needed, for all that this version knows.
            if self.app.jobs.is_outdated() {
                continue;
            }
            match self.round().await {
                Ok(Round { deleted, tended, mirrors, over_quota, bytes }) => {
                    metrics::gauge!("keytrail_mirrors_over_quota").set(over_quota as f64);
                    metrics::gauge!("keytrail_mirrors").set(mirrors as f64);
                    metrics::gauge!("keytrail_mirror_bytes").set(bytes as f64);
                    if deleted + tended > 0 {
                        tracing::info!(deleted, tended, mirrors, bytes, "the copies of repositories were looked after");
                    }
                }
                Err(error) => {
                    tracing::warn!(?error, "the copies of repositories could not be looked after; trying again")
                }
            }
        }
    }

    async fn round(&self) -> Result<Round, JobError> {
        let caches = self.app.caches.clone();
        let survey = tokio::task::spawn_blocking(move || Survey::of(&caches)).await?;
        let survey = survey.map_err(|error| JobError::Later(error.to_string()))?;
        let mut round = Round::default();
        for (id, kept) in survey.repositories {
            if self.stop.is_cancelled() {
                break;
            }
            if let Err(error) = self.look_after(id, kept, &mut round).await {
                tracing::warn!(repository = %id, ?error, "the copy of a repository could not be looked after");
            }
        }
        Ok(round)
    }

    async fn look_after(&self, id: RepositoryId, kept: Kept, round: &mut Round) -> Result<(), JobError> {
        let lock = self.app.jobs.graph_of(id);
        // A run is at work on it: there is another round.
        let Ok(_lock) = lock.try_lock() else { return self.count(kept.mirror, round).await };
        let folder = self.app.caches.mirror(id);
        if kept.half_made {
            let folder = folder.clone();
            blocking(move || Mirror::remove_half_made(&folder)).await?;
        }
        let standing = standing_of(&self.app, id).await?;
        if standing == Standing::Unneeded && kept.graph {
            let graph = self.app.caches.graph(id);
            // It is of no use to anybody; the next round tries again.
            if let Err(error) = blocking(move || Graph::forget(&graph)).await {
                tracing::warn!(?error, "what was remembered of a repository's commits could not be deleted");
            }
        }
        if matches!(standing, Standing::Unneeded | Standing::ReadInPlace)
            && (kept.mirror.is_some() || kept.objects.is_some())
        {
            // What somebody looks at at this moment is there until the next round.
            let Some(_alone) = self.app.jobs.diffs.try_alone(id) else { return self.count(kept.mirror, round).await };
            return self.delete(id, kept, standing, round).await;
        }
        let Some(mirror) = kept.mirror else { return Ok(()) };
        // Another node's job, if it is one's at all: here nothing reads it, until the repository is this node's again.
        let mine = shards::of_node(&self.app.db, &self.app.jobs.node, self.app.clock.now()).await?;
        if let Standing::Needed { number, position, indexed } = standing {
            if mine.has(&self.app.db, id) {
                let used = mirror.clone();
                blocking(move || used.note_used()).await?;
                if self.tend(id, &mirror, number, position).await? {
                    round.tended += 1;
                }
            } else if self.after_handing_over(id, kept.objects.as_ref(), &mirror, indexed, round).await? {
                return Ok(());
            }
        }
        if matches!(standing, Standing::Needed { .. }) && self.is_over_quota(id, &mirror, kept.objects).await? {
            round.over_quota += 1;
        }
        self.count(Some(mirror), round).await
    }

    /// Whether a copy has more bytes than it may, also without what was fetched for diffs, which goes first. It is served
    /// on; the next fetch into it is refused with the reason.
    async fn is_over_quota(
        &self,
        id: RepositoryId,
        mirror: &Mirror,
        objects: Option<Mirror>,
    ) -> Result<bool, JobError> {
        let (quota, mirror, beside) = (self.app.jobs.git.limits.quota_bytes, mirror.clone(), objects.clone());
        let (own, beside) = blocking(move || Ok((mirror.bytes()?, beside.map_or(Ok(0), |kept| kept.bytes())?))).await?;
        if own.saturating_add(beside) > quota
            && let Some(objects) = objects
            && let Some(_alone) = self.app.jobs.diffs.try_alone(id)
        {
            blocking(move || objects.delete()).await?;
        }
        if own > quota {
            tracing::warn!(
                repository = %id, bytes = own, quota,
                "the copy of a repository has more bytes than git.quota_bytes; it is served, and nothing more is fetched into it"
            );
        }
        Ok(own > quota)
    }

    /// Deletes a copy that nothing reads, with what was fetched beside it.
    async fn delete(
        &self,
        id: RepositoryId,
        kept: Kept,
        standing: Standing,
        round: &mut Round,
    ) -> Result<(), JobError> {
        if let Some(objects) = kept.objects {
            blocking(move || objects.delete()).await?;
        }
        if let Some(mirror) = kept.mirror {
            blocking(move || mirror.delete()).await?;
            tracing::info!(repository = %id, ?standing, "the copy of a repository was deleted; nothing reads it");
            metrics::counter!("keytrail_mirrors_deleted_total").increment(1);
            round.deleted += 1;
        }
        Ok(())
    }

    async fn count(&self, mirror: Option<Mirror>, round: &mut Round) -> Result<(), JobError> {
        if let Some(mirror) = mirror {
            round.mirrors += 1;
            round.bytes += blocking(move || mirror.bytes()).await?;
        }
        Ok(())
    }

    /// Puts a mirror in order that needs it; whether it did.
    async fn tend(
        &self,
        id: RepositoryId,
        mirror: &Mirror,
        number: Position,
        position: Position,
    ) -> Result<bool, JobError> {
        let settings = &self.app.jobs.git;
        let looked_at = mirror.clone();
        let Neglect { leftovers, many_packs } = blocking(move || Neglect::of(&looked_at)).await?;
        let program = settings.program.as_ref().filter(|program| program.is_good());
        if leftovers == 0 && !(many_packs && program.is_some()) {
            return Ok(false);
        }
        let refs = known_refs(&self.app, number, None, position).await?;
        let current: Vec<WantedRef> = refs
            .into_iter()
            .map(|found| WantedRef { name: found.name.as_bytes().to_vec(), target: found.commit })
            .collect();
        let (began, cancel) = (Instant::now(), AtomicBool::new(false));
        let tending = git::tend(mirror, &current, program, &settings.limits, &cancel);
        tokio::pin!(tending);
        let tended = tokio::select! {
            tended = &mut tending => tended,
            () = self.stop.cancelled() => {
                cancel.store(true, Ordering::Relaxed);
                tending.await
            }
        };
        let (outcome, done) = match &tended {
            Ok(_) => ("done", true),
            Err(GitError::Cancelled) => ("stopped", false),
            Err(_) => ("failed", false),
        };
        metrics::counter!("keytrail_mirrors_tended_total", "outcome" => outcome).increment(1);
        metrics::histogram!("keytrail_mirror_tend_seconds").record(began.elapsed().as_secs_f64());
        match tended {
            Ok(tended) => tracing::info!(repository = %id, ?tended, "the copy of a repository was tended"),
            Err(GitError::Cancelled) => {}
            Err(error) => tracing::warn!(repository = %id, %error, "the copy of a repository could not be tended"),
        }
        Ok(done)
    }
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, GitError> + Send + 'static,
) -> Result<R, JobError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
