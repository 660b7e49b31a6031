//! What stands in the way of an app by what is known of it here, whatever GitHub answers now: nobody has to be asked for
//! it, and it stands until that is otherwise. Called by who asks after the app and by who lists its repositories, when
//! they met nothing else. It asks GitHub nothing and writes nothing.

use keytrail_domain::{
    id::IntegrationId,
    installation::{Cause, Command, Diagnosis, Registered, Service},
    secret_ref::SecretRef,
};

use crate::{
    app::App,
    secrets::{SecretsError, app_secrets},
    store::StoreError,
};

/// What is to be said of an app that nothing else stands in the way of.
pub(super) async fn what_stands(app: &App, id: IntegrationId, registered: &Registered) -> Result<Command, StoreError> {
    let cause = if registered.service == Service::AppDeleted {
        None
    } else if is_unreadable(app, id, registered.webhook_secret).await? {
        Some(Cause::WebhookSecretUnreadable)
    } else {
        registered.may_not_read_pull_requests().then_some(Cause::PullRequestsDenied)
    };
    Ok(cause.map_or(Command::Clear, |cause| Command::Diagnose(Diagnosis::of(cause, false))))
}

/// Whether there is a secret of deliveries, and it cannot be opened here.
async fn is_unreadable(app: &App, id: IntegrationId, secret: Option<SecretRef>) -> Result<bool, StoreError> {
    let Some(secret) = secret else { return Ok(false) };
    match app.vault.open(secret, app_secrets::owner(id), app_secrets::WEBHOOK_SECRET).await {
        Ok(opened) => Ok(std::str::from_utf8(opened.expose()).is_err()),
        Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => Err(error),
        Err(_) => Ok(true),
    }
}
