//! The way of deliveries from a GitHub to us: where they go, what they are signed with, whether they come, and what else of
//! an app must be as it was set up. Called by the reconciler after it read how the app is, and by who repairs it.

use keytrail_domain::{
    github::{Edition, GithubConnection},
    id::IntegrationId,
    installation::{Command, Installation, Registered, SeenHook, WebhookDoubt, Webhooks, differing},
    recorded::Position,
};

use super::{
    JobError,
    app_access::{self, AskError},
    reconcile_installation::{is_late, say, say_with},
};
use crate::{
    app::{App, Context},
    git::services::github::{AppAccess, DeliveryEnd, HookConfig},
    ids,
    secrets::{Secret, SecretsError, Vault, app_secrets},
    store::StoreError,
};

/// Tells GitHub of a new secret, compares what must not change, and doubts deliveries that do not come; `were_missed` says
/// that there are some which GitHub tried in vain.
pub(super) async fn look_after(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    were_missed: bool,
    cause: Position,
) -> Result<(), JobError> {
    let Installation::Registered(registered) = app_access::installation(app, id).await? else { return Ok(()) };
    if registered.key_rejected || registered.service == keytrail_domain::installation::Service::AppDeleted {
        // Nobody can be asked; what is known is compared.
        return say(app, id, cause, Command::CompareProperties { differing: differing(&registered, None) }).await;
    }
    let access = app_access::access(app, id, github, &registered).await?;
    if let Some(previous) = registered.previous_webhook_secret {
        match tell_secret(app, id, &registered, &access, None).await {
            // GitHub cannot be told of one that cannot be opened here. Another one is needed, and for that this has to end.
            Ok(()) | Err(AskError::Sealed(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if registered.previous_taken_until.is_none_or(|until| until < app.clock.now()) {
            let forget = vec![Vault::forget(previous)];
            say_with(app, id, cause, Command::RetireWebhookSecret, forget).await?;
        }
    }
    let address = app.public_address.webhook(id);
    let seen = match access.hook().await {
        Ok(hook) => Some(Some(seen(hook))),
        // The next time tells more.
        Err(error) if error.passes() => None,
        Err(_) => Some(None),
    };
    let go_elsewhere = match (&address, &seen) {
        (Some(address), Some(Some(seen))) => seen.url.as_ref() != Some(address),
        _ => false,
    };
    if let Some(seen) = seen {
        let webhook = address.as_deref().map(|url| (url, seen.as_ref()));
        say(app, id, cause, Command::CompareProperties { differing: differing(&registered, webhook) }).await?;
    }
    let doubt = match registered.webhooks {
        Webhooks::Proven if go_elsewhere => Some(WebhookDoubt::NoneSent),
        Webhooks::Proven if were_missed => last_end(&access).await,
        Webhooks::Proven => None,
        Webhooks::Unproven | Webhooks::Doubted { .. } => doubt(app, id, github, &access).await?,
    };
    if let Some(doubt) = doubt {
        say(app, id, cause, Command::DoubtWebhooks { cause: doubt }).await?;
    }
    Ok(())
}

fn seen(hook: HookConfig) -> SeenHook {
    let insecure = hook.insecure_ssl.is_some_and(|word| word == "1" || word == 1);
    SeenHook { url: hook.url, content_type: hook.content_type, insecure }
}

/// Has GitHub send deliveries here, signed with the secret that is known here; one is made where there is none. Nothing
/// happens where this server has no address.
pub async fn mend_webhook(app: &App, id: IntegrationId, github: &GithubConnection) -> Result<(), AskError> {
    let Installation::Registered(mut registered) = app_access::installation(app, id).await? else { return Ok(()) };
    let Some(url) = app.public_address.webhook(id) else { return Ok(()) };
    let access = app_access::access(app, id, github, &registered).await?;
    if registered.webhook_secret.is_none() {
        let secret = keytrail_domain::hex::lower_hex(&ids::random_bytes::<32>());
        let clear = Secret::new(secret.into_bytes());
        let (secret, row) =
            app.vault.seal(app_secrets::owner(id), app_secrets::WEBHOOK_SECRET, &clear, app.clock.now());
        let command = Command::RotateWebhookSecret { secret, until: None };
        let context = Context::server("mend_webhook", app.log.feed().head().position);
        app.dispatch::<Installation>(id.0, command, context, vec![row.into_statement()]).await?;
        registered.webhook_secret = Some(secret);
    }
    tell_secret(app, id, &registered, &access, Some(&url)).await
}

async fn tell_secret(
    app: &App,
    id: IntegrationId,
    registered: &Registered,
    access: &AppAccess,
    url: Option<&str>,
) -> Result<(), AskError> {
    let Some(secret) = registered.webhook_secret else { return Ok(()) };
    let opened = app.vault.open(secret, app_secrets::owner(id), app_secrets::WEBHOOK_SECRET).await;
    let unreadable = |error: &dyn std::fmt::Display| {
        AskError::Sealed(format!("the sealed webhook secret cannot be opened ({error}); give it another one"))
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => return Err(error.into()),
        Err(error) => return Err(unreadable(&error)),
    };
    let secret = std::str::from_utf8(opened.expose()).map_err(|_| unreadable(&"it is no text"))?;
    access.set_hook(url, Some(secret)).await?;
    Ok(())
}

/// Why no delivery came, if that can be told by now.
async fn doubt(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    access: &AppAccess,
) -> Result<Option<WebhookDoubt>, JobError> {
    if app.public_address.webhook(id).is_none() {
        return Ok(Some(WebhookDoubt::NoAddress));
    }
    let public = matches!(github.host.edition, Edition::Cloud | Edition::DataResidency);
    if public && app.public_address.is_webhook_private() {
        return Ok(Some(WebhookDoubt::PrivateAddress));
    }
    if !is_late(app, id).await? {
        return Ok(None);
    }
    Ok(last_end(access).await)
}

/// What was wrong with the last delivery, if anything was. Old servers keep no log of them.
async fn last_end(access: &AppAccess) -> Option<WebhookDoubt> {
    match access.delivery_ends().await.ok()?.first() {
        None => Some(WebhookDoubt::NoneSent),
        Some(DeliveryEnd::Taken) => None,
        Some(DeliveryEnd::Refused) => Some(WebhookDoubt::Refused),
        Some(DeliveryEnd::Timeout) => Some(WebhookDoubt::Timeout),
        Some(DeliveryEnd::Tls) => Some(WebhookDoubt::Tls),
        Some(DeliveryEnd::Unreachable) => Some(WebhookDoubt::Unreachable),
    }
}
