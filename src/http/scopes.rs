//! Which scope an operation needs, of a token that has scopes: one table. Called by `auth` with every such request and by
//! the description. What is not in the table is closed to those tokens.

use keytrail_domain::access::Scope;
use utoipa::openapi::{extensions::Extensions, path::Operation};

/// Every operation that needs a token stands here once.
const TABLE: &[(Scope, &[&str])] = &[
    (
        Scope::IssuesRead,
        &[
            "GetIssue",
            "ListIssueCommits",
            "ListIssueBranches",
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
    (Scope::PeopleRead, &["ListPeople", "GetPerson"]),
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
        ],
    ),
    (
        Scope::RepositoriesWrite,
        &["FetchRepository", "RequestIndex", "ResetIndex", "CancelIndex", "RetryIndex", "CancelOperation"],
    ),
    (Scope::IntegrationsRead, &["ListIntegrations", "GetIntegration"]),
    (
        Scope::IntegrationsWrite,
        &[
            "AddIntegration",
            "RenameIntegration",
            "ChangeConnection",
            "PauseIntegration",
            "ResumeIntegration",
            "RemoveIntegration",
        ],
    ),
    (Scope::EventsRead, &["ListEvents", "ListStreamEvents", "FollowEvents"]),
    (Scope::TokensRead, &["ListTokens", "GetToken"]),
    (Scope::TokensWrite, &["IssueToken", "RevokeToken"]),
    (Scope::ServerRead, &["ListViews", "GetDoctor", "GetSupport", "GetMetrics"]),
    (Scope::ServerWrite, &["RebuildView", "VerifyViews"]),
];

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
}
