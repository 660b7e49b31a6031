//! Which codes an operation answers with under each status, so that programs know what to be ready for. Called by the
//! conventions for every operation; what an answer really carries is held against it by the tests of the API.

use utoipa::openapi::{
    RefOr,
    extensions::Extensions,
    path::{Operation, ParameterIn},
};

use crate::http::error::Code;

/// What of an operation tells which refusals it has.
struct Asked<'a> {
    path: &'a str,
    name: &'a str,
    tag: &'a str,
    is_read: bool,
    has_body: bool,
    parameters: Vec<&'a str>,
}

impl Asked<'_> {
    fn takes(&self, name: &str) -> bool {
        self.parameters.contains(&name)
    }

    fn is(&self, names: &[&str]) -> bool {
        names.contains(&self.name)
    }

    /// It changes something that is recorded.
    fn records(&self) -> bool {
        self.takes("Idempotency-Key")
            || self.takes("If-Match")
            || self.is(&["ImportKnownHosts", "RepairInstallation", "ScanHostKeys"])
    }

    /// It connects an integration to a place.
    fn connects(&self) -> bool {
        self.is(&["AddIntegration", "ChangeConnection"])
    }

    /// It looks at the host keys of a server.
    fn looks_at_hosts(&self) -> bool {
        self.is(&["ScanHostKeys", "TrustHostKeys"])
    }

    /// Its address names a commit.
    fn is_of_commit(&self) -> bool {
        self.path.contains("{sha}") || self.path.contains("{commit}")
    }

    /// It asks for an index run.
    fn asks_for_runs(&self) -> bool {
        self.is(&["RequestIndex", "ResetIndex", "RetryIndex", "FetchRepository", "CancelIndex", "CancelOperation"])
    }

    /// It changes something at an app, or asks its service.
    fn acts_on_installation(&self) -> bool {
        self.tag == "installations" && (!self.is_read || self.is(&["PreviewFilter"])) && !self.path.contains("deliver")
    }

    /// Whether it may be answered with this code, given that it has the code's status. A new code needs a line here.
    fn may_be(&self, code: Code) -> bool {
        match code {
            Code::ViewBehind => self.takes("min_position"),
            Code::RequestInvalid | Code::TokenMissing | Code::TokenInvalid | Code::RateLimited => true,
            Code::ScopeInsufficient | Code::RoleInsufficient | Code::Busy | Code::StoreUnavailable => true,
            Code::ViewBuilding | Code::ViewFaulted | Code::ViewOutdated | Code::NoSpace | Code::Internal => true,
            Code::QueryInvalid => true,
            Code::BodyInvalid | Code::BodyTooLarge | Code::BodyTooSlow | Code::ContentTypeUnsupported => self.has_body,
            Code::ParameterInvalid => self.path.contains('{') || self.name == "ExplainCommit",
            Code::IfMatchInvalid | Code::VersionStale | Code::IfMatchMissing => self.takes("If-Match"),
            Code::IdempotencyKeyInvalid | Code::IdempotencyKeyReused => self.takes("Idempotency-Key"),
            Code::CursorInvalid | Code::CursorExpired | Code::CursorOtherList => self.takes("cursor"),
            Code::EventIdInvalid => self.takes("Last-Event-ID") || self.path.ends_with("/stream"),
            Code::IssueKeyInvalid => self.path.contains("{key}"),
            Code::RouteUnknown => self.path.contains('{'),
            Code::MethodNotAllowed => false,
            Code::IntegrationUnknown => {
                self.tag == "integrations"
                    || self.tag == "installations"
                    || self.name == "ListIntegrationRepositories"
                    || self.name == "CancelOperation"
            }
            Code::RepositoryUnknown => {
                self.tag == "repositories"
                    || self.path.contains("{repository}")
                    || self.is(&["ListProjects", "RetryIndex", "AssociateSshKey"])
            }
            Code::CommitUnknown => self.is_of_commit(),
            Code::ParentUnknown | Code::ObjectGone => self.is(&["ListCommitFiles", "GetCommitDiff"]),
            Code::PathUnchanged => self.is(&["GetCommitDiff"]),
            Code::PersonUnknown => self.tag == "people",
            Code::OperationUnknown => self.tag == "operations",
            Code::IndexRunUnknown => self.tag == "index-runs" || self.name == "CancelOperation",
            Code::CommitNotLinked => self.is(&["UnlinkCommit"]),
            Code::TokenUnknown | Code::TokenExists => self.tag == "tokens",
            Code::ViewUnknown => self.is(&["RebuildView"]),
            Code::ViewMoving => self.is(&["VerifyViews"]),
            Code::StreamUnknown | Code::StreamNotShown => self.is(&["ListStreamEvents"]),
            Code::MetricsOff => self.is(&["GetMetrics"]),
            Code::IntegrationNameTaken => self.is(&["AddIntegration", "RenameIntegration"]),
            Code::ConnectionTaken => self.connects(),
            Code::IndexRunActive | Code::IndexRunExists => self.asks_for_runs(),
            Code::IntegrationExists => self.is(&["AddIntegration"]),
            Code::IntegrationRemoved => {
                self.tag == "integrations" && !self.is_read || self.asks_for_runs() || self.acts_on_installation()
            }
            Code::IntegrationPaused => self.tag == "integrations" && !self.is_read || self.asks_for_runs(),
            Code::RepositoryForgotten => self.is_of_commit() || self.asks_for_runs() || self.is(&["AssociateSshKey"]),
            Code::RepositoryRefused => self.asks_for_runs() || self.is(&["AssociateSshKey"]),
            Code::IndexRunEnded | Code::IndexRunNotStarted => self.is(&["CancelIndex", "CancelOperation"]),
            Code::OperationNotCancellable => self.is(&["CancelOperation"]),
            Code::IndexRunNotFailed => self.is(&["RetryIndex"]),
            Code::CommitAmbiguous => self.is_of_commit() || self.name == "ExplainCommit",
            Code::IssueLeftOut => self.is(&["LinkCommit"]),
            Code::CommandRefused => self.records(),
            Code::NameInvalid => {
                self.is(&["AddIntegration", "RenameIntegration", "ConnectGithubApp"])
                    || self.is(&["AddSshKey", "GenerateSshKey", "RegisterSshKey", "RenameSshKey"])
            }
            Code::PathRelative
            | Code::PathInvalid
            | Code::PathNotFound
            | Code::PathUnreadable
            | Code::PathOutsideRoots
            | Code::NotAFolder
            | Code::DepthInvalid
            | Code::CredentialTwice
            | Code::TrustInvalid
            | Code::ProxyInvalid
            | Code::RefsInvalid
            | Code::NotARepository
            | Code::Denied
            | Code::Sha256Unsupported
            | Code::Shallow
            | Code::CorruptObject
            | Code::MissingObject
            | Code::TooManyRefs
            | Code::OutsideRoots
            | Code::FileSystemSilent
            | Code::IntegrationOtherKind
            | Code::IntegrationCredentialElsewhere => self.connects(),
            Code::UrlInvalid | Code::UrlNotAllowed | Code::CredentialInvalid | Code::SshKeyUnusable => {
                self.connects()
                    || self.is(&["TestConnection"])
                    || code == Code::SshKeyUnusable && self.is(&["RotateSshKey"])
            }
            Code::SshKeyNotSaid => self.is(&["ChangeConnection"]),
            Code::IntegrationNoWebLinks | Code::WebLinksInvalid => self.is(&["AddIntegration", "SetWebLinks"]),
            Code::AddressDenied => self.connects() || self.is(&["TestConnection"]) || self.looks_at_hosts(),
            Code::HostKeyUnknown => self.tag == "host-keys",
            Code::HostKeyAlarmed | Code::HostKeyDiffers | Code::HostKeyRefused => self.is(&["TrustHostKeys"]),
            Code::HostKeyNoChange => self.is(&["AcceptHostKeyChange", "RefuseHostKeyChange"]),
            Code::HostKeyOtherFingerprints | Code::HostKeyTooMany => self.is(&["TrustHostKeys", "AcceptHostKeyChange"]),
            Code::SshKeyscanMissing | Code::SshHostUnknown | Code::SshHostUnreachable | Code::SshHostNotSsh => {
                self.looks_at_hosts()
            }
            Code::SshHostInvalid => self.looks_at_hosts() || self.is(&["ImportKnownHosts"]),
            Code::KnownHostsEmpty | Code::KnownHostsTooLarge | Code::KnownHostsTooMany => {
                self.is(&["ImportKnownHosts"])
            }
            Code::ProjectInvalid | Code::ProjectRulesContradict | Code::ProjectRulesTooMany => {
                self.is(&["SetProjectRules"])
            }
            Code::TokenBadExpiry | Code::TokenBadName | Code::TokenBadScopes => self.is(&["IssueToken"]),
            Code::SshKeyUnknown => self.tag == "ssh-keys",
            Code::SshKeyTaken | Code::SshKeyExists => self.is(&["AddSshKey", "GenerateSshKey", "RegisterSshKey"]),
            Code::SshKeyNameTaken => self.is(&["AddSshKey", "GenerateSshKey", "RegisterSshKey", "RenameSshKey"]),
            Code::SshKeyFolderUnreadable => self.is(&["ListSshKeyFiles", "RegisterSshKey"]),
            Code::SshKeyFolderOff | Code::SshKeyFileUnknown | Code::SshKeyFileUnusable => self.is(&["RegisterSshKey"]),
            Code::SshKeyRetired => self.tag == "ssh-keys" && !self.is_read,
            Code::SshKeyInUse => self.is(&["RetireSshKey"]),
            Code::SshKeyAssociated | Code::RepositoryNotSsh => self.is(&["AssociateSshKey"]),
            Code::SshKeyRotating => {
                self.is(&["AssociateSshKey", "DissociateSshKey", "RotateSshKey", "RetireSshKey", "CancelOperation"])
            }
            Code::SshKeyHostNeedsRsa => self.is(&["GenerateSshKey"]),
            Code::SshKeyEmpty
            | Code::SshKeyTwice
            | Code::SshKeyTooLarge
            | Code::SshKeyPublic
            | Code::SshKeyCertificate
            | Code::SshKeyUnknownFormat
            | Code::SshKeyBinary
            | Code::SshKeyFormatUnsupported
            | Code::SshKeyTruncated
            | Code::SshKeyDamaged
            | Code::SshKeySeveral
            | Code::SshKeyPassphraseNeeded
            | Code::SshKeyPassphraseWrong
            | Code::SshKeyCipherUnsupported
            | Code::SshKeyTooCostly
            | Code::SshKeyAlgorithmUnsupported
            | Code::SshKeyDsa
            | Code::SshKeyFido
            | Code::SshKeyRsaTooShort
            | Code::SshKeyRsaTooLong
            | Code::SshKeyHalvesDiffer => self.is(&["AddSshKey", "TestConnection"]),
            Code::AuthorAmbiguous => self.is(&["SearchIssues"]),
            Code::RepositoryUnreadable => self.is_of_commit(),
            Code::DeliveryInvalid | Code::SignatureMissing | Code::SignatureInvalid => {
                self.is(&["ReceiveGithubWebhook"])
            }
            Code::InstallationUnknown => self.tag == "installations",
            Code::DeliveryUnknown => self.path.contains("{delivery}"),
            Code::AppNotRegistered
            | Code::AppDeleted
            | Code::AppNotInstalled
            | Code::KeyOfAnotherApp
            | Code::AppTaken
            | Code::OrganisationTaken
            | Code::InstallationRemoved
            | Code::GithubRefused => self.acts_on_installation(),
            Code::AppRegisteredAlready => self.is(&["AdoptGithubApp", "ConnectGithubApp"]),
            Code::PublicUrlMissing => self.is(&["ConnectGithubApp", "RotateWebhookSecret", "RepairInstallation"]),
            Code::WebhookRotationUnfinished => self.is(&["RotateWebhookSecret"]),
            Code::NothingToConfirm => self.is(&["ConfirmRepositories"]),
            Code::NotRemoved => self.is(&["ConfirmGone"]),
            Code::SecretsNotKept | Code::KeyInvalid | Code::SecretInvalid => {
                self.is(&["AdoptGithubApp", "RotatePemKey"])
            }
            Code::FilterInvalid => self.is(&["PreviewFilter", "ConfirmRepositories"]) || self.connects(),
            Code::HostInvalid | Code::OrganisationInvalid => self.connects(),
            Code::OrganisationUnknown => self.is(&["ConnectGithubApp"]),
            Code::OrganisationOther => self.is(&["ChangeConnection"]),
        }
    }
}

/// Names at each answer that is a problem the codes it may carry, as `x-codes`.
pub(super) fn add(path: &str, is_read: bool, operation: &mut Operation) {
    let parameters = operation.parameters.iter().flatten();
    let asked = Asked {
        path,
        name: operation.operation_id.as_deref().unwrap_or_default(),
        tag: operation.tags.iter().flatten().next().map_or("", String::as_str),
        is_read,
        has_body: operation.request_body.is_some(),
        parameters: parameters
            .filter(|one| !matches!(one.parameter_in, ParameterIn::Path))
            .map(|one| one.name.as_str())
            .collect(),
    };
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if !response.content.contains_key("application/problem+json") {
            continue;
        }
        let codes = Code::ALL.iter().filter(|code| code.status().to_string() == *status && asked.may_be(**code));
        let words: Vec<_> = codes.map(|code| code.as_str()).collect();
        if !words.is_empty() {
            let named = Extensions::builder().add("x-codes", words).build();
            response.extensions.get_or_insert_default().merge(named);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_problem_names_its_codes_and_every_code_is_of_some_operation() {
        let spec: Value = serde_json::from_str(&crate::http::spec::json()).expect("a description");
        let paths = spec["paths"].as_object().expect("paths").values();
        let mut named = BTreeSet::new();
        for operation in paths.flat_map(|item| item.as_object().expect("operations").values()) {
            for (status, response) in operation["responses"].as_object().expect("responses") {
                let at = response["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
                let response = at.map_or(response, |at| spec.pointer(at).expect("a shared answer"));
                let codes = response["x-codes"].as_array().map(Vec::as_slice).unwrap_or_default();
                let is_problem = !response["content"]["application/problem+json"].is_null();
                assert_eq!(is_problem, !codes.is_empty(), "{} {status}", operation["operationId"]);
                named.extend(codes.iter().filter_map(Value::as_str).map(str::to_owned));
            }
        }
        // No operation of the description is asked for.
        let beside = [Code::MethodNotAllowed];
        for code in Code::ALL {
            assert_eq!(named.contains(code.as_str()), !beside.contains(code), "{}", code.as_str());
        }
    }
}
