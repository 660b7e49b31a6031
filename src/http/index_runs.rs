//! Index runs: watched, cancelled, asked for again; and what each of them did, told.

use std::time::Duration;

use actix_web::{
    HttpResponse, get, post,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    id::{IndexRunId, RepositoryId},
    index_run::{Cause, Command, IndexRun as Aggregate},
    recorded::{Position, Sequence},
    timestamp::Timestamp,
};
use keytrail_projections::{
    audit_trail::{self, AuditFilter, Order as Told},
    index_runs::{self, Filter, IndexRun as Row, IndexRuns, Order, RunState},
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    Api,
    auth::{Admin, Auditor, Viewer},
    changed::{Telling, Versioned, tell_one},
    conditions::IfMatch,
    cursor::{List, Page, limit},
    error::{ApiError, Code, sentence},
    events::{Direction, Entry},
    idempotency::IdempotencyKey,
    operations::OperationRef,
    repositories::{self, Failure},
    words,
};
use crate::{
    app::OperationId,
    jobs::{Kind, ProgressNow},
};

/// One pass of the indexer over what is new in a repository.
#[derive(Serialize, ToSchema)]
#[schema(as = IndexRun)]
pub(super) struct Shown {
    /// Which.
    id: Uuid,
    /// Of which repository.
    repository: Uuid,
    /// Where it is in its life.
    #[schema(schema_with = words::run_state)]
    state: RunState,
    /// Why it was asked for.
    #[schema(schema_with = words::cause)]
    cause: Cause,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    requested_at: Timestamp,
    /// When the work began.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it completed, failed or was cancelled.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// What it saw; all zero until it completes.
    counts: Counts,
    /// Why it failed.
    failure: Option<Failure>,
    /// How far the work is; only while it is being done, and only when one run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    /// Why it did not come to its end the last time; it is tried again by itself. Only while it goes on, and only when one
    /// run is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    tried_again: Option<String>,
    /// The same run as an operation, such as all long work is.
    operation: OperationRef,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of the last event that changed anything of this.
    position: i64,
}

/// What a run saw.
#[derive(Serialize, ToSchema)]
struct Counts {
    /// Commits that were looked at for the first time.
    commits: u64,
    /// Of these, commits that name an issue, or seem to.
    keyed: u64,
    /// Keys in commits, each counted once per commit.
    keys: u64,
    /// Refs that were new, moved or gone.
    refs: u64,
    /// Commits of which only a part was scanned, or not every key recorded.
    bounded: u64,
    /// Refs of before whose commits are to be had nowhere any more. If there are any, `commits`, `keyed` and `keys` are of
    /// all commits and not of new ones, and what only those refs led to and names no issue is not told as superseded.
    lost_refs: u64,
}

/// How far a run is.
#[derive(Serialize, ToSchema)]
struct Progress {
    /// What is being done: `listing`, `fetching`, `catching_up` (with what earlier runs recorded, where this
    /// machine does not remember it), `discovering`, `ordering`, `recording` or `done`.
    phase: String,
    /// Objects that were fetched; 0 for a repository that is read in place.
    objects: u64,
    /// Objects that are to be fetched; 0 until the server says so.
    objects_total: u64,
    /// Bytes that were fetched.
    bytes: u64,
    /// Commits that were looked at.
    commits: u64,
    /// Of these, commits that name an issue, or seem to.
    keyed: u64,
    /// Commits that were recorded or passed by.
    recorded: u64,
    /// Commits in all; 0 until that is known.
    total: u64,
    /// Seconds that this phase takes from now on, if it goes on as fast. There is none in the first two seconds of a phase
    /// nor before a fiftieth of it is done, and none at all while it is `listing`, `catching_up`, `discovering` or
    /// `ordering`: how much there is of these is known only when they end. Of what comes after this phase it says nothing.
    eta_seconds: Option<u64>,
}

impl Shown {
    pub(super) fn of(row: Row) -> Self {
        Self {
            id: row.id.0,
            repository: row.repository.0,
            state: row.state,
            cause: row.cause,
            requested_at: row.requested_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            counts: Counts {
                commits: row.counts.commits,
                keyed: row.counts.keyed,
                keys: row.counts.keys,
                refs: row.counts.refs,
                bounded: row.counts.bounded,
                lost_refs: row.counts.lost_refs,
            },
            failure: row.failure.map(Failure::of),
            progress: None,
            tried_again: None,
            operation: OperationRef::of(&OperationId::IndexRun(row.id)),
            version: row.version,
            position: row.position,
        }
    }

    /// Whether nothing of it changes any more.
    pub(super) const fn has_ended(&self) -> bool {
        !matches!(self.state, RunState::Requested | RunState::Running)
    }
}

impl From<ProgressNow> for Progress {
    fn from(now: ProgressNow) -> Self {
        Self {
            phase: now.phase,
            objects: now.objects,
            objects_total: now.objects_total,
            bytes: now.bytes,
            commits: now.commits,
            keyed: now.keyed,
            recorded: now.recorded,
            total: now.total,
            eta_seconds: now.eta_seconds,
        }
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those of this repository.
    repository: Option<Uuid>,
    /// Only those in this state.
    #[param(schema_with = words::run_state)]
    state: Option<RunState>,
    /// Only those that were asked for because of this.
    #[param(schema_with = words::cause)]
    cause: Option<Cause>,
    /// `desc`: newest first, as long as nothing is said; `asc`: as they were asked for.
    #[param(inline)]
    order: Option<Direction>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WatchQuery {
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
    /// Waits so many milliseconds, at most 30000, for the run to end.
    #[param(maximum = 30_000)]
    wait_ms: Option<u64>,
}

/// The longest that a watcher waits, in milliseconds.
const LONGEST_WAIT: u64 = 30_000;
/// Events may come by the hundred; a watcher looks again only so often.
const PAUSE: Duration = Duration::from_millis(50);

/// Index runs, newest first when nothing else is asked for.
#[utoipa::path(tag = "index-runs", operation_id = "ListIndexRuns", security(("bearer" = ["viewer"])),
    params(ListQuery), responses((status = 200, description = "A page.", body = Page<Shown>)))]
#[get("/api/v1/index-runs")]
pub(super) async fn list_index_runs(
    _: Viewer,
    api: Data<Api>,
    query: Query<ListQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let order = match query.order.unwrap_or_default() {
        Direction::Desc => Order::NewestFirst,
        Direction::Asc => Order::OldestFirst,
    };
    let filter = Filter { repository: query.repository.map(RepositoryId), state: query.state, cause: query.cause };
    let filters = (filter, order);
    let list = List::new("index-runs", &filters);
    let after = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    let read = index_runs::page(filter, order, after, limit + 1);
    let rows = api.read(query.min_position, read).await?;
    let page = api.cursors.page(rows, limit, &list, now, |row| row.requested_position, Shown::of)?;
    page.answer()
}

/// One index run, with how far it is. With `wait_ms` the answer comes when the run has ended, or the time has passed.
#[utoipa::path(tag = "index-runs", operation_id = "GetIndexRun", security(("bearer" = ["viewer"])),
    params(WatchQuery), responses((status = 200, description = "It.", body = Shown)))]
#[get("/api/v1/index-runs/{id}")]
pub(super) async fn get_index_run(
    _: Viewer,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<WatchQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = IndexRunId(*id);
    let wait = query.wait_ms.unwrap_or(0);
    if wait > LONGEST_WAIT {
        return Err(ApiError::new(Code::QueryInvalid, "wait_ms is at most 30000."));
    }
    let until = Instant::now() + Duration::from_millis(wait);
    api.stands_at(query.min_position, &[&IndexRuns]).await?;
    let mut looked_at = None;
    loop {
        let head = api.app.log.feed().head().position;
        let row = match looked_at {
            Some(position) => api.one_at(position, index_runs::by_id(id), Code::IndexRunUnknown).await?,
            None => api.one(None, || index_runs::by_id(id), Code::IndexRunUnknown).await?,
        };
        let mut run = Shown::of(row);
        if run.has_ended() || Instant::now() >= until || api.app.stopping().is_cancelled() {
            add_work(&api, &mut run).await?;
            return Ok(tell_one(&run));
        }
        // The view is a moment behind the log, and may not show yet what ended the run: it is looked at where the log stood
        // before anything further is waited for, since nothing need follow.
        if looked_at.is_none_or(|at| at < head) {
            looked_at = Some(head);
            continue;
        }
        looked_at = tokio::select! {
            () = api.app.log.feed().wait_beyond(head) => {
                tokio::time::sleep(PAUSE).await;
                Some(head + 1)
            }
            () = tokio::time::sleep_until(until) => None,
            () = api.app.stopping().cancelled() => None,
        };
    }
}

/// The run as it is now, at `min_position` or beyond, with how far it is and why it is tried again.
pub(super) async fn look(api: &Api, id: IndexRunId, min_position: Option<Position>) -> Result<Shown, ApiError> {
    let row = api.one(min_position, || index_runs::by_id(id), Code::IndexRunUnknown).await?;
    let mut run = Shown::of(row);
    add_work(api, &mut run).await?;
    Ok(run)
}

/// Adds what the job of a run that goes on tells of it.
async fn add_work(api: &Api, run: &mut Shown) -> Result<(), ApiError> {
    if run.has_ended() {
        return Ok(());
    }
    let key = run.id.to_string();
    let text = api.app.jobs.progress(Kind::IndexRepository, &key).await?;
    // What a worker of another version wrote may have another shape: then nothing is known.
    run.progress = text.and_then(|text| serde_json::from_str::<ProgressNow>(&text).ok()).map(Progress::from);
    let job = api.app.jobs.standing(Kind::IndexRepository, &key).await?;
    run.tried_again = job.and_then(|job| job.last_error).map(|text| sentence(&text));
    Ok(())
}

/// Stops it. What was recorded so far stays.
#[utoipa::path(tag = "index-runs", operation_id = "CancelIndex", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once."),
        ("If-Match" = Option<String>, Header, description = "Only when it has this ETag.")),
    responses((status = 200, description = "It is cancelled.", body = Shown)))]
#[post("/api/v1/index-runs/{id}/cancel")]
pub(super) async fn cancel_index(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    if_match: IfMatch,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let context = admin.context(key.of(&api, &admin, "CancelIndex", &[]), if_match.version());
    let committed = api.app.dispatch::<Aggregate>(*id, Command::Cancel, context, Vec::new()).await?;
    api.changed(committed, Telling::changed(), index_runs::by_id(IndexRunId(*id)), Shown::of).await
}

/// Asks for what failed or was cancelled again. The answer names the new run.
#[utoipa::path(tag = "index-runs", operation_id = "RetryIndex", security(("bearer" = ["admin"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 202, description = "The run to watch; only `id` and `position` when the view does not show it yet.", body = Shown)))]
#[post("/api/v1/index-runs/{id}/retry")]
pub(super) async fn retry_index(
    admin: Admin,
    api: Data<Api>,
    id: Path<Uuid>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let run = api.one_now(index_runs::by_id(IndexRunId(*id)), Code::IndexRunUnknown).await?;
    if !matches!(run.state, RunState::Failed | RunState::Cancelled) {
        let detail = format!("It is {}. Ask its repository for a new run, or wait for this one.", run.state);
        return Err(ApiError::new(Code::IndexRunNotFailed, detail).with("state", run.state.as_str()));
    }
    // What a reset threw away stays away: its number is that of what is looked at now.
    repositories::request(&api, &admin, "RetryIndex", run.repository, Cause::Asked, key).await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// What a run did, as it happened: who asked for it, when it began, what it recorded, how it ended.
#[utoipa::path(tag = "index-runs", operation_id = "ListIndexRunEvents", security(("bearer" = ["auditor"])),
    params(EventsQuery), responses((status = 200, description = "A page.", body = Page<Entry>)))]
#[get("/api/v1/index-runs/{id}/events")]
pub(super) async fn list_index_run_events(
    _: Auditor,
    api: Data<Api>,
    id: Path<Uuid>,
    query: Query<EventsQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    api.one(query.min_position, || index_runs::by_id(IndexRunId(*id)), Code::IndexRunUnknown).await?;
    let list = List::new("index-run-events", &*id);
    let after = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    // The stream of a run and that of what it found have the same id.
    let filter = AuditFilter { stream: Some(*id), after, ..AuditFilter::default() };
    let read = audit_trail::page(&filter, Told::OldestFirst, limit + 1);
    let rows = api.read(query.min_position, read).await?;
    api.cursors.page(rows, limit, &list, now, |row| row.position, Entry::of)?.answer()
}
