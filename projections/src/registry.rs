//! Every view, one line each. The server builds, feeds and rebuilds what stands here.

use crate::{
    audit_trail::AuditTrail, index_runs::IndexRuns, integration_list::IntegrationList, issue_branches::IssueBranches,
    issue_commits::IssueCommits, issue_search::IssueSearch, repository_list::RepositoryList, token_list::TokenList,
    view::View,
};

/// The views.
pub const VIEWS: &[&dyn View] = &[
    &IntegrationList,
    &RepositoryList,
    &IndexRuns,
    &IssueCommits,
    &IssueBranches,
    &IssueSearch,
    &AuditTrail,
    &TokenList,
];
