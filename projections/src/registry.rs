//! Every view, one line each. The server builds, feeds and rebuilds what stands here.

use crate::{
    audit_trail::AuditTrail, host_key_list::HostKeyList, index_runs::IndexRuns,
    installation_status::InstallationStatus, integration_list::IntegrationList, issue_branches::IssueBranches,
    issue_commits::IssueCommits, issue_search::IssueSearch, pull_requests::PullRequests,
    repository_list::RepositoryList, ssh_key_list::SshKeyList, token_list::TokenList, view::View,
};

/// The views.
pub const VIEWS: &[&dyn View] = &[
    &IntegrationList,
    &InstallationStatus,
    &RepositoryList,
    &IndexRuns,
    &IssueCommits,
    &IssueBranches,
    &IssueSearch,
    &PullRequests,
    &AuditTrail,
    &TokenList,
    &SshKeyList,
    &HostKeyList,
];
