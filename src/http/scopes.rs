//! Which scope an operation needs, of a token that has scopes: one table. Called by `auth` with every such request and by
//! the description. What is not in the table is closed to those tokens.

use keytrail_domain::access::Scope;
use utoipa::openapi::{extensions::Extensions, path::Operation};

use crate::app::OperationId;

/// Every operation that needs a token stands here once.
const TABLE: &[(Scope, &[&str])] = &[
    (
        Scope::IssuesRead,
        &[
            "GetIssue",
            "ListIssueCommits",
            "ListIssueBranches",
            "ListIssuePullRequests",
            "ListProjects",
            "GetProjectRules",
            "ExplainCommit",
            "SearchIssues",
            "GetCommit",
            "ListCommitRefs",
        ],
    ),
    (Scope::IssuesWrite, &["LinkCommit", "UnlinkCommit", "RestoreCommitLink", "SetProjectRules"]),
    (Scope::CommitsRead, &["ListCommitFiles", "GetCommitDiff"]),
    (Scope::PeopleRead, &["ListPeople", "GetPerson", "GetDelivery"]),
    (Scope::PeopleWrite, &["ForgetPerson"]),
    (
        Scope::RepositoriesRead,
        &[
            "ListRepositories",
            "GetRepository",
            "ListIntegrationRepositories",
            "ListIndexRuns",
            "GetIndexRun",
            "WatchIndexRun",
            "ListIndexRunEvents",
            "ListOperations",
            "GetOperation",
            "WatchOperation",
        ],
    ),
    (
        Scope::RepositoriesWrite,
        &[
            "FetchRepository",
            "RequestIndex",
            "ResetIndex",
            "ReindexIntegration",
            "ResetIntegration",
            "CancelIndex",
            "RetryIndex",
            "CancelOperation",
        ],
    ),
    (Scope::IntegrationsRead, &["ListIntegrations", "GetIntegration", "GetInstallation", "ListDeliveries"]),
    (
        Scope::IntegrationsWrite,
        &[
            "AddIntegration",
            "RenameIntegration",
            "ChangeConnection",
            "SetWebLinks",
            "TestConnection",
            "PauseIntegration",
            "ResumeIntegration",
            "RemoveIntegration",
            "ConnectGithubApp",
            "AdoptGithubApp",
            "SuspendInstallation",
            "ResumeInstallation",
            "RotatePemKey",
            "RotateWebhookSecret",
            "RepairInstallation",
            "ReplayDelivery",
            "PreviewFilter",
            "ConfirmRepositories",
            "ConfirmGone",
        ],
    ),
    (
        Scope::SshKeysRead,
        &["ListSshKeys", "GetSshKey", "GetSshKeyPublic", "ListSshKeyFiles", "ListHostKeys", "GetHostKeys"],
    ),
    (
        Scope::SshKeysWrite,
        &[
            "AddSshKey",
            "GenerateSshKey",
            "RegisterSshKey",
            "RenameSshKey",
            "ShareSshKey",
            "AssociateSshKey",
            "DissociateSshKey",
            "RotateSshKey",
            "RetireSshKey",
            "ScanHostKeys",
            "TrustHostKeys",
            "ImportKnownHosts",
            "AcceptHostKeyChange",
            "RefuseHostKeyChange",
            "ForgetHostKeys",
        ],
    ),
    (Scope::EventsRead, &["ListEvents", "ListStreamEvents", "FollowEvents"]),
    (Scope::TokensRead, &["ListTokens", "GetToken"]),
    (Scope::TokensWrite, &["IssueToken", "RevokeToken"]),
    (Scope::ServerRead, &["ListViews", "GetDoctor", "GetSupport", "GetMetrics"]),
    (Scope::ServerWrite, &["RebuildView", "VerifyViews"]),
];

/// Operations about long work of several kinds let these in, too. Their routes look at the kind with [`of_work`]: whoever may
/// begin a work may look at it and stop it.
const BY_KIND: &[(&str, &[Scope])] = &[
    ("GetOperation", &[Scope::RepositoriesWrite, Scope::IntegrationsWrite, Scope::SshKeysWrite, Scope::ServerWrite]),
    ("WatchOperation", &[Scope::RepositoriesWrite, Scope::IntegrationsWrite, Scope::SshKeysWrite, Scope::ServerWrite]),
    ("CancelOperation", &[Scope::IntegrationsWrite, Scope::SshKeysWrite, Scope::ServerWrite]),
];

/// The scope that begins long work, and stops it.
pub(super) const fn of_work(id: &OperationId) -> Scope {
    match id {
        OperationId::IndexRun(_)
        | OperationId::FetchRepository(_)
        | OperationId::ReindexIntegration(..)
        | OperationId::ResetIntegration(..) => Scope::RepositoriesWrite,
        OperationId::DiscoverRepositories(_) | OperationId::ForgetRepositories(_) => Scope::IntegrationsWrite,
        OperationId::RotateSshKey(..) => Scope::SshKeysWrite,
        OperationId::RebuildView(..) | OperationId::VerifyViews(_) => Scope::ServerWrite,
    }
}

/// The scopes that an operation lets in beside its own; its route looks closer.
pub(super) fn also_in(operation: &str) -> &'static [Scope] {
    BY_KIND.iter().find(|(name, _)| *name == operation).map_or(&[], |(_, scopes)| *scopes)
}

/// Names the scope in the description of an operation, as `x-scope` beside the role.
pub(super) fn describe(operation: &mut Operation) {
    if let Some(scope) = operation.operation_id.as_deref().and_then(scope_of) {
        let named = Extensions::builder().add("x-scope", scope.as_str()).build();
        operation.extensions.get_or_insert_default().merge(named);
    }
}

/// The scope of an operation.
pub(super) fn scope_of(operation: &str) -> Option<Scope> {
    TABLE.iter().find(|(_, operations)| operations.contains(&operation)).map(|(scope, _)| *scope)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use keytrail_domain::access::Role;
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_operation_with_a_token_has_one_scope_and_every_scope_an_operation() {
        let spec: Value = serde_json::from_str(&crate::http::spec::json()).expect("a description");
        let paths = spec["paths"].as_object().expect("paths").values();
        let mut operations = BTreeSet::new();
        for operation in paths.flat_map(|item| item.as_object().expect("operations").values()) {
            let name = operation["operationId"].as_str().expect("a name");
            let Some(role) = operation.pointer("/security/0/bearer/0").and_then(Value::as_str) else { continue };
            operations.insert(name.to_owned());
            let scope = scope_of(name).unwrap_or_else(|| panic!("{name} has no scope: give it a line in TABLE"));
            // Otherwise a token could be issued whose scope is good for nothing.
            let role: Role = role.parse().expect("a role");
            assert!(role.is_at_least(scope.least_role()), "{name} takes a {role}, {scope} does not");
            assert_eq!(operation["x-scope"].as_str(), Some(scope.as_str()));
        }
        let all: Vec<_> = TABLE.iter().flat_map(|(_, operations)| *operations).map(|name| (*name).to_owned()).collect();
        assert_eq!(all.iter().cloned().collect::<BTreeSet<_>>(), operations);
        assert_eq!(all.len(), operations.len(), "an operation stands here twice");
        let scopes: BTreeSet<_> = TABLE.iter().map(|(scope, _)| *scope).collect();
        assert_eq!((scopes.len(), scopes.len()), (TABLE.len(), Scope::ALL.len()));
    }

    #[test]
    fn the_page_about_access_has_every_scope_in_this_order_with_its_least_role() {
        let page = include_str!("../../docs/access.md");
        let (_, table) = page.split_once("| scope | what it opens | least role |").expect("the table of scopes");
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let found: Vec<_> = rows
            .map(|row| {
                let cells: Vec<_> = row.split('|').map(str::trim).collect();
                (cells[1].trim_matches('`').to_owned(), cells[3].to_owned())
            })
            .collect();
        let wanted = TABLE.iter().map(|(scope, _)| (scope.to_string(), scope.least_role().as_str().to_owned()));
        assert_eq!(found, wanted.collect::<Vec<_>>());
    }
}
