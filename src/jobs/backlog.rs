//! What waits and what is being done, counted; and runs that nobody works for. Asked by the doctor and the metrics; it
//! reads only.

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::{BadRow, Cells, Row, Value};

use super::Kind;
use crate::store::{Area, Db, StoreError};

/// The states of a job.
pub const STATES: [&str; 2] = ["waiting", "running"];

/// The jobs of one kind in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// What they do.
    pub kind: &'static str,
    /// `waiting` or `running`.
    pub state: &'static str,
    /// How many.
    pub count: i64,
    /// How many seconds ago the oldest was asked for.
    pub oldest_seconds: i64,
    /// How often the unluckiest was tried.
    pub most_attempts: i64,
}

/// A row for each kind and state of which there is a job.
pub async fn backlog(db: &Db, now: Timestamp) -> Result<Vec<Backlog>, StoreError> {
    let mut args = Vec::new();
    let now = db.lease_clock(&mut args, now);
    let sql = format!(
        "SELECT kind, state, COUNT(*), ({now} - MIN(created_at)) / 1000000, MAX(attempts) FROM jobs \
         GROUP BY kind, state ORDER BY kind, state"
    );
    let read = |row: &Row| -> Result<Backlog, BadRow> {
        let mut cells = Cells::of(row);
        let kind = Kind::parse(cells.text()?).ok_or(BadRow)?.as_str();
        let state = cells.text()?;
        let state = STATES.into_iter().find(|known| *known == state).ok_or(BadRow)?;
        let (count, oldest_seconds) = (cells.int()?, cells.int()?.max(0));
        Ok(Backlog { kind, state, count, oldest_seconds, most_attempts: cells.int()? })
    };
    let rows = db.read(Area::Log, &sql, &args).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(corrupt)
}

/// Why jobs that were tried at least `attempts` times were put back: their kind and the words, up to `most` of them.
pub async fn put_back(db: &Db, attempts: i64, most: i64) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT kind, key, attempts, COALESCE(last_error, '') FROM jobs WHERE attempts >= $1 \
               ORDER BY attempts DESC, kind, key LIMIT $2";
    let read = |row: &Row| -> Result<String, BadRow> {
        let mut cells = Cells::of(row);
        let (kind, key, attempts) = (cells.text()?, cells.text()?, cells.int()?);
        Ok(format!("{kind} {key} was tried {attempts} times: {}", cells.text()?))
    };
    let rows = db.read(Area::Log, sql, &[Value::Int(attempts), Value::Int(most)]).await?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(corrupt)
}

/// Runs that hold their repository and that no job works for, though the policies have seen them: nobody will end them.
/// Up to `most` of them, by id.
pub async fn runs_without_job(db: &Db, most: i64) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT c.aggregate_id FROM claims AS c WHERE c.scope = 'active_run' \
               AND NOT EXISTS (SELECT 1 FROM jobs AS j WHERE j.kind = 'index_repository' AND j.key = c.aggregate_id) \
               AND (SELECT MAX(e.global_position) FROM events AS e \
                    WHERE e.aggregate_type = 'index_run' AND e.aggregate_id = c.aggregate_id) \
                   <= (SELECT r.position FROM reactor_checkpoints AS r WHERE r.name = 'policies') \
               ORDER BY c.aggregate_id LIMIT $1";
    let rows = db.read(Area::Log, sql, &[Value::Int(most)]).await?;
    let read = |row: &Row| -> Result<String, BadRow> { Cells::of(row).text().map(str::to_owned) };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(corrupt)
}

/// The nodes that share the database and were heard of lately, by name. None on the embedded engine.
pub async fn nodes(db: &Db) -> Result<Vec<String>, StoreError> {
    let rows = db.read(Area::Log, "SELECT node FROM poll_nodes ORDER BY node", &[]).await?;
    let read = |row: &Row| -> Result<String, BadRow> { Cells::of(row).text().map(str::to_owned) };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(corrupt)
}

fn corrupt(error: BadRow) -> StoreError {
    StoreError::Corrupt(error.to_string())
}
