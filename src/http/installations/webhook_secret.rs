//! Another secret for deliveries: sealed here, then told to GitHub; both are taken for a while.

use actix_web::{
    HttpResponse, put,
    web::{Data, Path},
};
use keytrail_domain::{
    id::IntegrationId,
    installation::{Command, Installation as Aggregate},
};
use keytrail_projections::installation_status;
use uuid::Uuid;

use super::{Shown, connection, in_time, registered, sealed, stream};
use crate::{
    http::{Api, auth::Admin, changed::Telling, conditions::IfMatch, error::ApiError, idempotency::IdempotencyKey},
    ids, jobs,
    secrets::app_secrets,
};

/// How long the old secret is taken: what was signed with it may come again.
const BOTH_MICROS: i64 = 60 * 60 * 1_000_000;

/// Has GitHub sign deliveries with another secret, which the server makes. Nothing is lost in between: the old
/// one is taken for another hour. GitHub is given eight seconds; otherwise it is told behind the answer.
#[utoipa::path(tag = "installations", operation_id = "RotateWebhookSecret", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when the app has this ETag.")),
    responses((status = 200, description = "The new secret is taken; GitHub is told.", body = Shown)))]
#[put("/api/v1/integrations/{id}/installation/webhook-secret")]
pub(in crate::http) async fn rotate_webhook_secret(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let mut context = admin.context(key.of(&api, &admin, "RotateWebhookSecret", b""), if_match.version());
    let id = IntegrationId(*id);
    let read = || installation_status::by_id(id);
    if let Some(committed) = api.remembered(&context).await? {
        return api.changed(committed, Telling::changed(), read(), |row| Shown::at(&api.app, row)).await;
    }
    connection(&api, id).await?;
    registered(&api, id).await?;
    let secret = keytrail_domain::hex::lower_hex(&ids::random_bytes::<32>());
    let mut companions = Vec::new();
    let secret = sealed(&api, id, app_secrets::WEBHOOK_SECRET, secret.as_bytes(), &mut companions);
    let until = Some(api.app.clock.now().plus_micros(BOTH_MICROS));
    context.if_match = context.if_match.or(Some(api.app.load::<Aggregate>(stream(id)).await?.1));
    let command = Command::RotateWebhookSecret { secret, until };
    let committed = api.app.dispatch::<Aggregate>(id.0, command, context, companions).await?;
    // GitHub is told at once; where it cannot be, or takes long, the job goes on that the event asks for.
    if let Some(Err(error)) = in_time(jobs::reconcile(&api.app, id, committed.last)).await {
        tracing::debug!(?error, integration = %id, "GitHub could not be told of a new secret now");
    }
    // It shows what GitHub said to it, if that is known by now. The position is that of the change alone, as it is when it is
    // told again.
    let head = api.app.log.feed().head().position;
    if let Err(error) = api.app.read_at_least(head, read()).await {
        tracing::debug!(%error, "a changed secret is shown without what GitHub said to it");
    }
    api.changed(committed, Telling::changed(), read(), |row| Shown::at(&api.app, row)).await
}
