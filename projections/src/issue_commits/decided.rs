//! Reads of issues about whose commits persons decided something: what the index found, without what was unlinked, and
//! what was linked by hand. Most issues have none of that, and are read the plain way.

use keytrail_domain::{
    id::RepositoryId,
    index_run::batch::{CommitSha, Places},
    issue_key::IssueKey,
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};

use super::{
    IssueCommits, LinkState,
    reads::{CommitCursor, IssueCommit, page_args, position},
    shares::IssueShare,
};
use crate::{
    row,
    ruled::{Rule, counts},
    value::{BadRow, Cells, Row},
    view::Read,
};

/// What a person decided about a commit and an issue.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkDecision {
    /// What.
    pub state: LinkState,
    /// Who; the name at that time.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

impl LinkDecision {
    fn read(cells: &mut Cells<'_>) -> Result<Option<Self>, BadRow> {
        let (state, actor, at) = (cells.maybe_word()?, cells.maybe_text()?, cells.maybe_time()?);
        let decision = state.zip(actor).zip(at);
        Ok(decision.map(|((state, actor), at)| Self { state, actor: actor.to_owned(), at }))
    }
}

/// How a commit and an issue stand to each other, whether it is shown or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Where the index found the issue in the commit, if it did.
    pub places: Option<Places>,
    /// Which version of the grammar found it.
    pub extractor: Option<u32>,
    /// The position since which no ref leads to the commit any more, while that is so.
    pub superseded_position: Option<Position>,
    /// What a person decided last, if anything.
    pub decision: Option<LinkDecision>,
    /// The sequence of the stream of decisions: the link's ETag.
    pub version: Sequence,
    /// The position of the last decision.
    pub position: Option<Position>,
}

impl Link {
    /// Whether the commit is shown at the issue, as far as the rules let the issue count.
    pub fn holds(&self) -> bool {
        match self.decision.as_ref().map(|decision| decision.state) {
            Some(LinkState::Linked) => true,
            Some(LinkState::Unlinked) => false,
            Some(LinkState::AsFound) | None => self.places.is_some(),
        }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, BadRow> {
        let places = cells.maybe_int()?.map(u8::try_from).transpose().map_err(|_| BadRow)?;
        let extractor = cells.maybe_int()?.map(u32::try_from).transpose().map_err(|_| BadRow)?;
        Ok(Self {
            places: places.map(Places),
            extractor,
            superseded_position: cells.maybe_int()?,
            decision: LinkDecision::read(cells)?,
            version: cells.maybe_int()?.unwrap_or(0),
            position: cells.maybe_int()?,
        })
    }
}

/// What the index found of the issue `$1`-`$2` as of `$3`, with the decision on each.
macro_rules! found {
    () => {
        "FROM issue_commits@ c CROSS JOIN issue_repositories@ r \
         LEFT JOIN superseded_commits@ s ON s.repository_number = c.repository_number AND s.sha = c.sha \
         AND s.from_position <= $3 AND (s.to_position IS NULL OR s.to_position > $3) \
         LEFT JOIN commit_decisions@ d ON d.project = $1 AND d.issue = $2 AND d.repository = r.repository \
         AND d.sha = c.sha AND d.from_position <= $3 AND (d.to_position IS NULL OR d.to_position > $3) \
         AND d.state <> 'as_found' \
         WHERE c.project = $1 AND c.issue = $2 AND c.from_position <= $3 \
         AND r.number = c.repository_number AND r.from_position <= $3 \
         AND (r.to_position IS NULL OR r.to_position > $3) "
    };
}

/// What was linked to it by hand and is not found by the index.
macro_rules! added {
    () => {
        "FROM commit_decisions@ d CROSS JOIN issue_repositories@ r \
         LEFT JOIN superseded_commits@ s ON s.repository_number = r.number AND s.sha = d.sha \
         AND s.from_position <= $3 AND (s.to_position IS NULL OR s.to_position > $3) \
         WHERE d.project = $1 AND d.issue = $2 AND d.state = 'linked' \
         AND d.from_position <= $3 AND (d.to_position IS NULL OR d.to_position > $3) \
         AND r.repository = d.repository AND r.from_position <= $3 \
         AND (r.to_position IS NULL OR r.to_position > $3) \
         AND NOT EXISTS (SELECT 1 FROM issue_commits@ f WHERE f.project = $1 AND f.issue = $2 \
         AND f.committed_at = d.committed_at AND f.repository_number = r.number AND f.sha = d.sha \
         AND f.from_position <= $3) "
    };
}

/// [`super::page_of_issue`] of an issue with decisions.
pub(super) fn commits_of_decided_issue(
    issue: &IssueKey,
    as_of: Option<Position>,
    after: Option<CommitCursor>,
    with_unlinked: bool,
    limit: u32,
) -> Read<IssueCommit> {
    const SQL: &str = concat!(
        "SELECT t.sha, t.number, t.repository, t.name, t.integration, t.author, t.authored_at, t.committed_at, ",
        "t.subject, t.introduced_by, t.on_default, t.places, t.known_since, t.superseded_since, t.state, t.actor, ",
        "t.decided_at FROM (",
        "SELECT c.sha AS sha, r.number AS number, r.repository AS repository, r.name AS name, ",
        "r.integration AS integration, c.author AS author, c.authored_at AS authored_at, ",
        "c.committed_at AS committed_at, c.subject AS subject, c.introduced_by AS introduced_by, ",
        "c.on_default AS on_default, c.places AS places, c.from_position AS known_since, ",
        "s.from_position AS superseded_since, d.state AS state, d.actor AS actor, d.decided_at AS decided_at ",
        found!(),
        counts!("issue_rules"),
        "AND (d.state IS NULL OR d.state = 'linked' OR CAST($8 AS BIGINT) = 1) UNION ALL ",
        "SELECT d.sha, r.number, r.repository, r.name, r.integration, d.author, d.authored_at, d.committed_at, ",
        "d.subject, d.introduced_by, d.on_default, 0, d.from_position, s.from_position, d.state, d.actor, ",
        "d.decided_at ",
        added!(),
        counts!("issue_rules"),
        ") t WHERE (t.committed_at, t.number, t.sha) < ($4, $5, $6) ",
        "ORDER BY t.committed_at DESC, t.number DESC, t.sha DESC LIMIT $7"
    );
    let mut args = page_args(issue, as_of, after, limit);
    args.extend(row![with_unlinked]);
    let row = |cells: &mut Cells<'_>| {
        let commit = IssueCommit::read(cells)?;
        Ok(IssueCommit { decision: LinkDecision::read(cells)?, ..commit })
    };
    read(SQL, args, row)
}

/// When, where and by whom what is shown of an issue with decisions was committed.
macro_rules! shown {
    () => {
        concat!(
            "(SELECT r.number AS number, r.repository AS repository, r.name AS name, r.integration AS integration, ",
            "c.author AS author, s.sha AS superseded, c.committed_at AS committed_at, c.sha AS sha ",
            found!(),
            counts!("issue_rules"),
            "AND (d.state IS NULL OR d.state = 'linked') UNION ALL ",
            "SELECT r.number, r.repository, r.name, r.integration, d.author, s.sha, d.committed_at, d.sha ",
            added!(),
            counts!("issue_rules"),
            ") "
        )
    };
}

/// [`super::shares_of_issue`] of an issue with decisions.
pub(super) fn shares_of_decided_issue(issue: &IssueKey, as_of: Option<Position>, most: u32) -> Read<IssueShare> {
    const SQL: &str = concat!(
        "SELECT t.repository, t.name, t.integration, t.author, COUNT(*), COUNT(t.superseded), MIN(t.committed_at), ",
        "MAX(t.committed_at) FROM (SELECT * FROM ",
        shown!(),
        "u ORDER BY u.committed_at DESC, u.number DESC, u.sha DESC LIMIT $4) t ",
        "GROUP BY t.number, t.repository, t.name, t.integration, t.author ORDER BY t.number, t.author"
    );
    let args = row![issue.project.clone(), issue.number, position(as_of), most];
    read(SQL, args, IssueShare::read)
}

/// [`super::first_of_issue`] of an issue with decisions.
pub(super) fn first_of_decided_issue(issue: &IssueKey, as_of: Option<Position>) -> Read<Timestamp> {
    const SQL: &str = concat!("SELECT t.committed_at FROM ", shown!(), "t ORDER BY t.committed_at LIMIT 1");
    let args = row![issue.project.clone(), issue.number, position(as_of)];
    read(SQL, args, |cells| cells.int().map(Timestamp::from_seconds))
}

/// How a commit of a repository and an issue stand to each other now. No row when no integration sees the repository.
pub fn link_of(issue: &IssueKey, repository: RepositoryId, sha: CommitSha) -> Read<Link> {
    const SQL: &str = "\
        SELECT c.places, c.extractor, s.from_position, d.state, d.actor, d.decided_at, d.version, d.from_position \
        FROM issue_repositories@ r \
        LEFT JOIN issue_commits@ c ON c.project = $1 AND c.issue = $2 AND c.repository_number = r.number AND c.sha = $4 \
        LEFT JOIN superseded_commits@ s ON s.repository_number = r.number AND s.sha = $4 AND s.to_position IS NULL \
        LEFT JOIN commit_decisions@ d ON d.project = $1 AND d.issue = $2 AND d.repository = $3 AND d.sha = $4 \
        AND d.to_position IS NULL \
        WHERE r.repository = $3 AND r.to_position IS NULL LIMIT 1";
    read(SQL, row![issue.project.clone(), issue.number, repository, sha], Link::read)
}

/// What the rules say of an issue now. One row.
pub fn rule_of(issue: &IssueKey) -> Read<Rule> {
    const SQL: &str = "\
        SELECT CASE WHEN EXISTS (SELECT 1 FROM issue_rules@ x WHERE x.verdict = 1 AND x.project = $1 AND x.issue = 0) \
        THEN 'project_denied' \
        WHEN EXISTS (SELECT 1 FROM issue_rules@ x WHERE x.verdict = 1 AND x.project = $1 AND x.issue = $2) \
        THEN 'issue_denied' \
        WHEN EXISTS (SELECT 1 FROM issue_rules@ k WHERE k.verdict = 0) \
        AND NOT EXISTS (SELECT 1 FROM issue_rules@ k WHERE k.verdict = 0 AND k.project = $1) \
        THEN 'project_not_known' ELSE 'counts' END";
    read(SQL, row![issue.project.clone(), issue.number], |cells| cells.word())
}

fn read<T>(sql: &'static str, args: Row, row: fn(&mut Cells<'_>) -> Result<T, BadRow>) -> Read<T> {
    Read { view: &IssueCommits, sql, args, row }
}
