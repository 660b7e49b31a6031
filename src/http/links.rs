//! Where a browser finds what answers show: the links of the repositories that rows are of, by how their integrations are
//! set now. Called by the routes of issues and commits; one read for eight integrations.

use std::collections::{BTreeSet, HashMap};

use keytrail_domain::{id::IntegrationId, web_links::Templates};
use keytrail_projections::integration_list::{self, Integration, MOST_IDS};
use uuid::Uuid;

use super::{Api, error::ApiError, issues::RepositoryName, recommendation};
use crate::views::ViewError;

const UNTOLD: &str = "Whether the pull requests of this repository are known cannot be told now: the list of integrations \
                      cannot be read. Ask again later.";

/// The integrations that some rows are of.
pub(super) struct PageLinks(HashMap<Uuid, Integration>);

impl PageLinks {
    /// Reads them.
    pub(super) async fn of(api: &Api, integrations: impl IntoIterator<Item = IntegrationId>) -> Result<Self, ApiError> {
        let ids: Vec<IntegrationId> = integrations.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(MOST_IDS) {
            match api.app.read(integration_list::by_ids(some)).await {
                Ok(rows) => found.extend(rows.into_iter().map(|row| (row.id.0, row))),
                // What is asked for does not wait for its links.
                Err(error @ (ViewError::Building { .. } | ViewError::Faulted { .. } | ViewError::Outdated { .. })) => {
                    tracing::debug!(%error, "an answer has no links")
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self(found))
    }

    /// The links of a repository.
    pub(super) fn at(&self, repository: &RepositoryName) -> Templates {
        let integration = self.0.get(&repository.integration);
        integration.map(|row| row.web_links.templates(&row.connection, &repository.name)).unwrap_or_default()
    }

    /// Why its pull requests cannot be known, or that this cannot be told now; nothing where they can.
    pub(super) fn pull_requests_unknown(&self, repository: &RepositoryName) -> Option<String> {
        match self.0.get(&repository.integration) {
            Some(integration) => recommendation::pull_requests_unknown(&integration.connection),
            None => Some(UNTOLD.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_of_pull_requests_is_not_taken_for_known() {
        let repository = RepositoryName { id: Uuid::nil(), name: "shop".to_owned(), integration: Uuid::nil() };
        let said = PageLinks(HashMap::new()).pull_requests_unknown(&repository);
        assert_eq!(said.as_deref(), Some(UNTOLD));
    }
}
