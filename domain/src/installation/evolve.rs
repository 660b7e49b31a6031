//! The state of an installation after an event. Total: what a state has no use for leaves it as it is.

use super::{
    Confirmation, Diagnosis, Event, Halt, Installation, Registered, Registration, RemovedApp, Service, Webhooks, Wish,
};
use crate::{display_text::DisplayText, github::App};

pub(super) fn evolve(state: &mut Installation, event: &Event) {
    match event {
        Event::RegistrationOpened { state: digest, expires_at } => {
            let opened =
                Registration { state: digest.clone(), expires_at: *expires_at, returned: false, diagnosis: None };
            *state = Installation::Registering(opened);
        }
        Event::RegistrationReturned { .. } => {
            if let Installation::Registering(opened) = state {
                opened.returned = true;
            }
        }
        Event::AppRegistered { host, app, key, webhook_secret, client_secret } => {
            *state = Installation::Registered(Box::new(Registered {
                host: host.clone(),
                app: app.clone(),
                registered_as: Some(Box::new(app.clone())),
                key: key.clone(),
                key_rejected: false,
                webhook_secret: *webhook_secret,
                previous_webhook_secret: None,
                previous_taken_until: None,
                // GitHub may have made no secret, and then takes one.
                webhook_wished: webhook_secret.is_none(),
                webhook_told: None,
                client_secret: *client_secret,
                account: None,
                service: Service::NotInstalled,
                past: Vec::new(),
                wish: Wish::Unsaid,
                webhooks: Webhooks::Unproven,
                differing: Vec::new(),
                diagnosis: None,
                confirmation: None,
            }));
        }
        Event::Adopted { host, app, key, webhook_secret } => {
            let registered = Event::AppRegistered {
                host: host.clone(),
                app: app.clone(),
                key: key.clone(),
                webhook_secret: *webhook_secret,
                client_secret: None,
            };
            evolve(state, &registered);
            // Where its deliveries went before is somebody else's address.
            evolve(state, &Event::WebhookWished {});
        }
        Event::Removed { app, host, remainder, kept, .. } => {
            let app = app.zip(host.clone()).map(|(id, host)| RemovedApp { host, id });
            *state = Installation::Removed { app, remainder: remainder.clone(), kept: kept.clone().map(Box::new) };
        }
        Event::RemainderChanged { remainder: now } => {
            if let Installation::Removed { remainder, .. } = state {
                *remainder = Some(now.clone());
            }
        }
        Event::RemainderGone {} => {
            if let Installation::Removed { remainder, kept, .. } = state {
                (*remainder, *kept) = (None, None);
            }
        }
        Event::Diagnosed { cause, stuck, listing, holder } => {
            let found = Diagnosis { cause: *cause, stuck: *stuck, listing: *listing, holder: *holder };
            diagnose(state, Some(found));
        }
        Event::Cleared {} => diagnose(state, None),
        other => {
            if let Installation::Registered(registered) = state {
                registered_evolves(registered, other);
            }
        }
    }
}

fn diagnose(state: &mut Installation, now: Option<Diagnosis>) {
    match state {
        Installation::Registering(opened) => opened.diagnosis = now,
        Installation::Registered(registered) => registered.diagnosis = now,
        Installation::Absent | Installation::Removed { .. } => {}
    }
}

fn registered_evolves(state: &mut Registered, event: &Event) {
    match event {
        Event::ApprovalRequested { by } => state.service = Service::ApprovalRequested { by: by.clone() },
        Event::ApprovalWithdrawn {} | Event::AppFound {} => state.service = not_installed(state),
        Event::Installed { installation, account, selection, permissions }
        | Event::Reinstalled { installation, account, selection, permissions } => {
            retire(state);
            state.account = Some(account.clone());
            state.service = Service::Installed {
                installation: *installation,
                selection: *selection,
                permissions: permissions.clone(),
                suspended: None,
            };
        }
        Event::Suspended { by, since } => {
            let by_the_app = is_bot_of(&state.app, by.as_ref());
            if let Service::Installed { suspended, .. } = &mut state.service {
                *suspended = Some(Halt { by: by.clone(), since: *since, by_the_app });
            }
        }
        Event::Resumed {} => {
            if let Service::Installed { suspended, .. } = &mut state.service {
                *suspended = None;
            }
            // Fulfilled. A wish to suspend outlives it, and is driven on.
            if state.wish == Wish::Resume {
                state.wish = Wish::Unsaid;
            }
        }
        Event::SuspensionWished {} => state.wish = Wish::Suspend,
        // Also where GitHub has not said yet that it is suspended: a wish that was on its way may have got there.
        Event::SuspensionLifted {} => state.wish = Wish::Resume,
        Event::Uninstalled { .. } => {
            retire(state);
            state.service = Service::Uninstalled;
            state.wish = Wish::Unsaid;
        }
        Event::AppDeleted {} => {
            retire(state);
            state.service = Service::AppDeleted;
            state.wish = Wish::Unsaid;
        }
        Event::KeyRotated { key, .. } => {
            state.key = key.clone();
            state.key_rejected = false;
        }
        Event::KeyRejected {} => state.key_rejected = true,
        Event::KeyAccepted {} => state.key_rejected = false,
        Event::WebhookSecretRotated { secret, previous, until } => {
            state.webhook_secret = Some(*secret);
            state.previous_webhook_secret = *previous;
            state.previous_taken_until = *until;
            state.webhook_wished = true;
        }
        Event::WebhookWished {} => state.webhook_wished = true,
        Event::WebhookTold { address } => {
            state.webhook_wished = false;
            state.webhook_told = Some(address.clone());
        }
        Event::WebhookSecretRetired { secret } => {
            if state.previous_webhook_secret == Some(*secret) {
                state.previous_webhook_secret = None;
                state.previous_taken_until = None;
            }
        }
        Event::AppChanged { app } => {
            state.app = app.clone();
            // A delivery may have named it so before.
            if let Service::Installed { suspended: Some(halt), .. } = &mut state.service {
                halt.by_the_app |= is_bot_of(app, halt.by.as_ref());
            }
        }
        Event::AccountRenamed { login } => {
            if let Some(account) = &mut state.account {
                account.login = login.clone();
            }
        }
        Event::PermissionsChanged { permissions: now } => {
            if let Service::Installed { permissions, .. } = &mut state.service {
                permissions.clone_from(now);
            }
        }
        Event::SelectionChanged { selection: now } => {
            if let Service::Installed { selection, .. } = &mut state.service {
                *selection = *now;
            }
        }
        Event::WebhooksProven {} => state.webhooks = Webhooks::Proven,
        Event::WebhooksDoubted { cause } => state.webhooks = Webhooks::Doubted { cause: *cause },
        Event::ConfirmationWanted { repositories, kilobytes, proposed } => {
            state.confirmation = Some(Confirmation::Wanted {
                repositories: *repositories,
                kilobytes: *kilobytes,
                proposed: proposed.clone(),
            });
        }
        Event::ConfirmationGiven { repositories } => {
            state.confirmation = Some(Confirmation::Given { repositories: *repositories });
        }
        Event::ConfirmationSpared {} => state.confirmation = None,
        Event::PropertiesCompared { differing } => state.differing.clone_from(differing),
        // Taken care of for every state.
        Event::RegistrationOpened { .. }
        | Event::RegistrationReturned { .. }
        | Event::AppRegistered { .. }
        | Event::Adopted { .. }
        | Event::Removed { .. }
        | Event::RemainderChanged { .. }
        | Event::RemainderGone {}
        | Event::Diagnosed { .. }
        | Event::Cleared {} => {}
    }
}

/// What is said of the installation that was there says nothing of one to come.
fn retire(state: &mut Registered) {
    if let Some(installation) = state.installation()
        && !state.past.contains(&installation)
    {
        state.past.push(installation);
    }
}

/// Whether it is the name by which GitHub tells what this app did.
fn is_bot_of(app: &App, name: Option<&DisplayText>) -> bool {
    name.is_some_and(|name| name.as_str().strip_suffix("[bot]") == Some(app.slug.as_str()))
}

const fn not_installed(state: &Registered) -> Service {
    if state.account.is_some() { Service::Uninstalled } else { Service::NotInstalled }
}
