//! Which integration has the app or the organisation that another one wants: whoever is refused is told. Called by the
//! routes of apps and of places.

use keytrail_domain::id::IntegrationId;
use keytrail_projections::integration_list;

use crate::{
    app::DispatchError,
    http::{
        Api,
        error::{ApiError, Code},
    },
};

/// What it is called, with its id where that is not known.
pub(in crate::http) async fn named(api: &Api, id: IntegrationId) -> String {
    match name(api, id).await {
        Some(name) => format!("The integration “{name}”"),
        None => format!("The integration {id}"),
    }
}

/// What it is called, as far as that can be read now.
pub(super) async fn name(api: &Api, id: IntegrationId) -> Option<String> {
    let head = api.app.log.feed().head().position;
    let rows = api.app.read_at_least(head, integration_list::by_id(id)).await.ok()?;
    rows.into_iter().next().map(|row| row.name.to_string())
}

/// A refusal; one because of what another integration has names that one.
pub(super) async fn naming_the_holder(api: &Api, error: DispatchError) -> ApiError {
    let DispatchError::Claimed(claim) = &error else { return error.into() };
    let holder = api.app.log.holder(claim).await.ok().flatten().map(IntegrationId);
    let refused = ApiError::from(error);
    let Some(holder) = holder else { return refused };
    let has = match refused.code() {
        Code::AppTaken => "has this app. An app belongs to one integration",
        Code::OrganisationTaken => "has an app in this organisation. One app of ours is installed in an organisation",
        _ => return refused,
    };
    let detail = format!("{} {has}. Use that integration, or remove it first.", named(api, holder).await);
    ApiError::new(refused.code(), detail).with("integration", holder.to_string())
}
