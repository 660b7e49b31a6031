//! What can be asked of the index runs.

use keytrail_domain::{
    id::{IndexRunId, RepositoryId},
    index_run::{Cause, Counts, FailureCode},
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};

use super::{IndexRuns, RUNS};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row, Value},
    view::{Read, Table},
    word::words,
};

words! {
    /// Where an index run is in its life.
    RunState {
        /// It waits for its turn.
        Requested = "requested",
        /// It is being done.
        Running = "running",
        /// Everything was looked at.
        Completed = "completed",
        /// It could not be finished.
        Failed = "failed",
        /// A person stopped it.
        Cancelled = "cancelled",
    }
}

/// An index run.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexRun {
    /// Which.
    pub id: IndexRunId,
    /// Of which repository.
    pub repository: RepositoryId,
    /// Where it is in its life.
    pub state: RunState,
    /// Why it was asked for.
    pub cause: Cause,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the work began.
    pub started_at: Option<Timestamp>,
    /// When it completed, failed or was cancelled.
    pub ended_at: Option<Timestamp>,
    /// The repository's number when the work began.
    pub number: Option<Position>,
    /// What it saw; all zero until it completes.
    pub counts: Counts,
    /// Why it failed, for machines and for people.
    pub failure: Option<(FailureCode, String)>,
    /// Batches that were recorded so far, of commits and of refs.
    pub batches: u64,
    /// Commits that were looked at so far, as its last batch of commits says.
    pub walked: u64,
    /// The position at which it was asked for: the order of the list.
    pub requested_position: Position,
    /// The sequence of the last event of its own stream: its ETag.
    pub version: Sequence,
    /// The position of the last event that changed the row, be it the run's or a batch.
    pub position: Position,
}

impl Stored for IndexRun {
    const TABLE: &'static Table = &RUNS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            id: IndexRunId(cells.id()?),
            repository: RepositoryId(cells.id()?),
            state: cells.word()?,
            cause: cells.word()?,
            requested_at: cells.time()?,
            started_at: cells.maybe_time()?,
            ended_at: cells.maybe_time()?,
            number: cells.maybe_int()?,
            counts: Counts {
                commits: cells.count()?,
                keyed: cells.count()?,
                keys: cells.count()?,
                refs: cells.count()?,
                bounded: cells.count()?,
                lost_refs: cells.count()?,
            },
            failure: cells.maybe_word()?.zip(cells.maybe_text()?.map(str::to_owned)),
            batches: cells.count()?,
            walked: cells.count()?,
            requested_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        })
    }

    fn row(&self) -> Row {
        let Counts { commits, keyed, keys, refs, bounded, lost_refs } = self.counts;
        row![
            self.id,
            self.repository,
            self.state,
            Value::word(&self.cause),
            self.requested_at,
            self.started_at,
            self.ended_at,
            self.number,
            commits,
            keyed,
            keys,
            refs,
            bounded,
            lost_refs,
            self.failure.as_ref().map(|(code, _)| Value::word(code)),
            self.failure.as_ref().map(|(_, text)| text.as_str()),
            self.batches,
            self.walked,
            self.requested_position,
            self.version,
            self.position,
        ]
    }
}

macro_rules! select {
    ($leading:literal, $rest:literal) => {
        concat!(
            "SELECT run, repository, state, cause, requested_at, started_at, ended_at, number, commits, keyed, ",
            "key_count, ref_count, bounded, lost_refs, failure_code, failure_text, batches, walked, requested_position, version, ",
            "position FROM index_runs@ WHERE ",
            $leading,
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<IndexRun> {
    Read { view: &IndexRuns, sql, args, row: IndexRun::read }
}

/// The run with this id. At most one row.
pub fn by_id(id: IndexRunId) -> Read<IndexRun> {
    read(select!("", "run = $1"), row![id])
}

/// The run of this repository that has not ended. At most one row.
pub fn active(repository: RepositoryId) -> Read<IndexRun> {
    read(
        select!("repository = $1 AND ", "state IN ('requested', 'running') ORDER BY requested_position DESC LIMIT 1"),
        row![repository],
    )
}

/// Which runs of a list; all of what is given must hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this repository.
    pub repository: Option<RepositoryId>,
    /// In this state.
    pub state: Option<RunState>,
    /// Asked for because of this.
    pub cause: Option<Cause>,
}

/// In which order of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As people look for what happened.
    NewestFirst,
    /// As they were asked for.
    OldestFirst,
}

macro_rules! in_order {
    ($leading:literal, $newest:expr) => {
        if $newest {
            select!($leading, "requested_position < $1 ORDER BY requested_position DESC LIMIT $2")
        } else {
            select!($leading, "requested_position > $1 ORDER BY requested_position LIMIT $2")
        }
    };
}

/// Runs from after `after` (a `requested_position`) on.
pub fn page(filter: Filter, order: Order, after: Option<Position>, limit: u32) -> Read<IndexRun> {
    let is_newest = order == Order::NewestFirst;
    let start = if is_newest { Position::MAX } else { 0 };
    let cause = filter.cause.map(|cause| Value::word(&cause));
    let mut args = row![after.unwrap_or(start), limit, cause];
    // A text for each index that leads to few rows.
    let sql = match (filter.repository, filter.state) {
        (None, None) => in_order!("(CAST($3 AS TEXT) IS NULL OR cause = CAST($3 AS TEXT)) AND ", is_newest),
        (None, Some(state)) => {
            args.push(state.into());
            in_order!("state = $4 AND (CAST($3 AS TEXT) IS NULL OR cause = CAST($3 AS TEXT)) AND ", is_newest)
        }
        (Some(repository), state) => {
            args.extend(row![state, repository]);
            in_order!(
                "repository = $5 AND (CAST($4 AS TEXT) IS NULL OR state = CAST($4 AS TEXT)) \
                 AND (CAST($3 AS TEXT) IS NULL OR cause = CAST($3 AS TEXT)) AND ",
                is_newest
            )
        }
    };
    read(sql, args)
}
