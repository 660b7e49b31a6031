//! What can be asked of the list of repositories.

use keytrail_domain::{
    id::{IndexRunId, IntegrationId, RepositoryId},
    index_run::FailureCode,
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};

use super::{RepositoryList, schema::REPOSITORIES};
use crate::{
    row,
    stored::Stored,
    value::{BadRow, Cells, Row, Value},
    view::{Read, Table},
    word::words,
};

words! {
    /// Where a repository is in its life.
    RepositoryState {
        /// It was discovered, was never indexed since, and no run was asked for.
        Waiting = "waiting",
        /// A run was asked for and has not ended.
        Indexing = "indexing",
        /// The last run completed, or was cancelled after an earlier one had.
        Indexed = "indexed",
        /// The last run failed.
        Failed = "failed",
        /// An integration sees it and cannot index it.
        Refused = "refused",
        /// No integration sees it any more.
        Forgotten = "forgotten",
    }
}

/// A repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// Which.
    pub id: RepositoryId,
    /// Its number: rows of big views carry it.
    pub number: Position,
    /// The integration that sees it.
    pub integration: IntegrationId,
    /// What a person calls it.
    pub name: String,
    /// The stable word of the git service.
    pub kind: String,
    /// Where it is read from.
    pub location: String,
    /// Where it is in its life.
    pub state: RepositoryState,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// The run that was asked for last.
    pub last_run: Option<IndexRunId>,
    /// Why a run failed, for machines and for people; gone once a run completes.
    pub failure: Option<(FailureCode, String)>,
    /// When a run first completed, under the present number.
    pub first_indexed_at: Option<Timestamp>,
    /// When a run last completed, under the present number.
    pub indexed_at: Option<Timestamp>,
    /// The position at which that was recorded: refs as of then are those whose commits were all looked at.
    pub indexed_position: Option<Position>,
    /// Runs that completed before this position count no more: the one that completed there counted everything.
    pub counted_from: Position,
    /// Why looking whether anything is new fails, while it does.
    pub trouble: Option<Trouble>,
    /// Whether its service lets nobody change it: nothing new is looked for.
    pub archived: bool,
    /// The position at which it was first discovered: the order of the list.
    pub added_position: Position,
    /// The position at which it was last discovered: who was forgotten and came back is there since then.
    pub seen_position: Position,
    /// The sequence of the last event of its own stream: its ETag.
    pub version: Sequence,
    /// The position of the last event that changed the row, be it the repository's or a run's.
    pub position: Position,
}

/// Why looking at a repository fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// For machines.
    pub code: FailureCode,
    /// For people.
    pub text: String,
    /// Since when looking fails, for whatever reasons.
    pub since: Timestamp,
}

impl Trouble {
    fn read(cells: &mut Cells<'_>) -> Result<Option<Self>, BadRow> {
        let (code, text, since) = (cells.maybe_word()?, cells.maybe_text()?, cells.maybe_time()?);
        Ok(code.zip(text).zip(since).map(|((code, text), since)| Self { code, text: text.to_owned(), since }))
    }
}

/// A repository and the sums over its completed runs under its present number.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The repository.
    pub repository: Repository,
    /// Commits that were looked at.
    pub commits: u64,
    /// Of these, commits with at least one candidate for an issue key.
    pub keyed: u64,
    /// Whether it is read from a copy of the server, and not where it lies.
    pub mirrored: bool,
}

impl Stored for Repository {
    const TABLE: &'static Table = &REPOSITORIES;

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        Ok(Self {
            id: RepositoryId(cells.id()?),
            number: cells.int()?,
            integration: IntegrationId(cells.id()?),
            name: cells.text()?.to_owned(),
            kind: cells.text()?.to_owned(),
            location: cells.text()?.to_owned(),
            state: cells.word()?,
            since: cells.time()?,
            last_run: cells.maybe_id()?.map(IndexRunId),
            failure: cells.maybe_word()?.zip(cells.maybe_text()?.map(str::to_owned)),
            first_indexed_at: cells.maybe_time()?,
            indexed_at: cells.maybe_time()?,
            indexed_position: cells.maybe_int()?,
            counted_from: cells.int()?,
            trouble: Trouble::read(cells)?,
            archived: cells.bool()?,
            added_position: cells.int()?,
            seen_position: cells.int()?,
            version: cells.int()?,
            position: cells.int()?,
        })
    }

    fn row(&self) -> Row {
        row![
            self.id,
            self.number,
            self.integration,
            self.name.as_str(),
            self.kind.as_str(),
            self.location.as_str(),
            self.state,
            self.since,
            self.last_run,
            self.failure.as_ref().map(|(code, _)| Value::word(code)),
            self.failure.as_ref().map(|(_, text)| text.as_str()),
            self.first_indexed_at,
            self.indexed_at,
            self.indexed_position,
            self.counted_from,
            self.trouble.as_ref().map(|trouble| Value::word(&trouble.code)),
            self.trouble.as_ref().map(|trouble| trouble.text.as_str()),
            self.trouble.as_ref().map(|trouble| trouble.since),
            i64::from(self.archived),
            self.added_position,
            self.seen_position,
            self.version,
            self.position,
        ]
    }
}

/// `$from` is the table, or some of its rows.
macro_rules! select {
    ($from:expr, $rest:expr) => {
        concat!(
            "SELECT r.repository, r.number, r.integration, r.name, r.kind, r.location, r.state, r.since, ",
            "r.last_run, r.failure_code, r.failure_text, r.first_indexed_at, r.indexed_at, r.indexed_position, r.counted_from, r.trouble_code, r.trouble_text, r.trouble_since, r.archived, ",
            "r.added_position, r.seen_position, r.version, r.position, ",
            "(SELECT CAST(COALESCE(SUM(u.commits), 0) AS BIGINT) FROM repository_list_runs@ u ",
            "WHERE u.repository = r.repository AND u.number = r.number AND u.ended_position >= r.counted_from), ",
            "(SELECT CAST(COALESCE(SUM(u.keyed), 0) AS BIGINT) FROM repository_list_runs@ u ",
            "WHERE u.repository = r.repository AND u.number = r.number AND u.ended_position >= r.counted_from), ",
            "COALESCE((SELECT i.mirrored FROM repository_list_readings@ i WHERE i.integration = r.integration), 0) ",
            "FROM ",
            $from,
            " r ",
            $rest
        )
    };
}
pub(super) use select;

/// A read of whole rows.
pub(super) fn listed(sql: &'static str, args: Row) -> Read<Listed> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Listed {
            repository: Repository::read(cells)?,
            commits: cells.count()?,
            keyed: cells.count()?,
            mirrored: cells.bool()?,
        })
    };
    Read { view: &RepositoryList, sql, args, row }
}

/// The repository with this id, forgotten or not. At most one row.
pub fn by_id(id: RepositoryId) -> Read<Listed> {
    listed(select!("repository_list@", "WHERE r.repository = $1"), row![id])
}

/// Repositories in the order in which they were discovered, from after `after` (an `added_position`) on; with
/// `integration` or `state`, only those.
pub fn page(
    integration: Option<IntegrationId>,
    state: Option<RepositoryState>,
    after: Option<Position>,
    limit: u32,
) -> Read<Listed> {
    let mut args = row![after.unwrap_or(0), state, limit];
    let Some(integration) = integration else {
        return listed(
            select!(
                "repository_list@",
                "WHERE r.added_position > $1 AND (CAST($2 AS TEXT) IS NULL OR r.state = CAST($2 AS TEXT)) \
                 ORDER BY r.added_position LIMIT $3"
            ),
            args,
        );
    };
    args.push(integration.into());
    listed(
        select!(
            "repository_list@",
            "WHERE r.integration = $4 AND r.added_position > $1 \
             AND (CAST($2 AS TEXT) IS NULL OR r.state = CAST($2 AS TEXT)) \
             ORDER BY r.added_position LIMIT $3"
        ),
        args,
    )
}

/// How far an integration is with indexing its repositories for the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexing {
    /// Repositories that it sees.
    pub repositories: u64,
    /// Of these, those of which a run completed.
    pub indexed: u64,
    /// Of these, those of which no run completed: the last one failed, or there cannot be any.
    pub failed: u64,
    /// Those that are neither and that looking at fails.
    pub stuck: u64,
    /// Since when the first of those that are neither waits.
    pub waiting_since: Option<Timestamp>,
    /// Those of which a run first completed after that.
    pub indexed_since: u64,
}

impl Indexing {
    /// Those of which a first run is still to end.
    pub const fn waiting(&self) -> u64 {
        self.repositories.saturating_sub(self.indexed).saturating_sub(self.failed)
    }
}

/// How far this integration is. One row.
pub fn indexing(integration: IntegrationId) -> Read<Indexing> {
    let row = |cells: &mut Cells<'_>| {
        Ok(Indexing {
            repositories: cells.count()?,
            indexed: cells.count()?,
            failed: cells.count()?,
            stuck: cells.count()?,
            waiting_since: cells.maybe_time()?,
            indexed_since: cells.count()?,
        })
    };
    let sql = "SELECT COUNT(*), COUNT(r.first_indexed_at), \
        COUNT(CASE WHEN r.first_indexed_at IS NULL AND r.state IN ('failed', 'refused') THEN 1 END), \
        COUNT(CASE WHEN r.first_indexed_at IS NULL AND r.state NOT IN ('failed', 'refused') THEN r.trouble_code END), \
        MIN(CASE WHEN r.first_indexed_at IS NULL AND r.state NOT IN ('failed', 'refused') THEN r.since END), \
        COUNT(CASE WHEN r.first_indexed_at >= (SELECT MIN(w.since) FROM repository_list@ w \
        WHERE w.integration = $1 AND w.first_indexed_at IS NULL AND w.state NOT IN ('failed', 'refused', 'forgotten')) THEN 1 END) \
        FROM repository_list@ r WHERE r.integration = $1 AND r.state <> 'forgotten'";
    Read { view: &RepositoryList, sql, args: row![integration], row }
}
