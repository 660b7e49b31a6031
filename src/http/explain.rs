//! Why an issue shows a commit, or does not.

use actix_web::{
    HttpResponse, get,
    web::{Data, Query},
};
use keytrail_domain::id::RepositoryId;
use keytrail_projections::{
    issue_branches::IssueBranches, issue_commits::IssueCommits, issue_search::IssueSearch,
    repository_list::RepositoryList,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    commit_place::{ambiguous, commit_name},
    error::ApiError,
    words,
};
use crate::explain::{self, Question, Unexplained, explain};

/// Why an issue shows a commit, or does not.
#[derive(Serialize, ToSchema)]
pub(super) struct Explanation {
    /// The commit, once it was found: 40 hexadecimal digits.
    commit: Option<String>,
    /// The issue, as it was asked for.
    issue: String,
    /// The repository that it is about.
    repository: Option<ExplainedRepository>,
    /// Other repositories that have the commit; ask for one of them with `repository`.
    also_in: Vec<Uuid>,
    /// Whether the issue shows the commit.
    shown: bool,
    /// The first step that is in the way; when there is none, the first of which nothing can be told. Nothing when the
    /// commit is shown.
    because: Option<ExplainedStep>,
    /// All steps in their order.
    steps: Vec<ExplainedStep>,
}

/// A repository by its names.
#[derive(Serialize, ToSchema)]
struct ExplainedRepository {
    /// Which.
    id: Uuid,
    /// What a person calls it.
    name: String,
}

/// A step from the repository to the reader.
#[derive(Serialize, ToSchema)]
struct ExplainedStep {
    /// Which step.
    #[schema(schema_with = words::explained_step)]
    step: &'static str,
    /// `ok` when it is not in the way, `failed` when it is, `unknown` when that cannot be told, `skipped` when it was not
    /// looked at.
    #[schema(schema_with = words::explained_state)]
    state: &'static str,
    /// What was found; docs/issue-keys.md explains each.
    #[schema(example = "named_in_subject")]
    code: &'static str,
    /// The same for a person.
    sentence: String,
    /// What a person can do; commands in it can be typed as they stand.
    next: Option<String>,
}

impl From<&explain::Step> for ExplainedStep {
    fn from(step: &explain::Step) -> Self {
        let finding = step.finding;
        Self {
            step: finding.step().as_str(),
            state: finding.state().as_str(),
            code: finding.as_str(),
            sentence: step.sentence.clone(),
            next: step.next.clone(),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplainQuery {
    /// The commit: 7 to 40 hexadecimal digits.
    commit: String,
    /// The issue, such as KAFKA-1234. Whatever is no key is told why.
    issue: String,
    /// The repository that should have the commit; the first that has it when nothing is said.
    repository: Option<Uuid>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Why an issue shows a commit, or does not: step by step, and what to do about the first that is in the way.
#[utoipa::path(tag = "issues", operation_id = "ExplainCommit", security(("bearer" = ["viewer"])),
    params(ExplainQuery), responses((status = 200, description = "The explanation.", body = Explanation),
        (status = 409, description = "Several commits begin with these digits.")))]
#[get("/api/v1/explain")]
pub(super) async fn explain_commit(
    viewer: Viewer,
    api: Data<Api>,
    query: Query<ExplainQuery>,
) -> Result<HttpResponse, ApiError> {
    let ExplainQuery { commit, issue, repository, min_position } = query.into_inner();
    let question =
        Question { commit: commit_name(&commit)?, issue, repository: repository.map(RepositoryId), role: viewer.role };
    api.stands_at(min_position, &[&RepositoryList, &IssueSearch, &IssueCommits, &IssueBranches]).await?;
    let found = explain(&api.app, &question).await.map_err(|trouble| match trouble {
        Unexplained::Ambiguous(found) => ambiguous(&found),
        Unexplained::View(error) => error.into(),
    })?;
    Ok(HttpResponse::Ok().json(Explanation {
        because: found.because().map(ExplainedStep::from),
        steps: found.steps.iter().map(ExplainedStep::from).collect(),
        commit: found.commit.map(|commit| commit.to_string()),
        issue: question.issue,
        repository: found.repository.map(|(id, name)| ExplainedRepository { id: id.0, name }),
        also_in: found.also_in.into_iter().map(|id| id.0).collect(),
        shown: found.is_shown,
    }))
}
