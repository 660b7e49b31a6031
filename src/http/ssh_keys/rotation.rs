//! A key in the place of another: one wish, answered at once with the operation to watch. The repositories are asked by a job.

use actix_web::{
    HttpResponse,
    http::header::{ETAG, LOCATION},
    post,
    web::{Data, Path},
};
use keytrail_domain::{
    id::SshKeyId,
    ssh_key::{Command, SshKey as Aggregate},
};
use keytrail_projections::ssh_key_list;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    app::{self, OperationId},
    http::{
        Api,
        auth::Admin,
        changed::X_LOG_POSITION,
        conditions::{IfMatch, etag},
        error::{ApiError, Code},
        idempotency::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
        input::Input,
        operations::{Operation, OperationRef},
        place,
    },
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
    let context = admin.context(key.of(&api, &admin, "RotateSshKey", &body.bytes), if_match.version());
    let to = SshKeyId(body.value.to);
    let committed = match api.remembered(&context).await? {
        Some(committed) => committed,
        None => {
            if to.0 == *id {
                let detail = "A key does not take its own place. Name another key of the pool as `to`.";
                return Err(ApiError::new(Code::SshKeyUnusable, detail));
            }
            is_tried_nowhere(&api, SshKeyId(*id)).await?;
            let is_there = place::in_pool(&api, to).await?;
            api.app.dispatch::<Aggregate>(*id, Command::Rotate { to }, context, vec![is_there]).await?
        }
    };
    let operation = OperationId::RotateSshKey(SshKeyId(*id), committed.last);
    // It is asked for: what cannot be told of it now is no reason to say anything else.
    let found = api.app.operation(&operation).await.ok().flatten();
    let mut response = HttpResponse::Accepted();
    response
        .insert_header((LOCATION, OperationRef::of(&operation).href))
        .insert_header((X_LOG_POSITION, committed.last.to_string()))
        .insert_header((ETAG, etag(committed.sequence)));
    if committed.replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    Ok(response.json(Operation::of(found.unwrap_or_else(|| app::Operation::asked_for(operation)))))
}

/// A key that is tried in the place of another is to stay until that has ended.
pub(super) async fn is_tried_nowhere(api: &Api, key: SshKeyId) -> Result<(), ApiError> {
    let others = api.read_now(ssh_key_list::tried_for(key)).await?;
    let Some(other) = others.into_iter().next() else { return Ok(()) };
    let detail = format!(
        "It is tried in the place of {}. Nothing was changed. Wait until that has ended, or cancel it.",
        other.name
    );
    Err(ApiError::new(Code::SshKeyRotating, detail).with("ssh_key", other.id.to_string()))
}
