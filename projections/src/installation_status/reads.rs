//! What can be asked of the status of apps.

use keytrail_domain::{
    github::Login,
    id::IntegrationId,
    installation::{Installation, Status},
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};

use super::{INSTALLATIONS, InstallationStatus};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row},
    view::{Read, Table},
};

/// How an app of ours is.
#[derive(Clone, Debug, PartialEq)]
pub struct InstallationRow {
    /// Of which integration.
    pub id: IntegrationId,
    /// The word.
    pub status: Status,
    /// Since when it is so.
    pub since: Timestamp,
    /// When it last came on: verdicts and doubts do not count.
    pub progress_at: Timestamp,
    /// Everything that is known of it.
    pub state: Installation,
    /// Host and folded name of the organisation that it is in, as that is called by now; nothing before it was installed.
    pub place: Option<String>,
    /// Who wished here that it be suspended, or run again, until GitHub reports it.
    pub wished_by: Option<String>,
    /// The position at which its integration was added: the order of the list.
    pub opened_position: Position,
    /// The sequence of the last event of its stream: its ETag. 0 before there is one.
    pub version: Sequence,
    /// The position of the last event that changed this row.
    pub position: Position,
}

impl Stored for InstallationRow {
    const TABLE: &'static Table = &INSTALLATIONS;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        let id = IntegrationId(cells.id()?);
        let word = cells.text()?;
        Ok(Self {
            id,
            status: *Status::ALL.iter().find(|status| status.as_str() == word).ok_or(BadRow)?,
            since: cells.time()?,
            progress_at: cells.time()?,
            state: serde_json::from_str(cells.text()?).map_err(|_| BadRow)?,
            place: cells.maybe_text()?.map(str::to_owned),
            wished_by: cells.maybe_text()?.map(str::to_owned),
            opened_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        })
    }

    fn row(&self) -> Row {
        row![
            self.id,
            self.status.as_str(),
            self.since,
            self.progress_at,
            serde_json::to_string(&self.state).unwrap_or_default(),
            self.place.clone(),
            self.wished_by.clone(),
            self.opened_position,
            self.version,
            self.position,
        ]
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT integration, status, since, progress_at, state, place, wished_by, opened_position, version, position ",
            "FROM installation_status@ ",
            $rest
        )
    };
}

fn read(sql: &'static str, args: Row) -> Read<InstallationRow> {
    Read { view: &InstallationStatus, sql, args, row: InstallationRow::read }
}

/// How the app of this integration is. No row for an integration of another kind.
pub fn by_id(id: IntegrationId) -> Read<InstallationRow> {
    read(select!("WHERE integration = $1"), row![id])
}

/// All of them in the order in which their integrations were added, from after `after` (an `opened_position`) on; with
/// `status`, only those that are so.
pub fn page(status: Option<Status>, after: Option<Position>, limit: u32) -> Read<InstallationRow> {
    read(
        select!(
            "WHERE opened_position > $1 AND (CAST($2 AS TEXT) IS NULL OR status = CAST($2 AS TEXT)) \
             ORDER BY opened_position LIMIT $3"
        ),
        row![after.unwrap_or(0), status.map(Status::as_str), limit],
    )
}

/// The one in the organisation that is called so by now, whatever it was called when it was connected.
pub fn in_organisation(host: &str, login: &Login) -> Read<InstallationRow> {
    read(select!("WHERE place = $1 ORDER BY integration LIMIT 1"), row![super::place(host, login)])
}

/// Those that changed after `after`, in the order of their last changes: the `position` of the last one says from where to
/// go on.
pub fn changed(after: Position, limit: u32) -> Read<InstallationRow> {
    read(select!("WHERE position > $1 ORDER BY position LIMIT $2"), row![after, limit])
}
