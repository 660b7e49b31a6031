//! An index run as it goes on: what `GET /api/v1/index-runs/{id}` tells, each time that it has changed.

use std::time::{Duration, Instant};

use actix_web::{
    HttpRequest, HttpResponse, get,
    web::{Data, Path},
};
use keytrail_domain::{fact::Fact, id::IndexRunId, index_run::Event, recorded::Position};
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
    let mut pace = Pace::new(Instant::now());
    while !ended {
        let is_due = match following.next().await {
            Next::Ended(why) => return Ok(why),
            Next::Tick => true,
            Next::Facts(page) => {
                // Other repositories may be worked on, too.
                let of_it = page.iter().filter(|fact| fact.stream.id == id.0);
                of_it.for_each(|fact| pace.hears(fact.position, ends(&fact.fact)));
                pace.is_due(Instant::now())
            }
        };
        if !is_due {
            outlet.beat(None).await?;
            continue;
        }
        let seen = pace.looks(Instant::now());
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

/// Whether it is the last of a run.
const fn ends(fact: &Fact) -> bool {
    matches!(fact, Fact::IndexRun(Event::Completed { .. } | Event::Failed { .. } | Event::Cancelled { .. }))
}

/// How long is waited from one look at a run that goes on to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// When to look again. A run that records much moves many times a second, and each look reads the store.
struct Pace {
    looked: Instant,
    /// The newest fact of the run that no look has seen.
    unseen: Option<Position>,
    has_ended: bool,
}

impl Pace {
    const fn new(now: Instant) -> Self {
        Self { looked: now, unseen: None, has_ended: false }
    }

    /// A fact of the run, and whether it is its last.
    fn hears(&mut self, position: Position, ends: bool) {
        self.unseen = Some(position);
        self.has_ended |= ends;
    }

    /// Whether to look. That the run has ended is told at once.
    fn is_due(&self, now: Instant) -> bool {
        self.has_ended || now.saturating_duration_since(self.looked) >= PAUSE
    }

    /// That it is looked at now; what the look must have seen.
    fn looks(&mut self, now: Instant) -> Option<Position> {
        self.looked = now;
        self.unseen.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_moves_all_the_time_is_looked_at_once_a_second_and_its_end_at_once() {
        let began = Instant::now();
        let (mut pace, mut looks) = (Pace::new(began), Vec::new());
        // A fact each 10 ms for 3.5 seconds.
        for step in 1..=350 {
            let now = began + Duration::from_millis(10 * step);
            pace.hears(step as Position, false);
            if pace.is_due(now) {
                looks.push(pace.looks(now));
            }
        }
        assert_eq!(looks, [Some(100), Some(200), Some(300)], "and each has seen all that there was");
        let now = began + Duration::from_millis(3_510);
        assert!(!pace.is_due(now));
        pace.hears(351, true);
        assert!(pace.is_due(now));
        assert_eq!((pace.looks(now), pace.looks(now)), (Some(351), None));
    }
}
