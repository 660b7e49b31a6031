//! Drives what we wish of an app to its GitHub, asks GitHub how things are, and writes the verdict down. What GitHub
//! says outweighs what deliveries said before.

use keytrail_domain::{
    github::{App as GithubApp, GithubConnection, Login},
    id::IntegrationId,
    installation::{
        Cause, Command, Diagnosis, Installation, Registered, Report, Seen, Service, There, Wish, account_claim,
    },
    integration::{Integration, SecretsAfter},
    recorded::{Position, StreamId},
    service::Connection,
    timestamp::Timestamp,
};
use keytrail_projections::installation_status;

use super::{
    JobError, Kind, NewJob, TakenJob,
    app_access::{self, AskError},
    app_webhooks,
    known_obstacles::what_stands,
    missed_deliveries::fetch_missed,
    removed_app,
};
use crate::{
    app::{App, Context, DispatchError},
    git::services::github::{GithubError, GithubTrouble, Known},
    store::{Area, Statement, StoreError},
};

const PART: &str = "reconcile_installation";

pub(super) async fn reconcile_installation(app: &App, job: &TakenJob) -> Result<(), JobError> {
    let Ok(id) = job.key.parse::<IntegrationId>() else { return Ok(()) };
    let reconciled = reconcile(app, id, job.caused_by).await;
    // Also where GitHub does not answer.
    let ended = end_before(app, id, job.caused_by).await;
    reconciled.and(ended)
}

/// Of an app that was taken over nobody is to be advised any more to delete it: who took it over may not have come to say
/// so.
async fn end_before(app: &App, id: IntegrationId, cause: Position) -> Result<(), JobError> {
    match app_access::installation(app, id).await? {
        Installation::Registered(registered) => {
            removed_app::end_what_is_left_of(app, &registered.host, registered.app.id, cause).await
        }
        Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => Ok(()),
    }
}

/// Has jobs ask after an app, and what it sees, as soon as they can: somebody wanted to know, and did not wait for it.
pub async fn ask_after_by_jobs(app: &App, id: IntegrationId) -> Result<(), StoreError> {
    let (caused_by, now) = (app.log.feed().head().position, app.clock.now());
    let jobs = [Kind::ReconcileInstallation, Kind::DiscoverRepositories].map(|kind| {
        let (key, integration) = (id.to_string(), Some(id));
        NewJob { kind, key, repository: None, integration, caused_by, is_urgent: true }.enqueue(&app.db, now)
    });
    app.db.write(Area::Log, jobs.into()).await?;
    app.jobs.wake();
    Ok(())
}

/// Once, now. What stands in the way is written down as well.
pub async fn reconcile(app: &App, id: IntegrationId, cause: Position) -> Result<(), JobError> {
    let (integration, _) = app.load::<Integration>(StreamId::new("integration", id.0)).await?;
    let (connection, paused) = match integration {
        Integration::Active { connection, .. } => (connection, false),
        Integration::Paused { connection, .. } => (connection, true),
        Integration::Removed { secrets, .. } => {
            return removed_app::say_goodbye(app, id, secrets == SecretsAfter::Kept, cause).await;
        }
        Integration::Absent => return Ok(()),
    };
    let Connection::GithubApp(github) = connection else { return Ok(()) };
    // Removing does not wait for this.
    let _turn = app.jobs.one_by_one.turn(id).await;
    let registered = match app_access::installation(app, id).await? {
        Installation::Registered(registered) => registered,
        // Only a person can go on, and should be told.
        Installation::Registering(_) if is_late(app, id).await? => {
            return say(app, id, cause, Command::Diagnose(Diagnosis::of(Cause::NotRegistered, true))).await;
        }
        Installation::Registering(_) | Installation::Absent | Installation::Removed { .. } => return Ok(()),
    };
    let asked = ask(app, id, &github, &registered).await;
    let (mut is_listed, mut were_missed) = (false, false);
    let (verdict, ends) = match asked {
        Ok((report, missed)) => {
            were_missed = missed;
            is_listed = !paused && runs(&registered, &report);
            let is_old = is_halted(&report) || changes_permissions(&registered, &report);
            if let Some(installation) = registered.installation().filter(|_| is_old) {
                // Whatever lets it run again, the tokens of before may be good no more; and a token keeps the rights that
                // it was made with.
                app.jobs.app_tokens.forget(&registered.host, installation);
            }
            let obstacle = obstacle_of(app, id, &github, &registered, &report).await?;
            match dispatch(app, id, cause, Command::Report(report), Vec::new()).await {
                // What GitHub says cannot be written down while another one has the organisation.
                Err(DispatchError::Claimed(claim)) => {
                    let holder = app.log.holder(&claim).await?.map(IntegrationId);
                    (Some(Diagnosis::taken(holder, is_late(app, id).await?)), Ok(()))
                }
                written => {
                    written?;
                    (obstacle, Ok(()))
                }
            }
        }
        Err(error @ AskError::Later(_)) => return Err(error.into()),
        Err(error) => {
            let stuck = is_late(app, id).await?;
            (Some(Diagnosis::of(cause_of(&error), stuck)), Err(JobError::from(error)))
        }
    };
    match verdict {
        Some(found) => say(app, id, cause, Command::Diagnose(found)).await?,
        None => met_nothing(app, id, cause, is_listed).await?,
    }
    ends?;
    app_webhooks::look_after(app, id, &github, were_missed, cause).await
}

/// Whether it was stopped or taken away there. A key that is refused stops nothing: tokens outlive it.
fn is_halted(report: &Report) -> bool {
    match report {
        Report::Read { there: There::Installed(seen), .. } => seen.suspended.is_some(),
        Report::Read { .. } | Report::AppDeleted => true,
        Report::KeyRejected => false,
    }
}

/// Whether the app may do something else there than was known.
fn changes_permissions(registered: &Registered, report: &Report) -> bool {
    match (&registered.service, report) {
        (Service::Installed { permissions, .. }, Report::Read { there: There::Installed(seen), .. }) => {
            *permissions != seen.permissions
        }
        _ => false,
    }
}

/// GitHub answered, and put nothing in the way. Says what stands there nevertheless, as it is known by now: whoever lists
/// may have said something while GitHub was asked.
async fn met_nothing(app: &App, id: IntegrationId, cause: Position, is_listed: bool) -> Result<(), JobError> {
    let Installation::Registered(now) = app_access::installation(app, id).await? else { return Ok(()) };
    // Whether that is over is for the next listing to say, where there is one.
    if is_listed && now.diagnosis.is_some_and(Diagnosis::is_of_listing) {
        return Ok(());
    }
    let command = what_stands(app, id, &now).await?;
    say(app, id, cause, command).await
}

/// Whether its repositories are to be listed.
fn runs(registered: &Registered, report: &Report) -> bool {
    let is_running = |seen: &Seen| seen.suspended.is_none() && registered.wish != Wish::Suspend;
    matches!(report, Report::Read { there: There::Installed(seen), .. } if is_running(seen))
}

/// Drives the wish, then reads how things are. With it goes whether there were deliveries that did not get here.
async fn ask(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    registered: &Registered,
) -> Result<(Report, bool), AskError> {
    let access = app_access::access(app, id, github, registered).await?;
    if let Service::Installed { installation, suspended, .. } = &registered.service {
        match (registered.wish, suspended) {
            (Wish::Suspend, None) => {
                // The token that is about is not to outlive the wish.
                if let Some(token) = app.jobs.app_tokens.take(github.host.name(), *installation).await {
                    let _ = access.github().revoke(&token, app.clock.now()).await;
                }
                driven(access.set_suspended(*installation, true).await)?;
                // Whoever resumed it meanwhile may have been sooner at GitHub than this.
                if !is_suspension_wished(app, id).await? {
                    driven(access.set_suspended(*installation, false).await)?;
                }
            }
            // Whatever is known: GitHub may have been told to suspend it a moment ago.
            (Wish::Resume, _) => driven(access.set_suspended(*installation, false).await)?,
            _ => {}
        }
    }
    // As it is called by now, as far as that is known.
    let organisation = registered.account.as_ref().map_or(&github.organisation, |account| &account.login);
    let account = registered.account.as_ref().map(|account| account.id);
    let known = Known { installation: registered.installation(), account };
    let mut report = access.report(organisation, known).await?;
    if let Some(now) = renamed(github, registered, &report) {
        report = access.report(&now, known).await?;
    }
    // Not for the report's sake: what stands in the way of this only puts it off.
    let mut missed = false;
    if matches!(report, Report::Read { there: There::Installed(_), .. }) {
        match fetch_missed(app, id, &access).await {
            Ok(fetched) => missed = fetched > 0,
            Err(error) => {
                tracing::warn!(%error, integration = %id, "what GitHub could not deliver was not looked up; it will be");
            }
        }
    }
    Ok((report, missed))
}

/// What the organisation is called now, where it was renamed before the app was ever installed: it owns the app, by its id.
fn renamed(github: &GithubConnection, registered: &Registered, report: &Report) -> Option<Login> {
    let Report::Read { app, there: There::NotInstalled } = report else { return None };
    let was = registered.registered_as.as_deref().filter(|_| registered.account.is_none())?;
    let is_owner = was.owner.as_ref().is_some_and(|owner| owner.is(&github.organisation));
    let is_same = was.owner_id.is_some() && was.owner_id == app.owner_id;
    app.owner.clone().filter(|now| is_owner && is_same && !now.is(&github.organisation))
}

async fn is_suspension_wished(app: &App, id: IntegrationId) -> Result<bool, AskError> {
    let now = app_access::installation(app, id).await?;
    Ok(matches!(now, Installation::Registered(registered) if registered.wish == Wish::Suspend))
}

/// A refusal of what we wish is no failure to read: the reading says what became of it.
fn driven(done: Result<(), GithubError>) -> Result<(), GithubError> {
    match done {
        Err(error) if error.passes() => Err(error),
        _ => Ok(()),
    }
}

/// What stands in the way of what was read.
async fn obstacle_of(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    registered: &Registered,
    report: &Report,
) -> Result<Option<Diagnosis>, JobError> {
    Ok(match report {
        Report::Read { app: seen, there: There::NotInstalled } if registered.account.is_none() => {
            let (holder, stuck) = (holder_of(app, id, github, seen).await?, is_late(app, id).await?);
            Some(match holder {
                Some(_) => Diagnosis::taken(holder, stuck),
                None => Diagnosis::of(Cause::NotInstalled, stuck),
            })
        }
        // A wish of ours was driven, and it is suspended still: by somebody whose doing we cannot undo.
        Report::Read { there: There::Installed(seen), .. }
            if seen.suspended.is_some() && registered.wish == Wish::Resume =>
        {
            Some(Diagnosis::of(Cause::SuspendedThere, false))
        }
        Report::Read { .. } | Report::AppDeleted | Report::KeyRejected => None,
    })
}

/// Which other integration has the organisation that owns this app, and that it waits to be installed in.
async fn holder_of(
    app: &App,
    id: IntegrationId,
    github: &GithubConnection,
    seen: &GithubApp,
) -> Result<Option<IntegrationId>, StoreError> {
    let is_its_own = seen.owner.as_ref().is_some_and(|owner| owner.is(&github.organisation));
    let Some(account) = seen.owner_id.filter(|_| is_its_own) else { return Ok(None) };
    let holder = app.log.holder(&account_claim(github.host.name(), account)).await?;
    Ok(holder.map(IntegrationId).filter(|holder| *holder != id))
}

/// Whether it has not come on for too long.
pub(super) async fn is_late(app: &App, id: IntegrationId) -> Result<bool, JobError> {
    let head = app.log.feed().head().position;
    let rows = app.read_at_least(head, installation_status::by_id(id)).await?;
    let now: Timestamp = app.clock.now();
    let stuck = i64::try_from(app.jobs.git.stuck.as_micros()).unwrap_or(i64::MAX);
    Ok(rows.first().is_some_and(|row| now.0 - row.progress_at.0 > stuck))
}

/// What stands in the way, in the words of the installation. Each has a sentence and a next step of its own.
pub(super) const fn cause_of(error: &AskError) -> Cause {
    match error {
        AskError::Sealed(_) => Cause::SecretUnreadable,
        AskError::ProxySealed(_) => Cause::ProxyCredentialUnreadable,
        AskError::Elsewhere(_) => Cause::AppElsewhere,
        AskError::Later(_) => Cause::WaitingForService,
        AskError::Github(error) => match error.trouble {
            GithubTrouble::ClockSkew { .. } => Cause::ClockSkew,
            GithubTrouble::RateLimited { .. } => Cause::RateLimited,
            GithubTrouble::AddressNotAllowed { address } => Cause::AddressNotAllowed { address },
            GithubTrouble::KeyUnreadable => Cause::SecretUnreadable,
            GithubTrouble::Unreachable(_) | GithubTrouble::NotGithub | GithubTrouble::OtherEdition { .. } => {
                Cause::Unreachable
            }
            GithubTrouble::MissingPermission { .. } => Cause::PermissionMissing,
            GithubTrouble::SignInDemanded => Cause::SignInDemanded,
            GithubTrouble::Refused { .. } | GithubTrouble::NotFound => Cause::Refused,
            // A token is asked for anew; what became of app, key and installation their status says.
            GithubTrouble::Service { .. }
            | GithubTrouble::TokenRejected
            | GithubTrouble::Suspended
            | GithubTrouble::AppDeleted
            | GithubTrouble::KeyRejected => Cause::WaitingForService,
        },
    }
}

pub(super) async fn say(app: &App, id: IntegrationId, cause: Position, command: Command) -> Result<(), JobError> {
    say_with(app, id, cause, command, Vec::new()).await
}

/// The same, with what becomes durable along with its events.
pub(super) async fn say_with(
    app: &App,
    id: IntegrationId,
    cause: Position,
    command: Command,
    companions: Vec<Statement>,
) -> Result<(), JobError> {
    Ok(dispatch(app, id, cause, command, companions).await?)
}

async fn dispatch(
    app: &App,
    id: IntegrationId,
    cause: Position,
    command: Command,
    companions: Vec<Statement>,
) -> Result<(), DispatchError> {
    match app.dispatch::<Installation>(id.0, command, Context::server(PART, cause), companions).await {
        // It was removed meanwhile.
        Ok(_) | Err(DispatchError::Refused { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
