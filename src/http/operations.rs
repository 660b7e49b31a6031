//! Long work, whatever it is: which is under way, how far it is, what came of it, and how it is stopped.

use actix_web::{
    HttpResponse, get,
    http::header::{ETAG, LOCATION},
    post,
    web::{Data, Path, Query},
};
use keytrail_domain::{
    access::Scope,
    index_run::{Command, IndexRun as Run},
    integration::{Command as Wish, Integration},
    recorded::Position,
    ssh_key::{Command as KeyWish, SshKey},
    timestamp::Timestamp,
};
use keytrail_projections::{
    index_runs::{self, Filter, IndexRuns, Order, RunState},
    repository_list::RepositoryList,
    view::View,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Api,
    auth::{Admin, Auditor},
    changed::X_LOG_POSITION,
    conditions::{etag, unknown},
    cursor::{List, Page, limit},
    error::{ApiError, Code, sentence},
    idempotency::{IDEMPOTENCY_REPLAYED, IdempotencyKey},
    integrations::OneQuery,
    scopes::of_work,
    views::Verdicts,
    words,
};
use crate::{
    app::{self, OperationId, OperationResult, OperationState, OperationTrouble},
    log::Committed,
};

/// Where an operation is.
#[derive(Serialize, ToSchema)]
pub(super) struct OperationRef {
    /// Which.
    #[schema(example = "index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]
    id: String,
    /// Where it is watched.
    pub(super) href: String,
}

impl OperationRef {
    pub(super) fn of(id: &OperationId) -> Self {
        let id = id.to_string();
        Self { href: format!("/api/v1/operations/{id}"), id }
    }
}

/// The answer to a wish for long work, which is recorded: the operation to watch.
pub(super) async fn asked_for(api: &Api, operation: OperationId, committed: Committed) -> HttpResponse {
    // What cannot be told of it now is no reason to say anything else.
    let found = api.app.operation(&operation).await.ok().flatten();
    let mut response = HttpResponse::Accepted();
    response
        .insert_header((LOCATION, OperationRef::of(&operation).href))
        .insert_header((X_LOG_POSITION, committed.last.to_string()))
        .insert_header((ETAG, etag(committed.sequence)));
    if committed.replayed {
        response.insert_header((IDEMPOTENCY_REPLAYED, "true"));
    }
    response.json(Operation::of(found.unwrap_or_else(|| app::Operation::asked_for(operation))))
}

/// Long work.
#[derive(Serialize, ToSchema)]
pub(super) struct Operation {
    /// Which: its kind, and the id of what is worked on.
    #[schema(example = "index_run.0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]
    id: String,
    /// What is done.
    #[schema(schema_with = words::operation_kind)]
    kind: &'static str,
    /// Where it is in its life.
    #[schema(schema_with = words::operation_state)]
    state: &'static str,
    /// When it was asked for, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    requested_at: Option<Timestamp>,
    /// When the work began, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended, where that is known.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// How far it is; only while it goes on, and of index runs only when one operation is asked for.
    progress: Option<Progress>,
    /// Why it failed; while it goes on, why it is tried again.
    problem: Option<OperationProblem>,
    /// The index run that it led to or is; nothing when there is none.
    index_run: Option<String>,
    /// What came of a verification.
    verdicts: Option<Verdicts>,
    /// Whether it can be stopped.
    cancellable: bool,
    #[serde(skip)]
    #[schema(ignore)]
    has_ended: bool,
}

/// How far an operation is.
#[derive(Serialize, ToSchema)]
#[schema(as = OperationProgress)]
struct Progress {
    /// What is being done, in a word.
    phase: String,
    /// How much was done.
    done: u64,
    /// How much there is; 0 until that is known.
    total: u64,
    /// Of what: `commits`, `objects`, `repositories`, `events` or `views`.
    unit: &'static str,
    /// Seconds that it takes from now on, if it goes on as fast. Null while that would be a guess: of repositories before five
    /// of them and one in ten are done; of a run while it lists, discovers or orders, when nobody knows how much there is.
    eta_seconds: Option<u64>,
}

/// Why an operation failed.
#[derive(Serialize, ToSchema)]
struct OperationProblem {
    /// For machines, where there is one: of a run and of a look what failing runs have, too; of a look also `look_failed` and
    /// `not_watched`; of a rotation of a key `ssh_key_not_taken` or `internal`.
    code: Option<String>,
    /// For people: what happened.
    detail: String,
}

impl Operation {
    /// Whether nothing follows any more.
    pub(super) const fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub(super) fn of(operation: app::Operation) -> Self {
        let cancellable = operation.can_be_cancelled();
        let mut shown = Self {
            id: operation.id.to_string(),
            kind: operation.id.kind(),
            state: operation.state.as_str(),
            requested_at: operation.asked_at,
            started_at: operation.began_at,
            ended_at: operation.ended_at,
            progress: operation.progress.map(|now| Progress {
                phase: now.phase,
                done: now.done,
                total: now.total,
                unit: now.unit,
                eta_seconds: now.eta_seconds,
            }),
            problem: operation.problem.map(|(code, text)| OperationProblem {
                code: (!code.is_empty()).then_some(code),
                detail: sentence(&text),
            }),
            index_run: None,
            verdicts: None,
            cancellable,
            has_ended: operation.state.has_ended(),
        };
        match operation.result {
            Some(OperationResult::IndexRun(run)) => shown.index_run = Some(format!("/api/v1/index-runs/{run}")),
            Some(OperationResult::Verdicts(verdicts)) => shown.verdicts = Some(Verdicts::of(&verdicts)),
            Some(OperationResult::NothingNew) | None => {}
        }
        shown
    }
}

impl From<OperationTrouble> for ApiError {
    fn from(trouble: OperationTrouble) -> Self {
        match trouble {
            OperationTrouble::View(error) => error.into(),
            OperationTrouble::Store(error) => error.into(),
            OperationTrouble::Stream(error) => error.into(),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationsQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Operations of a page: 1 to 500, 50 when nothing is said.
    limit: Option<u32>,
    /// The answer is at least as new as this position.
    min_position: Option<i64>,
}

/// Where a page ended. Those beside runs come first, from behind: the newest verification first.
#[derive(Clone, Serialize, Deserialize)]
enum After {
    Beside(OperationId),
    /// Whether the run waits, and where it was asked for.
    Run(bool, Position),
}

/// The long work that is under way, and what this node remembers of looks and verifications that ended. Index runs come
/// last, those that were asked for first before the others; those that ended are in the list of runs.
#[utoipa::path(tag = "operations", operation_id = "ListOperations", security(("bearer" = ["auditor"])),
    params(OperationsQuery), responses((status = 200, description = "A page.", body = Page<Operation>)))]
#[get("/api/v1/operations")]
pub(super) async fn list_operations(
    _: Auditor,
    api: Data<Api>,
    query: Query<OperationsQuery>,
) -> Result<HttpResponse, ApiError> {
    let now = api.app.clock.now();
    let list = List::new("operations", &());
    let after: Option<After> = api.cursors.after(query.cursor.as_deref(), &list, now)?;
    let limit = limit(query.limit)?;
    api.stands_at(query.min_position, &[&IndexRuns, &RepositoryList]).await?;
    let mut found: Vec<(After, app::Operation)> = Vec::new();
    let (beside, after_run) = match after {
        None => (Some(None), None),
        Some(After::Beside(id)) => (Some(Some(id)), None),
        Some(After::Run(is_waiting, position)) => (None, Some((is_waiting, position))),
    };
    if let Some(below) = beside {
        let beside = api.app.operations_beside_runs(below.as_ref(), limit + 1).await?;
        found.extend(beside.into_iter().map(|operation| (After::Beside(operation.id.clone()), operation)));
    }
    // Those that are being done are few; those that wait may be thousands.
    for state in [RunState::Running, RunState::Requested] {
        let waiting = state == RunState::Requested;
        let wanted = (limit + 1).saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        if wanted == 0 || after_run.is_some_and(|(is_waiting, _)| is_waiting && !waiting) {
            continue;
        }
        let from = after_run.filter(|(phase, _)| *phase == waiting).map(|(_, position)| position);
        let filter = Filter { state: Some(state), ..Filter::default() };
        let read = index_runs::page(filter, Order::OldestFirst, from, wanted);
        let runs = api.app.read(read).await?;
        let run =
            |run: &index_runs::IndexRun| (After::Run(waiting, run.requested_position), app::Operation::of_run(run));
        found.extend(runs.iter().map(run));
    }
    found.truncate(limit as usize + 1);
    let after = |(at, _): &(After, app::Operation)| at.clone();
    api.cursors.page(found, limit, &list, now, after, |(_, operation)| Operation::of(operation))?.answer()
}

/// One operation as it stands now.
#[utoipa::path(tag = "operations", operation_id = "GetOperation", security(("bearer" = ["auditor"])),
    params(("id" = String, Path, description = "As an answer names it, such as index_run.ID."), OneQuery),
    responses((status = 200, description = "It.", body = Operation)))]
#[get("/api/v1/operations/{id}")]
pub(super) async fn get_operation(
    auditor: Auditor,
    api: Data<Api>,
    id: Path<String>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = looked_at(&auditor, &id)?;
    Ok(HttpResponse::Ok().json(look(&api, &id, query.min_position).await?))
}

/// The operation that this caller wants to look at, and may.
pub(super) fn looked_at(auditor: &Auditor, id: &str) -> Result<OperationId, ApiError> {
    let id = parsed(id);
    if !id.as_ref().is_ok_and(|id| auditor.has(of_work(id))) {
        auditor.needs(Scope::RepositoriesRead)?;
    }
    id
}

/// The operation as it is now; the views that tell of it stand at `min_position` or beyond.
pub(super) async fn look(api: &Api, id: &OperationId, min_position: Option<Position>) -> Result<Operation, ApiError> {
    api.stands_at(min_position, views_of(id)).await?;
    Ok(Operation::of(found(api, id).await?))
}

/// The views that tell of an operation.
const fn views_of(id: &OperationId) -> &'static [&'static dyn View] {
    match id {
        OperationId::IndexRun(_) => &[&IndexRuns],
        OperationId::FetchRepository(_) | OperationId::ReindexIntegration(..) | OperationId::ResetIntegration(..) => {
            &[&RepositoryList]
        }
        OperationId::DiscoverRepositories(_)
        | OperationId::ForgetRepositories(_)
        | OperationId::RebuildView(..)
        | OperationId::VerifyViews(_)
        | OperationId::RotateSshKey(..) => &[],
    }
}

/// Stops an index run, a verification, trying a key of SSH in the place of another, or indexing all of an integration again:
/// each of its runs. What was recorded so far stays.
#[utoipa::path(tag = "operations", operation_id = "CancelOperation", security(("bearer" = ["admin"])),
    params(("id" = String, Path, description = "As an answer names it, such as index_run.ID."),
        ("Idempotency-Key" = Option<String>, Header, description = "Sending it again with this key does it once.")),
    responses((status = 202, description = "It will stop soon, or has.", body = Operation)))]
#[post("/api/v1/operations/{id}/cancel")]
pub(super) async fn cancel_operation(
    admin: Admin,
    api: Data<Api>,
    id: Path<String>,
    key: IdempotencyKey,
) -> Result<HttpResponse, ApiError> {
    let id = parsed(&id);
    admin.needs(id.as_ref().map_or(Scope::RepositoriesWrite, of_work))?;
    let id = id?;
    let operation = found(&api, &id).await?;
    match &id {
        OperationId::IndexRun(run) => {
            let context = admin.context(key.of(&api, &admin, "CancelOperation", &[]), None);
            let committed = api.app.dispatch::<Run>(run.0, Command::Cancel, context, Vec::new()).await?;
            let _shown = api.shown(&committed, index_runs::by_id(*run), |_| ()).await;
        }
        OperationId::ReindexIntegration(integration, asked) | OperationId::ResetIntegration(integration, asked)
            if operation.can_be_cancelled() =>
        {
            let context = admin.context(key.of(&api, &admin, "CancelOperation", &[]), None);
            let wish = Wish::CancelIndexing { asked: *asked };
            api.app.dispatch::<Integration>(integration.0, wish, context, Vec::new()).await?;
        }
        OperationId::VerifyViews(verification) if operation.can_be_cancelled() => {
            if let Some(verification) = api.app.verification(*verification) {
                verification.cancel();
            }
        }
        OperationId::RotateSshKey(old, _) if operation.can_be_cancelled() => {
            let context = admin.context(key.of(&api, &admin, "CancelOperation", &[]), None);
            api.app.dispatch::<SshKey>(old.0, KeyWish::CancelRotation, context, Vec::new()).await?;
        }
        // Saying it twice changes nothing.
        OperationId::VerifyViews(_)
        | OperationId::ReindexIntegration(..)
        | OperationId::ResetIntegration(..)
        | OperationId::RotateSshKey(..)
            if operation.state == OperationState::Cancelled => {}
        OperationId::VerifyViews(_)
        | OperationId::FetchRepository(_)
        | OperationId::DiscoverRepositories(_)
        | OperationId::ForgetRepositories(_)
        | OperationId::ReindexIntegration(..)
        | OperationId::ResetIntegration(..)
        | OperationId::RotateSshKey(..)
        | OperationId::RebuildView(..) => {
            let detail = format!("It is {}, and ends by itself.", operation.state.as_str());
            return Err(ApiError::new(Code::OperationNotCancellable, detail).with("state", operation.state.as_str()));
        }
    }
    // It is cancelled, also where it cannot be told what it is like now.
    let now = found(&api, &id).await.unwrap_or(operation);
    Ok(goes_on(&id, now))
}

/// The answer that work goes on, with where to watch it.
pub(super) async fn begun(api: &Api, id: &OperationId) -> Result<HttpResponse, ApiError> {
    Ok(goes_on(id, found(api, id).await?))
}

fn goes_on(id: &OperationId, found: app::Operation) -> HttpResponse {
    let at = (LOCATION, OperationRef::of(id).href);
    HttpResponse::Accepted().insert_header(at).json(Operation::of(found))
}

fn parsed(id: &str) -> Result<OperationId, ApiError> {
    id.parse().map_err(|_| unknown(Code::OperationUnknown))
}

async fn found(api: &Api, id: &OperationId) -> Result<app::Operation, ApiError> {
    let head = api.app.log.feed().head().position;
    if let Some(found) = api.app.operation(id).await? {
        return Ok(found);
    }
    match id {
        // Whoever asked for it may have come before the view: it is unknown when that stands where the log stood.
        OperationId::IndexRun(_) => {
            api.app.views.wait_for("index_runs", head).await?;
            api.app.operation(id).await?.ok_or_else(|| unknown(Code::OperationUnknown))
        }
        OperationId::FetchRepository(_) | OperationId::VerifyViews(_) => {
            let detail = "Only the node that was asked for a look or a verification knows of it, until it stops. Ask that \
                          node, or ask for a new one.";
            Err(ApiError::new(Code::OperationUnknown, detail))
        }
        OperationId::DiscoverRepositories(_)
        | OperationId::ForgetRepositories(_)
        | OperationId::ReindexIntegration(..)
        | OperationId::ResetIntegration(..)
        | OperationId::RotateSshKey(..)
        | OperationId::RebuildView(..) => Err(unknown(Code::OperationUnknown)),
    }
}
