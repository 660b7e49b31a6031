//! The projects whose issues commits name.

use actix_web::{
    HttpResponse, get,
    web::{Data, Query},
};
use keytrail_domain::id::RepositoryId;
use keytrail_projections::{
    Rule,
    issue_commits::{self, IssueCommits, ProjectCount, ProjectCursor},
    repository_list,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    words,
};

/// A project.
#[derive(Serialize, ToSchema)]
pub(super) struct Project {
    /// Its key.
    #[schema(example = "KAFKA")]
    project: String,
    /// Whether the rules leave it out, as they do with UTF.
    denied: bool,
    /// What the rules say of it.
    #[schema(schema_with = words::rule)]
    rule: Rule,
    /// Issues that are named.
    issues: u64,
    /// Times that a commit names one of them.
    links: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProjectsQuery {
    /// Only what this repository's commits name.
    repository: Option<Uuid>,
    /// Those that the rules leave out, too.
    all: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// The projects that commits name and that count, the most named first.
#[utoipa::path(tag = "issues", operation_id = "ListProjects", security(("bearer" = ["viewer"])),
    params(ProjectsQuery), responses((status = 200, description = "A page.", body = Page<Project>),
        (status = 404, description = "There is no such repository.")))]
#[get("/api/v1/projects")]
pub(super) async fn list_projects(
    _: Viewer,
    api: Data<Api>,
    query: Query<ProjectsQuery>,
) -> Result<HttpResponse, ApiError> {
    let (limit, all) = (limit(query.limit)?, query.all.unwrap_or(false));
    api.stands_at(query.min_position, &[&IssueCommits]).await?;
    let now = api.app.clock.now();
    let filters = (query.repository, all);
    let list = List::new("projects", &filters);
    let after: Option<(u64, String)> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let after = after.map(|(links, project)| ProjectCursor { links, project });
    let read = match query.repository.map(RepositoryId) {
        None => issue_commits::top_projects(all, after, limit + 1),
        Some(repository) => {
            api.one(query.min_position, || repository_list::by_id(repository), Code::RepositoryUnknown).await?;
            issue_commits::projects_of_repository(repository, all, after, limit + 1)
        }
    };
    // It looks at every link.
    let rows = api.app.read_aside(move |app| async move { app.read(read).await }).await?;
    let page = api.cursors.page(rows, limit, &list, now, |row| (row.links, row.project.clone()), project)?;
    page.answer()
}

fn project(row: ProjectCount) -> Project {
    let denied = row.rule != Rule::Counts;
    Project { project: row.project, denied, rule: row.rule, issues: row.issues, links: row.links }
}
