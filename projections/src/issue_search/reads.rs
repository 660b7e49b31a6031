//! What can be asked of the search.
//!
//! An issue that several repositories name has a row for each; the one with the latest commit stands for it. A page is a
//! stretch of an index that is filtered, or, when something rare is asked for, what that leads to, put in order.

use keytrail_domain::{
    id::RepositoryId,
    index_run::batch::{CommitName, CommitSha},
    issue_key::IssueKey,
    person::PersonId,
    recorded::Position,
    timestamp::Timestamp,
};

use super::{IssueSearch, schema::NO_COMMIT};
use crate::{
    row,
    value::{BadRow, Cells, Row, Value},
    view::Read,
};

/// Words that one search may have.
pub const MOST_WORDS: usize = 6;
/// Persons that one search may be about.
pub const MOST_AUTHORS: usize = 16;

/// What is looked for: all of it must hold of an issue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its project, and whether that is only how the project's key begins.
    pub project: Option<(String, bool)>,
    /// How its number begins; digits.
    pub number: Option<String>,
    /// A commit whose name is from the first to before the second names it, or was linked to it.
    pub sha: Option<(Vec<u8>, Vec<u8>)>,
    /// Each of them is in the subject of a commit that names it or was linked to it; as [`super::words_of`] makes them, at most
    /// [`MOST_WORDS`].
    pub words: Vec<String>,
    /// One of them wrote a commit that names it or was linked to it; at most [`MOST_AUTHORS`].
    pub authors: Option<Vec<PersonId>>,
}

/// In which order issues come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The one with the latest commit first.
    Activity,
    /// By key: projects bytewise, numbers as numbers.
    Key,
}

/// What leads to the issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// All of them, in their order, until a page is full.
    All,
    /// The names of commits.
    Sha,
    /// The word at this place of [`Wanted::words`].
    Word(usize),
    /// The authors.
    Authors,
}

/// An issue that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub key: IssueKey,
    /// When the last commit that names it or was linked to it was committed, whatever was unlinked since; nothing when only
    /// branches carry its key.
    pub last_at: Option<Timestamp>,
}

impl Found {
    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        let key = IssueKey { project: cells.text()?.into(), number: cells.count()? };
        let last_at = Some(cells.int()?).filter(|last| *last != NO_COMMIT).map(Timestamp::from_seconds);
        Ok(Self { key, last_at })
    }

    /// The cursor of a page that ends with this row.
    pub fn cursor(&self) -> FoundCursor {
        FoundCursor { last_at: self.last_at, key: self.key.clone() }
    }
}

/// Where a page of issues ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCursor {
    /// `last_at` of the last row.
    pub last_at: Option<Timestamp>,
    /// `key` of the last row.
    pub key: IssueKey,
}

/// An issue that a commit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedIn {
    /// Which issue.
    pub key: IssueKey,
    /// When it was committed: the issue's row of the commit is found by it.
    pub committed_at: Timestamp,
}

/// A commit that names an issue, and a repository that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The repository.
    pub repository: RepositoryId,
    /// The commit.
    pub sha: CommitSha,
}

fn read<T>(sql: &'static str, args: Row, row: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Read<T> {
    Read { view: &IssueSearch, sql, args, row }
}

macro_rules! word {
    ($marker:literal) => {
        concat!(
            "AND (CAST(",
            $marker,
            " AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM search_words@ w CROSS JOIN search_repositories@ q ",
            "WHERE w.word = CAST(",
            $marker,
            " AS TEXT) AND w.project = i.project AND w.issue = i.issue ",
            "AND q.number = w.repository_number AND q.to_position IS NULL)) "
        )
    };
}

// A row counts by a commit, or while a branch carries the key. The number is `NO_COMMIT`.
macro_rules! is_there {
    ($row:literal) => {
        concat!(
            "AND (",
            $row,
            ".last_at > -10000000000000 OR EXISTS (SELECT 1 FROM search_branches@ b WHERE b.project = ",
            $row,
            ".project AND b.issue = ",
            $row,
            ".issue AND b.repository_number = ",
            $row,
            ".repository_number)) "
        )
    };
}

macro_rules! select {
    ($from:literal, $order:literal) => {
        concat!(
            "SELECT i.project, i.issue, i.last_at FROM ",
            $from,
            " CROSS JOIN search_repositories@ r ",
            "WHERE r.number = i.repository_number AND r.to_position IS NULL ",
            "AND i.project >= $5 AND i.project < $6 ",
            is_there!("i"),
            "AND NOT EXISTS (SELECT 1 FROM search_rules@ x ",
            "WHERE x.verdict = 1 AND x.project = i.project AND x.issue IN (0, i.issue)) ",
            "AND (NOT EXISTS (SELECT 1 FROM search_rules@ k WHERE k.verdict = 0) OR EXISTS ",
            "(SELECT 1 FROM search_rules@ k WHERE k.verdict = 0 AND k.project = i.project)) ",
            "AND (CAST($7 AS TEXT) IS NULL OR CAST(i.issue AS TEXT) LIKE CAST($7 AS TEXT)) ",
            "AND NOT EXISTS (SELECT 1 FROM search_issues@ o CROSS JOIN search_repositories@ q ",
            "WHERE o.project = i.project AND o.issue = i.issue ",
            "AND (o.last_at > i.last_at OR (o.last_at = i.last_at AND o.repository_number > i.repository_number)) ",
            "AND q.number = o.repository_number AND q.to_position IS NULL ",
            is_there!("o"),
            ") ",
            "AND ($8 = 0 OR EXISTS (SELECT 1 FROM search_commits@ n CROSS JOIN search_repositories@ q ",
            "WHERE n.sha >= $9 AND n.sha < $10 AND n.project = i.project AND n.issue = i.issue ",
            "AND q.number = n.repository_number AND q.to_position IS NULL)) ",
            word!("$11"),
            word!("$12"),
            word!("$13"),
            word!("$14"),
            word!("$15"),
            word!("$16"),
            "AND ($17 = 0 OR EXISTS (SELECT 1 FROM search_authors@ a CROSS JOIN search_repositories@ q ",
            "WHERE a.author IN ($18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33) ",
            "AND a.project = i.project AND a.issue = i.issue ",
            "AND q.number = a.repository_number AND q.to_position IS NULL)) ",
            $order,
            " LIMIT $4"
        )
    };
}

// A stretch of an index, in its order.
macro_rules! by_activity {
    ($from:literal) => {
        select!(
            $from,
            "AND (i.last_at, i.project, i.issue) < ($1, $2, $3) ORDER BY i.last_at DESC, i.project DESC, i.issue DESC"
        )
    };
}

macro_rules! by_key {
    ($from:literal) => {
        // The first marker has its type also where nothing is compared with it.
        select!($from, "AND $1 IS NOT NULL AND (i.project, i.issue) > ($2, $3) ORDER BY i.project, i.issue")
    };
}

// The same of what something leads to. The sum keeps SQLite from taking the comparison for a way to the rows: they are
// looked up by the issue's key.
macro_rules! of_these {
    ($from:literal, $order:expr) => {
        match $order {
            Order::Activity => select!(
                $from,
                "AND i.project = c.project AND i.issue = c.issue \
                 AND (i.last_at + 0, i.project, i.issue) < ($1, $2, $3) \
                 ORDER BY i.last_at DESC, i.project DESC, i.issue DESC"
            ),
            Order::Key => select!(
                $from,
                "AND i.project = c.project AND i.issue = c.issue \
                 AND $1 IS NOT NULL AND (i.project, i.issue) > ($2, $3) ORDER BY i.project, i.issue"
            ),
        }
    };
}

/// Issues, in their order, from after `after` on.
pub fn search(wanted: &Wanted, through: Through, order: Order, after: Option<&FoundCursor>, limit: u32) -> Read<Found> {
    let mut args = start(order, after);
    args.push(limit.into());
    args.extend(range(wanted.project.as_ref()));
    args.push(wanted.number.as_ref().map(|digits| format!("{digits}%")).into());
    let none: (&[u8], &[u8]) = (&[], &[]);
    let (from, to) = wanted.sha.as_ref().map_or(none, |(from, to)| (from, to));
    args.extend(row![wanted.sha.is_some(), from, to]);
    args.extend((0..MOST_WORDS).map(|place| Value::from(wanted.words.get(place).map(String::as_str))));
    args.push(wanted.authors.is_some().into());
    args.extend(authors(wanted.authors.as_deref().unwrap_or_default()));
    let one_project = matches!(wanted.project, Some((_, false)));
    let sql = match (through, order) {
        (Through::All, Order::Activity) if one_project => {
            // The range is one project: said as an equation the index of its activity is used.
            by_activity!("(SELECT * FROM search_issues@ WHERE project = $5) i")
        }
        (Through::All, Order::Activity) => by_activity!("search_issues@ i"),
        (Through::All, Order::Key) => by_key!("search_issues@ i"),
        (Through::Sha, order) => of_these!(
            "(SELECT DISTINCT project, issue FROM search_commits@ WHERE sha >= $9 AND sha < $10) c \
             CROSS JOIN search_issues@ i",
            order
        ),
        (Through::Word(place), order) => {
            // The word that leads is the first.
            let first = 10;
            if place < MOST_WORDS {
                args.swap(first, first + place);
            }
            of_these!(
                "(SELECT DISTINCT project, issue FROM search_words@ WHERE word = CAST($11 AS TEXT)) c \
                 CROSS JOIN search_issues@ i",
                order
            )
        }
        (Through::Authors, order) => of_these!(
            "(SELECT DISTINCT project, issue FROM search_authors@ WHERE author IN \
             ($18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)) c \
             CROSS JOIN search_issues@ i",
            order
        ),
    };
    read(sql, args, Found::read)
}

/// Where a page begins.
fn start(order: Order, after: Option<&FoundCursor>) -> Row {
    match (order, after) {
        (Order::Activity, Some(after)) => {
            let last_at = after.last_at.map_or(NO_COMMIT, Timestamp::seconds);
            row![last_at, after.key.project.clone(), after.key.number]
        }
        (Order::Key, Some(after)) => row![i64::MAX, after.key.project.clone(), after.key.number],
        (Order::Activity, None) => row![i64::MAX, "~", i64::MAX],
        (Order::Key, None) => row![i64::MAX, "", 0_i64],
    }
}

/// The projects that are meant. Keys are of A to Z, 0 to 9 and `_`: `!` is before and `~` after all of them.
fn range(project: Option<&(String, bool)>) -> Row {
    match project {
        None => row!["", "~"],
        Some((project, true)) => row![project.as_str(), format!("{project}~")],
        Some((project, false)) => row![project.as_str(), format!("{project}!")],
    }
}

/// As many as there are markers; asking for one twice does not find two.
fn authors(authors: &[PersonId]) -> Row {
    let mut args: Row = authors.iter().take(MOST_AUTHORS).map(|author| Value::from(*author)).collect();
    args.resize(MOST_AUTHORS, args.last().cloned().unwrap_or_else(|| Value::from([].as_slice())));
    args
}

/// How many rows a word has, `most` at most. One row.
pub fn word_weighs(word: &str, most: u32) -> Read<u64> {
    const SQL: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM search_words@ WHERE word = $1 LIMIT $2) AS w";
    read(SQL, row![word, most], |cells| cells.count())
}

/// How many rows these persons have, `most` at most. One row.
pub fn authors_weigh(persons: &[PersonId], most: u32) -> Read<u64> {
    const SQL: &str = "\
        SELECT COUNT(*) FROM (SELECT 1 FROM search_authors@ WHERE author IN \
        ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) LIMIT $1) AS a";
    let mut args = row![most];
    args.extend(authors(persons));
    read(SQL, args, |cells| cells.count())
}

/// The issues that a commit of the repository with this number names, without those that it was only linked to; in their
/// order.
pub fn issues_of_commit(sha: CommitSha, number: Position) -> Read<NamedIn> {
    const SQL: &str = "\
        SELECT n.project, n.issue, n.committed_at FROM search_commits@ n CROSS JOIN search_repositories@ r \
        WHERE n.sha = $1 AND n.repository_number = $2 AND r.number = n.repository_number AND r.to_position IS NULL \
        ORDER BY n.project, n.issue";
    read(SQL, row![sha, number], |cells| {
        let key = IssueKey { project: cells.text()?.into(), number: cells.count()? };
        Ok(NamedIn { key, committed_at: Timestamp::from_seconds(cells.int()?) })
    })
}

/// The commits that a name may stand for and that name an issue, with the repositories that are there and have them, or only
/// in the one with this number; in the order (repository's number, commit). Those that were only linked to one are not
/// among them. Along the names of commits, whatever repositories there are.
pub fn holders_of_commit(name: CommitName, number: Option<Position>, limit: u32) -> Read<Holder> {
    const SQL: &str = "\
        SELECT DISTINCT r.repository, n.sha, n.repository_number \
        FROM search_commits@ n CROSS JOIN search_repositories@ r \
        WHERE n.sha >= $1 AND n.sha <= $2 AND n.repository_number > 0 \
        AND (CAST($3 AS BIGINT) IS NULL OR n.repository_number = CAST($3 AS BIGINT)) \
        AND r.number = n.repository_number AND r.to_position IS NULL \
        ORDER BY n.repository_number, n.sha LIMIT $4";
    read(SQL, row![name.low, name.high, number, limit], |cells| {
        Ok(Holder { repository: RepositoryId(cells.id()?), sha: cells.commit()? })
    })
}
