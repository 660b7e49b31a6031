//! The commits and the branches of an issue, page by page. One indexed read each; no aggregate is asked.

use std::sync::Arc;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    index_run::batch::{CommitSha, Places},
    issue_key::IssueKey,
    recorded::Position,
    timestamp::Timestamp,
};
use keytrail_projections::{
    issue_branches::{self, BranchCursor, IssueBranch},
    issue_commits::{self, CommitCursor, IssueCommit, LinkState},
};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    commit_links::Decision,
    cursor::{List, Page, limit},
    error::{ApiError, Code, sentence},
    links::PageLinks,
};
use crate::secrets::Person;

/// A repository by its names.
#[derive(Serialize, ToSchema)]
pub(super) struct RepositoryName {
    /// Which.
    pub(super) id: Uuid,
    /// What a person calls it.
    pub(super) name: String,
    /// The integration that sees it.
    pub(super) integration: Uuid,
}

/// A commit that names the issue.
#[derive(Serialize, ToSchema)]
#[schema(as = IssueCommit)]
pub(super) struct ShownCommit {
    /// Its name, 40 hexadecimal digits.
    #[serde(serialize_with = "hex")]
    #[schema(value_type = String)]
    sha: CommitSha,
    /// In which repository.
    repository: RepositoryName,
    /// Where a browser finds it; nothing where its repository has no such link.
    url: Option<String>,
    /// Who wrote it.
    author: Author,
    /// When it was written, by the author's clock.
    #[schema(value_type = String, format = DateTime)]
    authored_at: Timestamp,
    /// When it was committed, by the committer's clock.
    #[schema(value_type = String, format = DateTime)]
    committed_at: Timestamp,
    /// The first paragraph of its message.
    subject: String,
    /// The best ref that it was reachable from when it was recorded; nothing of one that names no issue.
    introduced_by: Option<String>,
    /// Whether that was the default branch.
    on_default_branch: bool,
    /// Where it names the issue; empty when a person linked it and it does not.
    #[serde(serialize_with = "words_of")]
    #[schema(value_type = Vec<String>, example = json!(["subject", "body"]))]
    places: Places,
    /// The position since which this is known.
    position: i64,
    /// The position since which no ref leads to it, because a branch was rewritten or deleted; nothing while one does.
    superseded_position: Option<i64>,
    /// Whether a person linked it.
    manual: bool,
    /// What a person decided about it and the issue; nothing when nobody did.
    decision: Option<Decision>,
}

/// Who wrote a commit, or opened or reviewed a pull request.
#[derive(Serialize, ToSchema)]
pub(super) struct Author {
    /// Which person; the same in all repositories.
    pub(super) id: Uuid,
    /// As the latest source spells it; nothing when the person was forgotten.
    #[serde(serialize_with = "name_of")]
    #[schema(value_type = Option<String>)]
    pub(super) name: Option<Arc<Person>>,
}

/// A branch whose name carries the issue's key.
#[derive(Serialize, ToSchema)]
#[schema(as = IssueBranch)]
pub(super) struct ShownBranch {
    /// Its full name, such as `refs/heads/feature/KEY-1`.
    name: String,
    /// The commit it names.
    #[serde(serialize_with = "hex")]
    #[schema(value_type = String)]
    sha: CommitSha,
    /// In which repository.
    repository: RepositoryName,
    /// Where a browser finds it; nothing where its repository has no such link.
    url: Option<String>,
    /// The position since which it is there.
    position: i64,
    /// The position since which it names this commit.
    moved_position: i64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// As it was known at this position.
    pub(super) as_of: Option<i64>,
    /// `next` of the page before.
    pub(super) cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    pub(super) limit: Option<u32>,
    /// The answer is at least as new as this position.
    pub(super) min_position: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CommitsQuery {
    /// As it was known at this position.
    as_of: Option<i64>,
    /// Those that a person unlinked, too.
    unlinked: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Where a page of commits ended.
#[derive(Clone, Serialize, Deserialize)]
struct AfterCommit(i64, Position, String);

/// Where a page of branches ended.
#[derive(Clone, Serialize, Deserialize)]
struct AfterBranch(Position, String);

/// The commits that name an issue or were linked to it, newest first; those that no ref leads to any more say so.
#[utoipa::path(tag = "issues", operation_id = "ListIssueCommits", security(("bearer" = ["viewer"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."), CommitsQuery),
    responses((status = 200, description = "A page.", body = Page<ShownCommit>)))]
#[get("/api/v1/issues/{key}/commits")]
pub(super) async fn list_issue_commits(
    _: Viewer,
    api: Data<Api>,
    key: Path<String>,
    query: Query<CommitsQuery>,
) -> Result<HttpResponse, ApiError> {
    let key = issue_key(&key)?;
    let now = api.app.clock.now();
    let unlinked = query.unlinked.unwrap_or(false);
    let filters = (&key.project, key.number, query.as_of, unlinked);
    let list = List::new("commits", &filters);
    let after: Option<AfterCommit> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let after = after.map(commit_cursor).transpose()?;
    let limit = limit(query.limit)?;
    let asked = issue_commits::page_of_issue(&key, query.as_of, after, unlinked, limit + 1);
    let rows = api.read_of_issue(query.min_position, asked).await?;
    let people = api.app.people.lookup(rows.iter().map(|row| row.author)).await?;
    let links = PageLinks::of(&api, rows.iter().map(|row| row.integration)).await?;
    let after = |row: &IssueCommit| AfterCommit(row.committed_at.seconds(), row.number, row.sha.to_string());
    let show = |row: IssueCommit| {
        let author = people.get(&row.author).cloned();
        shown_commit(row, author, &links)
    };
    let page = api.cursors.page(rows, limit, &list, now, after, show)?;
    page.answer()
}

fn commit_cursor(AfterCommit(seconds, number, sha): AfterCommit) -> Result<CommitCursor, ApiError> {
    let sha = sha.parse().map_err(|error| ApiError::internal(&error))?;
    Ok(CommitCursor { committed_at: Timestamp::from_seconds(seconds), number, sha })
}

fn shown_commit(row: IssueCommit, author: Option<Arc<Person>>, links: &PageLinks) -> ShownCommit {
    let repository = RepositoryName { id: row.repository.0, name: row.repository_name, integration: row.integration.0 };
    ShownCommit {
        sha: row.sha,
        url: links.at(&repository).commit_url(&row.sha.to_string()),
        repository,
        author: Author { id: row.author.0, name: author },
        authored_at: row.authored_at,
        committed_at: row.committed_at,
        subject: row.subject,
        introduced_by: row.introduced_by,
        on_default_branch: row.on_default,
        places: row.places,
        position: row.from_position,
        superseded_position: row.superseded_position,
        manual: row.decision.as_ref().is_some_and(|decision| decision.state == LinkState::Linked),
        decision: row.decision.map(Decision::from),
    }
}

/// The branches whose name carries an issue's key.
#[utoipa::path(tag = "issues", operation_id = "ListIssueBranches", security(("bearer" = ["viewer"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."), ListQuery),
    responses((status = 200, description = "A page.", body = Page<ShownBranch>)))]
#[get("/api/v1/issues/{key}/branches")]
pub(super) async fn list_issue_branches(
    _: Viewer,
    api: Data<Api>,
    key: Path<String>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let key = issue_key(&key)?;
    let now = api.app.clock.now();
    let filters = (&key.project, key.number, query.as_of);
    let list = List::new("branches", &filters);
    let after: Option<AfterBranch> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let after = after.map(|AfterBranch(number, name)| BranchCursor { number, name });
    let limit = limit(query.limit)?;
    let read = issue_branches::branches_of_issue(&key, query.as_of, after.as_ref(), limit + 1);
    let rows = api.read(query.min_position, read).await?;
    let links = PageLinks::of(&api, rows.iter().map(|row| row.integration)).await?;
    let after = |row: &IssueBranch| AfterBranch(row.number, row.name.clone());
    let page = api.cursors.page(rows, limit, &list, now, after, |row| shown_branch(row, &links))?;
    page.answer()
}

fn shown_branch(row: IssueBranch, links: &PageLinks) -> ShownBranch {
    let repository = RepositoryName { id: row.repository.0, name: row.repository_name, integration: row.integration.0 };
    ShownBranch {
        url: links.at(&repository).ref_url(&row.name),
        name: row.name,
        sha: row.sha,
        repository,
        position: row.from_position,
        moved_position: row.moved_position,
    }
}

/// The key of an issue in an address.
pub(super) fn issue_key(text: &str) -> Result<IssueKey, ApiError> {
    text.parse().map_err(|error: keytrail_domain::issue_key::NotAKey| {
        ApiError::new(Code::IssueKeyInvalid, sentence(&error.to_string()))
    })
}

fn name_of<S: Serializer>(person: &Option<Arc<Person>>, serializer: S) -> Result<S::Ok, S::Error> {
    person.as_ref().map(|person| person.name.as_str()).serialize(serializer)
}

/// The name of a commit.
pub(super) fn hex<S: Serializer>(sha: &CommitSha, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(sha)
}

/// Where a commit names an issue.
pub(super) fn words_of<S: Serializer>(places: &Places, serializer: S) -> Result<S::Ok, S::Error> {
    let words = [(Places::SUBJECT, "subject"), (Places::BODY, "body")];
    serializer.collect_seq(words.into_iter().filter(|(place, _)| places.contains(*place)).map(|(_, word)| word))
}
