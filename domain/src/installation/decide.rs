//! What follows from a wish about an installation, and from what GitHub says of it.

use super::{
    Command, Confirmation, Diagnosis, Difference, Error, Event, Halt, Heard, Installation, Kept, Property, Registered,
    Remainder, Report, Seen, Service, Suspension, There, TooMany, Webhooks, Wish,
};
use crate::{aggregate::Aggregate as _, display_text::DisplayText, github::App, stamped::Stamped};

pub(super) fn decide(state: &Installation, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
    match (stamped.command, state) {
        (Command::Remove { .. }, Installation::Absent | Installation::Removed { .. })
        | (Command::ConfirmGone, Installation::Removed { remainder: None, kept: None, .. }) => Ok(Vec::new()),
        (Command::ConfirmGone, Installation::Removed { .. }) => Ok(vec![Event::RemainderGone {}]),
        (Command::ReportRemainder { app, installed }, Installation::Removed { remainder, kept: Some(_), .. }) => {
            let now = left_of(&app, installed);
            let known = remainder.as_ref() == Some(&now);
            Ok(if known { Vec::new() } else { vec![Event::RemainderChanged { remainder: now }] })
        }
        // What was under way when it was removed has nothing to say.
        (
            Command::Report(_)
            | Command::Hear(_)
            | Command::Diagnose(_)
            | Command::Clear
            | Command::DoubtWebhooks { .. }
            | Command::CompareProperties { .. }
            | Command::CountRepositories { .. }
            | Command::ReportRemainder { .. }
            | Command::RetireWebhookSecret { .. }
            | Command::TellWebhook { .. },
            Installation::Removed { .. },
        ) => Ok(Vec::new()),
        (_, Installation::Removed { .. }) => Err(Error::Removed),

        (Command::OpenRegistration { .. }, Installation::Registered(_)) => Err(Error::AlreadyRegistered),
        (Command::OpenRegistration { state, .. }, Installation::Registering(opened)) if opened.state == state => {
            Ok(Vec::new())
        }
        (Command::OpenRegistration { state, expires_at }, _) => {
            Ok(vec![Event::RegistrationOpened { state, expires_at }])
        }
        (Command::ReturnFromRegistration { state }, Installation::Registering(opened)) => {
            if opened.state != state {
                Err(Error::StateUnknown)
            } else if opened.returned {
                Err(Error::StateUsed)
            } else if stamped.at > opened.expires_at {
                Err(Error::StateExpired)
            } else {
                Ok(vec![Event::RegistrationReturned { state }])
            }
        }
        (Command::ReturnFromRegistration { .. }, Installation::Registered(_)) => Err(Error::StateUsed),
        (Command::ReturnFromRegistration { .. }, Installation::Absent) => Err(Error::StateUnknown),
        (Command::RegisterApp { host, app, key, webhook_secret, client_secret }, Installation::Registering(opened))
            if opened.returned =>
        {
            Ok(vec![Event::AppRegistered { host, app, key, webhook_secret, client_secret }])
        }
        (Command::RegisterApp { .. }, Installation::Absent | Installation::Registering(_)) => Err(Error::Unknown),
        (Command::Adopt { host, app, key, webhook_secret }, Installation::Absent | Installation::Registering(_)) => {
            Ok(vec![Event::Adopted { host, app, key, webhook_secret }])
        }
        (Command::RegisterApp { app, key, .. } | Command::Adopt { app, key, .. }, Installation::Registered(known)) => {
            let same = app.id == known.app.id && key.fingerprint == known.key.fingerprint;
            if same { Ok(Vec::new()) } else { Err(Error::AlreadyRegistered) }
        }

        (Command::Diagnose(found), Installation::Registering(opened)) => Ok(diagnosed(opened.diagnosis, found)),
        (Command::Clear, Installation::Registering(opened)) => {
            Ok(opened.diagnosis.map(|_| Event::Cleared {}).into_iter().collect())
        }
        (Command::Remove { .. }, Installation::Registering(_)) => {
            Ok(vec![Event::Removed { app: None, host: None, account: None, remainder: None, kept: None }])
        }
        (Command::Clear, Installation::Absent) => Ok(Vec::new()),
        (_, Installation::Absent | Installation::Registering(_)) => Err(Error::NotRegistered),
        (command, Installation::Registered(registered)) => of_registered(registered, command),
    }
}

fn of_registered(state: &Registered, command: Command) -> Result<Vec<Event>, Error> {
    Ok(match command {
        Command::Report(report) => reported(state, report),
        Command::Hear(heard) => self::heard(state, heard)?,
        Command::Suspend => match state.service {
            Service::Installed { .. } if state.wish == Wish::Suspend => Vec::new(),
            Service::Installed { .. } => vec![Event::SuspensionWished {}],
            Service::AppDeleted => return Err(Error::AppDeleted),
            _ => return Err(Error::NotInstalled),
        },
        Command::Resume => match (&state.service, state.wish) {
            (Service::Installed { .. }, Wish::Resume) => Vec::new(),
            (Service::Installed { suspended: None, .. }, Wish::Unsaid) => Vec::new(),
            (Service::Installed { .. }, _) => vec![Event::SuspensionLifted {}],
            (Service::AppDeleted, _) => return Err(Error::AppDeleted),
            _ => return Err(Error::NotInstalled),
        },
        Command::RotateKey { app, .. } if app != state.app.id => return Err(Error::OtherApp),
        // The same one that is sealed anew is another secret: what was sealed before cannot be opened any more.
        Command::RotateKey { key, .. } if key == state.key => Vec::new(),
        Command::RotateKey { key, .. } => vec![Event::KeyRotated { key, previous: state.key.fingerprint.clone() }],
        Command::RotateWebhookSecret { secret, .. } if state.webhook_secret == Some(secret) => Vec::new(),
        Command::RotateWebhookSecret { .. } if state.previous_webhook_secret.is_some() => {
            return Err(Error::RotationUnfinished);
        }
        Command::RotateWebhookSecret { secret, until } => {
            let previous = state.webhook_secret;
            vec![Event::WebhookSecretRotated { secret, previous, until: previous.and(until) }]
        }
        Command::RetireWebhookSecret { secret } if state.previous_webhook_secret == Some(secret) => {
            vec![Event::WebhookSecretRetired { secret }]
        }
        Command::RetireWebhookSecret { .. } => Vec::new(),
        Command::WishWebhook if state.webhook_wished => Vec::new(),
        Command::WishWebhook => vec![Event::WebhookWished {}],
        // Of a secret that was changed meanwhile it is to be told still.
        Command::TellWebhook { address, secret } if state.webhook_wished && state.webhook_secret == Some(secret) => {
            vec![Event::WebhookTold { address }]
        }
        Command::TellWebhook { .. } => Vec::new(),
        Command::DoubtWebhooks { known, .. } if known.is_some_and(|known| known != state.webhooks) => Vec::new(),
        Command::DoubtWebhooks { cause, .. } if state.webhooks == (Webhooks::Doubted { cause }) => Vec::new(),
        Command::DoubtWebhooks { cause, .. } => vec![Event::WebhooksDoubted { cause }],
        Command::CompareProperties { differing, .. } if differing == state.differing => Vec::new(),
        // The delivery that came in while that was looked up may have been sent before they went elsewhere. Written down it
        // would be known, and no doubt: the next look says it.
        Command::CompareProperties { differing, known }
            if known != Webhooks::Proven
                && state.webhooks == Webhooks::Proven
                && webhook_differs_anew(state, &differing) =>
        {
            Vec::new()
        }
        Command::CompareProperties { differing, .. } => vec![Event::PropertiesCompared { differing }],
        Command::Diagnose(found) => diagnosed(state.diagnosis, found),
        Command::Clear => state.diagnosis.map(|_| Event::Cleared {}).into_iter().collect(),
        Command::CountRepositories { too_many } => counted(state, too_many),
        Command::ConfirmRepositories => match state.confirmation {
            Some(Confirmation::Wanted { repositories, .. }) => vec![Event::ConfirmationGiven { repositories }],
            Some(Confirmation::Given { .. }) => Vec::new(),
            None => return Err(Error::NothingToConfirm),
        },
        Command::Remove { uninstalled, keep, app } => vec![Event::Removed {
            app: Some(state.app.id),
            host: Some(state.host.clone()),
            account: state.account.as_ref().map(|account| account.id),
            remainder: remainder(state, uninstalled, app.as_ref()),
            kept: keep.then(|| Kept {
                host: state.host.clone(),
                app: state.app.id,
                key: state.key.clone(),
                webhook_secret: state.webhook_secret,
                installation: state.installation(),
                account: state.account.as_ref().map(|account| account.id),
            }),
        }],
        // Nothing is left of what is there.
        Command::ConfirmGone | Command::ReportRemainder { .. } => Vec::new(),
        // Decided for every state.
        Command::OpenRegistration { .. }
        | Command::ReturnFromRegistration { .. }
        | Command::RegisterApp { .. }
        | Command::Adopt { .. } => return Err(Error::AlreadyRegistered),
    })
}

/// The same is not said twice, nor in turns by all who meet it.
fn diagnosed(known: Option<Diagnosis>, found: Diagnosis) -> Vec<Event> {
    let Diagnosis { cause, stuck, listing, holder } = found;
    if known.is_some_and(|known| known == found || known.is_met_again_as(found)) {
        Vec::new()
    } else {
        vec![Event::Diagnosed { cause, stuck, listing, holder }]
    }
}

/// A person is asked once; what they said holds for more to come.
fn counted(state: &Registered, too_many: Option<TooMany>) -> Vec<Event> {
    match (too_many, &state.confirmation) {
        (None, Some(Confirmation::Wanted { .. })) => vec![Event::ConfirmationSpared {}],
        (None, _) | (Some(_), Some(Confirmation::Given { .. })) => Vec::new(),
        (Some(TooMany { repositories: now, .. }), Some(Confirmation::Wanted { repositories, .. }))
            if now == *repositories =>
        {
            Vec::new()
        }
        (Some(TooMany { repositories, kilobytes, proposed }), _) => {
            vec![Event::ConfirmationWanted { repositories, kilobytes, proposed }]
        }
    }
}

/// Events one after the other, each decided on what the last left.
struct Story {
    now: Registered,
    events: Vec<Event>,
}

impl Story {
    fn say(&mut self, event: Event) {
        let mut state = Installation::Registered(Box::new(self.now.clone()));
        state.evolve(&event);
        if let Installation::Registered(now) = state {
            self.now = *now;
        }
        self.events.push(event);
    }

    /// It is installed and this is how.
    fn installed(&mut self, seen: Seen) {
        let Seen { installation, account, selection, permissions, suspended } = seen;
        if self.now.installation() != Some(installation) {
            self.say(if self.now.account.is_none() {
                Event::Installed { installation, account: account.clone(), selection, permissions: permissions.clone() }
            } else {
                Event::Reinstalled {
                    installation,
                    account: account.clone(),
                    selection,
                    permissions: permissions.clone(),
                }
            });
        }
        if self.now.account.as_ref().is_some_and(|known| known.login != account.login) {
            self.say(Event::AccountRenamed { login: account.login });
        }
        let Service::Installed { selection: known_selection, permissions: known_permissions, .. } = &self.now.service
        else {
            return;
        };
        let (other_selection, other_permissions) = (*known_selection != selection, *known_permissions != permissions);
        if other_selection {
            self.say(Event::SelectionChanged { selection });
        }
        if other_permissions {
            self.say(Event::PermissionsChanged { permissions });
        }
        match suspended {
            Some(suspension) => {
                // Both sides can suspend it, and the one that counts may be another than before.
                let other = |known: &Halt| suspension.by.is_some() && known.by != suspension.by;
                let Service::Installed { suspended, .. } = &self.now.service else { return };
                if suspended.as_ref().is_some_and(other) {
                    self.say(Event::Suspended { by: suspension.by, since: suspension.since });
                } else {
                    self.suspended(suspension);
                }
            }
            None => self.resumed(),
        }
    }

    fn suspended(&mut self, Suspension { by, since }: Suspension) {
        let Service::Installed { suspended, .. } = &self.now.service else { return };
        // Saying it twice is no second fact, unless the second says who.
        if suspended.as_ref().is_none_or(|known| known.by.is_none() && by.is_some()) {
            self.say(Event::Suspended { by, since });
        }
    }

    fn resumed(&mut self) {
        if matches!(self.now.service, Service::Installed { suspended: Some(_), .. }) {
            self.say(Event::Resumed {});
        }
    }

    fn uninstalled(&mut self) {
        if let Some(installation) = self.now.installation() {
            self.say(Event::Uninstalled { installation });
        }
    }
}

fn reported(state: &Registered, report: Report) -> Vec<Event> {
    let mut story = Story { now: state.clone(), events: Vec::new() };
    match report {
        Report::AppDeleted if state.service == Service::AppDeleted => {}
        Report::AppDeleted => story.say(Event::AppDeleted {}),
        Report::KeyRejected if state.key_rejected => {}
        Report::KeyRejected => story.say(Event::KeyRejected {}),
        Report::Read { app, there } => {
            if state.key_rejected {
                story.say(Event::KeyAccepted {});
            }
            if state.service == Service::AppDeleted {
                story.say(Event::AppFound {});
            }
            if app != state.app {
                story.say(Event::AppChanged { app });
            }
            match there {
                There::Installed(seen) => {
                    let runs = seen.suspended.is_none();
                    story.installed(seen);
                    // What was lifted before GitHub said that it was done never was, or is undone.
                    if runs && story.now.wish == Wish::Resume {
                        story.say(Event::Resumed {});
                    }
                }
                There::ApprovalRequested { by } => {
                    story.uninstalled();
                    let asked = Service::ApprovalRequested { by: by.clone() };
                    if story.now.service != asked {
                        story.say(Event::ApprovalRequested { by });
                    }
                }
                There::NotInstalled => {
                    story.uninstalled();
                    if matches!(story.now.service, Service::ApprovalRequested { .. }) {
                        story.say(Event::ApprovalWithdrawn {});
                    }
                }
            }
        }
    }
    story.events
}

fn heard(state: &Registered, heard: Heard) -> Result<Vec<Event>, Error> {
    let mut story = Story { now: state.clone(), events: Vec::new() };
    // What a delivery says is worked off later, when it may be doubted again that any come in; what has just come in is heard
    // as anything.
    if state.webhooks == Webhooks::Unproven || state.webhooks != Webhooks::Proven && heard == Heard::Anything {
        story.say(Event::WebhooksProven {});
    }
    let current = state.installation();
    match heard {
        Heard::Installed(seen) => {
            if state.account.as_ref().is_some_and(|known| known.id != seen.account.id) {
                return Err(Error::OtherAccount);
            }
            // While another one is current only the API can say which of them is the later.
            let late = state.past.contains(&seen.installation);
            if current.is_none() && !late && state.service != Service::AppDeleted {
                story.installed(seen);
            }
        }
        Heard::Uninstalled { installation } if current == Some(installation) => story.uninstalled(),
        Heard::Suspended { installation, suspension } if current == Some(installation) => story.suspended(suspension),
        Heard::Resumed { installation } if current == Some(installation) => story.resumed(),
        Heard::PermissionsAccepted { installation, permissions } if current == Some(installation) => {
            if let Service::Installed { permissions: known, .. } = &state.service
                && *known != permissions
            {
                story.say(Event::PermissionsChanged { permissions });
            }
        }
        Heard::SelectionChanged { installation, selection } if current == Some(installation) => {
            if let Service::Installed { selection: known, .. } = state.service
                && known != selection
            {
                story.say(Event::SelectionChanged { selection });
            }
        }
        Heard::AccountRenamed { account, login } => {
            if state.account.as_ref().is_some_and(|known| known.id == account && known.login != login) {
                story.say(Event::AccountRenamed { login });
            }
        }
        Heard::Anything
        | Heard::Earlier
        | Heard::Uninstalled { .. }
        | Heard::Suspended { .. }
        | Heard::Resumed { .. }
        | Heard::PermissionsAccepted { .. }
        | Heard::SelectionChanged { .. } => {}
    }
    Ok(story.events)
}

/// Whether the webhook differs in a way that is not written down yet.
fn webhook_differs_anew(state: &Registered, differing: &[Difference]) -> bool {
    differing.iter().any(|one| one.property == Property::Webhook && !state.differing.contains(one))
}

/// What stays at GitHub: the app itself, which only a person can delete, and perhaps its installation.
fn remainder(state: &Registered, uninstalled: bool, read: Option<&App>) -> Option<Remainder> {
    let installed = !uninstalled && state.installation().is_some();
    (state.service != Service::AppDeleted).then(|| left_of(read.unwrap_or(&state.app), installed))
}

fn left_of(app: &App, installed: bool) -> Remainder {
    Remainder {
        installed,
        link: DisplayText::clean(&app.list_url()),
        owner: app.owner.clone(),
        app: Some(app.name.clone()),
    }
}
