//! Taking over an app with the key that a removed integration kept. Asked by the route that takes apps over; it changes
//! nothing.

use keytrail_domain::{
    id::IntegrationId,
    installation::{Command, Installation as Aggregate, Registered},
};

use crate::{
    http::{
        Api,
        error::{ApiError, Code},
    },
    jobs,
    secrets::{SecretsError, app_secrets},
    store::StoreError,
};

/// The command by which this integration has the app already; carried out again it comes to nothing.
pub(super) async fn taken_over(api: &Api, id: IntegrationId, app: u64) -> Result<Option<Command>, ApiError> {
    let Aggregate::Registered(known) = jobs::installation_of(&api.app, id).await? else { return Ok(None) };
    let Registered { host, app: now, key, webhook_secret, .. } = *known;
    Ok((now.id == app).then_some(Command::Adopt { host, app: now, key, webhook_secret }))
}

/// The key of an app whose integration was removed and kept it.
pub(super) async fn kept_key(api: &Api, id: IntegrationId, app: u64, host: &str) -> Result<String, ApiError> {
    let none = || {
        let detail = "That integration keeps no key of this app: it was removed without keeping it, or never had it.";
        ApiError::new(Code::SecretsNotKept, detail)
    };
    let Aggregate::Removed { kept: Some(kept), .. } = jobs::installation_of(&api.app, id).await? else {
        return Err(none());
    };
    if kept.app != app || kept.host != host {
        return Err(none());
    }
    let opened = api.app.vault.open(kept.key.secret, app_secrets::owner(id), app_secrets::APP_KEY).await;
    let opened = opened.map_err(|error| match error {
        SecretsError::Store(error) if !matches!(error, StoreError::Corrupt(_)) => ApiError::from(error),
        _ => none(),
    })?;
    String::from_utf8(opened.expose().clone()).map_err(|_| none())
}
