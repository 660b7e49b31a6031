//! Whether a key is common, which is said of it by a person: common keys are offered where none is associated. Choosing a key for
//! an integration does not change it.

use actix_web::{
    HttpResponse, put,
    web::{Data, Path},
};
use keytrail_domain::{
    id::SshKeyId,
    ssh_key::{Command, SshKey as Aggregate},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{shown::Shown, tell, uses::Uses};
use crate::http::{Api, auth::Admin, conditions::IfMatch, error::ApiError, input::Input, looking_again};

/// Whether a key is common.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SshKeySharing)]
pub(in crate::http) struct Sharing {
    /// Whether it is offered where no key is associated, after a chosen one.
    common: bool,
}

/// Offers a key where none is associated, after a chosen one, or only where it was chosen.
#[utoipa::path(tag = "ssh-keys", operation_id = "ShareSshKey", security(("bearer" = ["admin"])),
    params(("If-Match" = String, Header, description = "The ETag that was seen, or *.")), request_body = Sharing,
    responses((status = 200, description = "It is as it was said.", body = Shown)))]
#[put("/api/v1/ssh-keys/{id}/common")]
pub(in crate::http) async fn share_ssh_key(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    body: Input<Sharing>,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(None, if_match.required()?);
    let command = Command::Share { common: body.value.common };
    let committed = api.app.dispatch::<Aggregate>(*id, command, context, Vec::new()).await?;
    if body.value.common {
        looking_again::with_keys(&api).await;
    }
    let id = SshKeyId(*id);
    let uses = Uses::of(&api, id, Some(committed.last)).await.ok();
    tell(&api, id, committed, uses).await
}
