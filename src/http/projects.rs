//! The projects whose issues commits name.

use actix_web::{
    HttpResponse, get,
    web::{Data, Query},
};
use keytrail_domain::{id::RepositoryId, issue_key::DENIED_PROJECTS};
use keytrail_projections::{
    issue_commits::{self, ProjectCount},
    repository_list,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    cursor::limit,
    error::{ApiError, Code},
};

/// The projects that commits name.
#[derive(Serialize, ToSchema)]
pub(super) struct Projects {
    /// The most named first.
    items: Vec<Project>,
}

/// A project.
#[derive(Serialize, ToSchema)]
struct Project {
    /// Its key.
    #[schema(example = "KAFKA")]
    project: String,
    /// Whether it only looks like a project, as UTF does.
    denied: bool,
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
    /// How many: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
}

/// The projects that commits name, the most named first.
#[utoipa::path(tag = "issues", operation_id = "ListProjects", security(("bearer" = ["viewer"])),
    params(ProjectsQuery), responses((status = 200, description = "The projects.", body = Projects),
        (status = 404, description = "There is no such repository.")))]
#[get("/api/v1/projects")]
pub(super) async fn list_projects(
    _: Viewer,
    api: Data<Api>,
    query: Query<ProjectsQuery>,
) -> Result<HttpResponse, ApiError> {
    let limit = limit(query.limit)?;
    let read = match query.repository.map(RepositoryId) {
        None => issue_commits::top_projects(limit),
        Some(repository) => {
            api.one(None, || repository_list::by_id(repository), Code::RepositoryUnknown).await?;
            issue_commits::projects_of_repository(repository, limit)
        }
    };
    // It looks at every link: not on the thread that others wait for.
    let app = api.app.clone();
    let here = tokio::runtime::Handle::current();
    let rows = tokio::task::spawn_blocking(move || here.block_on(app.read(read))).await;
    let rows = rows.map_err(|error| ApiError::internal(&error))??;
    Ok(HttpResponse::Ok().json(Projects { items: rows.into_iter().map(project).collect() }))
}

fn project(row: ProjectCount) -> Project {
    let denied = DENIED_PROJECTS.contains(&row.project.as_str());
    Project { project: row.project, denied, issues: row.issues, links: row.links }
}
