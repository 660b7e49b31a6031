//! Lists the pull requests of a repository at its GitHub, those that were changed last first, down to what is known; now
//! and then all of them, which shows what was deleted. Deliveries tell the rest, so it is asked for seldom. A pass that
//! does not end goes on at its page later.

mod denied;
mod progress;
mod recording;

use std::{collections::HashSet, sync::atomic::Ordering, time::Duration};

use keytrail_domain::{
    id::{IntegrationId, RepositoryId},
    installation::Installation,
    integration::Integration,
    pull_request::{Command, How, PullRequest, named_by},
    recorded::{Position, StreamId},
    repository::Repository,
    service::Connection,
};
use keytrail_projections::{
    pull_requests::numbers_of_repository,
    repository_list::{self, RepositoryState},
};
use uuid::Uuid;

use self::progress::Progress;
pub use self::progress::soon_statement;
pub(super) use self::{
    progress::forget_statement,
    recording::{record, remember},
};
use super::{
    JobError, Kind, NewJob, Running, TakenJob,
    app_access::{self, Allowed, AskError},
};
use crate::{
    app::{App, Context, DispatchError},
    git::services::github::{GithubError, GithubTrouble, Page, SeenPull, SeenReview, Use},
    store::{Area, StoreError},
    views::ViewError,
};

const PART: &str = "list_pull_requests";
/// Between two passes where deliveries tell what happens, and as long as it is not known whether they do; in microseconds.
const SELDOM: i64 = 6 * 3_600 * 1_000_000;
const OFTEN: i64 = 14 * 60 * 1_000_000;
/// Between two passes over all of them, in microseconds.
const WHOLE: i64 = 7 * 24 * 3_600 * 1_000_000;
/// Requests of an hour that are left for what cannot wait.
const RESERVE: u64 = 500;
/// How often a pass is tried again at once when GitHub has troubles.
const MOST_TRIES: i64 = 4;
/// Pages of reviews that are read of one pull request: more than are kept.
const REVIEW_PAGES: u32 = 3;
/// More pages than any repository has.
const MOST_PAGES: u32 = 10_000;

/// Asks for a pass over each repository of an integration that has not had one for long. Writes nothing when none is due.
pub(super) async fn ask_where_due(app: &App, id: IntegrationId) -> Result<(), JobError> {
    let Installation::Registered(registered) = app_access::installation(app, id).await? else { return Ok(()) };
    if registered.installation().is_none() || registered.is_suspended() {
        return Ok(());
    }
    let (now, head) = (app.clock.now(), app.log.feed().head().position);
    let known = progress::of_integration(&app.db, id).await?;
    let (mut after, mut due) = (None, Vec::new());
    loop {
        let page = app.read_at_least(head, repository_list::page(Some(id), None, after, 1_000)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.repository.added_position);
        for repository in page.into_iter().map(|listed| listed.repository) {
            let is_there = !matches!(repository.state, RepositoryState::Forgotten | RepositoryState::Refused);
            let listed = known.get(&repository.id).filter(|listed| listed.number == repository.number);
            if is_there && listed.is_none_or(|listed| listed.is_due(repository.archived, now)) {
                due.push(repository.id.to_string());
            }
        }
    }
    if !due.is_empty() {
        // One that is under way would be done once more.
        let standing = app.jobs.standings(Kind::ListPullRequests, Uuid::max(), u32::MAX).await?;
        let standing: HashSet<String> = standing.into_iter().map(|job| job.key).collect();
        due.retain(|key| !standing.contains(key));
    }
    if due.is_empty() {
        return Ok(());
    }
    let (kind, integration) = (Kind::ListPullRequests, Some(id));
    let jobs = due.into_iter().map(|key| {
        let job = NewJob { kind, key, repository: None, integration, caused_by: head, is_urgent: false };
        job.enqueue(&app.db, now)
    });
    app.db.write(Area::Log, jobs.collect()).await?;
    app.jobs.wake();
    Ok(())
}

pub(super) async fn list_pull_requests(app: &App, job: &TakenJob, running: &Running) -> Result<(), JobError> {
    let Ok(repository) = job.key.parse::<RepositoryId>() else { return Ok(()) };
    let known = app.load::<Repository>(StreamId::new("repository", repository.0)).await?.0;
    let Repository::Known { integration, location: Connection::Git(remote), .. } = known else { return Ok(()) };
    let active = app.load::<Integration>(StreamId::new("integration", integration.0)).await?.0;
    let Integration::Active { connection: Connection::GithubApp(github), .. } = active else { return Ok(()) };
    let listed = app.read_at_least(job.caused_by, repository_list::by_id(repository)).await?;
    let Some(number) = listed.first().map(|listed| listed.repository.number) else { return Ok(()) };
    let known = progress::of_repository(&app.db, repository).await?.filter(|known| known.number == number);
    let mut progress = known.unwrap_or(Progress::none(number));
    let mut passing = None;
    let outcome = match app_access::allowed(app, integration, &github, Use::Short).await {
        Ok(None) => return Ok(()),
        Ok(Some(allowed)) => {
            let name = remote.url.path().trim_start_matches('/');
            let name = name.strip_suffix(".git").unwrap_or(name).to_owned();
            let pass = passing.insert(Pass { app, allowed, repository, integration, name, cause: job.caused_by });
            pass.run(&mut progress, running).await
        }
        Err(error) => Err(error.into()),
    };
    let pause = match outcome {
        Ok(()) if is_told(app, integration).await? => SELDOM,
        Ok(()) => OFTEN,
        Err(Trouble::Ended(error)) => return Err(error),
        Err(Trouble::Asking(error)) => {
            let Some(pause) = pause_after(&error, job.attempts) else { return Err(error.into()) };
            tracing::warn!(%error, %repository, "the pull requests of a repository were not listed; they will be");
            if denied::is_denial(&error) && !denied::lasts(app, integration).await? {
                if let Some(Pass { allowed, .. }) = &passing {
                    // It may be of before the permission was granted.
                    app_access::drop_token(app, allowed).await;
                }
                OFTEN
            } else {
                pause
            }
        }
    };
    progress.due_at = app.clock.now().plus_micros(pause);
    Ok(progress.save(&app.db, repository, integration).await?)
}

/// Whether deliveries tell what happens.
async fn is_told(app: &App, id: IntegrationId) -> Result<bool, JobError> {
    let installation = app_access::installation(app, id).await?;
    Ok(matches!(installation, Installation::Registered(registered) if registered.is_told_by_deliveries()))
}

/// Until when a pass that failed waits, in microseconds; nothing when it is tried again at once.
fn pause_after(error: &AskError, attempts: i64) -> Option<i64> {
    let AskError::Github(error) = error else {
        return (!matches!(error, AskError::Later(_))).then_some(OFTEN);
    };
    match error.trouble {
        GithubTrouble::RateLimited { wait } => Some(i64::try_from(wait.as_micros()).unwrap_or(SELDOM)),
        // It is called something else, perhaps, which is about to be learned.
        GithubTrouble::NotFound => (attempts >= MOST_TRIES).then_some(OFTEN),
        _ if error.passes() => (attempts >= MOST_TRIES).then_some(OFTEN),
        _ => Some(SELDOM),
    }
}

/// Why a pass does not go on.
enum Trouble {
    /// GitHub cannot be asked, or does not say it.
    Asking(AskError),
    /// Something else.
    Ended(JobError),
}

impl From<AskError> for Trouble {
    fn from(error: AskError) -> Self {
        Self::Asking(error)
    }
}

macro_rules! ended_by {
    ($($error:ty),*) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Self {
                Self::Ended(error.into())
            }
        }
    )*};
}

ended_by!(StoreError, DispatchError, ViewError);

/// One pass over the pull requests of a repository.
struct Pass<'a> {
    app: &'a App,
    allowed: Allowed,
    repository: RepositoryId,
    integration: IntegrationId,
    /// `owner/name`, as far as it is known.
    name: String,
    cause: Position,
}

impl Pass<'_> {
    async fn run(&self, progress: &mut Progress, running: &Running) -> Result<(), Trouble> {
        let began = self.app.clock.now();
        let known_to = progress.listed_to;
        let whole = known_to.is_none() || progress.whole_at.is_none_or(|at| began.0 - at.0 >= WHOLE);
        // One that goes on does not know what the one before saw.
        let mut seen = (whole && progress.page == 1).then(HashSet::new);
        loop {
            if running.cancel.load(Ordering::Relaxed) {
                return Err(Trouble::Ended(JobError::Left));
            }
            let Page { rows, more } = self.page(progress.page).await?;
            // Those changed last come first.
            progress.reached = progress.reached.max(rows.first().map(|pull| pull.updated_at));
            let is_new = |pull: &SeenPull| known_to.is_none_or(|to| pull.updated_at >= to);
            let down_to_known = !whole && rows.iter().any(|pull| !is_new(pull));
            let mut told = Vec::new();
            for pull in rows.into_iter().filter(|pull| whole || is_new(pull)) {
                if let Some(seen) = &mut seen {
                    seen.insert(pull.number);
                }
                let reviews = if self.lacks_reviews(&pull, is_new(&pull)).await? {
                    self.reviews(pull.number).await?
                } else {
                    Vec::new()
                };
                told.push((pull, reviews));
            }
            remember(self.app, &self.allowed.host, &told).await?;
            for one in &told {
                record(self.app, &self.allowed.host, self.repository, one, How::Read, self.context()).await?;
            }
            if down_to_known || !more || progress.page >= MOST_PAGES {
                break;
            }
            progress.page += 1;
            progress.save(&self.app.db, self.repository, self.integration).await?;
        }
        if let Some(seen) = seen {
            self.look_for_deleted(&seen).await?;
        }
        progress.listed_to = progress.reached.max(known_to);
        (progress.page, progress.reached) = (1, None);
        if whole {
            progress.whole_at = Some(began);
        }
        Ok(())
    }

    fn context(&self) -> Context {
        Context::server(PART, self.cause)
    }

    /// Reviews count as a change. Nobody is shown them of what names no issue.
    async fn lacks_reviews(&self, pull: &SeenPull, is_new: bool) -> Result<bool, Trouble> {
        if named_by(&pull.title, &pull.body, &pull.source).is_empty() {
            return Ok(false);
        }
        let stream = StreamId::new("pull_request", PullRequest::id(self.repository, pull.number));
        let known = self.app.load::<PullRequest>(stream).await?.0.latest;
        Ok(is_new || known.is_none_or(|known| known.updated_at != pull.updated_at))
    }

    async fn page(&self, page: u32) -> Result<Page<SeenPull>, Trouble> {
        self.spare()?;
        let (github, now) = (self.allowed.access.github(), || self.app.clock.now());
        let ask = || github.pull_requests(&self.allowed.token, &self.name, page, now());
        Ok(app_access::ask_within(self.app, &self.allowed, ask).await?)
    }

    async fn reviews(&self, number: u64) -> Result<Vec<SeenReview>, Trouble> {
        let (github, now) = (self.allowed.access.github(), || self.app.clock.now());
        let mut reviews = Vec::new();
        for page in 1..=REVIEW_PAGES {
            self.spare()?;
            let ask = || github.reviews(&self.allowed.token, &self.name, number, page, now());
            let Page { rows, more } = app_access::ask_within(self.app, &self.allowed, ask).await?;
            reviews.extend(rows);
            if !more {
                break;
            }
        }
        Ok(reviews)
    }

    /// Leaves some of the budget to what cannot wait.
    fn spare(&self) -> Result<(), Trouble> {
        let (host, now) = (&self.allowed.host, self.app.clock.now());
        let left = self.app.jobs.budgets.left(host, self.allowed.installation, now);
        match left.budget {
            Some(left) if left.remaining < RESERVE.min(left.limit / 10) && left.reset > now => {
                let wait = Duration::from_micros((left.reset.0 - now.0).unsigned_abs());
                let trouble = GithubTrouble::RateLimited { wait };
                Err(AskError::from(GithubError { host: host.clone(), trouble }).into())
            }
            _ => Ok(()),
        }
    }

    /// All were listed: those that were not among them are asked for one by one.
    async fn look_for_deleted(&self, seen: &HashSet<u64>) -> Result<(), Trouble> {
        let (mut after, head) = (0, self.app.log.feed().head().position);
        loop {
            let known = self.app.read_at_least(head, numbers_of_repository(self.repository, after, 1_000)).await?;
            let Some(last) = known.last() else { return Ok(()) };
            after = *last;
            for number in known.into_iter().filter(|number| !seen.contains(number)) {
                self.spare()?;
                let (github, now) = (self.allowed.access.github(), || self.app.clock.now());
                let ask = || github.pull_request(&self.allowed.token, &self.name, number, now());
                if app_access::ask_within(self.app, &self.allowed, ask).await?.is_none() {
                    // Of a repository that is out of our sight by now GitHub says the same.
                    self.page(1).await?;
                    let id = PullRequest::id(self.repository, number);
                    let command = Command::Delete { repository: self.repository, number };
                    self.app.dispatch::<PullRequest>(id, command, self.context(), Vec::new()).await?;
                }
            }
        }
    }
}
