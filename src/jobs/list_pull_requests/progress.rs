//! How far the pull requests of each repository were listed: a row beside the log, since it is no fact and may be lost.
//! Used by the job alone.

use std::collections::HashMap;

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    recorded::Position,
    timestamp::Timestamp,
};
use keytrail_projections::{
    row,
    value::{BadRow, Cells, Value},
};

use crate::store::{Area, Db, Statement, StoreError};

/// How far it is with one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// The number that the repository had.
    pub(super) number: Position,
    /// What was changed before this is known; nothing is before a first pass ended.
    pub(super) listed_to: Option<Timestamp>,
    /// The next page, counted from 1; more than 1 in a pass that did not end.
    pub(super) page: u32,
    /// The latest change that this pass saw.
    pub(super) reached: Option<Timestamp>,
    /// When a pass over all of them last ended.
    pub(super) whole_at: Option<Timestamp>,
    /// Nobody asks for another pass before that.
    pub(super) due_at: Timestamp,
}

impl Progress {
    /// Nothing was listed under this number.
    pub(super) const fn none(number: Position) -> Self {
        Self { number, listed_to: None, page: 1, reached: None, whole_at: None, due_at: Timestamp(0) }
    }

    /// Whether another pass is due. What nobody may change any more is listed once.
    pub(super) fn is_due(&self, archived: bool, now: Timestamp) -> bool {
        self.due_at <= now && !(archived && self.whole_at.is_some())
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            number: cells.int()?,
            listed_to: cells.maybe_time()?,
            page: cells.small()?.max(1),
            reached: cells.maybe_time()?,
            whole_at: cells.maybe_time()?,
            due_at: cells.time()?,
        })
    }

    /// Writes it down.
    pub(super) async fn save(
        &self,
        db: &Db,
        repository: RepositoryId,
        integration: IntegrationId,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO pull_request_listings \
                   (repository, integration, number, listed_to, page, reached, whole_at, due_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (repository) DO UPDATE SET \
                   integration = excluded.integration, number = excluded.number, listed_to = excluded.listed_to, \
                   page = excluded.page, reached = excluded.reached, whole_at = excluded.whole_at, \
                   due_at = excluded.due_at";
        let Self { number, listed_to, page, reached, whole_at, due_at } = self;
        let args = row![repository, integration, *number, *listed_to, *page, *reached, *whole_at, *due_at];
        db.write(Area::Log, vec![Statement::new(sql, args)]).await.map(|_| ())
    }
}

fn corrupt(error: BadRow) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// How far it is with this repository.
pub(super) async fn of_repository(db: &Db, repository: RepositoryId) -> Result<Option<Progress>, StoreError> {
    let sql = "SELECT number, listed_to, page, reached, whole_at, due_at FROM pull_request_listings \
               WHERE repository = $1";
    let rows = db.read(Area::Log, sql, &[Value::from(repository)]).await?;
    rows.first().map(|row| Progress::read(&mut Cells::of(row))).transpose().map_err(corrupt)
}

/// How far it is with each repository of an integration.
pub(super) async fn of_integration(
    db: &Db,
    integration: IntegrationId,
) -> Result<HashMap<RepositoryId, Progress>, StoreError> {
    let sql = "SELECT repository, number, listed_to, page, reached, whole_at, due_at FROM pull_request_listings \
               WHERE integration = $1 ORDER BY repository";
    let rows = db.read(Area::Log, sql, &[Value::from(integration)]).await?;
    let read = |row: &Vec<Value>| {
        let mut cells = Cells::of(row);
        Ok((RepositoryId(cells.id()?), Progress::read(&mut cells)?))
    };
    rows.iter().map(read).collect::<Result<_, _>>().map_err(corrupt)
}

/// The statement that forgets it, for the append by which the repository is forgotten.
pub(in crate::jobs) fn forget_statement(repository: RepositoryId) -> Statement {
    Statement::new("DELETE FROM pull_request_listings WHERE repository = $1", row![repository])
}

/// The statement that has all repositories of an integration listed with the next look.
pub fn soon_statement(integration: IntegrationId) -> Statement {
    Statement::new("UPDATE pull_request_listings SET due_at = 0 WHERE integration = $1", row![integration])
}
