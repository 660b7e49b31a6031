//! The app of an integration that is gone: taken away at its GitHub as far as that goes, and looked after from then on where
//! its key was kept. Called by the reconciler, and by the schedule of apps. It never takes away what it finds later: the
//! app may be somebody else's by then.

use std::time::Duration;

use keytrail_domain::{
    github::{App as GithubApp, GithubConnection},
    id::IntegrationId,
    installation::{Command, Installation, Kept, Registered, Report, Status, There, app_claim},
    integration::Integration,
    recorded::{Position, StreamId},
    service::Connection,
};
use keytrail_projections::installation_status;

use super::{
    JobError,
    app_access::{self, AskError, Opened},
    reconcile_installation::say,
};
use crate::{
    app::{App, Context, DispatchError},
    git::services::github::{AppAccess, GithubError, GithubTrouble, Known},
    secrets::app_secrets,
    store::Statement,
};

const PART: &str = "reconcile_installation";
/// Removing waits for GitHub no longer than this.
const LONGEST_GOODBYE: Duration = Duration::from_secs(10);
/// Giving the token back takes no more of that: what matters is that the app is uninstalled, and its tokens end with that.
const LONGEST_REVOCATION: Duration = Duration::from_secs(3);

/// Rows that are read at a time.
const PAGE: u32 = 500;

/// What came of taking an app away, as far as that got.
#[derive(Default)]
struct Goodbye {
    /// Nothing is installed any more.
    uninstalled: bool,
    /// GitHub knows no such app.
    deleted: bool,
    /// The app as GitHub described it.
    app: Option<GithubApp>,
}

/// What is forgotten in the very moment in which an integration is removed: its own secrets, unless an app is registered
/// for it. Whoever takes the app away may have to tell a proxy who asks, so there they go with the app. What belongs to an
/// app goes with the app in any case: one may be registered in this moment.
pub async fn forgotten_at_once(app: &App, id: IntegrationId) -> Result<Vec<Statement>, DispatchError> {
    Ok(match app_access::installation(app, id).await? {
        Installation::Registered(_) => Vec::new(),
        Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => {
            vec![app_secrets::forget_of_integration(id)]
        }
    })
}

/// The integration is gone: takes the app away as far as that goes, and says what is left.
pub(super) async fn say_goodbye(app: &App, id: IntegrationId, keep: bool, cause: Position) -> Result<(), JobError> {
    // Whoever removes waits for it, and so does a job: the second finds nothing left to do.
    let _turn = app.jobs.goodbyes.turn(id).await;
    let mut goodbye = Goodbye::default();
    let mut context = Context::server(PART, cause);
    let (installation, version) = app.load::<Installation>(StreamId::new("installation", id.0)).await?;
    let is_registered = match installation {
        Installation::Registered(registered) => {
            // While that cannot be read the app is not given up: the job tries again.
            let github = last_connection(app, id).await?;
            let (installed, told) = (&registered, &mut goodbye);
            let opened = opened(app, id, github.as_ref(), installed);
            let work = |opened: Option<Opened>| async move {
                let access = match opened {
                    Some(opened) => opened.access().await.ok(),
                    None => None,
                };
                take_away(app, id, access, installed, told).await;
            };
            if !ends_in_time(LONGEST_GOODBYE, opened, work).await? {
                tracing::debug!(integration = %id, "GitHub takes too long to let an app go; what is left is listed");
                if let Some(installation) = registered.installation() {
                    app.jobs.app_tokens.forget(&registered.host, installation);
                }
            }
            true
        }
        Installation::Registering(_) => {
            // An app that came to be in this moment is taken away by the next try, and not forgotten unasked.
            context.if_match = Some(version);
            false
        }
        Installation::Absent | Installation::Removed { .. } => return Ok(()),
    };
    app.jobs.passes.forget(id);
    let Goodbye { uninstalled, deleted, app: seen } = goodbye;
    if deleted {
        say(app, id, cause, Command::Report(Report::AppDeleted)).await?;
    }
    // What is kept is for asking after the app; of one that was never there nothing is asked.
    let forget = if keep && is_registered { Vec::new() } else { app_secrets::forget_with_integration(id) };
    app.dispatch::<Installation>(id.0, Command::Remove { uninstalled, keep, app: seen }, context, forget).await?;
    Ok(())
}

/// Whether GitHub was done with in time; what was done by then stands. The time begins when the key is open: however long
/// the store takes for that, it is not GitHub that does. Looking for its host counts.
async fn ends_in_time<A, W: Future<Output = ()>>(
    longest: Duration,
    opened: impl Future<Output = Result<A, AskError>>,
    work: impl FnOnce(A) -> W,
) -> Result<bool, AskError> {
    let opened = opened.await?;
    Ok(tokio::time::timeout(longest, work(opened)).await.is_ok())
}

/// What is needed to ask, if it can be had. An error is one of the store's, which passes: what the key is needed for is not
/// given up with it.
async fn opened(
    app: &App,
    id: IntegrationId,
    github: Option<&GithubConnection>,
    registered: &Registered,
) -> Result<Option<Opened>, AskError> {
    let Some(github) = github else { return Ok(None) };
    match app_access::opened(app, id, github, registered).await {
        Ok(opened) => Ok(Some(opened)),
        Err(error @ AskError::Later(_)) => Err(error),
        // A key that cannot be opened, or a GitHub that cannot be reached, keeps nobody from removing.
        Err(_) => Ok(None),
    }
}

async fn take_away(
    app: &App,
    id: IntegrationId,
    access: Option<AppAccess>,
    registered: &Registered,
    goodbye: &mut Goodbye,
) {
    let (installation, tokens) = (registered.installation(), &app.jobs.app_tokens);
    goodbye.uninstalled = installation.is_none();
    let Some(access) = access else {
        if let Some(installation) = installation {
            tokens.forget(&registered.host, installation);
        }
        return;
    };
    if let Some(installation) = installation {
        // First, for it does not need the key, which may be good no more; and what stays installed is not ours to read.
        let revoking = async {
            if let Some(token) = tokens.take(&registered.host, installation).await {
                let _ = access.github().revoke(&token, app.clock.now()).await;
            }
        };
        if tokio::time::timeout(LONGEST_REVOCATION, revoking).await.is_err() {
            tracing::debug!(integration = %id, "the token of an app that is taken away could not be given back in time");
        }
        goodbye.uninstalled = access.uninstall(installation).await.is_ok();
    }
    // What is left is told as it is called now: without the key nobody can ask later.
    match access.app().await {
        Ok(seen) => goodbye.app = Some(seen),
        Err(GithubError { trouble: GithubTrouble::AppDeleted, .. }) => goodbye.deleted = true,
        Err(error) => tracing::debug!(%error, integration = %id, "an app that is taken away was not looked at again"),
    }
}

/// Asks GitHub, with the key that was kept, what is left of an app; nothing is kept of one that is gone.
pub(super) async fn look_at_what_is_left(app: &App, id: IntegrationId, kept: &Kept) -> Result<(), JobError> {
    // It was given up with the removal: whoever holds it now has taken the app over.
    if app.log.holder(&app_claim(&kept.host, kept.app)).await?.is_some() {
        return end(app, id, app.log.feed().head().position).await;
    }
    let Some(github) = last_connection(app, id).await? else { return Ok(()) };
    let known = Known { installation: kept.installation, account: kept.account };
    let access = app_access::access_to_kept(app, id, &github, kept).await?;
    let report = access.report(&github.organisation, known).await.map_err(AskError::from)?;
    let (command, forget) = match report {
        Report::AppDeleted => (Command::ConfirmGone, app_secrets::forget_with_integration(id)),
        Report::Read { app: seen, there } => {
            let installed = matches!(there, There::Installed(_));
            (Command::ReportRemainder { app: seen, installed }, Vec::new())
        }
        // Somebody has another key by now, and only they can say.
        Report::KeyRejected => return Ok(()),
    };
    let context = Context::server(PART, app.log.feed().head().position);
    match app.dispatch::<Installation>(id.0, command, context, forget).await {
        Ok(_) | Err(DispatchError::Refused { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// An integration has this app now. Whatever was removed with it before advises to have it deleted, and may hold a key of
/// its own: that is over, and its secrets are forgotten.
pub async fn end_what_is_left_of(app: &App, host: &str, taken: u64, cause: Position) -> Result<(), JobError> {
    let mut after = None;
    loop {
        let read = installation_status::page(Some(Status::Removed), after, PAGE);
        let rows = app.read_at_least(cause, read).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(last.opened_position);
        for row in rows.iter().filter(|row| row.state.leaves(host, taken)) {
            end(app, row.id, cause).await?;
        }
    }
}

async fn end(app: &App, id: IntegrationId, cause: Position) -> Result<(), JobError> {
    let forget = app_secrets::forget_with_integration(id);
    app.dispatch::<Installation>(id.0, Command::ConfirmGone, Context::server(PART, cause), forget).await?;
    Ok(())
}

/// Where it was connected when it was removed: by the log, for views may be behind.
async fn last_connection(app: &App, id: IntegrationId) -> Result<Option<GithubConnection>, DispatchError> {
    Ok(match app.load::<Integration>(StreamId::new("integration", id.0)).await?.0 {
        Integration::Removed { connection: Connection::GithubApp(github), .. } => Some(*github),
        Integration::Removed { .. } | Integration::Absent | Integration::Active { .. } | Integration::Paused { .. } => {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use std::{future, time::Duration};

    use super::{AskError, ends_in_time};

    #[tokio::test]
    async fn only_what_github_takes_counts() {
        let longest = Duration::from_millis(5);
        let opened_late = async || {
            let stalled = tokio::time::timeout(10 * longest, future::pending::<()>()).await;
            assert!(stalled.is_err(), "the store answers late");
            Ok::<_, AskError>(())
        };
        let mut asked = false;
        let asks = |()| {
            asked = true;
            future::ready(())
        };
        assert!(ends_in_time(longest, opened_late(), asks).await.is_ok_and(|ended| ended));
        assert!(asked, "however late the key was open");
        let silent = |()| future::pending();
        assert!(ends_in_time(longest, opened_late(), silent).await.is_ok_and(|ended| !ended));
        let stalled = future::ready(Err::<(), _>(AskError::Later("no answer".to_owned())));
        let never = |()| future::ready(());
        assert!(matches!(ends_in_time(longest, stalled, never).await, Err(AskError::Later(_))));
    }
}
