//! What is to be worked off: taken a few at a time by one node, given back when it could not be done yet. A node that dies
//! loses its place when its lease ends.

use std::collections::BTreeMap;

use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use keytrail_projections::value::{BadRow, Cells, Row, Value};
use uuid::Uuid;

use super::{Inbox, Origin, State, corrupt, packed::unpacked};
use crate::store::{Area, Db, Statement, StoreError};

/// How long a node that took deliveries may take for all of them, in microseconds.
const LEASE_MICROS: i64 = 60_000_000;
/// How long deliveries are kept, in microseconds.
const KEPT_MICROS: i64 = 7 * 24 * 3_600 * 1_000_000;
/// So many are thrown away at once.
const SWEPT: i64 = 500;

/// A delivery that this node works off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whose.
    pub integration: IntegrationId,
    /// Its id at its service.
    pub delivery: Uuid,
    /// What its service calls it.
    pub event: String,
    /// The how-manieth try this is.
    pub tries: i64,
    /// How it came.
    pub origin: Origin,
    /// When it came.
    pub received_at: Timestamp,
    pub(super) receipt: Uuid,
    epoch: i64,
}

/// How working it off ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// For good, with what there is to say of it.
    For(State, String),
    /// It is tried again after so many microseconds, because of this.
    Again(i64, String),
}

impl Inbox {
    /// Whether anything is due; a read, so that an idle server writes nothing.
    async fn is_due(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut args = Vec::new();
        let now = self.db.lease_clock(&mut args, now);
        let sql = format!("SELECT tries FROM webhook_inbox WHERE state = 'waiting' AND due_at <= {now} LIMIT 1");
        Ok(!self.db.read(Area::Log, &sql, &args).await?.is_empty())
    }

    /// Takes the next that are due, the oldest first; `most` at most.
    pub async fn take(&self, most: u32, now: Timestamp) -> Result<Vec<Taken>, StoreError> {
        if !self.is_due(now).await? {
            return Ok(Vec::new());
        }
        let mut args = vec![Value::from(self.node.as_str()), Value::from(most)];
        let now = self.db.lease_clock(&mut args, now);
        let skip = match &*self.db {
            Db::Sqlite(_) => "",
            Db::Postgres(_) => "FOR UPDATE SKIP LOCKED",
        };
        let sql = format!(
            "WITH due AS MATERIALIZED (SELECT receipt FROM webhook_inbox WHERE state = 'waiting' AND due_at <= {now} \
             ORDER BY due_at, receipt LIMIT $2 {skip}) \
             UPDATE webhook_inbox SET due_at = {now} + {LEASE_MICROS}, tries = tries + 1, epoch = epoch + 1, owner = $1 \
             WHERE receipt IN (SELECT receipt FROM due) \
             RETURNING receipt, integration, delivery, event, tries, origin, received_at, epoch"
        );
        let answers = self.db.write(Area::Log, vec![Statement::new(sql, args)]).await?;
        let rows = answers.into_iter().next().unwrap_or_default();
        let mut taken = rows.iter().map(taken).collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
        taken.sort_by_key(|one| one.receipt);
        Ok(taken)
    }

    /// What was delivered.
    pub async fn body(&self, taken: &Taken) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT body FROM webhook_inbox WHERE receipt = $1";
        let rows = self.db.read(Area::Log, sql, &[Value::from(taken.receipt)]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Cells::of(row).bytes().map(unpacked).map_err(corrupt)
    }

    /// Writes down how these ended, together with the jobs that they led to. What another node took meanwhile is its.
    pub async fn ended(
        &self,
        ends: Vec<(Taken, End)>,
        mut with: Vec<Statement>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut alike: BTreeMap<End, Vec<Taken>> = BTreeMap::new();
        for (taken, end) in ends {
            alike.entry(end).or_default().push(taken);
        }
        for (end, taken) in alike {
            let (mut args, change) = match end {
                End::For(state, outcome) => {
                    let args = vec![Value::from(state.as_str()), Value::from(outcome), Value::from(now)];
                    (args, "state = $1, outcome = $2, ended_at = $3".to_owned())
                }
                End::Again(pause, outcome) => {
                    let mut args = vec![Value::Int(pause), Value::from(outcome)];
                    let now = self.db.lease_clock(&mut args, now);
                    (args, format!("due_at = {now} + $1, outcome = $2"))
                }
            };
            let mut marker = |value: Value| {
                args.push(value);
                format!("${}", args.len())
            };
            let receipts: Vec<_> = taken.iter().map(|one| marker(Value::from(one.receipt))).collect();
            let epochs = taken.iter().map(|one| marker(Value::Int(one.epoch)));
            let pairs: Vec<_> =
                receipts.iter().zip(epochs).map(|(receipt, epoch)| format!("({receipt}, {epoch})")).collect();
            // The first condition is what an engine finds the rows by.
            let sql = format!(
                "UPDATE webhook_inbox SET {change}, owner = NULL \
                 WHERE receipt IN ({}) AND (receipt, epoch) IN (VALUES {})",
                receipts.join(", "),
                pairs.join(", ")
            );
            with.push(Statement::new(sql, args));
        }
        self.db.write(Area::Log, with).await.map(|_| ())
    }

    /// What this node worked off when its process ended is due now: there is no other process of this name.
    pub async fn reclaim(&self) -> Result<(), StoreError> {
        let of_this_node = match &*self.db {
            Db::Sqlite(_) => "$1 = $1",
            Db::Postgres(_) => "owner = $1",
        };
        let sql = format!(
            "UPDATE webhook_inbox SET due_at = 0, owner = NULL \
             WHERE state = 'waiting' AND owner IS NOT NULL AND {of_this_node}"
        );
        let args = vec![Value::from(self.node.as_str())];
        self.db.write(Area::Log, vec![Statement::new(sql, args)]).await.map(|_| ())
    }

    /// Works this off again, whatever became of it; `false` when there is no such delivery. One that is being worked off
    /// just now is not taken away.
    pub async fn replay(&self, integration: IntegrationId, delivery: Uuid) -> Result<bool, StoreError> {
        let sql = "UPDATE webhook_inbox SET state = 'waiting', tries = 0, due_at = 0, outcome = NULL, ended_at = NULL, \
                   epoch = epoch + 1 WHERE integration = $1 AND delivery = $2 AND owner IS NULL RETURNING tries";
        let args = vec![Value::from(integration), Value::from(delivery)];
        let answers = self.db.write(Area::Log, vec![Statement::new(sql, args)]).await?;
        self.came.notify_one();
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()) || self.one(integration, delivery).await?.is_some())
    }

    /// Throws away what is older than a week; how many there were.
    pub async fn sweep(&self, now: Timestamp) -> Result<usize, StoreError> {
        let before = now.plus_micros(-KEPT_MICROS);
        let mut swept = 0;
        loop {
            let args = vec![Value::from(before), Value::Int(SWEPT)];
            // The first receipts are the oldest: no index by age is needed.
            let old = "SELECT receipt FROM (SELECT receipt, received_at FROM webhook_inbox ORDER BY receipt LIMIT $2) \
                       AS first WHERE received_at < $1";
            if self.db.read(Area::Log, old, &args).await?.is_empty() {
                return Ok(swept);
            }
            let sql = format!("DELETE FROM webhook_inbox WHERE receipt IN ({old}) RETURNING receipt");
            let answers = self.db.write(Area::Log, vec![Statement::new(sql, args)]).await?;
            swept += answers.first().map_or(0, Vec::len);
        }
    }
}

fn taken(row: &Row) -> Result<Taken, BadRow> {
    let mut cells = Cells::of(row);
    Ok(Taken {
        receipt: cells.id()?,
        integration: IntegrationId(cells.id()?),
        delivery: cells.id()?,
        event: cells.text()?.to_owned(),
        tries: cells.int()?,
        origin: Origin::parse(cells.text()?).ok_or(BadRow)?,
        received_at: cells.time()?,
        epoch: cells.int()?,
    })
}
