//! All repositories of an integration indexed again, or from their beginning: one wish, answered at once with the
//! operation to watch. The runs are asked for by a job.

use actix_web::{
    HttpResponse, post,
    web::{Data, Path},
};
use keytrail_domain::{
    id::IntegrationId,
    integration::{Command, Integration as Aggregate},
    recorded::Position,
};
use uuid::Uuid;

use super::{
    Api,
    auth::Admin,
    conditions::IfMatch,
    error::ApiError,
    idempotency::IdempotencyKey,
    operations::{Operation, asked_for},
};
use crate::app::{Context, OperationId};

/// Asks for an index run of each repository that the integration sees. One that is under way counts. The answer is the
/// operation to watch: it tells of how many repositories a run has ended.
#[utoipa::path(tag = "integrations", operation_id = "ReindexIntegration", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 202, description = "The operation to watch.", body = Operation)))]
#[post("/api/v1/integrations/{id}/reindex")]
pub(super) async fn reindex_integration(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ReindexIntegration", &[]), if_match.version());
    ask(&api, *id, Command::Reindex, context, OperationId::ReindexIntegration).await
}

/// Indexes each repository that the integration sees from its beginning; what was found before counts no more. A run that is
/// under way ends first. The answer is the operation to watch: it tells of how many repositories the new run has ended.
#[utoipa::path(tag = "integrations", operation_id = "ResetIntegration", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 202, description = "The operation to watch.", body = Operation)))]
#[post("/api/v1/integrations/{id}/reset")]
pub(super) async fn reset_integration(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "ResetIntegration", &[]), if_match.version());
    ask(&api, *id, Command::Reset, context, OperationId::ResetIntegration).await
}

async fn ask(
    api: &Api,
    id: Uuid,
    command: Command,
    context: Context,
    operation: fn(IntegrationId, Position) -> OperationId,
) -> Result<HttpResponse, ApiError> {
    let committed = api.app.dispatch::<Aggregate>(id, command, context, Vec::new()).await?;
    Ok(asked_for(api, operation(IntegrationId(id), committed.last), committed).await)
}
