//! Which repositories this node looks after: the table `poll_shards` deals them out among the nodes of `poll_nodes`. The
//! schedule keeps the leases; the queue takes only jobs of repositories that are this node's, the upkeep tends only their
//! copies. On the embedded engine one process has them all, and nothing is written.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use keytrail_domain::{id::RepositoryId, timestamp::Timestamp};
use keytrail_projections::value::{Cells, Value};

use super::Caches;
use crate::store::{Area, Db, Statement, StoreError};

/// How many parts there are.
const SHARDS: i64 = 64;
/// How long a node that falls silent keeps its parts, in microseconds.
const LEASE_MICROS: i64 = 30_000_000;
/// A lease that ends later than a new one by more than this was given before a clock was put back.
const SKEW_MICROS: i64 = 60_000_000;

/// The parts that a node has.
#[derive(Debug, Default)]
pub(super) struct PollShards {
    mine: BTreeSet<i64>,
}

impl PollShards {
    /// Whether this node looks after the repository.
    pub(super) fn has(&self, db: &Db, repository: RepositoryId) -> bool {
        matches!(db, Db::Sqlite(_)) || self.mine.contains(&shard_of(repository))
    }

    /// Says that the node lives, and takes or gives back parts so that each node has about as many: rather those of whose
    /// repositories these caches hold something.
    pub(super) async fn renew(
        &mut self,
        db: &Db,
        node: &str,
        caches: &Caches,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Db::Sqlite(_) = db {
            return Ok(());
        }
        // Whoever cannot say that it lives has nothing.
        let mine = std::mem::take(&mut self.mine);
        let mut args = vec![Value::from(node)];
        let now = db.lease_clock(&mut args, now);
        let over = format!("(lease_until < {now} OR lease_until > {now} + {LEASE_MICROS} + {SKEW_MICROS})");
        let live = format!(
            "INSERT INTO poll_nodes (node, lease_until) VALUES ($1, {now} + {LEASE_MICROS}) \
             ON CONFLICT (node) DO UPDATE SET lease_until = excluded.lease_until"
        );
        let bury = format!("DELETE FROM poll_nodes WHERE node <> $1 AND {over}");
        let statements = vec![Statement::new(live, args.clone()), Statement::new(bury, args.clone())];
        db.write(Area::Log, statements).await?;
        let nodes = db.read(Area::Log, "SELECT COUNT(*) FROM poll_nodes", &[]).await?;
        let nodes = nodes.first().and_then(|row| Cells::of(row).int().ok()).unwrap_or(1).max(1);
        let share = (SHARDS + nodes - 1) / nodes;
        let share_len = usize::try_from(share).unwrap_or(0);
        // While nothing comes or goes, nobody need know what is where.
        let filled = if mine.len() == share_len { BTreeMap::new() } else { filled(caches).await };
        let by_use = |shards: &mut Vec<i64>| shards.sort_by_key(|shard| -filled.get(shard).copied().unwrap_or(0));
        let (mut keep, mut liked): (Vec<i64>, Vec<i64>) =
            (mine.into_iter().collect(), filled.keys().copied().collect());
        by_use(&mut keep);
        keep.truncate(share_len);
        by_use(&mut liked);
        liked.truncate(share_len);
        let (keep, liked) = (listed(&keep), listed(&liked));
        let give_back =
            format!("UPDATE poll_shards SET owner = NULL, lease_until = 0 WHERE owner = $1 AND shard NOT IN ({keep})");
        let take = format!(
            "UPDATE poll_shards SET owner = $1, lease_until = {now} + {LEASE_MICROS} WHERE owner = $1 OR shard IN \
             (SELECT shard FROM poll_shards WHERE {over} \
             ORDER BY CASE WHEN shard IN ({liked}) THEN 0 ELSE 1 END, shard LIMIT \
             GREATEST(0, {share} - (SELECT COUNT(*) FROM poll_shards WHERE owner = $1)) FOR UPDATE SKIP LOCKED) \
             RETURNING shard"
        );
        let statements = vec![Statement::new(give_back, vec![Value::from(node)]), Statement::new(take, args)];
        let answers = db.write(Area::Log, statements).await?;
        let rows = answers.into_iter().next_back().unwrap_or_default();
        self.mine = rows.iter().filter_map(|row| Cells::of(row).int().ok()).collect();
        Ok(())
    }

    /// Gives all parts back, so that other nodes need not wait.
    pub(super) async fn leave(&mut self, db: &Db, node: &str) -> Result<(), StoreError> {
        if let Db::Sqlite(_) = db {
            return Ok(());
        }
        self.mine.clear();
        let give_back = "UPDATE poll_shards SET owner = NULL, lease_until = 0 WHERE owner = $1";
        let statements = [give_back, "DELETE FROM poll_nodes WHERE node = $1"]
            .map(|sql| Statement::new(sql, vec![Value::from(node)]));
        db.write(Area::Log, statements.into()).await.map(|_| ())
    }
}

/// How many repositories of each part these caches remember.
async fn filled(caches: &Caches) -> BTreeMap<i64, i64> {
    let folder = caches.folder().to_owned();
    let look = move || {
        let mut filled = BTreeMap::new();
        // What cannot be read is as good as nothing.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let of = entry.file_name().to_str().and_then(|name| name.strip_suffix(".graph")?.parse().ok());
            if let Some(repository) = of {
                *filled.entry(shard_of(repository)).or_default() += 1;
            }
        }
        filled
    };
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

/// For a statement; some part that is none when there is no other.
fn listed(shards: &[i64]) -> String {
    match shards {
        [] => "-1".to_owned(),
        shards => shards.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// The parts that a node has at this moment.
pub(super) async fn of_node(db: &Db, node: &str, now: Timestamp) -> Result<PollShards, StoreError> {
    if let Db::Sqlite(_) = db {
        return Ok(PollShards::default());
    }
    let mut args = vec![Value::from(node)];
    let now = db.lease_clock(&mut args, now);
    let sql = format!("SELECT shard FROM poll_shards WHERE owner = $1 AND lease_until >= {now}");
    let rows = db.read(Area::Log, &sql, &args).await?;
    Ok(PollShards { mine: rows.iter().filter_map(|row| Cells::of(row).int().ok()).collect() })
}

/// Whether another node looks after a repository at this moment.
pub(super) async fn is_elsewhere(
    db: &Db,
    node: &str,
    repository: RepositoryId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if let Db::Sqlite(_) = db {
        return Ok(false);
    }
    let mut args = vec![Value::from(node), Value::Int(shard_of(repository))];
    let now = db.lease_clock(&mut args, now);
    let sql = format!("SELECT 1 FROM poll_shards WHERE shard = $2 AND owner <> $1 AND lease_until >= {now}");
    Ok(!db.read(Area::Log, &sql, &args).await?.is_empty())
}

/// Of a row with a `shard`, over PostgreSQL: whether the node that is the first argument has it now, or any node may.
pub(super) fn held(now: &str) -> String {
    format!(
        "(shard IS NULL OR shard IN \
         (SELECT held.shard FROM poll_shards AS held WHERE held.owner = $1 AND held.lease_until >= {now}))"
    )
}

/// The part that a repository is in.
pub(super) fn shard_of(repository: RepositoryId) -> i64 {
    // The last bytes of a UUID of version 5 are as good as random.
    i64::from(repository.0.as_bytes()[15]) % SHARDS
}
