//! What is known of an issue, in figures: where its commits and branches are, by how many, from when to when. Bounded
//! reads of two views; no aggregate is asked.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{
    HttpResponse, get,
    web::{Data, Path, Query},
};
use keytrail_domain::{id::IntegrationId, timestamp::Timestamp};
use keytrail_projections::{
    Rule,
    issue_branches::{self, IssueBranch},
    issue_commits::{self, IssueShare},
    pull_requests::{IssuePullRequest, PullState, pull_requests_of_issue},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::Viewer,
    error::ApiError,
    issues::{RepositoryName, issue_key},
    links::PageLinks,
    words,
};

/// What is known of an issue.
#[derive(Serialize, ToSchema)]
pub(super) struct Issue {
    /// In upper case.
    #[schema(example = "KAFKA-1234")]
    key: String,
    /// Whether the rules leave it out, as they do with UTF-8: then nothing is shown of it.
    denied: bool,
    /// What the rules say of it.
    #[schema(schema_with = words::rule)]
    rule: Rule,
    /// Commits that name it, over all repositories, with those that no ref leads to any more.
    commits: u64,
    /// To how many of them no ref leads any more.
    superseded: u64,
    /// Whether these are all: the latest 10,000 commits, the first 500 branches and the latest 500 pull requests are
    /// counted. When there are more, the figures are those of these.
    complete: bool,
    /// How many persons wrote the commits.
    authors: u64,
    /// Branches whose name carries it.
    branches: u64,
    /// Pull requests that name it, without those that were deleted.
    pull_requests: u64,
    /// When the first of all its commits was committed.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_commit_at: Option<Timestamp>,
    /// When the last of the commits was committed.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_commit_at: Option<Timestamp>,
    /// In which repositories the commits, branches and pull requests are.
    repositories: Vec<InRepository>,
}

/// What is known of an issue in one repository.
#[derive(Serialize, ToSchema)]
struct InRepository {
    /// The repository.
    repository: RepositoryName,
    /// Commits that name the issue.
    commits: u64,
    /// To how many of them no ref leads any more.
    superseded: u64,
    /// How many persons wrote them.
    authors: u64,
    /// Branches whose name carries the issue's key.
    branches: u64,
    /// Pull requests that name the issue, without those that were deleted.
    pull_requests: u64,
    /// Why none can be known, and what a person can do; nothing where they are known. While the list of integrations
    /// is built anew, that it cannot be told.
    pull_requests_unknown: Option<String>,
    /// When the first of the counted commits was committed; nothing when there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_commit_at: Option<Timestamp>,
    /// When the last of the commits was committed; nothing when there is none.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_commit_at: Option<Timestamp>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct IssueQuery {
    /// As it was known at this position.
    as_of: Option<i64>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// The most commits that a summary counts: as many as are read within some 20 milliseconds.
const COUNTED_COMMITS: u32 = 10_000;
/// The most branches that a summary counts.
const COUNTED_BRANCHES: u32 = 500;
/// The most pull requests that a summary counts.
const COUNTED_PULLS: u32 = 500;

/// A summary of what is known of an issue. Of one that nothing names, all counts are zero.
#[utoipa::path(tag = "issues", operation_id = "GetIssue", security(("bearer" = ["viewer"])),
    params(("key" = String, Path, description = "Such as KAFKA-1234, in any case."), IssueQuery),
    responses((status = 200, description = "The summary.", body = Issue)))]
#[get("/api/v1/issues/{key}")]
pub(super) async fn get_issue(
    _: Viewer,
    api: Data<Api>,
    key: Path<String>,
    query: Query<IssueQuery>,
) -> Result<HttpResponse, ApiError> {
    let key = issue_key(&key)?;
    let IssueQuery { as_of, min_position } = query.into_inner();
    // One more than is counted tells whether there are more.
    let shares = issue_commits::shares_of_issue(&key, as_of, COUNTED_COMMITS + 1);
    let shares = api.read_of_issue(min_position, shares).await?;
    let rule = api.read(None, issue_commits::rule_of(&key)).await?.pop().unwrap_or(Rule::Counts);
    let branches = issue_branches::branches_of_issue(&key, as_of, None, COUNTED_BRANCHES + 1);
    let mut branches = api.read(min_position, branches).await?;
    let pulls = pull_requests_of_issue(&key, as_of, None, COUNTED_PULLS + 1);
    let mut pulls = api.read(min_position, pulls).await?;
    let commits: u64 = shares.iter().map(|share| share.commits).sum();
    let all_commits = commits <= u64::from(COUNTED_COMMITS);
    let all_branches = branches.len() <= COUNTED_BRANCHES as usize;
    branches.truncate(COUNTED_BRANCHES as usize);
    let all_pulls = pulls.len() <= COUNTED_PULLS as usize;
    pulls.truncate(COUNTED_PULLS as usize);
    pulls.retain(|pull| pull.state != PullState::Deleted);
    let first_commit_at = if all_commits {
        shares.iter().map(|share| share.first_at).min()
    } else {
        api.read_of_issue(None, issue_commits::first_of_issue(&key, as_of)).await?.pop()
    };
    let (branch_count, pull_count) = (branches.len() as u64, pulls.len() as u64);
    let superseded: u64 = shares.iter().map(|share| share.superseded).sum();
    let last_commit_at = shares.iter().map(|share| share.last_at).max();
    let authors = shares.iter().map(|share| share.author).collect::<BTreeSet<_>>().len() as u64;
    let mut repositories = in_repositories(shares, branches, pulls);
    let integrations = repositories.iter().map(|one| IntegrationId(one.repository.integration));
    let links = PageLinks::of(&api, integrations).await?.with_apps(&api).await?;
    for one in &mut repositories {
        one.pull_requests_unknown = links.pull_requests_unknown(&one.repository);
    }
    Ok(HttpResponse::Ok().json(Issue {
        key: key.to_string(),
        denied: rule != Rule::Counts,
        rule,
        commits,
        superseded,
        complete: all_commits && all_branches && all_pulls,
        authors,
        branches: branch_count,
        pull_requests: pull_count,
        first_commit_at,
        last_commit_at,
        repositories,
    }))
}

/// Repository by repository, by name and id.
fn in_repositories(
    shares: Vec<IssueShare>,
    branches: Vec<IssueBranch>,
    pulls: Vec<IssuePullRequest>,
) -> Vec<InRepository> {
    let mut found = BTreeMap::new();
    let empty = |id, name, integration| InRepository {
        repository: RepositoryName { id, name, integration },
        commits: 0,
        superseded: 0,
        authors: 0,
        branches: 0,
        pull_requests: 0,
        pull_requests_unknown: None,
        first_commit_at: None,
        last_commit_at: None,
    };
    for share in shares {
        let at = (share.name.clone(), share.repository.0);
        let entry = found.entry(at).or_insert_with(|| empty(share.repository.0, share.name, share.integration.0));
        entry.commits += share.commits;
        entry.superseded += share.superseded;
        // A share is one person's.
        entry.authors += 1;
        let first = entry.first_commit_at.map_or(share.first_at, |known| known.min(share.first_at));
        entry.first_commit_at = Some(first);
        entry.last_commit_at = entry.last_commit_at.max(Some(share.last_at));
    }
    for branch in branches {
        let at = (branch.repository_name.clone(), branch.repository.0);
        let new = || empty(branch.repository.0, branch.repository_name, branch.integration.0);
        found.entry(at).or_insert_with(new).branches += 1;
    }
    for pull in pulls {
        let at = (pull.repository_name.clone(), pull.repository.0);
        let new = || empty(pull.repository.0, pull.repository_name, pull.integration.0);
        found.entry(at).or_insert_with(new).pull_requests += 1;
    }
    found.into_values().collect()
}
