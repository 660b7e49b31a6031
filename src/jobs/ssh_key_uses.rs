//! Which keys of SSH were offered for a repository, which was taken, and when: rows beside the log, since they are no facts
//! and may be lost. Written by the jobs that reach repositories, read by who shows them. A look that finds what is written
//! already writes nothing for an hour.

use std::collections::HashMap;

use keytrail_domain::{
    id::{RepositoryId, SshKeyId},
    timestamp::Timestamp,
};
use keytrail_projections::row;

use crate::{
    app::App,
    git::ssh::{SshAccess, Told},
    store::{Area, Db, Statement, StoreError},
};

/// For so long a use is as good as now, in microseconds.
const HOUR: i64 = 3_600 * 1_000_000;

/// The latest attempt at the host of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// The keys that were offered, in their order.
    pub offered: Vec<SshKeyId>,
    /// The one that was taken.
    pub accepted: Option<SshKeyId>,
    /// When; within an hour of it.
    pub at: Option<Timestamp>,
}

/// The latest attempt of a repository; empty when there was none.
pub async fn offers_of(db: &Db, repository: RepositoryId) -> Result<Offers, StoreError> {
    let sql = "SELECT ssh_key, offered_at, accepted_at FROM ssh_key_uses WHERE repository = $1 AND offered_at = \
               (SELECT MAX(offered_at) FROM ssh_key_uses WHERE repository = $1) ORDER BY place";
    let rows = db
        .read_as(Area::Log, sql, &row![repository], |cells| {
            Ok((SshKeyId(cells.id()?), cells.time()?, cells.maybe_time()?))
        })
        .await?;
    let mut offers = Offers::default();
    for (key, offered_at, accepted_at) in rows {
        offers.offered.push(key);
        offers.at = Some(offered_at);
        if accepted_at == Some(offered_at) {
            offers.accepted = Some(key);
        }
    }
    Ok(offers)
}

/// When this key was offered for a repository whose host did not take it then; nothing where that was never, or it was taken
/// when it was offered last.
pub async fn refused_at(db: &Db, repository: RepositoryId, key: SshKeyId) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT offered_at FROM ssh_key_uses WHERE repository = $1 AND ssh_key = $2 AND \
               (accepted_at IS NULL OR accepted_at < offered_at)";
    let rows = db.read_as(Area::Log, sql, &row![repository, key], |cells| cells.time()).await?;
    Ok(rows.into_iter().next())
}

/// When each of the keys with ids from `first` to `last` was last taken by a host; those that never were are left out.
pub async fn last_uses(db: &Db, first: SshKeyId, last: SshKeyId) -> Result<HashMap<SshKeyId, Timestamp>, StoreError> {
    let sql = "SELECT ssh_key, MAX(accepted_at) FROM ssh_key_uses \
               WHERE ssh_key >= $1 AND ssh_key <= $2 AND accepted_at IS NOT NULL GROUP BY ssh_key";
    let range = row![first, last];
    let rows = db.read_as(Area::Log, sql, &range, |cells| Ok((SshKeyId(cells.id()?), cells.time()?)));
    Ok(rows.await?.into_iter().collect())
}

/// The repositories whose host took this key at the latest attempt: at most so many, those first where that was last.
pub async fn taken_at(db: &Db, key: SshKeyId, most: u32) -> Result<Vec<RepositoryId>, StoreError> {
    let sql = "SELECT u.repository FROM ssh_key_uses AS u WHERE u.ssh_key = $1 AND u.accepted_at = u.offered_at AND \
               u.offered_at = (SELECT MAX(o.offered_at) FROM ssh_key_uses AS o WHERE o.repository = u.repository) \
               ORDER BY u.accepted_at DESC, u.repository LIMIT $2";
    db.read_as(Area::Log, sql, &row![key, most], |cells| Ok(RepositoryId(cells.id()?))).await
}

/// The repository whose host took this key last, whatever it was offered there for; of several at one moment always the same.
pub async fn last_taken_at(db: &Db, key: SshKeyId) -> Result<Option<RepositoryId>, StoreError> {
    let sql = "SELECT repository FROM ssh_key_uses WHERE ssh_key = $1 AND accepted_at IS NOT NULL \
               ORDER BY accepted_at DESC, repository LIMIT 1";
    let rows = db.read_as(Area::Log, sql, &row![key], |cells| Ok(RepositoryId(cells.id()?))).await?;
    Ok(rows.into_iter().next())
}

/// Writes down what came of offering keys for a repository, where that is news. It decides nothing: what cannot be written
/// is learnt anew.
pub(super) async fn note(app: &App, repository: RepositoryId, ssh: &SshAccess) {
    let Some(told) = ssh.told() else { return };
    if let Err(error) = write(&app.db, repository, &told, app.clock.now()).await {
        tracing::debug!(%error, %repository, "which key was taken cannot be written down");
    }
}

async fn write(db: &Db, repository: RepositoryId, told: &Told, now: Timestamp) -> Result<(), StoreError> {
    let known = offers_of(db, repository).await?;
    let is_recent = known.at.is_some_and(|at| now.0.saturating_sub(at.0) < HOUR);
    // Where the key that was taken before is taken at once, others are not offered: that is no news.
    let is_as_known = known.offered == told.offered || told.accepted.is_some_and(|key| told.offered == [key]);
    if is_recent && is_as_known && known.accepted == told.accepted {
        return Ok(());
    }
    let sql = "INSERT INTO ssh_key_uses (repository, ssh_key, place, offered_at, accepted_at) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (repository, ssh_key) DO UPDATE SET place = excluded.place, \
               offered_at = excluded.offered_at, accepted_at = COALESCE(excluded.accepted_at, ssh_key_uses.accepted_at)";
    // Two attempts never look like one.
    let at = known.at.map_or(now, |before| now.max(before.plus_micros(1)));
    let statements = told.offered.iter().zip(0_u32..).map(|(key, place)| {
        let accepted_at = (told.accepted == Some(*key)).then_some(at);
        Statement::new(sql, row![repository, *key, place, at, accepted_at])
    });
    db.write(Area::Log, statements.collect()).await.map(|_| ())
}
