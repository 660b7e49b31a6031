//! What follows from a fact without anybody wishing it. Pure: a policy returns intents, the reactors carry them out,
//! and a replay never runs them.

mod discover_on_add;
mod forget_on_remove;
mod index_again_on_request;
mod index_on_discover;
mod run_on_request;
mod stop_on_cancel;
#[cfg(test)]
mod tests;

use crate::{
    fact::Fact,
    id::{IndexRunId, IntegrationId, RepositoryId},
    recorded::Recorded,
};

/// Something to be done because of a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Look which repositories an integration sees.
    DiscoverRepositories(IntegrationId),
    /// Ask for an index run of a repository that was just discovered.
    RequestIndex(RepositoryId),
    /// Ask for an index run of each repository of an integration.
    ReindexIntegration(IntegrationId),
    /// Reset the index of each repository of an integration.
    ResetIntegration(IntegrationId),
    /// Do an index run of this repository.
    IndexRepository(IndexRunId, RepositoryId),
    /// Stop doing an index run.
    StopIndexing(IndexRunId),
    /// Forget the repositories of an integration that is gone.
    ForgetRepositories(IntegrationId),
}

/// A policy: its name, which is the actor of what follows, and its rule.
pub type Policy = (&'static str, fn(&Recorded<Fact>) -> Option<Intent>);

/// Every policy; one line each.
pub const POLICIES: &[Policy] = &[
    ("discover_on_add", discover_on_add::discover_on_add),
    ("index_on_discover", index_on_discover::index_on_discover),
    ("run_on_request", run_on_request::run_on_request),
    ("stop_on_cancel", stop_on_cancel::stop_on_cancel),
    ("index_again_on_request", index_again_on_request::index_again_on_request),
    ("forget_on_remove", forget_on_remove::forget_on_remove),
];
