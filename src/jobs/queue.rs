//! The table of jobs: one row per (kind, key), taken by one worker at a time.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    recorded::Position,
    timestamp::Timestamp,
};
use keytrail_projections::value::{BadRow, Cells, Row, Value};

use super::{
    Kind,
    admission::{self, LEASE_MICROS, Priority},
    shards,
};
use crate::store::{Area, Db, Statement, StoreError};

/// The longest pause before a job is tried again, unless somebody asked for more.
pub(super) const LONGEST_PAUSE_MICROS: i64 = 300_000_000;

/// A job that is to be done. Asking twice for the same is asking once; asking while it runs is doing it once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// What.
    pub kind: Kind,
    /// To what.
    pub key: String,
    /// Which repository's node does it; `None` when any node may.
    pub repository: Option<RepositoryId>,
    /// Among whose jobs it waits for its turn; `None` when it is no integration's.
    pub integration: Option<IntegrationId>,
    /// Because of which event.
    pub caused_by: Position,
    /// Whether somebody waits for what is new, and not only for what was there long before.
    pub is_urgent: bool,
}

impl NewJob {
    /// The statement that puts it into the table.
    pub fn enqueue(&self, db: &Db, now: Timestamp) -> Statement {
        let mut args = vec![
            Value::from(self.kind.as_str()),
            Value::from(self.key.as_str()),
            Value::Int(self.kind.priority() + i64::from(self.is_urgent)),
            Value::Int(self.caused_by),
            Value::from(self.repository.map(shards::shard_of)),
            Value::from(self.integration.map(|id| id.to_string()).unwrap_or_default()),
        ];
        let now = db.lease_clock(&mut args, now);
        let turn = admission::turn(db, "$6", "$3");
        let sql = format!(
            "INSERT INTO jobs (kind, key, state, priority, attempts, run_after, epoch, lease_until, cancelled, again, \
             caused_by, created_at, noted_at, shard, line, turn) \
             VALUES ($1, $2, 'waiting', $3, 0, {now}, 0, 0, 0, 0, $4, {now}, {now}, $5, $6, {turn}) \
             ON CONFLICT (kind, key) DO UPDATE SET again = 1, caused_by = excluded.caused_by"
        );
        Statement::new(sql, args)
    }
}

/// The statement that marks a job as not wanted any more. One that waits, for however long, ends now.
pub fn cancel(kind: Kind, key: &str) -> Statement {
    Statement::new(
        "UPDATE jobs SET cancelled = 1, run_after = CASE WHEN state = 'waiting' THEN 0 ELSE run_after END \
         WHERE kind = $1 AND key = $2",
        vec![Value::from(kind.as_str()), Value::from(key)],
    )
}

/// A job that this worker does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenJob {
    /// What.
    pub kind: Kind,
    /// To what.
    pub key: String,
    /// Because of which event.
    pub caused_by: Position,
    /// The how-manieth try this is. A try that ended with its process does not count: that was no fault of the job.
    pub attempts: i64,
    pub(super) epoch: i64,
}

/// Takes the next job that is due; see [`admission::claim`].
pub(super) async fn take(db: &Db, node: &str, least: Priority, now: Timestamp) -> Result<Option<TakenJob>, StoreError> {
    let answers = db.write(Area::Log, admission::claim(db, node, least, now).into()).await?;
    let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(None) };
    read(row).map(Some).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn read(row: &Row) -> Result<TakenJob, BadRow> {
    let mut cells = Cells::of(row);
    Ok(TakenJob {
        kind: Kind::parse(cells.text()?).ok_or(BadRow)?,
        key: cells.text()?.to_owned(),
        caused_by: cells.int()?,
        attempts: cells.int()?,
        epoch: cells.int()?,
    })
}

/// Whether anything is due; a read, so that an idle server writes nothing.
pub(super) async fn is_due(db: &Db, node: &str, least: Priority, now: Timestamp) -> Result<bool, StoreError> {
    let (sql, args) = admission::is_any_due(db, node, least, now);
    Ok(!db.read(Area::Log, &sql, &args).await?.is_empty())
}

/// What this node was doing when its process ended is to be done now: its data folder is locked by this process, so there
/// is no other that does it still. On the embedded engine there is no other node.
pub(super) async fn reclaim(db: &Db, node: &str) -> Result<(), StoreError> {
    let of_this_node = match db {
        Db::Sqlite(_) => "$1 = $1",
        Db::Postgres(_) => "owner = $1",
    };
    let sql = format!("UPDATE jobs SET state = 'waiting', run_after = 0 WHERE state = 'running' AND {of_this_node}");
    db.write(Area::Log, vec![Statement::new(sql, vec![Value::from(node)])]).await.map(|_| ())
}

impl TakenJob {
    fn args(&self) -> Vec<Value> {
        vec![Value::from(self.kind.as_str()), Value::from(self.key.as_str()), Value::Int(self.epoch)]
    }

    /// Says that the worker lives, and how far it is. Whether the job is still wanted.
    pub(super) async fn renew(&self, db: &Db, progress: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let mut args = self.args();
        args.push(Value::from(progress));
        let now = db.lease_clock(&mut args, now);
        let sql = format!(
            "UPDATE jobs SET lease_until = {now} + {LEASE_MICROS}, progress = $4 \
             WHERE kind = $1 AND key = $2 AND epoch = $3 RETURNING cancelled"
        );
        let answers = db.write(Area::Log, vec![Statement::new(sql, args)]).await?;
        let row = answers.first().and_then(|rows| rows.first()).ok_or(StoreError::Fenced)?;
        Cells::of(row).bool().map(|cancelled| !cancelled).map_err(|error| StoreError::Corrupt(error.to_string()))
    }

    /// It is done; unless it was asked for again meanwhile, its row goes. Otherwise it waits for another turn.
    pub(super) async fn done(&self, db: &Db, now: Timestamp) -> Result<(), StoreError> {
        let delete = "DELETE FROM jobs WHERE kind = $1 AND key = $2 AND epoch = $3 AND again = 0";
        let mut args = self.args();
        let now = db.lease_clock(&mut args, now);
        let turn = admission::turn(db, "jobs.line", "jobs.priority");
        let again = format!(
            "UPDATE jobs SET state = 'waiting', run_after = {now}, attempts = 0, created_at = {now}, progress = NULL, \
             turn = {turn} \
             WHERE kind = $1 AND key = $2 AND epoch = $3"
        );
        let statements = vec![Statement::new(delete, self.args()), Statement::new(again, args)];
        db.write(Area::Log, statements).await.map(|_| ())
    }

    /// The server stops: whoever comes next goes on with it at once. Nothing happens when another worker has it.
    pub(super) async fn leave(&self, db: &Db) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET state = 'waiting', run_after = 0, owner = NULL \
                   WHERE kind = $1 AND key = $2 AND epoch = $3";
        db.write(Area::Log, vec![Statement::new(sql, self.args())]).await.map(|_| ())
    }

    /// It was tried, and is to be tried again after this pause, however long.
    pub(super) async fn again_in(
        &self,
        db: &Db,
        pause_micros: i64,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut args = self.args();
        args.extend([Value::Int(pause_micros), Value::from(error)]);
        let now = db.lease_clock(&mut args, now);
        let sql = format!(
            "UPDATE jobs SET state = 'waiting', attempts = attempts + 1, run_after = {now} + $4, noted_at = {now}, \
             last_error = $5, owner = NULL WHERE kind = $1 AND key = $2 AND epoch = $3"
        );
        db.write(Area::Log, vec![Statement::new(sql, args)]).await.map(|_| ())
    }

    /// It gives its worker to others: after this pause it waits behind those of its line, and this was no try.
    pub(super) async fn give_way(
        &self,
        db: &Db,
        pause_micros: i64,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut args = self.args();
        args.extend([Value::Int(pause_micros), Value::from(why)]);
        let now = db.lease_clock(&mut args, now);
        let turn = admission::turn(db, "jobs.line", "jobs.priority");
        let sql = format!(
            "UPDATE jobs SET state = 'waiting', run_after = {now} + $4, noted_at = {now}, last_error = $5, owner = NULL, \
             turn = {turn} WHERE kind = $1 AND key = $2 AND epoch = $3"
        );
        db.write(Area::Log, vec![Statement::new(sql, args)]).await.map(|_| ())
    }
}

/// A job that has not been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// To what.
    pub key: String,
    /// Whether a worker does it now, or did when it was last heard of.
    pub is_running: bool,
    /// Why it could not be done the last time; it is tried again.
    pub last_error: Option<String>,
    /// Because of which event: the latest, when it was asked for several times.
    pub caused_by: Position,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// The job of this kind with this key, unless it has been done.
pub(super) async fn standing(db: &Db, kind: Kind, key: &str) -> Result<Option<Standing>, StoreError> {
    let first = standings(db, kind, key, 1).await?.pop();
    Ok(first.filter(|job| job.key == key))
}

/// The jobs of a kind that have not been done, from this key down.
pub(super) async fn standings(db: &Db, kind: Kind, from: &str, most: u32) -> Result<Vec<Standing>, StoreError> {
    let sql = "SELECT key, state, last_error, caused_by, created_at FROM jobs \
               WHERE kind = $1 AND key <= $2 ORDER BY key DESC LIMIT $3";
    let rows = db.read(Area::Log, sql, &[kind.as_str().into(), from.into(), most.into()]).await?;
    let read = |row: &Row| {
        let mut cells = Cells::of(row);
        Ok(Standing {
            key: cells.text()?.to_owned(),
            is_running: cells.text()? == "running",
            last_error: cells.maybe_text()?.map(str::to_owned),
            caused_by: cells.int()?,
            created_at: cells.time()?,
        })
    };
    let read = |row: &Row| read(row).map_err(|error: BadRow| StoreError::Corrupt(error.to_string()));
    rows.iter().map(read).collect()
}

/// How far a job is, as its worker last wrote.
pub(super) async fn progress(db: &Db, kind: Kind, key: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT progress FROM jobs WHERE kind = $1 AND key = $2";
    let rows = db.read(Area::Log, sql, &[Value::from(kind.as_str()), Value::from(key)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let text = Cells::of(row).maybe_text().map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(text.map(str::to_owned))
}
