//! What a delivery means: which command it is, and which jobs it asks for. Asked by the work on the inbox, for a few
//! deliveries at a time; what they ask for twice is asked once.

use std::collections::HashMap;

use keytrail_domain::{
    fact::Fact,
    github::GithubConnection,
    id::{IntegrationId, RepositoryId},
    installation::{Command, Event, Heard, Installation, Registered, Service, WebhookDoubt, Webhooks},
    integration::Integration,
    pull_request::{How, PullRequest, named_by},
    recorded::{Position, StreamId},
    service::Connection,
};
use keytrail_projections::repository_list::{self, RepositoryState};

use crate::{
    app::{App, Context, DispatchError},
    git::services::github::webhook::{self, HeardPull, Says},
    inbox::{Origin, State, Taken},
    jobs::{
        Kind, NewJob, app_access,
        list_pull_requests::{record, remember},
    },
};

const PART: &str = "webhooks";
/// One that lay about for longer, in microseconds, or was fetched, does not show that deliveries arrive now.
const FRESH_MICROS: i64 = 15 * 60 * 1_000_000;

/// What became of a delivery, and that in words; or why it could not be told yet.
type Told = Result<(State, String), String>;

/// What is known while a few deliveries are looked at.
pub(super) struct Meaning<'a> {
    app: &'a App,
    known: HashMap<IntegrationId, Option<(GithubConnection, Registered)>>,
    jobs: HashMap<(Kind, String), NewJob>,
}

fn done(text: &str) -> Told {
    Ok((State::Done, text.to_owned()))
}

fn ignored(text: &str) -> Told {
    Ok((State::Ignored, text.to_owned()))
}

impl<'a> Meaning<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, known: HashMap::new(), jobs: HashMap::new() }
    }

    /// What is to be done because of all of them.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &NewJob> {
        self.jobs.values()
    }

    fn ask(&mut self, kind: Kind, integration: IntegrationId, repository: Option<RepositoryId>) {
        let key = repository.map_or_else(|| integration.to_string(), |id| id.to_string());
        let caused_by = self.app.log.feed().head().position;
        let integration = Some(integration);
        let job = NewJob { kind, key: key.clone(), repository, integration, caused_by, is_urgent: true };
        self.jobs.insert((kind, key), job);
    }

    /// The app that a delivery is for; nothing when it was removed.
    async fn app_of(&mut self, id: IntegrationId) -> Result<Option<(GithubConnection, Registered)>, String> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known.clone());
        }
        let loaded = self.app.load::<Integration>(StreamId::new("integration", id.0)).await;
        let connection = match loaded.map_err(|error| error.to_string())?.0 {
            Integration::Active { connection, .. } | Integration::Paused { connection, .. } => Some(connection),
            Integration::Absent | Integration::Removed { .. } => None,
        };
        let installation = app_access::installation(self.app, id).await.map_err(|error| error.to_string())?;
        let found = match (connection, installation) {
            (Some(Connection::GithubApp(github)), Installation::Registered(registered)) => Some((*github, *registered)),
            _ => None,
        };
        self.known.insert(id, found.clone());
        Ok(found)
    }

    /// What one delivery means.
    pub(super) async fn of(&mut self, taken: &Taken) -> Told {
        let Some((github, registered)) = self.app_of(taken.integration).await? else {
            return ignored("the integration was removed");
        };
        let body = self.app.inbox.body(taken).await.map_err(|error| error.to_string())?;
        let Some(body) = body else { return Ok((State::Failed, "the stored body is damaged".to_owned())) };
        let read = match webhook::read(&taken.event, &body, &github.host) {
            Ok(read) => read,
            Err(error) => return Ok((State::Failed, error.to_string())),
        };
        let late = self.app.clock.now().0 - taken.received_at.0 > FRESH_MICROS;
        let fresh = taken.origin == Origin::Sent && !late;
        let id = taken.integration;
        // When GitHub sent one that was fetched is not known here.
        let is_over =
            read.says == Says::HookDeleted && (taken.origin == Origin::Fetched || self.is_proven_since(taken).await?);
        match read.says {
            Says::Of(heard) => return self.of_installation(taken, &github, &registered, heard, fresh).await,
            Says::HookDeleted if is_over => {
                self.ask(Kind::ReconcileInstallation, id, None);
                return done("it is late; GitHub is asked how things are");
            }
            Says::HookDeleted => {
                self.say(taken, Command::DoubtWebhooks { cause: WebhookDoubt::NoneSent, known: None }).await?;
                self.app.jobs.webhook_secrets.set_proven(id, false);
                // What came in after that was looked up, and before this, found nothing doubted and said nothing.
                if self.went_on(taken).await? {
                    self.say(taken, Command::Hear(Heard::Anything)).await?;
                }
                self.ask(Kind::ReconcileInstallation, id, None);
                return done("GitHub deleted the hook; it is asked how things are");
            }
            // One that came in before a doubt, or is worked off once more, shows nothing of now. Who takes one in lifts it.
            _ if fresh && registered.webhooks == Webhooks::Unproven => {
                self.say(taken, Command::Hear(Heard::Earlier)).await?;
            }
            _ => {}
        }
        match read.says {
            Says::Hello => return done("deliveries arrive"),
            Says::Of(_) | Says::HookDeleted | Says::Nothing => return ignored("it means nothing here"),
            Says::PullRequest(_) | Says::Moved(_) | Says::Repositories => {}
        }
        if registered.is_suspended() {
            return ignored("the app is suspended");
        }
        match (&registered.service, read.installation) {
            (Service::Installed { installation, .. }, Some(of)) if *installation == of => {}
            (_, None) => return ignored("it names no installation"),
            _ => return ignored("it is of another installation than the one that is there now"),
        }
        let (number, pull) = match read.says {
            Says::Moved(number) => (number, None),
            Says::PullRequest(heard) => (heard.repository, Some(heard)),
            _ => {
                self.ask(Kind::DiscoverRepositories, id, None);
                return done("the list of repositories is read again");
            }
        };
        let repository = RepositoryId::of(id, &format!("github_app:{}/id:{number}", github.host.name()));
        let found = self.app.read(repository_list::by_id(repository)).await.map_err(|error| error.to_string())?;
        match (found.first().map(|listed| listed.repository.state), pull) {
            (None, _) => {
                self.ask(Kind::DiscoverRepositories, id, None);
                done("the repository is not known here; the list of repositories is read again")
            }
            (Some(RepositoryState::Forgotten), _) => ignored("the repository is not seen any more"),
            (Some(_), Some(heard)) => self.of_pull_request(taken, &github, repository, *heard).await,
            (Some(_), None) => {
                self.ask(Kind::LookNow, id, Some(repository));
                done("the repository is looked at")
            }
        }
    }

    /// Whether deliveries came in after this one did: something else is there, or it was written down. What comes while
    /// nothing is doubted is not written down, and what comes once more is not kept again.
    async fn is_proven_since(&self, taken: &Taken) -> Result<bool, String> {
        if self.went_on(taken).await? {
            return Ok(true);
        }
        let stream = StreamId::new("installation", taken.integration.0);
        let events = self.app.log.stream(stream, Position::MAX).await.map_err(|error| error.to_string())?;
        let is_proof = |fact: &Fact| matches!(fact, Fact::Installation(Event::WebhooksProven {}));
        Ok(events.iter().any(|event| is_proof(&event.fact) && event.metadata.at > taken.received_at))
    }

    async fn went_on(&self, taken: &Taken) -> Result<bool, String> {
        self.app.inbox.went_on(taken).await.map_err(|error| error.to_string())
    }

    /// A pull request was opened, changed or reviewed.
    async fn of_pull_request(
        &mut self,
        taken: &Taken,
        github: &GithubConnection,
        repository: RepositoryId,
        heard: HeardPull,
    ) -> Told {
        let HeardPull { pull, review, opened, .. } = heard;
        let stream = StreamId::new("pull_request", PullRequest::id(repository, pull.number));
        let before: PullRequest = self.app.load(stream).await.map_err(|error| error.to_string())?.0;
        let (host, told) = (github.host.name(), (pull, review.into_iter().collect()));
        let context = Context::delivery(PART, taken.delivery);
        let known = remember(self.app, host, std::slice::from_ref(&told)).await;
        known.map_err(|error| error.to_string())?;
        let recorded = record(self.app, host, repository, &told, How::Heard, context).await;
        recorded.map_err(|error| error.to_string())?;
        // Reviews are not told again, and were not asked for while it named nothing.
        let (pull, _) = &told;
        if !opened && !before.names_any() && !named_by(&pull.title, &pull.body, &pull.source).is_empty() {
            self.ask(Kind::ListPullRequests, taken.integration, Some(repository));
        }
        done("the pull request is written down")
    }

    async fn of_installation(
        &mut self,
        taken: &Taken,
        github: &GithubConnection,
        registered: &Registered,
        heard: Heard,
        fresh: bool,
    ) -> Told {
        let id = taken.integration;
        if let Heard::Installed(seen) = &heard
            && registered.account.is_none()
            && !seen.account.login.is(&github.organisation)
        {
            // Unless it is the same by another name, which GitHub knows.
            self.ask(Kind::ReconcileInstallation, id, None);
            return ignored("it is of another organisation than the one that is connected");
        }
        if let Heard::PermissionsAccepted { installation, .. }
        | Heard::Suspended { installation, .. }
        | Heard::Uninstalled { installation } = &heard
        {
            // A token keeps the rights that it was made with.
            self.app.jobs.app_tokens.forget(github.host.name(), *installation);
        }
        self.ask(Kind::ReconcileInstallation, id, None);
        if matches!(heard, Heard::SelectionChanged { .. } | Heard::Resumed { .. }) {
            self.ask(Kind::DiscoverRepositories, id, None);
        }
        if !fresh {
            return done("it is late; GitHub is asked how things are");
        }
        match self.say(taken, Command::Hear(heard)).await? {
            None => done("it was taken down; GitHub is asked whether it is still so"),
            Some(refused) => Ok((State::Ignored, refused)),
        }
    }

    /// Says it to the installation; what comes back is why it was refused.
    async fn say(&mut self, taken: &Taken, command: Command) -> Result<Option<String>, String> {
        let context = Context::delivery(PART, taken.delivery);
        let said = self.app.dispatch::<Installation>(taken.integration.0, command, context, Vec::new()).await;
        self.known.remove(&taken.integration);
        match said {
            Ok(_) => Ok(None),
            Err(DispatchError::Refused { text, .. }) => Ok(Some(text)),
            Err(error) => Err(error.to_string()),
        }
    }
}
