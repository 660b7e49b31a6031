//! What follows from a fact without anybody wishing it. Pure: a policy returns intents, the reactors carry them out,
//! and a replay never runs them.

mod discover_on_add;
mod discover_on_installed;
mod forget_on_remove;
mod index_again_on_request;
mod index_on_discover;
mod list_pull_requests_on_return;
mod reconcile_on_wish;
mod rotate_on_request;
mod run_on_request;
mod stop_indexing_on_cancel;
mod stop_on_cancel;
#[cfg(test)]
mod tests;

use crate::{
    fact::Fact,
    id::{IndexRunId, IntegrationId, RepositoryId, SshKeyId},
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
    /// Cancel the runs that were asked for because of what is not wanted of an integration any more.
    CancelIndexing(IntegrationId),
    /// Do an index run of this repository.
    IndexRepository(IndexRunId, RepositoryId),
    /// Stop doing an index run.
    StopIndexing(IndexRunId),
    /// Forget the repositories of an integration that is gone.
    ForgetRepositories(IntegrationId),
    /// Drive what we wish of an app to GitHub, and ask what became of it.
    ReconcileInstallation(IntegrationId),
    /// List the pull requests of each repository of an integration with the next look, however lately that was done.
    ListPullRequests(IntegrationId),
    /// Try a key of SSH at the repositories that are read with this one, and let it take its place.
    RotateSshKey(SshKeyId),
}

/// A policy: its name, which is the actor of what follows, and its rule.
pub type Policy = (&'static str, fn(&Recorded<Fact>) -> Option<Intent>);

/// Every policy; one line each.
pub const POLICIES: &[Policy] = &[
    ("discover_on_add", discover_on_add::discover_on_add),
    ("discover_on_installed", discover_on_installed::discover_on_installed),
    ("list_pull_requests_on_return", list_pull_requests_on_return::list_pull_requests_on_return),
    ("index_on_discover", index_on_discover::index_on_discover),
    ("run_on_request", run_on_request::run_on_request),
    ("stop_on_cancel", stop_on_cancel::stop_on_cancel),
    ("index_again_on_request", index_again_on_request::index_again_on_request),
    ("stop_indexing_on_cancel", stop_indexing_on_cancel::stop_indexing_on_cancel),
    ("forget_on_remove", forget_on_remove::forget_on_remove),
    ("reconcile_on_wish", reconcile_on_wish::reconcile_on_wish),
    ("rotate_on_request", rotate_on_request::rotate_on_request),
];
