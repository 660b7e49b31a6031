//! The GitHub App of an integration: how it is, taken over, suspended, given another key, repaired.

mod asking;
mod holder;
mod kept;
mod properties;
mod reachable;
mod repair;
mod repositories;
mod shown;
mod told;
mod webhook_secret;

use actix_web::{
    HttpResponse, get, post, put,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    github::GithubConnection,
    id::IntegrationId,
    installation::{Command, Installation as Aggregate, Key, Registered},
    integration::{self, Integration, IntegrationName},
    recorded::StreamId,
    secret_ref::SecretRef,
    service::Connection,
};
use keytrail_projections::installation_status::{self, InstallationRow};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(super) use self::{
    asking::{asked, in_time, or_by_jobs},
    holder::{awaiting, connected_already, held},
    reachable::answers,
    repair::repair_installation,
    repositories::{confirm_gone, confirm_repositories, filter, preview_filter},
    shown::{Shown, ShownRemainder},
    told::{People, told as told_of},
    webhook_secret::rotate_webhook_secret,
};
use self::{
    asking::{bad_key, proved},
    holder::{name, naming_the_holder},
    kept::{kept_key, taken_over},
    repair::mend,
};
use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, tell_one},
    conditions::IfMatch,
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    input::Input,
    integrations::OneQuery,
};
use crate::{
    app::{Context, DispatchError},
    git::services::github::AppKey,
    jobs,
    secrets::{Secret, Vault, app_secrets},
    store::Statement,
};

/// How often a change is tried that others overtake.
const TRIES: u32 = 8;

/// An app that is there already.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdoptedApp {
    /// Its id, as the settings of the app show it.
    #[schema(example = 123_456)]
    app_id: u64,
    /// Its private key: the `.pem` file that GitHub gave, in whatever form it was kept. Without one `kept_by` has to be
    /// said.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    key: Option<Secret<String>>,
    /// A removed integration that kept the key of this app.
    #[serde(default)]
    kept_by: Option<Uuid>,
    /// What its deliveries are signed with, if it is known.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    webhook_secret: Option<Secret<String>>,
}

/// Another private key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// The `.pem` file that GitHub gave, in whatever form it was kept.
    #[schema(value_type = String)]
    key: Secret<String>,
}

/// How the app of an integration is: the word, since when, what stands in the way, what happens next, what a person can do.
#[utoipa::path(tag = "installations", operation_id = "GetInstallation", security(("bearer" = ["viewer"])),
    params(OneQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/integrations/{id}/installation")]
pub(super) async fn get_installation(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let read = || installation_status::by_id(IntegrationId(*id));
    let row = api.one(query.min_position, read, Code::InstallationUnknown).await?;
    Ok(tell_one(&shown(&api, row).await))
}

/// Takes over an app that is there already: proves its key, finds where it is installed.
#[utoipa::path(tag = "installations", operation_id = "AdoptGithubApp", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = AdoptedApp,
    responses((status = 200, description = "It was taken over.", body = Shown)))]
#[post("/api/v1/integrations/{id}/installation/adopt")]
pub(super) async fn adopt_github_app(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
    body: Input<AdoptedApp>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "AdoptGithubApp", &body.bytes), None);
    let id = IntegrationId(*id);
    if let Some(committed) = api.remembered(&context).await? {
        return api
            .changed(committed, Telling::changed(), installation_status::by_id(id), |row| Shown::at(&api.app, row))
            .await;
    }
    let github = connection(&api, id).await?;
    // Sent again: who kept the key has forgotten it since.
    if body.value.key.is_none()
        && body.value.kept_by.is_some()
        && let Some(same) = taken_over(&api, id, body.value.app_id).await?
    {
        let committed = api.app.dispatch::<Aggregate>(id.0, same, context, Vec::new()).await?;
        let read = installation_status::by_id(id);
        return api.changed(committed, Telling::changed(), read, |row| Shown::at(&api.app, row)).await;
    }
    let pem = match (&body.value.key, body.value.kept_by) {
        (Some(key), _) => key.expose().clone(),
        (None, Some(kept_by)) => kept_key(&api, IntegrationId(kept_by), body.value.app_id, github.host.name()).await?,
        (None, None) => {
            let detail = "Give the key of the app, or say which removed integration kept it.";
            return Err(ApiError::new(Code::KeyInvalid, detail).with("reason", "missing"));
        }
    };
    let app_key = AppKey::read(&pem).map_err(bad_key)?;
    let app = proved(&api, id, &github, body.value.app_id, &app_key).await?;
    let mut companions = Vec::new();
    let secret = sealed(&api, id, app_secrets::APP_KEY, app_key.pem.as_bytes(), &mut companions);
    let webhook_secret = match &body.value.webhook_secret {
        Some(given) if given.expose().is_empty() => {
            let detail = "The secret is empty. Leave `webhook_secret` out, and a new one is made.";
            return Err(ApiError::new(Code::SecretInvalid, detail));
        }
        Some(given) => Some(sealed(&api, id, app_secrets::WEBHOOK_SECRET, given.expose().as_bytes(), &mut companions)),
        None => None,
    };
    let command = Command::Adopt {
        host: github.host.name().to_owned(),
        app,
        key: Key { secret, fingerprint: app_key.fingerprint },
        webhook_secret,
    };
    let committed = match api.app.dispatch::<Aggregate>(id.0, command, context, companions).await {
        Ok(committed) => committed,
        Err(error) => return Err(naming_the_holder(&api, error).await),
    };
    // Who has a removed integration of this app before them is not to be advised to delete it. The job that the event asks
    // for says so as well, should this end before.
    let host = github.host.name();
    if let Err(error) = jobs::end_what_is_left_of(&api.app, host, body.value.app_id, committed.last).await {
        tracing::warn!(?error, integration = %id, "an app was taken over, and is said to be left over elsewhere");
    }
    // Where deliveries went before is somebody else's address. What cannot be mended now the status says.
    or_by_jobs(&api, id, mend(&api, id, &github)).await;
    api.changed(committed, Telling::changed(), installation_status::by_id(id), |row| Shown::at(&api.app, row)).await
}

/// Suspends the installation: nothing of it is indexed, and GitHub lets our app in no more until it is resumed here.
#[utoipa::path(tag = "installations", operation_id = "SuspendInstallation", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 200, description = "It is suspended here; GitHub is told.", body = Shown)))]
#[post("/api/v1/integrations/{id}/installation/suspend")]
pub(super) async fn suspend_installation(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "SuspendInstallation", &[]), None);
    let committed = api.app.dispatch::<Aggregate>(*id, Command::Suspend, context, Vec::new()).await?;
    let read = installation_status::by_id(IntegrationId(*id));
    api.changed(committed, Telling::changed(), read, |row| Shown::at(&api.app, row)).await
}

/// Lets the installation run again, as far as it was suspended from here.
#[utoipa::path(tag = "installations", operation_id = "ResumeInstallation", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 200, description = "It is wished to run; GitHub is told.", body = Shown)))]
#[post("/api/v1/integrations/{id}/installation/resume")]
pub(super) async fn resume_installation(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ResumeInstallation", &[]), None);
    let committed = api.app.dispatch::<Aggregate>(*id, Command::Resume, context, Vec::new()).await?;
    let read = installation_status::by_id(IntegrationId(*id));
    api.changed(committed, Telling::changed(), read, |row| Shown::at(&api.app, row)).await
}

/// Gives the app another private key. GitHub has to take it for the same app before anything is changed; no call fails
/// in between.
#[utoipa::path(tag = "installations", operation_id = "RotatePemKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when the app has this ETag.")),
    request_body = NewKey,
    responses((status = 200, description = "The new key is used from now on.", body = Shown)))]
#[put("/api/v1/integrations/{id}/installation/key")]
pub(super) async fn rotate_pem_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
    body: Input<NewKey>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "RotatePemKey", &body.bytes), if_match.version());
    let id = IntegrationId(*id);
    if let Some(committed) = api.remembered(&context).await? {
        let read = installation_status::by_id(id);
        return api.changed(committed, Telling::changed(), read, |row| Shown::at(&api.app, row)).await;
    }
    let github = connection(&api, id).await?;
    let before = registered(&api, id).await?;
    let app_key = AppKey::read(body.value.key.expose()).map_err(bad_key)?;
    let app = proved(&api, id, &github, before.app.id, &app_key).await?;
    let fingerprint = app_key.fingerprint;
    let mut tries = 1..=TRIES;
    let committed = loop {
        // The key that this one replaces is forgotten with the change, so it has to be the one of that very version: others
        // may have changed it while GitHub was asked.
        let (now, version) = api.app.load::<Aggregate>(stream(id)).await?;
        let mut companions = Vec::new();
        let known = match now {
            Aggregate::Registered(now) => Some(now.key),
            Aggregate::Absent | Aggregate::Registering(_) | Aggregate::Removed { .. } => None,
        };
        // The same once more is nothing new, unless it cannot be opened any more.
        let same = match &known {
            Some(known) if known.fingerprint == fingerprint => {
                jobs::app_key_opens(&api.app, id, known).await.map_err(asked)?
            }
            _ => false,
        };
        let key = match known {
            Some(known) if same => known,
            known => {
                companions.extend(known.map(|known| Vault::forget(known.secret)));
                let secret = sealed(&api, id, app_secrets::APP_KEY, app_key.pem.as_bytes(), &mut companions);
                Key { secret, fingerprint: fingerprint.clone() }
            }
        };
        let command = Command::RotateKey { key, app: app.id };
        let seen = Context { if_match: context.if_match.or(Some(version)), ..context.clone() };
        match api.app.dispatch::<Aggregate>(id.0, command, seen, companions).await {
            Err(DispatchError::Stale { .. }) if context.if_match.is_none() && tries.next().is_some() => {}
            done => break done?,
        }
    };
    if let Some(installation) = before.installation() {
        api.app.jobs.app_tokens.forget_other_keys(&before.host, installation, &fingerprint);
    }
    api.changed(committed, Telling::changed(), installation_status::by_id(id), |row| Shown::at(&api.app, row)).await
}

/// As it is, with the name of the integration that is in the way, if one is.
pub(super) async fn shown(api: &Api, row: InstallationRow) -> Shown {
    let holder = match row.state.holder() {
        Some(holder) => name(api, holder).await,
        None => None,
    };
    Shown::with(&api.app, row, holder.as_deref())
}

pub(super) const fn stream(id: IntegrationId) -> StreamId {
    StreamId::new("installation", id.0)
}

/// Where an integration is connected to.
pub(super) async fn connection(api: &Api, id: IntegrationId) -> Result<GithubConnection, ApiError> {
    Ok(named_connection(api, id).await?.1)
}

/// The same with its name. One that is no GitHub App is told apart from one that is gone.
pub(super) async fn named_connection(
    api: &Api,
    id: IntegrationId,
) -> Result<(IntegrationName, GithubConnection), ApiError> {
    let refused = |error: integration::Error| {
        use keytrail_domain::aggregate::Refusal as _;
        ApiError::from(DispatchError::Refused { code: error.code(), text: error.to_string() })
    };
    match api.app.load::<Integration>(StreamId::new("integration", id.0)).await?.0 {
        Integration::Active { name, connection, .. } | Integration::Paused { name, connection, .. } => match connection
        {
            Connection::GithubApp(github) => Ok((name, *github)),
            Connection::Path { .. } | Connection::Folder { .. } | Connection::Git(_) => {
                let detail =
                    "This integration is connected in another way. Only one of the kind `github_app` has an app.";
                Err(ApiError::new(Code::InstallationUnknown, detail))
            }
        },
        Integration::Absent => Err(refused(integration::Error::Unknown)),
        Integration::Removed { .. } => Err(refused(integration::Error::Removed)),
    }
}

pub(super) async fn registered(api: &Api, id: IntegrationId) -> Result<Registered, ApiError> {
    match jobs::installation_of(&api.app, id).await? {
        Aggregate::Registered(registered) => Ok(*registered),
        Aggregate::Absent | Aggregate::Registering(_) | Aggregate::Removed { .. } => {
            let detail = "No app is registered yet. Finish connecting, or take over an app that is there already.";
            Err(ApiError::new(Code::AppNotRegistered, detail))
        }
    }
}

pub(super) fn sealed(
    api: &Api,
    id: IntegrationId,
    field: &'static str,
    clear: &[u8],
    companions: &mut Vec<Statement>,
) -> SecretRef {
    let (secret, row) =
        api.app.vault.seal(app_secrets::owner(id), field, &Secret::new(clear.to_vec()), api.app.clock.now());
    companions.push(row.into_statement());
    secret
}
