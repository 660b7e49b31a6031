//! The closed lists of words, as the description of the API tells them.

use std::collections::BTreeSet;

use keytrail_domain::{
    access::{Role, Scope},
    capability::Capability,
    fact::Fact,
    host_key::How,
    pull_request::Verdict,
    ssh_key::{Algorithm, Format, RsaReason},
    web_links::Preset,
};
use keytrail_projections::{
    Rule,
    host_key_list::HostKeyState,
    index_runs::RunState,
    integration_list::IntegrationState,
    issue_commits::LinkState,
    pull_requests::PullState,
    repository_list::{RepositoryState, Sort},
    ssh_key_list::{KeyOrigin, KeyState},
};
use serde_json::Value;
use utoipa::openapi::{
    ObjectBuilder,
    schema::{SchemaType, Type},
};

use crate::explain::{StepName, StepState};

use crate::app::OperationState;

use crate::doctor::Subject;

use crate::{inbox, jobs::TestStep, ssh_hosts::Why, ssh_keys::GIT_HOSTS};

use super::{connection_test, web_links};

fn list(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// The same, or nothing.
fn maybe(words: impl IntoIterator<Item = &'static str>) -> utoipa::openapi::Object {
    let words = words.into_iter().map(Value::from).chain([Value::Null]);
    let types = SchemaType::from_iter([Type::String, Type::Null]);
    ObjectBuilder::new().schema_type(types).enum_values(Some(words)).build()
}

/// The types of events, and what all of one kind of stream begin with.
pub(super) fn event_type() -> utoipa::openapi::Object {
    let types = || Fact::types().map(|(name, _)| name);
    let beginnings: BTreeSet<_> = types().filter_map(|name| Some(format!("{}.", name.split_once('.')?.0))).collect();
    let all = types().map(str::to_owned).chain(beginnings);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(all)).build()
}

/// Where an integration is in its life.
pub(super) fn integration_state() -> utoipa::openapi::Object {
    list(IntegrationState::ALL.iter().map(|word| word.as_str())).build()
}

/// What not every kind of connection has.
pub(super) fn capabilities() -> utoipa::openapi::Array {
    utoipa::openapi::ArrayBuilder::new().items(list(Capability::ALL.map(Capability::as_str)).build()).build()
}

/// By what links to pages of repositories are told.
pub(super) fn web_links_way() -> utoipa::openapi::Object {
    list(web_links::WAYS).build()
}

/// A kind of host that shows repositories, or none.
pub(super) fn maybe_web_links_preset() -> utoipa::openapi::Object {
    maybe(Preset::ALL.map(Preset::as_str))
}

/// What becomes of copies when their integration is removed.
pub(super) fn mirrors_after() -> utoipa::openapi::Object {
    list(["deleted", "kept"]).build()
}

/// What becomes of the secrets of an app when its integration is removed.
pub(super) fn secrets_after() -> utoipa::openapi::Object {
    list(["forgotten", "kept"]).build()
}

/// How bad it is what was found.
pub(super) fn finding_state() -> utoipa::openapi::Object {
    list(["ok", "warn", "fail"]).build()
}

/// What a check is about.
pub(super) fn finding_subject() -> utoipa::openapi::Object {
    list(Subject::ALL.map(Subject::as_str)).build()
}

/// What became of a delivery.
pub(super) fn delivery_state() -> utoipa::openapi::Object {
    list(inbox::State::ALL.map(inbox::State::as_str)).build()
}

/// How a delivery came.
pub(super) fn delivery_origin() -> utoipa::openapi::Object {
    list(inbox::Origin::ALL.map(inbox::Origin::as_str)).build()
}

/// Where a repository is in its life.
pub(super) fn repository_state() -> utoipa::openapi::Object {
    list(RepositoryState::ALL.iter().map(|word| word.as_str())).build()
}

/// By what a list of repositories is ordered.
pub(super) fn repository_sort() -> utoipa::openapi::Object {
    list(Sort::ALL.iter().map(|word| word.as_str())).build()
}

/// What an operation does.
pub(super) fn operation_kind() -> utoipa::openapi::Object {
    let kinds = ["index_run", "fetch_repository", "discover_repositories", "forget_repositories"];
    let others = ["reindex_integration", "reset_integration", "rotate_ssh_key", "rebuild_view", "verify_views"];
    list(kinds.into_iter().chain(others)).build()
}

/// Where an operation is in its life.
pub(super) fn operation_state() -> utoipa::openapi::Object {
    list(OperationState::ALL.map(OperationState::as_str)).build()
}

/// Where an index run is in its life.
pub(super) fn run_state() -> utoipa::openapi::Object {
    list(RunState::ALL.iter().map(|word| word.as_str())).build()
}

/// What a person decided about a commit and an issue.
pub(super) fn link_state() -> utoipa::openapi::Object {
    list(LinkState::ALL.iter().map(|word| word.as_str())).build()
}

/// Where a pull request is in its life.
pub(super) fn pull_state() -> utoipa::openapi::Object {
    list(PullState::ALL.iter().map(|word| word.as_str())).build()
}

/// What a review says.
pub(super) fn verdict() -> utoipa::openapi::Object {
    list(Verdict::ALL.map(Verdict::as_str)).build()
}

/// What the rules say of an issue or a project.
pub(super) fn rule() -> utoipa::openapi::Object {
    list(Rule::ALL.iter().map(|word| word.as_str())).build()
}

/// The steps of an explanation.
pub(super) fn explained_step() -> utoipa::openapi::Object {
    list(StepName::ALL.iter().map(|word| word.as_str())).build()
}

/// How a step of an explanation ended.
pub(super) fn explained_state() -> utoipa::openapi::Object {
    list(StepState::ALL.iter().map(|word| word.as_str())).build()
}

/// Whether a token works.
pub(super) fn token_state() -> utoipa::openapi::Object {
    list(["active", "expired", "revoked"]).build()
}

/// What is tried out of a connection.
pub(super) fn connection_step() -> utoipa::openapi::Object {
    list(TestStep::ALL.map(TestStep::as_str)).build()
}

/// What came of a step.
pub(super) fn connection_step_state() -> utoipa::openapi::Object {
    list(connection_test::STATES).build()
}

/// Where a key of SSH is in its life.
pub(super) fn ssh_key_state() -> utoipa::openapi::Object {
    list(KeyState::ALL.iter().map(|word| word.as_str())).build()
}

/// How a key of SSH came.
pub(super) fn ssh_key_origin() -> utoipa::openapi::Object {
    list(KeyOrigin::ALL.iter().map(|word| word.as_str())).build()
}

/// How a key of SSH was written.
pub(super) fn ssh_key_format() -> utoipa::openapi::Object {
    maybe(Format::ALL.iter().map(|word| word.as_str()))
}

/// What a key of SSH is of.
pub(super) fn ssh_key_algorithm() -> utoipa::openapi::Object {
    list(Algorithm::ALL.iter().map(|word| word.as_str())).build()
}

/// The same, where it can be told.
pub(super) fn ssh_key_algorithm_if_known() -> utoipa::openapi::Object {
    maybe(Algorithm::ALL.iter().map(|word| word.as_str()))
}

/// Why a key of SSH is of RSA.
pub(super) fn rsa_reason() -> utoipa::openapi::Object {
    maybe(RsaReason::ALL.iter().map(|word| word.as_str()))
}

/// The kinds of keys that are made.
pub(super) fn ssh_key_type() -> utoipa::openapi::Object {
    maybe(["ed25519", "rsa"])
}

/// The git hosts that a key may be for.
pub(super) fn git_host() -> utoipa::openapi::Object {
    maybe(GIT_HOSTS.iter().map(|host| host.name))
}

/// The git hosts of hints.
pub(super) fn git_host_word() -> utoipa::openapi::Object {
    list(GIT_HOSTS.iter().map(|host| host.name)).build()
}

/// What is known of an SSH server.
pub(super) fn host_key_state() -> utoipa::openapi::Object {
    list(HostKeyState::ALL.iter().map(|word| word.as_str())).build()
}

/// Who vouches for host keys.
pub(super) fn host_key_how() -> utoipa::openapi::Object {
    maybe(How::ALL.iter().map(|word| word.as_str()))
}

/// What a look at an SSH server comes to.
pub(super) fn host_key_verdict() -> utoipa::openapi::Object {
    list(["unknown", "trusted", "changed", "refused"]).build()
}

/// Why a line of known_hosts is not taken.
pub(super) fn known_hosts_reason() -> utoipa::openapi::Object {
    list(Why::ALL.map(Why::code)).build()
}

/// What a token allows.
pub(super) fn role() -> utoipa::openapi::Object {
    list([Role::Admin, Role::Auditor, Role::Viewer].map(Role::as_str)).build()
}

/// What a token may be narrowed to.
pub(super) fn scopes() -> utoipa::openapi::Array {
    utoipa::openapi::ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .items(list(Scope::ALL.iter().map(|scope| scope.as_str())))
        .build()
}

/// Why an index run was asked for.
pub(super) fn cause() -> utoipa::openapi::Object {
    list(["discovered", "asked", "moved", "reset"]).build()
}
