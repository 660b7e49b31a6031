//! Whether a repository is there to do something with. Asked before anything is done, by the routes of repositories and of
//! what belongs to them; it changes nothing.

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    recorded::{Sequence, StreamId},
    repository::Repository as Aggregate,
};

use crate::http::{
    Api,
    conditions::unknown,
    error::{ApiError, Code},
};

/// A repository that is seen.
pub(in crate::http) struct Seen {
    /// By which integration.
    pub(in crate::http) integration: IntegrationId,
    /// The version of its stream.
    pub(in crate::http) version: Sequence,
}

/// Some integration sees it.
pub(in crate::http) async fn known(api: &Api, repository: RepositoryId) -> Result<Seen, ApiError> {
    match api.app.load::<Aggregate>(StreamId::new("repository", repository.0)).await? {
        (Aggregate::Known { integration, .. }, version) => Ok(Seen { integration, version }),
        (Aggregate::Absent, _) => Err(unknown(Code::RepositoryUnknown)),
        (Aggregate::Refused { .. }, _) => {
            let detail = "Its row says why it cannot be indexed. Mend that; it is looked for again by itself.";
            Err(ApiError::new(Code::RepositoryRefused, detail))
        }
        (Aggregate::Forgotten, _) => Err(forgotten()),
    }
}

/// Nobody sees it any more.
pub(in crate::http) fn forgotten() -> ApiError {
    ApiError::new(Code::RepositoryForgotten, "Add an integration that sees it, and it is indexed again.")
}
