//! Which integration has the app or the organisation that another one wants: whoever is refused is told. Called by the
//! routes of apps and of places.

use keytrail_domain::{
    github::{App, Login},
    id::IntegrationId,
    installation::{Installation, Status},
};
use keytrail_projections::{installation_status, integration_list};

use super::connection;
use crate::{
    app::DispatchError,
    http::{
        Api,
        error::{ApiError, Code},
    },
};

/// What an app can be that was never installed.
const NEVER_INSTALLED: [Status; 4] =
    [Status::Installing, Status::ApprovalRequested, Status::Stuck, Status::KeyRejected];
/// Rows that are read at a time.
const PAGE: u32 = 500;

/// What it is called, with its id where that is not known.
async fn named(api: &Api, id: IntegrationId) -> String {
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
    let detail = format!("{} {has}. {}", named(api, holder).await, way_out(api, holder));
    ApiError::new(refused.code(), detail).with("integration", holder.to_string())
}

/// A refusal of an organisation that another integration has, perhaps by another name.
pub(in crate::http) async fn held(api: &Api, code: Code, holder: IntegrationId, wanted: &Login) -> ApiError {
    let renamed = match connection(api, holder).await {
        Ok(there) if !there.organisation.is(wanted) => {
            format!(" The organisation was called “{}” when that integration was connected.", there.organisation)
        }
        _ => String::new(),
    };
    let (name, way_out) = (named(api, holder).await, way_out(api, holder));
    let detail = format!("{name} has an app for this organisation already.{renamed} {way_out}");
    ApiError::new(code, detail).with("integration", holder.to_string())
}

/// A refusal of an organisation that another integration is connected to, whether it has an app by now or not.
pub(in crate::http) async fn connected_already(api: &Api, holder: IntegrationId) -> ApiError {
    let (name, way_out) = (named(api, holder).await, way_out(api, holder));
    let detail = format!("{name} is connected to this organisation already. {way_out}");
    ApiError::new(Code::ConnectionTaken, detail).with("integration", holder.to_string())
}

/// Where the holder is looked at, and what to do; for a browser where this server knows its own address.
fn way_out(api: &Api, holder: IntegrationId) -> String {
    let page = api.app.public_address.page(&format!("/github/apps/{holder}"));
    let link = page.unwrap_or_else(|| format!("/api/v1/integrations/{holder}/installation"));
    format!("Use that integration (its app: {link}), or remove it and then try this again.")
}

/// Which integration other than `but` has an app that its own organisation owns and that nobody installed yet, where
/// `is_owner` says that the owner is the one that is wanted. An organisation is claimed once an app is installed in it.
pub(in crate::http) async fn awaiting(
    api: &Api,
    but: IntegrationId,
    host: &str,
    is_owner: impl Fn(&App) -> bool,
) -> Result<Option<IntegrationId>, ApiError> {
    for status in NEVER_INSTALLED {
        let mut after = None;
        loop {
            let rows = api.read_now(installation_status::page(Some(status), after, PAGE)).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.opened_position);
            for row in &rows {
                let Installation::Registered(registered) = &row.state else { continue };
                let waits = registered.account.is_none() && registered.host == host && row.id != but;
                if !waits || !is_owner(&registered.app) {
                    continue;
                }
                // One that was taken over may be somebody else's, and is installed elsewhere.
                let Ok(github) = connection(api, row.id).await else { continue };
                let was = registered.registered_as.as_deref().unwrap_or(&registered.app);
                if was.owner.as_ref().is_some_and(|owner| owner.is(&github.organisation)) {
                    return Ok(Some(row.id));
                }
            }
        }
    }
    Ok(None)
}
