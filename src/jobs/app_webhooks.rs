//! The way of deliveries from a GitHub to us: where they go, what they are signed with, whether they come, and what else of
//! an app must be as it was set up. Called by the reconciler after it read how the app is, and by who repairs it.

use keytrail_domain::{
    display_text::DisplayText,
    github::{Edition, GithubConnection},
    id::IntegrationId,
    installation::{Command, Heard, Installation, Property, Registered, SeenHook, WebhookDoubt, Webhooks, differing},
    recorded::{Position, StreamId},
    secret_ref::SecretRef,
};
use uuid::Uuid;

use super::{
    JobError,
    app_access::{self, AskError},
    reconcile_installation::{is_late, say, say_with},
};
use crate::{
    app::{App, Context, DispatchError},
    git::services::github::{AppAccess, DeliveryEnd, GithubError},
    ids,
    secrets::{Secret, SecretsError, Vault, app_secrets},
    store::StoreError,
};

/// Tells GitHub what it is to be told of deliveries, compares what must not change, and doubts deliveries that do not come;
/// `were_missed` says that there are some which GitHub tried in vain.
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
        let (differing, known) = (differing(&registered, None), registered.webhooks);
        return say(app, id, cause, Command::CompareProperties { differing, known }).await;
    }
    let access = app_access::access(app, id, github, &registered).await?;
    let address = app.public_address.webhook(id);
    let mut seen = looked_up(&access).await;
    let is_moved = address.is_some() && seen.as_ref().is_ok_and(|seen| is_moved(app, id, &registered, seen));
    if is_moved {
        say(app, id, cause, Command::WishWebhook).await?;
    }
    // What is changed is told again as long as the old secret is good, too.
    let is_wished = is_moved || registered.webhook_wished && address.is_some();
    if is_wished || registered.previous_webhook_secret.is_some() {
        let is_told = match tell_webhook(app, id, &registered, &access).await {
            // GitHub cannot be told of one that cannot be opened here. Another one is needed, and for that this has to end.
            Ok(()) | Err(AskError::Sealed(_)) => true,
            Err(AskError::Github(error)) if !error.passes() => {
                tracing::warn!(%error, integration = %id, "GitHub is not told where deliveries go; it will be");
                false
            }
            Err(error) => return Err(error.into()),
        };
        let is_over = registered.previous_taken_until.is_none_or(|until| until < app.clock.now());
        if let Some(previous) = registered.previous_webhook_secret.filter(|_| is_told && is_over) {
            let forget = vec![Vault::forget(previous)];
            say_with(app, id, cause, Command::RetireWebhookSecret { secret: previous }, forget).await?;
        }
        seen = looked_up(&access).await;
    }
    let go_elsewhere = match (&address, &seen) {
        (Some(address), Ok(seen)) => seen.url.as_ref() != Some(address),
        _ => false,
    };
    let webhook = address.as_deref().map(|url| (url, seen.as_ref().ok()));
    let differing = differing(&registered, webhook);
    let elsewhere = differing.iter().find(|one| one.property == Property::Webhook).filter(|_| go_elsewhere);
    let doubt = match registered.webhooks {
        // Where it was known, and some came in since, somebody passes them on.
        Webhooks::Proven if elsewhere.is_some_and(|one| !registered.differing.contains(one)) => {
            Some(WebhookDoubt::NoneSent)
        }
        Webhooks::Proven if were_missed => last_end(&access).await,
        Webhooks::Proven => None,
        Webhooks::Unproven | Webhooks::Doubted { .. } => doubt(app, id, github, &access).await?,
    };
    if let Some(doubt) = doubt {
        let known = Some(registered.webhooks);
        say(app, id, cause, Command::DoubtWebhooks { cause: doubt, known }).await?;
        app.jobs.webhook_secrets.set_proven(id, false);
    }
    // After the doubt, which asks whether this is news. The next time tells more, where it is only not told now: a clock that
    // went wrong, or a key refused, says nothing of it.
    if seen.as_ref().map_or_else(GithubError::withholds, |_| true) {
        say(app, id, cause, Command::CompareProperties { differing, known: registered.webhooks }).await?;
    }
    Ok(())
}

/// Where deliveries go, as GitHub says.
async fn looked_up(access: &AppAccess) -> Result<SeenHook, GithubError> {
    let hook = access.hook().await?;
    let insecure = hook.insecure_ssl.is_some_and(|word| word == "1" || word == 1);
    Ok(SeenHook { url: hook.url, content_type: hook.content_type, insecure })
}

/// Whether deliveries go to an address that this server had before. Otherwise somebody changed it at GitHub. Only the node
/// that looks after the app says so: nodes that know two addresses would go on moving it from one to the other.
fn is_moved(app: &App, id: IntegrationId, registered: &Registered, seen: &SeenHook) -> bool {
    if app.jobs.installation_turns.of(id).is_none() {
        return false;
    }
    let Some(there) = seen.url.as_deref() else { return false };
    match &registered.webhook_told {
        Some(told) => *told == DisplayText::clean(there) && app.public_address.webhook(id).as_deref() != Some(there),
        // As the app was registered: no other server has this integration.
        None => app.public_address.is_webhook_moved(id, there),
    }
}

/// Has GitHub send deliveries here, signed with the secret that is known here, where that is wished and was not done yet;
/// a secret is made where there is none. Nothing happens where this server has no address: the reconciler does it when there
/// is one.
pub async fn mend_webhook(app: &App, id: IntegrationId, github: &GithubConnection) -> Result<(), AskError> {
    // The reconciler may be at it.
    let _turn = app.jobs.one_by_one.turn(id).await;
    let Installation::Registered(registered) = app_access::installation(app, id).await? else { return Ok(()) };
    if !registered.webhook_wished || app.public_address.webhook(id).is_none() {
        return Ok(());
    }
    let access = app_access::access(app, id, github, &registered).await?;
    tell_webhook(app, id, &registered, &access).await
}

/// Tells GitHub what deliveries are signed with and, where this server has an address, where they go; then it is written
/// down that it was told.
async fn tell_webhook(
    app: &App,
    id: IntegrationId,
    registered: &Registered,
    access: &AppAccess,
) -> Result<(), AskError> {
    let address = app.public_address.webhook(id);
    let secret = match registered.webhook_secret {
        Some(secret) => secret,
        None if address.is_some() => made_secret(app, id).await?,
        None => return Ok(()),
    };
    let opened = app.vault.open(secret, app_secrets::owner(id), app_secrets::WEBHOOK_SECRET).await;
    let unreadable = |error: &dyn std::fmt::Display| {
        AskError::Sealed(format!("the sealed webhook secret cannot be opened ({error}); give it another one"))
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(SecretsError::Store(error)) if !matches!(error, StoreError::Corrupt(_)) => return Err(error.into()),
        Err(error) => return Err(unreadable(&error)),
    };
    let text = std::str::from_utf8(opened.expose()).map_err(|_| unreadable(&"it is no text"))?;
    access.set_hook(address.as_deref(), Some(text)).await?;
    if let Some(address) = address {
        let command = Command::TellWebhook { address: DisplayText::clean(&address), secret };
        app.dispatch::<Installation>(id.0, command, server(app), Vec::new()).await?;
    }
    Ok(())
}

/// A secret for deliveries of an app that has none.
async fn made_secret(app: &App, id: IntegrationId) -> Result<SecretRef, AskError> {
    let (now, version) = app.load::<Installation>(StreamId::new("installation", id.0)).await?;
    if let Installation::Registered(now) = now
        && let Some(secret) = now.webhook_secret
    {
        return Ok(secret);
    }
    let clear = Secret::new(keytrail_domain::hex::lower_hex(&ids::random_bytes::<32>()).into_bytes());
    let (secret, row) = app.vault.seal(app_secrets::owner(id), app_secrets::WEBHOOK_SECRET, &clear, app.clock.now());
    let command = Command::RotateWebhookSecret { secret, until: None };
    // Another node may be at it: one of them is first.
    let context = Context { if_match: Some(version), ..server(app) };
    app.dispatch::<Installation>(id.0, command, context, vec![row.into_statement()]).await?;
    Ok(secret)
}

fn server(app: &App) -> Context {
    Context::server("mend_webhook", app.log.feed().head().position)
}

/// A delivery came in with a good signature: the first, or one that comes again. Either shows that they come in.
pub async fn prove_webhooks(app: &App, id: IntegrationId, delivery: Uuid) {
    if app.jobs.webhook_secrets.is_proven(id) {
        return;
    }
    let (heard, context) = (Command::Hear(Heard::Anything), Context::delivery("webhooks", delivery));
    match app.dispatch::<Installation>(id.0, heard, context, Vec::new()).await {
        Ok(_) | Err(DispatchError::Refused { .. }) => app.jobs.webhook_secrets.set_proven(id, true),
        Err(error) => {
            tracing::warn!(%error, integration = %id, "that a delivery came in is not written down; the next one shows it");
        }
    }
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
