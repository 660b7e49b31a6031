//! Long work of any kind as it goes on: what `GET /api/v1/operations/{id}` tells, each time that it has changed.

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{Data, Path},
};
use keytrail_domain::{
    fact::Fact,
    recorded::{Position, Recorded},
};

use super::{
    Api,
    auth::Auditor,
    error::ApiError,
    operations::{self, Operation},
    run_stream::heard,
    watched::{self, Heard, Standing},
};
use crate::app::OperationId;

impl Standing for Operation {
    fn has_ended(&self) -> bool {
        Self::has_ended(self)
    }
}

/// An operation and how far it is, told again whenever that has changed, at most once a second while it goes on: Server-Sent
/// Events whose data is an operation. Ends when the operation has ended. Who comes again is told how it stands then.
#[utoipa::path(tag = "operations", operation_id = "WatchOperation", security(("bearer" = ["auditor"])),
    params(("id" = String, Path, description = "As an answer names it, such as index_run.ID.")),
    responses((status = 200, description = "How it stands, until it has ended. The last event, `end`, says why: `done`, \
        `token_invalid`, `stopping` or `store_unavailable`. The example is the data of one event.", body = Operation, content_type = "text/event-stream")))]
#[get("/api/v1/operations/{id}/stream")]
pub(super) async fn watch_operation(
    auditor: Auditor,
    api: Data<Api>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = operations::looked_at(&auditor, &id)?;
    let of = id.clone();
    let hears = move |fact: &Recorded<Fact>| match &of {
        OperationId::IndexRun(run) => heard(fact, *run),
        // Of the others the log does not tell: they are looked at once a second.
        _ => Heard::Nothing,
    };
    let look = async move |api: &Api, seen: Option<Position>| operations::look(api, &id, seen).await;
    watched::answer(api, &auditor, &request, hears, look).await
}
