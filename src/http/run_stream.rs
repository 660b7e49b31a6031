//! An index run as it goes on: what `GET /api/v1/index-runs/{id}` tells, each time that it has changed.

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{Data, Path},
};
use keytrail_domain::{id::IndexRunId, recorded::Position};
use uuid::Uuid;

use super::{
    Api,
    auth::Viewer,
    error::ApiError,
    following::{Following, Next, cannot_begin},
    index_runs::{self, Shown},
    outlet::{End, Gone, Outlet, head_only},
};

/// An index run and how far it is, told again whenever that has changed, at most once a second while it works: Server-Sent
/// Events whose data is an index run. Ends when the run has ended. Who comes again is told how it stands then.
#[utoipa::path(tag = "index-runs", operation_id = "WatchIndexRun", security(("bearer" = ["viewer"])),
    params(("id" = Uuid, Path, description = "Of the run.")),
    responses((status = 200, description = "How it stands, until it has ended. The last event, `end`, says why: `done`, \
        `token_invalid`, `stopping` or `store_unavailable`.", body = Shown, content_type = "text/event-stream")))]
#[get("/api/v1/index-runs/{id}/stream")]
pub(super) async fn watch_index_run(
    viewer: Viewer,
    api: Data<Api>,
    request: HttpRequest,
    id: Path<Uuid>,
) -> Result<HttpResponse, ApiError> {
    let id = IndexRunId(*id);
    let first = index_runs::look(&api, id, None).await.map_err(cannot_begin)?;
    if let Some(head) = head_only(&request) {
        return Ok(head);
    }
    let (outlet, response) = Outlet::open(&api, &viewer)?;
    let following = Following::new(api, (*viewer).clone());
    actix_web::rt::spawn(watch(following, id, first, outlet));
    Ok(response)
}

async fn watch(mut following: Following, id: IndexRunId, first: Shown, mut outlet: Outlet) {
    // A watcher that is gone or too slow comes again.
    if let Ok(why) = tell(&mut following, id, first, &mut outlet).await {
        outlet.end(why);
    }
}

async fn tell(following: &mut Following, id: IndexRunId, first: Shown, outlet: &mut Outlet) -> Result<End, Gone> {
    outlet.send(None, &first).await?;
    let mut told = serde_json::to_value(&first).map_err(|_| Gone)?;
    let mut ended = first.has_ended();
    while !ended {
        let seen: Option<Position> = match following.next().await {
            Next::Ended(why) => return Ok(why),
            Next::Tick => None,
            Next::Facts(page) => {
                // Other repositories may be worked on, too.
                let Some(fact) = page.iter().rev().find(|fact| fact.stream.id == id.0) else {
                    outlet.beat(None).await?;
                    continue;
                };
                Some(fact.position)
            }
        };
        let Ok(run) = index_runs::look(following.api(), id, seen).await else { return Ok(End::Trouble) };
        let now = serde_json::to_value(&run).map_err(|_| Gone)?;
        if now != told {
            outlet.send(None, &run).await?;
            told = now;
        }
        ended = run.has_ended();
        outlet.beat(None).await?;
    }
    Ok(End::Done)
}
