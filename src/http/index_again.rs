//! All repositories of an integration indexed again, or from their beginning: one wish, answered at once with the
//! operation to watch. The runs are asked for by a job.

use actix_web::{
    HttpResponse,
    http::header::{ETAG, LOCATION},
    post,
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
    changed::X_LOG_POSITION,
    conditions::{IfMatch, etag},
    error::ApiError,
    idempotency::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
    operations::{Operation, OperationRef},
};
use crate::app::{self, Context, OperationId};

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
    let operation = operation(IntegrationId(id), committed.last);
    // It is asked for: a view that is behind is no reason to say anything else.
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
