//! What becomes of a copy whose repository another node looks after: it stays for a while, for when the repository comes
//! back, and goes when that node has a copy of its own. Called by the rounds of the upkeep.

use keytrail_domain::{id::RepositoryId, recorded::Position};

use super::{Round, Upkeep, blocking};
use crate::{
    git::{Graph, Mirror, mirror::HandedOver, transport},
    jobs::{JobError, shards},
};

impl Upkeep {
    /// Notes since when another node looks after it, or deletes it; whether it is gone. `indexed` is the end of the last run
    /// that completed.
    pub(super) async fn after_handing_over(
        &self,
        id: RepositoryId,
        objects: Option<&Mirror>,
        mirror: &Mirror,
        indexed: Option<Position>,
        round: &mut Round,
    ) -> Result<bool, JobError> {
        let (app, now) = (&self.app, self.app.clock.now());
        if !shards::is_elsewhere(&app.db, &app.jobs.node, id, now).await? {
            // Nobody has it at the moment; it may be this node's again soon.
            return Ok(false);
        }
        let looked_at = mirror.clone();
        let (noted, free) = blocking(move || {
            let free = transport::free_bytes(looked_at.path())?;
            Ok((looked_at.handed_over(), free))
        })
        .await?;
        // A time that is not yet was noted before the clock was put back.
        let Some(noted) = noted.filter(|noted| noted.since <= now) else {
            let (mirror, position) = (mirror.clone(), app.log.feed().head().position);
            blocking(move || mirror.note_handed_over(HandedOver { since: now, position })).await?;
            return Ok(false);
        };
        // Only a run there since then shows that the other node has a copy: this one may have commits that nobody else has.
        let copied = indexed.is_some_and(|indexed| indexed > noted.position);
        let kept_for = u64::try_from(now.0 - noted.since.0).unwrap_or(0) / 1_000_000;
        let is_over = kept_for >= app.jobs.git.handed_over.as_secs() || free < app.jobs.git.limits.free_bytes;
        if !copied || !is_over {
            return Ok(false);
        }
        // What somebody looks at at this moment is there until the next round.
        let Some(_alone) = app.jobs.diffs.try_alone(id) else { return Ok(false) };
        // Whoever remembers commits without a copy is taken for one that has it.
        let graph = app.caches.graph(id);
        blocking(move || Graph::forget(&graph)).await?;
        let (mirror, objects) = (mirror.clone(), objects.cloned());
        blocking(move || {
            objects.map_or(Ok(()), Mirror::delete)?;
            mirror.delete()
        })
        .await?;
        tracing::info!(repository = %id, "the copy of a repository was deleted; another node looks after it and has its own");
        metrics::counter!("keytrail_mirrors_deleted_total").increment(1);
        round.deleted += 1;
        Ok(true)
    }
}
