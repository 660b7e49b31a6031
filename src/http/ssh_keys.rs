//! The pool of SSH keys: added, generated, registered, listed, renamed, associated, rotated, retired. A private half comes in
//! and is sealed; no route answers one.

pub(super) mod associations;
mod facts;
pub(super) mod files;
mod intake;
pub(super) mod rotation;
pub(super) mod sharing;
mod shown;
mod uses;

use actix_web::{
    HttpResponse, delete, get, post, put,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    claim::{Claim, ClaimScope},
    id::SshKeyId,
    recorded::StreamId,
    secret_ref::SecretRef,
    ssh_key::{Command, PublicKey, SshKey as Aggregate, SshKeyName},
};
use keytrail_projections::ssh_key_list::{self, KeyState};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

pub(super) use self::intake::{GivenKey, tried};
use self::{
    intake::{KeyToAdd, KeyToGenerate, Taken},
    shown::{PublicForms, Shown},
    uses::{Told, Uses},
};
use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, tell_one, tell_pending},
    conditions::IfMatch,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    input::Input,
    integrations::OneQuery,
    looking_again, words,
};
use crate::{
    app::{Context, DispatchError},
    ids,
    log::{Committed, as_long_as},
    secrets::{Secret, Vault, ssh_private_keys},
    store::{Statement, StoreError},
};

/// How often it is looked at anew who uses a key, after somebody else was faster.
const TRIES: u32 = 5;
const DAY: i64 = 24 * 3600 * 1_000_000;
/// A hundred years.
const MOST_DAYS: u32 = 36_500;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those in this state.
    #[param(schema_with = words::ssh_key_state)]
    state: Option<KeyState>,
    /// Only those that came longer ago than so many days.
    #[param(maximum = 36_500)]
    older_than_days: Option<u32>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Another name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSshKeyName)]
pub(super) struct NewName {
    /// 1 to 100 characters.
    name: String,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RetireQuery {
    /// That it is meant, also where the key is chosen for integrations or associated with repositories: these are not read
    /// until a person chooses another key, or none. Also where repositories are read with it because it is common: these
    /// are offered the other common keys.
    confirmed: Option<bool>,
    /// For how many integrations it was chosen when that was confirmed (`used_by`): where more have it by now, nothing is
    /// changed.
    used_by: Option<u64>,
    /// With how many repositories it was associated when that was confirmed (`associated`): as above.
    associated: Option<u64>,
    /// How many repositories were read with it as a common key when that was confirmed (`common_for`): as above.
    common_for: Option<u64>,
}

impl RetireQuery {
    /// Of how many uses somebody was told who means it; nothing where it is meant whatever there are.
    fn told(&self) -> Option<Told> {
        if self.confirmed != Some(true) {
            return Some(Told::default());
        }
        let said = [self.used_by, self.associated, self.common_for];
        said.iter().any(Option::is_some).then(|| {
            let [used_by, associated, common_for] = said.map(|count| count.unwrap_or(u64::MAX));
            Told { used_by, associated, common_for }
        })
    }
}

/// Keys in the order in which they came, retired ones too; without their private halves.
#[utoipa::path(tag = "ssh-keys", operation_id = "ListSshKeys", security(("bearer" = ["viewer"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/ssh-keys")]
pub(super) async fn list_ssh_keys(
    viewer: Viewer,
    api: Data<Api>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let filters = (query.state, query.older_than_days);
    let list = List::new("ssh_keys", &filters);
    let after = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    if query.older_than_days.is_some_and(|days| days > MOST_DAYS) {
        return Err(ApiError::new(Code::QueryInvalid, "Keys are told apart by their age up to 36500 days."));
    }
    let before = query.older_than_days.map(|days| now.plus_micros(-i64::from(days).saturating_mul(DAY)));
    let rows = api.read(query.min_position, ssh_key_list::page(query.state, before, after, limit + 1)).await?;
    let ids = || rows.iter().map(|row| row.id);
    let uses = Uses::between(&api, ids().min().zip(ids().max()), query.min_position).await?;
    let show = |row| Shown::at(&api.app, row, &uses).seen_by(&viewer);
    api.cursors.page(rows, limit, &list, now, |row| row.added_position, show)?.answer()
}

/// One key, retired or not; without its private half.
#[utoipa::path(tag = "ssh-keys", operation_id = "GetSshKey", security(("bearer" = ["viewer"])),
    params(OneQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/ssh-keys/{id}")]
pub(super) async fn get_ssh_key(
    viewer: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = SshKeyId(*id);
    let row = api.one(query.min_position, || ssh_key_list::by_id(id), Code::SshKeyUnknown).await?;
    let uses = Uses::of(&api, id, query.min_position).await?;
    Ok(tell_one(&Shown::at(&api.app, row, &uses).seen_by(&viewer)))
}

/// The public half of a key in the forms that git hosts ask for, and where it goes on each of them.
#[utoipa::path(tag = "ssh-keys", operation_id = "GetSshKeyPublic", security(("bearer" = ["viewer"])),
    params(OneQuery), responses((status = 200, description = "It.", body = PublicForms)))]
#[get("/api/v1/ssh-keys/{id}/public")]
pub(super) async fn get_ssh_key_public(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = SshKeyId(*id);
    let row = api.one(query.min_position, || ssh_key_list::by_id(id), Code::SshKeyUnknown).await?;
    let forms = PublicForms::of(&row).map_err(|problem| ApiError::internal(&problem))?;
    Ok(HttpResponse::Ok().json(forms))
}

/// Takes a private key that somebody has, in any usual format. It is opened with its passphrase where it has one, tried
/// out, and kept sealed without it; neither is ever answered.
#[utoipa::path(tag = "ssh-keys", operation_id = "AddSshKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = KeyToAdd,
    responses((status = 201, description = "It was added.", body = Shown)))]
#[post("/api/v1/ssh-keys")]
pub(super) async fn add_ssh_key(
    admin: Admin,
    api: Data<Api>,
    key: IdempotencyKey,
    body: Input<KeyToAdd>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "AddSshKey", &body.bytes), None);
    if let Some(committed) = api.remembered(&context).await? {
        let id = SshKeyId(committed.stream.id);
        let uses = Uses::of(&api, id, None).await?;
        let show = |row| Shown::at(&api.app, row, &uses);
        return api.changed(committed, CREATED, ssh_key_list::by_id(id), show).await;
    }
    let name = name(&body.value.name)?;
    let common = body.value.common.unwrap_or(true);
    let (Taken { public, private }, intake) = intake::added(&api, body.value).await?;
    let (id, secret, companions) = sealed(&api, &private);
    let command = Command::Add { name: name.clone(), public: public.clone(), intake, common, secret };
    kept(&api, id, (&name, &public), command, context, companions).await
}

/// Makes a new key. Its private half is made here, sealed here, and stays here; only the public half is answered.
#[utoipa::path(tag = "ssh-keys", operation_id = "GenerateSshKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = KeyToGenerate,
    responses((status = 201, description = "It was made.", body = Shown)))]
#[post("/api/v1/ssh-keys/generate")]
pub(super) async fn generate_ssh_key(
    admin: Admin,
    api: Data<Api>,
    key: IdempotencyKey,
    body: Input<KeyToGenerate>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "GenerateSshKey", &body.bytes), None);
    if let Some(committed) = api.remembered(&context).await? {
        let id = SshKeyId(committed.stream.id);
        let uses = Uses::of(&api, id, None).await?;
        let show = |row| Shown::at(&api.app, row, &uses);
        return api.changed(committed, CREATED, ssh_key_list::by_id(id), show).await;
    }
    let name = name(&body.value.name)?;
    let (Taken { public, private }, rsa_because) = intake::generated(&api, &name, &body.value).await?;
    let (id, secret, companions) = sealed(&api, &private);
    let common = body.value.common.unwrap_or(true);
    let command = Command::Generate { name: name.clone(), public: public.clone(), rsa_because, common, secret };
    kept(&api, id, (&name, &public), command, context, companions).await
}

/// Calls it something else.
#[utoipa::path(tag = "ssh-keys", operation_id = "RenameSshKey", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag that was seen, or *.")), request_body = NewName,
    responses((status = 200, description = "It has the name.", body = Shown)))]
#[put("/api/v1/ssh-keys/{id}/name")]
pub(super) async fn rename_ssh_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    body: Input<NewName>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    let (id, name) = (SshKeyId(*id), name(&body.value.name)?);
    let command = Command::Rename { name: name.clone() };
    match api.app.dispatch::<Aggregate>(id.0, command, context, Vec::new()).await {
        Ok(committed) => tell(&api, id, committed, Uses::of(&api, id, None).await.ok()).await,
        Err(error) => Err(naming_the_holder(&api, &name, None, error).await),
    }
}

/// Takes a key away for good: its private half is forgotten; where it lies in a file, that stays and is not read any more.
/// What may be seen of the key stays in the list.
///
/// A key that is chosen for integrations or associated with repositories is retired only when that is confirmed; the refusal
/// names them. No other key is offered in its place: the repositories say `ssh_no_key` until a person chooses. So is one with
/// which repositories are read because it is common: these are offered the other common keys.
#[utoipa::path(tag = "ssh-keys", operation_id = "RetireSshKey", security(("bearer" = ["admin"])),
    params(RetireQuery, ("If-Match" = String, Header, description = "The ETag that was seen, or *.")),
    responses((status = 200, description = "It is retired.", body = Shown)))]
#[delete("/api/v1/ssh-keys/{id}")]
pub(super) async fn retire_ssh_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    query: Query<RetireQuery>,
) -> Result<HttpResponse, ApiError> {
    let seen = if_match.required()?;
    let id = SshKeyId(*id);
    for _ in 0..TRIES {
        let head = api.app.log.feed().head().position;
        let mut companions = vec![Vault::forget_all_of(ssh_private_keys::owner(id))];
        let (state, version) = api.app.load::<Aggregate>(StreamId::new("ssh_key", id.0)).await?;
        let would_end = matches!(state, Aggregate::Active { .. }) && seen.is_none_or(|seen| seen == version);
        let mut decided_on = seen;
        if would_end {
            rotation::is_tried_nowhere(&api, id, head).await?;
            // It may be tried in the place of another at this very moment.
            companions.push(as_long_as::nothing_came_to_others_after(StreamId::new("ssh_key", id.0), head));
        }
        if let Some(told) = query.told().filter(|_| would_end) {
            let associated = state.repositories().map_or(0, |repositories| repositories.len() as u64);
            if let Some(refusal) = Uses::at(&api, id, head).await?.in_the_way(id, associated, told) {
                return Err(refusal);
            }
            // It may be associated at this very moment.
            decided_on = Some(version);
            // It may be chosen at this very moment.
            companions.push(as_long_as::nothing_came_after("integration", head));
        }
        let context = admin.context(None, decided_on);
        match api.app.dispatch::<Aggregate>(id.0, Command::Retire, context, companions).await {
            Ok(committed) => {
                let uses = Uses::of(&api, id, Some(committed.last)).await.ok();
                return tell(&api, id, committed, uses).await;
            }
            Err(DispatchError::Store(StoreError::Fenced)) => api.knows_more(head).await,
            Err(DispatchError::Stale { .. }) if seen.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(DispatchError::Busy.into())
}

/// The answer to a change of a key. It is made: where it cannot be told what the key is used for, only that is said.
async fn tell(api: &Api, id: SshKeyId, committed: Committed, uses: Option<Uses>) -> Result<HttpResponse, ApiError> {
    let Some(uses) = uses else { return Ok(tell_pending(id.0, committed.last)) };
    let show = |row| Shown::at(&api.app, row, &uses);
    api.changed(committed, Telling::changed(), ssh_key_list::by_id(id), show).await
}

const CREATED: Telling = Telling::created("/api/v1/ssh-keys");

/// A new id, and the private half sealed as its own. The row becomes durable with the event, or not at all.
fn sealed(api: &Api, private: &Secret<Vec<u8>>) -> (SshKeyId, SecretRef, Vec<Statement>) {
    let id = SshKeyId(ids::new_id());
    let now = api.app.clock.now();
    let (secret, row) = api.app.vault.seal(ssh_private_keys::owner(id), ssh_private_keys::PRIVATE_KEY, private, now);
    (id, secret, vec![row.into_statement()])
}

async fn kept(
    api: &Api,
    id: SshKeyId,
    (name, public): (&SshKeyName, &PublicKey),
    command: Command,
    context: Context,
    companions: Vec<Statement>,
) -> Result<HttpResponse, ApiError> {
    match api.app.dispatch::<Aggregate>(id.0, command, context, companions).await {
        Ok(committed) => {
            looking_again::with_keys(api).await;
            let read = ssh_key_list::by_id(SshKeyId(committed.stream.id));
            // Nobody can have taken or chosen it yet.
            let uses = Uses::default();
            api.changed(committed, CREATED, read, |row| Shown::at(&api.app, row, &uses)).await
        }
        Err(error) => Err(naming_the_holder(api, name, Some(public), error).await),
    }
}

/// Whoever may not add or rename a key is told which one is in the way. When the key itself and the name are both taken, the
/// key is what counts: another name would not help.
async fn naming_the_holder(api: &Api, name: &SshKeyName, public: Option<&PublicKey>, error: DispatchError) -> ApiError {
    let DispatchError::Claimed(claim) = error else { return error.into() };
    let head = api.app.log.feed().head().position;
    let holder = async |read| {
        let rows: Vec<ssh_key_list::SshKey> = api.app.read_at_least(head, read).await.unwrap_or_default();
        rows.into_iter().next()
    };
    let same = match public {
        Some(public) => holder(ssh_key_list::by_fingerprint(&public.sha256)).await,
        None => None,
    };
    let (claim, holder) = match same {
        Some(row) => (Claim { scope: ClaimScope::SshKey, key: claim.key }, Some(row)),
        None => (claim, holder(ssh_key_list::by_name(name.as_str())).await),
    };
    let error = ApiError::from(DispatchError::Claimed(claim));
    match holder {
        Some(row) => error.with("ssh_key", row.id.to_string()).with("ssh_key_name", row.name),
        None => error,
    }
}

fn name(text: &str) -> Result<SshKeyName, ApiError> {
    SshKeyName::parse(text).map_err(|_| {
        let detail = format!("A name has 1 to {} characters.", SshKeyName::MAX_CHARACTERS);
        ApiError::new(Code::NameInvalid, detail)
    })
}
