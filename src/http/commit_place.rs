//! The repository and the commit that an address names. Called by routes; it says which commits there are to none of them.

use keytrail_domain::{
    id::RepositoryId,
    index_run::batch::{CommitName, CommitSha},
};
use keytrail_projections::repository_list::{self, Repository, RepositoryState};
use uuid::Uuid;

use super::{
    Api,
    commits::problem,
    error::{ApiError, Code, sentence},
};
use crate::jobs::{Called, DiffTrouble, commit_called};

/// A repository that some integration sees.
pub(super) async fn seen_repository(api: &Api, id: Uuid) -> Result<Repository, ApiError> {
    let read = || repository_list::by_id(RepositoryId(id));
    still_seen(api.one(None, read, Code::RepositoryUnknown).await?.repository)
}

/// The same where the log stands now: for what is decided by it.
pub(super) async fn seen_repository_now(api: &Api, id: Uuid) -> Result<Repository, ApiError> {
    let read = repository_list::by_id(RepositoryId(id));
    still_seen(api.one_now(read, Code::RepositoryUnknown).await?.repository)
}

fn still_seen(repository: Repository) -> Result<Repository, ApiError> {
    if repository.state == RepositoryState::Forgotten {
        return Err(problem(DiffTrouble::Forgotten));
    }
    Ok(repository)
}

/// The same, and the commit by its name or a beginning that only one commit of the repository has. A whole name is taken as it
/// is: whether a run has seen it is for the route to ask.
pub(super) async fn place(api: &Api, (id, sha): (Uuid, String)) -> Result<(Repository, CommitSha), ApiError> {
    let name = commit_name(&sha)?;
    let repository = seen_repository(api, id).await?;
    let sha = match name.whole() {
        Some(sha) => sha,
        None => match commit_called(&api.app, &repository, name).await? {
            Called::One(sha) => sha,
            Called::Several(found) => return Err(ambiguous(&found)),
            Called::None => return Err(problem(DiffTrouble::CommitUnknown { elsewhere: false })),
        },
    };
    Ok((repository, sha))
}

/// What a person typed for a commit.
pub(super) fn commit_name(text: &str) -> Result<CommitName, ApiError> {
    text.parse().map_err(|error: keytrail_domain::index_run::batch::NotACommitName| {
        ApiError::new(Code::ParameterInvalid, sentence(&error.to_string()))
    })
}

/// The beginning of a name that several commits share.
pub(super) fn ambiguous(found: &[CommitSha]) -> ApiError {
    let candidates: Vec<String> = found.iter().map(ToString::to_string).collect();
    ApiError::new(Code::CommitAmbiguous, "Give more digits; `candidates` has some of the commits.")
        .with("candidates", candidates)
}
