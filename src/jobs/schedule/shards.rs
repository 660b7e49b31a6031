//! Which repositories this node polls: the table `poll_shards` deals them out among the nodes of `poll_nodes`. Called by the
//! schedule. On the embedded engine one process has them all, and nothing is written.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use keytrail_domain::{id::RepositoryId, timestamp::Timestamp};
use keytrail_projections::value::{Cells, Value};

use crate::store::{Area, Db, LeaseClock, Statement, StoreError};

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
    /// Whether this node polls the repository.
    pub(super) fn has(&self, db: &Db, repository: RepositoryId) -> bool {
        matches!(db, Db::Sqlite(_)) || self.mine.contains(&shard_of(repository))
    }

    /// Says that the node lives, and takes or gives back parts so that each node has about as many.
    pub(super) async fn renew(&mut self, db: &Db, node: &str, now: Timestamp) -> Result<(), StoreError> {
        if let Db::Sqlite(_) = db {
            return Ok(());
        }
        // Whoever cannot say that it lives has nothing.
        let mine = std::mem::take(&mut self.mine);
        let mut args = vec![Value::from(node)];
        let LeaseClock { now, arg } = db.lease_clock(args.len(), now);
        args.extend(arg);
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
        let keep: Vec<String> =
            mine.iter().take(usize::try_from(share).unwrap_or(0)).map(ToString::to_string).collect();
        let keep = if keep.is_empty() { "-1".to_owned() } else { keep.join(", ") };
        let give_back =
            format!("UPDATE poll_shards SET owner = NULL, lease_until = 0 WHERE owner = $1 AND shard NOT IN ({keep})");
        let take = format!(
            "UPDATE poll_shards SET owner = $1, lease_until = {now} + {LEASE_MICROS} WHERE owner = $1 OR shard IN \
             (SELECT shard FROM poll_shards WHERE {over} ORDER BY shard LIMIT \
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

fn shard_of(repository: RepositoryId) -> i64 {
    // The last bytes of a UUID of version 5 are as good as random.
    i64::from(repository.0.as_bytes()[15]) % SHARDS
}
