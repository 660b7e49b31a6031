//! An index run as it goes on: what `GET /api/v1/index-runs/{id}` tells, each time that it has changed.

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{Data, Path},
};
use keytrail_domain::{
    fact::Fact,
    id::IndexRunId,
    index_run::Event,
    recorded::{Position, Recorded},
};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    error::ApiError,
    index_runs::{self, Shown},
    watched::{self, Heard, Standing},
};

impl Standing for Shown {
    fn has_ended(&self) -> bool {
        Self::has_ended(self)
    }
}

/// An index run and how far it is, told again whenever that has changed, at most once a second while it works: Server-Sent
/// Events whose data is an index run. Ends when the run has ended. Who comes again is told how it stands then.
#[utoipa::path(tag = "index-runs", operation_id = "WatchIndexRun", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "Of the run.")),
    responses((status = 200, description = "How it stands, until it has ended. The last event, `end`, says why: `done`, \
        `token_invalid`, `stopping` or `store_unavailable`. The example is the data of one event.", body = Shown, content_type = "text/event-stream")))]
#[get("/api/v1/index-runs/{id}/stream")]
pub(super) async fn watch_index_run(
    viewer: Viewer,
    api: Data<Api>,
    request: HttpRequest,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = IndexRunId(*id);
    let look = async move |api: &Api, seen: Option<Position>| index_runs::look(api, id, seen).await;
    watched::answer(api, &viewer, &request, move |fact| heard(fact, id), look).await
}

/// What a fact is to somebody who watches this run.
pub(super) fn heard(fact: &Recorded<Fact>, run: IndexRunId) -> Heard {
    match &fact.fact {
        _ if fact.stream.id != run.0 => Heard::Nothing,
        Fact::IndexRun(Event::Completed { .. } | Event::Failed { .. } | Event::Cancelled { .. }) => Heard::Ended,
        _ => Heard::Moved,
    }
}
