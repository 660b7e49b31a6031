//! The keys by which SSH servers are known: looked at, trusted, imported from known_hosts, and, when a server shows
//! another one, accepted or refused. No route turns checking off.

mod import;
mod look;
mod shown;

use actix_web::{
    HttpResponse, delete, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    host_key::{Command, HostKeys as Aggregate, How},
    id::HostKeyId,
    recorded::{Position, StreamId},
};
use keytrail_projections::host_key_list::{self, HostKeyState};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::{
    import::{Imported, KnownHosts},
    look::Server,
    shown::{Scanned, Shown},
};
use super::{
    Api,
    auth::{Admin, Viewer},
    changed::{Telling, X_LOG_POSITION, tell_one},
    conditions::IfMatch,
    cursor::{List, Page, limit},
    error::{ApiError, Code},
    idempotency::IdempotencyKey,
    input::Input,
    integrations::OneQuery,
    looking_again, words,
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those in this state.
    #[param(schema_with = words::host_key_state)]
    state: Option<HostKeyState>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// A server, and the keys of it that a person saw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysToTrust {
    /// A name or an address.
    #[schema(example = "git.example.com")]
    host: String,
    /// Where it listens; 22 when nothing is said.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// The SHA-256 fingerprints of the keys to be trusted, once each was compared. A key that is not named is not trusted.
    #[schema(max_items = 16)]
    fingerprints: Vec<String>,
}

/// The keys in question that a person saw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeToAccept {
    /// The SHA-256 fingerprints of all keys that the server shows instead of what is trusted.
    #[schema(max_items = 16)]
    fingerprints: Vec<String>,
}

/// SSH servers in the order in which they were first met, forgotten ones too, with their keys.
#[utoipa::path(tag = "host-keys", operation_id = "ListHostKeys", security(("bearer" = ["viewer"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/host-keys")]
pub(super) async fn list_host_keys(
    _: Viewer,
    api: Data<Api>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let list = List::new("host_keys", &query.state);
    let after = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let rows = api.read(query.min_position, host_key_list::page(query.state, after, limit + 1)).await?;
    api.cursors.page(rows, limit, &list, now, |row| row.met_position, Shown::of)?.answer()
}

/// One SSH server with its keys, forgotten or not.
#[utoipa::path(tag = "host-keys", operation_id = "GetHostKeys", security(("bearer" = ["viewer"])),
    params(OneQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/host-keys/{id}")]
pub(super) async fn get_host_keys(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = HostKeyId(*id);
    let row = api.one(query.min_position, || host_key_list::by_id(id), Code::HostKeyUnknown).await?;
    Ok(tell_one(&Shown::of(row)))
}

/// Connects to an SSH server, looks at its keys of all kinds and shows their fingerprints, to be compared with what its
/// owner says. Nothing is trusted by it. Where the server is known and shows another key, that is recorded.
#[utoipa::path(tag = "host-keys", operation_id = "ScanHostKeys", security(("bearer" = ["admin"])),
    request_body = Server, responses((status = 200, description = "What it shows.", body = Scanned)))]
#[post("/api/v1/host-keys/scan")]
pub(super) async fn scan_host_keys(
    admin: Admin,
    api: Data<Api>,
    body: Input<Server>,
) -> Result<HttpResponse, ApiError> {
    let looked = look::at(&api, &body.value).await?;
    let recorded = look::report(&api, &looked, admin.context(None, None)).await?;
    let (known, _) = api.app.load::<Aggregate>(stream(looked.server.id())).await?;
    let mut response = HttpResponse::Ok();
    if let Some(position) = recorded {
        response.insert_header((X_LOG_POSITION, position.to_string()));
    }
    Ok(response.json(Scanned::of(&looked, &known)))
}

/// Trusts an SSH server by the keys that are named, and by no other. It is looked at once more: where it does not show each
/// of them, nothing is trusted.
#[utoipa::path(tag = "host-keys", operation_id = "TrustHostKeys", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    request_body = KeysToTrust,
    responses((status = 201, description = "They are trusted.", body = Shown)))]
#[post("/api/v1/host-keys")]
pub(super) async fn trust_host_keys(
    admin: Admin,
    api: Data<Api>,
    key: IdempotencyKey,
    body: Input<KeysToTrust>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "TrustHostKeys", &body.bytes), None);
    let committed = match api.remembered(&context).await? {
        Some(committed) => committed,
        None => {
            let KeysToTrust { host, port, fingerprints } = body.value;
            let looked = look::at(&api, &Server { host, port }).await?;
            // A server that is known by another key is an alarm, and no first meeting.
            look::report(&api, &looked, admin.context(None, None)).await?;
            let keys = looked.named(&fingerprints)?;
            let how = if looked.all_published(&keys) { How::Published } else { How::Person };
            let server = looked.server;
            let command = Command::Trust { host: server.host.clone(), port: server.port, keys, how };
            api.app.dispatch::<Aggregate>(server.id().0, command, context, Vec::new()).await?
        }
    };
    looking_again::with_hosts(&api, Some(HostKeyId(committed.stream.id))).await;
    let read = host_key_list::by_id(HostKeyId(committed.stream.id));
    api.changed(committed, Telling::created("/api/v1/host-keys"), read, Shown::of).await
}

/// Trusts what a known_hosts file says, line by line; what is not taken of it is answered with the reason. Names that are
/// hashed are compared with the hosts of `hosts`, with those of integrations, and with the servers that are known.
#[utoipa::path(tag = "host-keys", operation_id = "ImportKnownHosts", security(("bearer" = ["admin"])),
    request_body = KnownHosts, responses((status = 200, description = "What came of each line.", body = Imported)))]
#[post("/api/v1/host-keys/import")]
pub(super) async fn import_known_hosts(
    admin: Admin,
    api: Data<Api>,
    body: Input<KnownHosts>,
) -> Result<HttpResponse, ApiError> {
    let imported = import::carry_out(&api, body.value, || admin.context(None, None)).await?;
    is_shown(&api, imported.position).await;
    looking_again::with_hosts(&api, None).await;
    let mut response = HttpResponse::Ok();
    response.insert_header((X_LOG_POSITION, imported.position.to_string()));
    Ok(response.json(imported))
}

/// Trusts the keys that a server shows instead of those that were trusted. The person says which they saw.
#[utoipa::path(tag = "host-keys", operation_id = "AcceptHostKeyChange", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    request_body = ChangeToAccept,
    responses((status = 200, description = "They are trusted.", body = Shown)))]
#[post("/api/v1/host-keys/{id}/accept")]
pub(super) async fn accept_host_key_change(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
    body: Input<ChangeToAccept>,
) -> Result<HttpResponse, ApiError> {
    let key = key.of(&api, &admin, "AcceptHostKeyChange", &body.bytes);
    let command = Command::AcceptChanged { fingerprints: body.value.fingerprints };
    decided(&api, HostKeyId(*id), command, admin.context(key, if_match.version())).await
}

/// Keeps what is trusted. The keys that the server shows instead raise no alarm again, and nothing is read from it while it
/// shows no other.
#[utoipa::path(tag = "host-keys", operation_id = "RefuseHostKeyChange", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 200, description = "They are refused.", body = Shown)))]
#[post("/api/v1/host-keys/{id}/refuse")]
pub(super) async fn refuse_host_key_change(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "RefuseHostKeyChange", &[]), if_match.version());
    decided(&api, HostKeyId(*id), Command::RefuseChanged, context).await
}

/// Forgets all that is known of a server: nothing of it is trusted any more. Its history stays.
#[utoipa::path(tag = "host-keys", operation_id = "ForgetHostKeys", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag that was seen, or *.")),
    responses((status = 200, description = "It is forgotten.", body = Shown)))]
#[delete("/api/v1/host-keys/{id}")]
pub(super) async fn forget_host_keys(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    decided(&api, HostKeyId(*id), Command::Forget, context).await
}

async fn decided(
    api: &Api,
    id: HostKeyId,
    command: Command,
    context: crate::app::Context,
) -> Result<HttpResponse, ApiError> {
    let is_accepted = matches!(command, Command::AcceptChanged { .. });
    let committed = api.app.dispatch::<Aggregate>(id.0, command, context, Vec::new()).await?;
    if is_accepted {
        looking_again::with_hosts(api, Some(id)).await;
    }
    api.changed(committed, Telling::changed(), host_key_list::by_id(id), Shown::of).await
}

/// Waits until the list has it, so that whoever looks next finds it. It is recorded all the same where that takes longer.
async fn is_shown(api: &Api, position: Position) {
    if let Err(error) = api.app.read_at_least(position, host_key_list::counts()).await {
        tracing::debug!(%error, "host keys are answered before the list has them");
    }
}

fn stream(id: HostKeyId) -> StreamId {
    StreamId::new(<Aggregate as keytrail_domain::aggregate::Aggregate>::TYPE, id.0)
}
