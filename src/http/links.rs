//! Where a browser finds what answers show: the links of the repositories that rows are of, by how their integrations are
//! set now. Called by the routes of issues and commits; one read for eight integrations.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use keytrail_domain::{id::IntegrationId, installation::Installation, service::Connection, web_links::Templates};
use keytrail_projections::{
    installation_status,
    integration_list::{self, Integration, MOST_IDS},
};
use uuid::Uuid;

use super::{Api, error::ApiError, issues::RepositoryName, recommendation};
use crate::views::ViewError;

const UNTOLD: &str = "Whether the pull requests of this repository are known cannot be told now: what is known of its \
                      integration cannot be read. Ask again later.";
const DENIED: &str = "The app that reads this repository may not read its pull requests. Grant it to read them in the \
                      settings of the app at GitHub, and have an owner of the organisation accept it.";

/// The integrations that some rows are of.
#[derive(Default)]
pub(super) struct PageLinks {
    integrations: HashMap<Uuid, Integration>,
    /// By repository: a page has many rows of a few.
    templates: RefCell<HashMap<Uuid, Rc<Templates>>>,
    /// The apps of which it was asked whether they may read pull requests.
    apps: HashMap<Uuid, bool>,
}

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
        Ok(Self { integrations: found, ..Self::default() })
    }

    /// The same, with what the apps among them may read.
    pub(super) async fn with_apps(mut self, api: &Api) -> Result<Self, ApiError> {
        for row in self.integrations.values().filter(|row| matches!(row.connection, Connection::GithubApp(_))) {
            let found = match api.app.read(installation_status::by_id(row.id)).await {
                Ok(found) => found.into_iter().next(),
                Err(ViewError::Building { .. } | ViewError::Faulted { .. } | ViewError::Outdated { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(found) = found {
                let is_denied = match &found.state {
                    Installation::Registered(registered) => registered.is_kept_from_pull_requests(),
                    Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => false,
                };
                self.apps.insert(row.id.0, !is_denied);
            }
        }
        Ok(self)
    }

    /// The links of a repository.
    pub(super) fn at(&self, repository: &RepositoryName) -> Rc<Templates> {
        let made = || {
            let integration = self.integrations.get(&repository.integration);
            integration.map(|row| row.web_links.templates(&row.connection, &repository.name)).unwrap_or_default()
        };
        Rc::clone(self.templates.borrow_mut().entry(repository.id).or_insert_with(|| Rc::new(made())))
    }

    /// Why its pull requests cannot be known, or that this cannot be told now; nothing where they can. Of an app that is
    /// told by [`Self::with_apps`].
    pub(super) fn pull_requests_unknown(&self, repository: &RepositoryName) -> Option<String> {
        match self.integrations.get(&repository.integration).map(|row| &row.connection) {
            Some(Connection::GithubApp(_)) => match self.apps.get(&repository.integration) {
                Some(true) => None,
                Some(false) => Some(DENIED.to_owned()),
                None => Some(UNTOLD.to_owned()),
            },
            Some(connection) => recommendation::pull_requests_unknown(connection),
            None => Some(UNTOLD.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{
        github::{GithubConnection, GithubHost, Login},
        timestamp::Timestamp,
        web_links::WebLinks,
    };
    use keytrail_projections::integration_list::IntegrationState;

    use super::*;

    #[test]
    fn what_cannot_be_told_of_pull_requests_is_not_taken_for_known() {
        let repository = RepositoryName { id: Uuid::nil(), name: "shop".to_owned(), integration: Uuid::nil() };
        let said = PageLinks::default().pull_requests_unknown(&repository);
        assert_eq!(said.as_deref(), Some(UNTOLD));
    }

    #[test]
    fn the_links_of_a_repository_are_made_once_for_all_rows_of_an_answer() {
        let organisation = Login::parse("octo").expect("a name");
        let row = Integration {
            id: IntegrationId(Uuid::nil()),
            name: String::new(),
            folded_name: String::new(),
            kind: String::new(),
            location: String::new(),
            place: String::new(),
            connection: Connection::GithubApp(Box::new(GithubConnection::of(GithubHost::cloud(), organisation))),
            web_links: WebLinks::default(),
            state: IntegrationState::Active,
            since: Timestamp::default(),
            added_at: Timestamp::default(),
            added_position: 1,
            version: 1,
            position: 1,
        };
        let links = PageLinks { integrations: HashMap::from([(Uuid::nil(), row)]), ..PageLinks::default() };
        let of = |id, name: &str| {
            let repository =
                RepositoryName { id: Uuid::from_u128(id), name: name.to_owned(), integration: Uuid::nil() };
            links.at(&repository)
        };
        let (shop, ship) = (of(1, "octo/shop"), of(2, "octo/ship"));
        assert!(Rc::ptr_eq(&shop, &of(1, "octo/shop")));
        assert_eq!(shop.pull_request_url(7).as_deref(), Some("https://github.com/octo/shop/pull/7"));
        assert_eq!(ship.pull_request_url(7).as_deref(), Some("https://github.com/octo/ship/pull/7"));
    }
}
