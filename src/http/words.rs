//! The closed lists of words, as the description of the API tells them.

use keytrail_domain::access::Role;
use keytrail_projections::{
    index_runs::RunState, integration_list::IntegrationState, repository_list::RepositoryState,
};
use utoipa::openapi::{ObjectBuilder, schema::Type};

fn list(words: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// Where an integration is in its life.
pub(super) fn integration_state() -> utoipa::openapi::Object {
    list(IntegrationState::ALL.iter().map(|word| word.as_str())).build()
}

/// What becomes of copies when their integration is removed.
pub(super) fn mirrors_after() -> utoipa::openapi::Object {
    list(["deleted", "kept"]).build()
}

/// How bad it is what was found.
pub(super) fn finding_state() -> utoipa::openapi::Object {
    list(["ok", "warn", "fail"]).build()
}

/// Where a repository is in its life.
pub(super) fn repository_state() -> utoipa::openapi::Object {
    list(RepositoryState::ALL.iter().map(|word| word.as_str())).build()
}

/// Where an index run is in its life.
pub(super) fn run_state() -> utoipa::openapi::Object {
    list(RunState::ALL.iter().map(|word| word.as_str())).build()
}

/// Whether a token works.
pub(super) fn token_state() -> utoipa::openapi::Object {
    list(["active", "expired", "revoked"]).build()
}

/// What a token allows.
pub(super) fn role() -> utoipa::openapi::Object {
    list([Role::Admin, Role::Auditor, Role::Viewer].map(Role::as_str)).build()
}

/// Why an index run was asked for.
pub(super) fn cause() -> utoipa::openapi::Object {
    list(["discovered", "asked", "moved", "reset"]).build()
}
