//! A key in the place of another: one wish, answered at once with the operation to watch. The repositories are asked by a job.

use actix_web::{
    HttpResponse, post,
    web::{Data, Path},
};
use keytrail_domain::{
    id::SshKeyId,
    recorded::{Position, StreamId},
    ssh_key::{Command, SshKey as Aggregate},
};
use keytrail_projections::ssh_key_list;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::TRIES;
use crate::{
    app::{Context, DispatchError, OperationId},
    http::{
        Api,
        auth::Admin,
        conditions::IfMatch,
        error::{ApiError, Code},
        idempotency::IdempotencyKey,
        input::Input,
        operations::{Operation, asked_for},
        place,
    },
    log::{Committed, as_long_as},
    store::StoreError,
};

/// Which key takes the place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SshKeyRotation)]
pub(in crate::http) struct Rotation {
    /// Another key of the pool. Its public half is at the git hosts already.
    to: Uuid,
}

/// Tries another key at each repository that is read with this one: it is associated with it, chosen for it, or its host took
/// it last. Where all of them let the other one in, it gets what this one has (repositories, integrations, being common), and
/// this one is retired. Where one does not, nothing is changed, and the operation names the repositories.
#[utoipa::path(tag = "ssh-keys", operation_id = "RotateSshKey", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    request_body = Rotation,
    responses((status = 202, description = "The operation to watch.", body = Operation)))]
#[post("/api/v1/ssh-keys/{id}/rotate")]
pub(in crate::http) async fn rotate_ssh_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
    body: Input<Rotation>,
) -> Result<HttpResponse, ApiError> {
    let key = key.of(&api, &admin, "RotateSshKey", &body.bytes);
    let context = || admin.context(key.clone(), if_match.version());
    let to = SshKeyId(body.value.to);
    let committed = match api.remembered(&context()).await? {
        Some(committed) => committed,
        None => {
            if to.0 == *id {
                let detail = "A key does not take its own place. Name another key of the pool as `to`.";
                return Err(ApiError::new(Code::SshKeyUnusable, detail));
            }
            begun(&api, SshKeyId(*id), to, context).await?
        }
    };
    Ok(asked_for(&api, OperationId::RotateSshKey(SshKeyId(*id), committed.last), committed).await)
}

/// Neither key may be part of another rotation that begins at this very moment.
async fn begun(api: &Api, old: SshKeyId, to: SshKeyId, context: impl Fn() -> Context) -> Result<Committed, ApiError> {
    for _ in 0..TRIES {
        let head = api.app.log.feed().head().position;
        is_tried_nowhere(api, old, head).await?;
        let is_there = place::in_pool(api, to).await?;
        let own = StreamId::new("ssh_key", old.0);
        let companions = vec![is_there, as_long_as::nothing_came_to_others_after(own, head)];
        match api.app.dispatch::<Aggregate>(old.0, Command::Rotate { to }, context(), companions).await {
            Err(DispatchError::Store(StoreError::Fenced)) => api.knows_more(head).await,
            done => return Ok(done?),
        }
    }
    Err(DispatchError::Busy.into())
}

/// A key that is tried in the place of another, as the log stood at `head`, is to stay until that has ended.
pub(super) async fn is_tried_nowhere(api: &Api, key: SshKeyId, head: Position) -> Result<(), ApiError> {
    let others = api.read_at(head, ssh_key_list::tried_for(key)).await?;
    let Some(other) = others.into_iter().next() else { return Ok(()) };
    let detail = format!(
        "It is tried in the place of {}. Nothing was changed. Wait until that has ended, or cancel it.",
        other.name
    );
    Err(ApiError::new(Code::SshKeyRotating, detail).with("ssh_key", other.id.to_string()))
}
