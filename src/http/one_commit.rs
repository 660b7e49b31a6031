//! One commit of a repository: who wrote and committed it, which issues it names, and which refs lead to it. From views
//! as far as it names an issue, else from the repository as it is here; only commits that the index knows.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{
    HttpResponse, get,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    aggregate::Aggregate,
    commit_link::CommitLink,
    index_run::batch::{CommitSha, Places},
    issue_key::IssueKey,
    recorded::StreamId,
    timestamp::Timestamp,
};
use keytrail_projections::{
    issue_branches::{CurrentRef, IssueBranches},
    issue_commits::{self, CommitCursor, IssueCommit},
    issue_search::{self, IssueSearch},
    repository_list::{Repository, RepositoryList},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    commit_place::place,
    cursor::{List, limit},
    error::{ApiError, Code, sentence},
    integrations::OneQuery,
    issues::{Author, RepositoryName, hex, words_of},
    links::PageLinks,
};
use crate::{
    app::App,
    git::{CommitText, Signed},
    jobs::{Called, RefsTrouble, commit_called, look_up, refs_of_commit},
    secrets::Person,
};

/// A commit.
#[derive(Serialize, ToSchema)]
pub(super) struct Commit {
    /// Its name, 40 hexadecimal digits.
    #[serde(serialize_with = "hex")]
    #[schema(value_type = String)]
    sha: CommitSha,
    /// In which repository.
    repository: RepositoryName,
    /// Where a browser finds it; nothing where its repository has no such link.
    url: Option<String>,
    /// The first paragraph of its message.
    subject: String,
    /// Who wrote it.
    author: Author,
    /// When it was written, by the author's clock.
    #[schema(value_type = String, format = DateTime)]
    authored_at: Timestamp,
    /// Who committed it; nothing when the commit itself cannot be read now.
    committer: Option<Author>,
    /// When it was committed, by the committer's clock.
    #[schema(value_type = String, format = DateTime)]
    committed_at: Timestamp,
    /// The commits before it, the first parent first; nothing when the commit itself cannot be read now.
    parents: Option<Vec<String>>,
    /// The best ref that it was reachable from when it was recorded; only of a commit that names an issue.
    introduced_by: Option<String>,
    /// The issues that it names, by key.
    issues: Vec<NamedIssue>,
    /// The position since which no ref leads to it, because a branch was rewritten or deleted; nothing while one does.
    superseded_position: Option<i64>,
    /// Where more of it is.
    links: Links,
}

/// An issue that a commit names.
#[derive(Serialize, ToSchema)]
struct NamedIssue {
    /// In upper case.
    #[schema(example = "KAFKA-1234")]
    key: String,
    /// Where the commit names it.
    #[serde(serialize_with = "words_of")]
    #[schema(value_type = Vec<String>, example = json!(["subject", "body"]))]
    places: Places,
    /// The position since which this is known.
    position: i64,
}

/// Where more of a commit is.
#[derive(Serialize, ToSchema)]
struct Links {
    /// The files that it changed.
    files: String,
    /// The lines that it changed.
    diff: String,
    /// The refs that lead to it.
    refs: String,
}

/// The refs that lead to a commit.
#[derive(Serialize, ToSchema)]
pub(super) struct CommitRefs {
    /// In the bytewise order of their names.
    items: Vec<RefOfCommit>,
    /// Ask again with this as `cursor` for the next page; nothing when this is the last one. It works for a day.
    next: Option<String>,
    /// How many there are, shown or not.
    total: u64,
    /// Refs of which it is not known whether they lead there: no run has looked at what they name yet, or the repository
    /// has more than 100,000 refs.
    undecided: u64,
}

/// A ref that leads to a commit.
#[derive(Serialize, ToSchema)]
struct RefOfCommit {
    /// Its full name, such as `refs/heads/main`.
    name: String,
    /// The commit it names.
    #[serde(serialize_with = "hex")]
    #[schema(value_type = String)]
    sha: CommitSha,
    /// Where a browser finds the branch, or the pull request whose ref it is; nothing where its repository has no such link.
    url: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RefsQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// One commit with the issues that it names.
#[utoipa::path(tag = "repositories", operation_id = "GetCommit", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "The repository."),
        ("sha" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."), OneQuery),
    responses((status = 200, description = "It.", body = Commit),
        (status = 409,
            description = "No integration sees the repository any more, or several commits begin with these digits."),
        (status = 502, description = "The repository, or the copy of it, cannot be read.")))]
#[get("/api/v1/repositories/{id}/commits/{sha}")]
pub(super) async fn get_commit(
    _: Viewer,
    api: Data<Api>,
    at: Path<(Uuid, String)>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    // Whether the repository is there is told by a view, too.
    api.stands_at(query.min_position, &[&RepositoryList]).await?;
    let (repository, sha) = place(&api, at.into_inner()).await?;
    let details = details_of(&api.app, &repository, sha).await;
    let named = shown_at(&api, &repository, sha, details.as_ref(), query.min_position).await?;
    if named.is_empty() {
        known(&api, &repository, sha).await?;
    }
    let committer = match &details {
        Some(details) => Some(author(&api, &details.committer).await?),
        None => None,
    };
    let superseded = issue_commits::superseded_position(repository.number, sha);
    let superseded_position = api.read(query.min_position, superseded).await?.into_iter().next();
    let parents = details.as_ref().map(|details| details.parents.iter().map(CommitSha::to_string).collect());
    let (subject, writer, authored_at, committed_at, introduced_by) = match (named.first(), &details) {
        (Some((_, row)), _) => {
            let people = api.app.people.lookup([row.author]).await?;
            let writer = Author { id: row.author.0, name: people.get(&row.author).cloned() };
            (row.subject.clone(), writer, row.authored_at, row.committed_at, row.introduced_by.clone())
        }
        (None, Some(details)) => {
            let writer = author(&api, &details.author).await?;
            let (written, committed) = (details.author.at, details.committer.at);
            let at = Timestamp::from_seconds;
            (details.subject.as_str().to_owned(), writer, at(written), at(committed), None)
        }
        (None, None) => {
            let detail = "The commit names no issue, so that only its repository has it, and that cannot be read now.";
            return Err(ApiError::new(Code::RepositoryUnreadable, detail).retry_after(10));
        }
    };
    let at = format!("/api/v1/repositories/{}/commits/{sha}", repository.id);
    let links = PageLinks::of(&api, [repository.integration]).await?;
    let repository =
        RepositoryName { id: repository.id.0, name: repository.name, integration: repository.integration.0 };
    Ok(HttpResponse::Ok().json(Commit {
        sha,
        url: links.at(&repository).commit_url(&sha.to_string()),
        repository,
        subject,
        author: writer,
        authored_at,
        committer,
        committed_at,
        parents,
        introduced_by,
        issues: named.into_iter().map(issue).collect(),
        superseded_position,
        links: Links { files: format!("{at}/files"), diff: format!("{at}/diff"), refs: format!("{at}/refs") },
    }))
}

/// The refs that lead to a commit, as the last completed run has seen them.
#[utoipa::path(tag = "repositories", operation_id = "ListCommitRefs", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "The repository."),
        ("sha" = String, Path, description = "The commit: 7 to 40 hexadecimal digits."), RefsQuery),
    responses((status = 200, description = "A page.", body = CommitRefs),
        (status = 409,
            description = "No integration sees the repository any more, or several commits begin with these digits.")))]
#[get("/api/v1/repositories/{id}/commits/{sha}/refs")]
pub(super) async fn list_commit_refs(
    _: Viewer,
    api: Data<Api>,
    at: Path<(Uuid, String)>,
    query: Query<RefsQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = limit(query.limit)?;
    api.stands_at(query.min_position, &[&RepositoryList, &IssueSearch, &IssueBranches]).await?;
    let (repository, sha) = place(&api, at.into_inner()).await?;
    let now = api.app.clock.now();
    let filters = (repository.id, sha);
    let list = List::new("commit_refs", &filters);
    let after: Option<String> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    known(&api, &repository, sha).await?;
    let found = refs_of_commit(&api.app, &repository, sha).await.map_err(|trouble| match trouble {
        RefsTrouble::View(error) => error.into(),
        error @ (RefsTrouble::Git(_) | RefsTrouble::Busy(_) | RefsTrouble::Stopped) => {
            ApiError::new(Code::Busy, sentence(&error.to_string())).retry_after(2)
        }
    })?;
    let total = found.refs.len() as u64;
    let links = PageLinks::of(&api, [repository.integration]).await?;
    let links = links.at(&RepositoryName {
        id: repository.id.0,
        name: repository.name.clone(),
        integration: repository.integration.0,
    });
    let shown = |CurrentRef { name, sha }| RefOfCommit { url: links.ref_url(&name), name, sha };
    let is_shown = |one: &CurrentRef| after.as_ref().is_some_and(|after| one.name <= *after);
    let rows: Vec<CurrentRef> = found.refs.into_iter().skip_while(is_shown).take(limit as usize + 1).collect();
    let page = api.cursors.page(rows, limit, &list, now, |row| row.name.clone(), shown)?;
    Ok(HttpResponse::Ok().json(CommitRefs { items: page.items, next: page.next, total, undecided: found.undecided }))
}

/// Refuses a commit that no run has seen.
async fn known(api: &Api, repository: &Repository, sha: CommitSha) -> Result<(), ApiError> {
    if commit_called(&api.app, repository, sha.into()).await? != Called::None {
        return Ok(());
    }
    let detail = "No index run of this repository has seen it. Look whether it is another's, or index it again.";
    Err(ApiError::new(Code::CommitUnknown, detail))
}

/// What the commit's object says. `None` when nobody has it here, or it cannot be read now: then less is shown.
async fn details_of(app: &Arc<App>, repository: &Repository, sha: CommitSha) -> Option<CommitText> {
    match look_up(app, repository, sha).await {
        Ok(found) => found.text,
        Err(trouble) => {
            tracing::debug!(%sha, %trouble, "a commit is shown without its object");
            None
        }
    }
}

/// The issues that the commit is shown at, by key, each with its row: those that it names and that count, without those
/// it was unlinked from, and those that a person linked it to.
async fn shown_at(
    api: &Api,
    repository: &Repository,
    sha: CommitSha,
    details: Option<&CommitText>,
    min_position: Option<i64>,
) -> Result<Vec<(String, IssueCommit)>, ApiError> {
    let number = repository.number;
    let named = api.read(min_position, issue_search::issues_of_commit(sha, number)).await?;
    let committed_at =
        named.first().map(|one| one.committed_at).or(details.map(|one| Timestamp::from_seconds(one.committer.at)));
    let mut keys: BTreeSet<IssueKey> = named.into_iter().map(|one| one.key).collect();
    let stream = StreamId::new(CommitLink::TYPE, CommitLink::id(repository.id, sha));
    let (link, _) = api.app.load::<CommitLink>(stream).await?;
    keys.extend(link.decisions.into_keys());
    let Some(committed_at) = committed_at else { return Ok(Vec::new()) };
    let at = CommitCursor { committed_at, number, sha };
    let mut found = Vec::with_capacity(keys.len());
    for key in keys {
        let rows = api.read_of_issue(min_position, issue_commits::commit_of_issue(&key, at)).await?;
        // The two views need not stand at the same position.
        found.extend(rows.into_iter().filter(|row| row.sha == sha).map(|row| (key.to_string(), row)));
    }
    Ok(found)
}

fn issue((key, row): (String, IssueCommit)) -> NamedIssue {
    NamedIssue { key, places: row.places, position: row.from_position }
}

/// Who signed. Somebody who never wrote a commit that names an issue is in no table: the name is the commit's, unless
/// the person was forgotten.
async fn author(api: &Api, signed: &Signed) -> Result<Author, ApiError> {
    let id = signed.who.id;
    let known = api.app.people.lookup([id]).await?.remove(&id);
    let name = match known {
        Some(person) => Some(person),
        None if api.app.people.is_forgotten(id).await? => None,
        None => Some(Arc::new(Person { name: signed.who.name.clone(), email: Default::default() })),
    };
    Ok(Author { id: id.0, name })
}
