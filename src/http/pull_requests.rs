//! The pull requests of an issue, page by page, with who thought what of them. Two indexed reads; no aggregate is asked.
//! One that was deleted stays as a tombstone, which says that it was there, and no more what it was.

use std::collections::HashMap;

use actix_web::{
    HttpResponse, get,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    id::RepositoryId,
    person::PersonId,
    pull_request::{Places, Verdict},
    timestamp::Timestamp,
    web_links::Preset,
};
use keytrail_projections::pull_requests::{
    self, IssuePullRequest, PullCursor, PullReview, PullState, pull_requests_of_issue, reviews_of_issue,
};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    cursor::{List, Page, limit},
    error::ApiError,
    issues::{Author, ListQuery, RepositoryName, issue_key},
    words,
};

/// A pull request that names the issue.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuePullRequest)]
struct Shown {
    /// Its number in its repository.
    number: u64,
    /// In which repository.
    repository: RepositoryName,
    /// Where a browser finds it, by what the repository is called now.
    url: String,
    /// Its title; nothing when it was deleted.
    title: Option<String>,
    /// Where it is in its life.
    #[schema(schema_with = words::pull_state)]
    state: PullState,
    /// Whether it is not meant to be merged yet.
    draft: bool,
    /// The branch that it would merge; nothing when it was deleted.
    source_branch: Option<String>,
    /// The branch that it would merge into; nothing when it was deleted.
    target_branch: Option<String>,
    /// Who opened it; nothing when that account or the pull request was deleted.
    author: Option<Author>,
    /// What was thought of it, the first first; none when it was deleted.
    reviews: Vec<ShownReview>,
    /// Where it names the issue.
    #[serde(serialize_with = "words_of")]
    #[schema(value_type = Vec<String>, example = json!(["title", "body", "branch"]))]
    places: Places,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was merged.
    #[schema(value_type = Option<String>, format = DateTime)]
    merged_at: Option<Timestamp>,
    /// When it was closed, merged or not.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// When it was learned that it was deleted.
    #[schema(value_type = Option<String>, format = DateTime)]
    deleted_at: Option<Timestamp>,
    /// The position since which it is like this.
    position: i64,
}

/// What somebody thinks of a pull request.
#[derive(Serialize, ToSchema)]
#[schema(as = PullRequestReview)]
struct ShownReview {
    /// Whose it is; nothing when that account was deleted.
    reviewer: Option<Author>,
    /// What it says.
    #[schema(schema_with = words::verdict)]
    verdict: Verdict,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Where a page ended.
#[derive(Clone, Serialize, Deserialize)]
struct After(i64, Uuid, u64);

/// The pull requests whose title, body or source branch names an issue, the latest first. Those that were deleted stay, and
/// say so.
#[utoipa::path(tag = "issues", operation_id = "ListIssuePullRequests", security(("bearer" = ["viewer"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."), ListQuery),
    responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/issues/{key}/pull-requests")]
pub(super) async fn list_issue_pull_requests(
    _: Viewer,
    api: Data<Api>,
    key: Path<String>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let key = issue_key(&key)?;
    let ListQuery { as_of, cursor, limit: asked, min_position } = query.into_inner();
    let now = api.app.clock.now();
    let filters = (&key.project, key.number, as_of);
    let list = List::new("pull_requests", &filters);
    let after: Option<After> = api.cursors.after(cursor.as_deref(), &list, now)?;
    let after = after.map(|After(micros, repository, number)| PullCursor {
        created_at: Timestamp(micros),
        repository: RepositoryId(repository),
        number,
    });
    let limit = limit(asked)?;
    api.stands_at(min_position, &[&pull_requests::PullRequests]).await?;
    let rows = api.app.read(pull_requests_of_issue(&key, as_of, after, limit + 1)).await?;
    let mut reviews: HashMap<(RepositoryId, u64), Vec<PullReview>> = HashMap::new();
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        let all = api.app.read(reviews_of_issue(&key, as_of, first.cursor(), last.cursor())).await?;
        all.into_iter().for_each(|one| reviews.entry((one.repository, one.number)).or_default().push(one));
    }
    let reviewers = reviews.values().flatten().filter_map(|review| review.reviewer);
    let people = rows.iter().filter_map(|row| row.author).chain(reviewers);
    let people = api.app.people.lookup(people).await?;
    let who = |id: PersonId| Author { id: id.0, name: people.get(&id).cloned() };
    let show = |row: IssuePullRequest| {
        let of_it = reviews.get(&(row.repository, row.number)).map(Vec::as_slice).unwrap_or_default();
        shown(row, of_it, &who)
    };
    let after = |row: &IssuePullRequest| After(row.created_at.0, row.repository.0, row.number);
    let page = api.cursors.page(rows, limit, &list, now, after, show)?;
    page.answer()
}

fn shown(row: IssuePullRequest, reviews: &[PullReview], who: &dyn Fn(PersonId) -> Author) -> Shown {
    let there = row.state != PullState::Deleted;
    let review = |review: &PullReview| ShownReview {
        reviewer: review.reviewer.map(who),
        verdict: review.verdict,
        at: review.at,
    };
    Shown {
        number: row.number,
        repository: RepositoryName { id: row.repository.0, name: row.repository_name, integration: row.integration.0 },
        // Only a GitHub tells of pull requests as yet.
        url: Preset::Github.at(&row.page).pull_request_url(row.number).unwrap_or(row.page),
        title: there.then_some(row.title),
        state: row.state,
        draft: row.draft,
        source_branch: there.then_some(row.source),
        target_branch: there.then_some(row.target),
        author: row.author.filter(|_| there).map(who),
        reviews: reviews.iter().filter(|_| there).map(review).collect(),
        places: row.places,
        created_at: row.created_at,
        updated_at: row.updated_at,
        merged_at: row.merged_at,
        closed_at: row.closed_at,
        deleted_at: row.deleted_at,
        position: row.position,
    }
}

fn words_of<S: Serializer>(places: &Places, serializer: S) -> Result<S::Ok, S::Error> {
    let words = [(Places::TITLE, "title"), (Places::BODY, "body"), (Places::BRANCH, "branch")];
    serializer.collect_seq(words.into_iter().filter(|(place, _)| places.contains(*place)).map(|(_, word)| word))
}
