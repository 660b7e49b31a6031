//! An installation: a GitHub App of ours in one organisation, from the first step of registering it to what is left of
//! it. Two axes: what we wish, and what GitHub reports.

mod command;
mod decide;
mod diagnosis;
mod error;
mod event;
mod evolve;
mod parts;
mod properties;
mod report;
mod status;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    command::{Command, TooMany},
    diagnosis::Diagnosis,
    error::Error,
    event::Event,
    parts::{Account, Cause, Confirmation, Difference, Key, Property, Remainder, Selection, StateDigest, WebhookDoubt},
    properties::{Compared, SeenHook, compared, differing},
    report::{Heard, Report, Seen, Suspension, There},
    status::Status,
};
use crate::{
    aggregate::Aggregate,
    claim::{Claim, ClaimChange, ClaimScope},
    display_text::DisplayText,
    event_sourced,
    github::{App, Login},
    secret_ref::SecretRef,
    stamped::Stamped,
    timestamp::Timestamp,
};

/// Where an installation is in its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Installation {
    /// Nothing happened yet.
    #[default]
    Absent,
    /// A person is registering an app at GitHub.
    Registering(Registration),
    /// There is an app.
    Registered(Box<Registered>),
    /// Its integration is gone.
    Removed {
        /// Which app it had, if it had one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        app: Option<RemovedApp>,
        /// What is left at GitHub.
        remainder: Option<Remainder>,
        /// The app, while its secrets are kept for whoever takes it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Box<Kept>>,
    },
}

/// An app that was removed here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedApp {
    /// Host and port of its GitHub.
    pub host: String,
    /// Its id there.
    pub id: u64,
}

/// An app that was removed here, and whose secrets are still sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Host and port of its GitHub.
    pub host: String,
    /// Its id there.
    pub app: u64,
    /// Its private key.
    pub key: Key,
    /// What deliveries are signed with.
    pub webhook_secret: Option<SecretRef>,
    /// GitHub's id of its installation, while there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation: Option<u64>,
    /// GitHub's id of its organisation, once it was installed there: names change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<u64>,
}

/// A registration that was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Digest of what has to come back.
    pub state: StateDigest,
    /// Until when.
    pub expires_at: Timestamp,
    /// Whether it came back.
    pub returned: bool,
    /// What stands in the way.
    pub diagnosis: Option<Diagnosis>,
}

/// An app that is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Host and port of its GitHub.
    pub host: String,
    /// What GitHub says of it.
    pub app: App,
    /// What GitHub said of it when it became ours: what must not be changed is compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_as: Option<Box<App>>,
    /// Its private key.
    pub key: Key,
    /// Whether GitHub refuses the key.
    pub key_rejected: bool,
    /// What deliveries are signed with.
    pub webhook_secret: Option<SecretRef>,
    /// What they were signed with before; still taken.
    pub previous_webhook_secret: Option<SecretRef>,
    /// Until when that is taken at least; it is taken longer when GitHub could not be told of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_taken_until: Option<Timestamp>,
    /// Whether GitHub is to be told where deliveries go, and what they are signed with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub webhook_wished: bool,
    /// Where GitHub was told last to send them; nothing while that stands as the app was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_told: Option<DisplayText>,
    /// For signing persons in.
    pub client_secret: Option<SecretRef>,
    /// The organisation that it was first installed in. It stays when the app is uninstalled.
    pub account: Option<Account>,
    /// What GitHub reports.
    pub service: Service,
    /// Ids under which it was installed before. What is heard of them changes nothing.
    pub past: Vec<u64>,
    /// What we wish.
    pub wish: Wish,
    /// Whether deliveries come in.
    pub webhooks: Webhooks,
    /// What is not as it was set up.
    pub differing: Vec<Difference>,
    /// What stands in the way.
    pub diagnosis: Option<Diagnosis>,
    /// Whether a person is asked, or was, because there are so many repositories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
}

/// What GitHub reports of an app in its organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "service", rename_all = "snake_case")]
pub enum Service {
    /// It was never installed.
    NotInstalled,
    /// A member asked for it.
    ApprovalRequested {
        /// Who.
        by: Option<Login>,
    },
    /// It is installed.
    Installed {
        /// GitHub's id of the installation.
        installation: u64,
        /// Of which repositories.
        selection: Selection,
        /// What it may do.
        permissions: BTreeMap<String, String>,
        /// Whether it is suspended.
        suspended: Option<Halt>,
    },
    /// It was installed once.
    Uninstalled,
    /// The app is no more.
    AppDeleted,
}

/// A suspension that GitHub reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// By whom, as far as GitHub says.
    pub by: Option<DisplayText>,
    /// Since when, by GitHub's clock.
    pub since: Option<Timestamp>,
    /// Whether that was the app itself, by the name that it had then or got since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_the_app: bool,
}

/// What a person here wishes, until GitHub reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Nothing.
    Unsaid,
    /// That it be suspended, until they say otherwise.
    Suspend,
    /// That it run again.
    Resume,
}

/// Whether deliveries come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "webhooks", rename_all = "snake_case")]
pub enum Webhooks {
    /// None came in yet.
    Unproven,
    /// One came in.
    Proven,
    /// They should and do not.
    Doubted {
        /// Why.
        cause: WebhookDoubt,
    },
}

/// What the one integration holds that has this app, by host and id.
pub fn app_claim(host: &str, app: u64) -> Claim {
    ClaimChange::take(ClaimScope::GithubApp, app_key(host, app)).claim().clone()
}

/// What the one integration holds whose app is, or was, installed in this organisation, by host and id.
pub fn account_claim(host: &str, account: u64) -> Claim {
    ClaimChange::take(ClaimScope::GithubAccount, account_key(host, account)).claim().clone()
}

fn app_key(host: &str, app: u64) -> String {
    format!("{host}/app:{app}")
}

fn account_key(host: &str, account: u64) -> String {
    format!("{host}/account:{account}")
}

impl Installation {
    /// Whether this app, by host and id, was removed, and something of it is left: at GitHub, or sealed here.
    pub fn leaves(&self, host: &str, app: u64) -> bool {
        match self {
            Self::Removed { app: Some(known), remainder, kept } => {
                known.id == app && known.host == host && (remainder.is_some() || kept.is_some())
            }
            Self::Removed { app: None, .. } | Self::Absent | Self::Registering(_) | Self::Registered(_) => false,
        }
    }
}

impl Registered {
    /// GitHub's id of the installation, while there is one.
    pub const fn installation(&self) -> Option<u64> {
        match self.service {
            Service::Installed { installation, .. } => Some(installation),
            _ => None,
        }
    }

    /// Whether nothing of it is to be indexed: we wish so, or GitHub reports so.
    pub const fn is_suspended(&self) -> bool {
        matches!(self.wish, Wish::Suspend) || matches!(self.service, Service::Installed { suspended: Some(_), .. })
    }

    /// Whether it runs, and the organisation does not let it read pull requests. All else goes on.
    pub fn may_not_read_pull_requests(&self) -> bool {
        !self.is_suspended() && self.is_kept_from_pull_requests()
    }

    /// Whether the organisation does not let it read pull requests, be it that it runs or not.
    pub fn is_kept_from_pull_requests(&self) -> bool {
        let lacks = |permissions: &BTreeMap<String, String>| !permissions.contains_key("pull_requests");
        matches!(&self.service, Service::Installed { permissions, .. } if lacks(permissions))
    }

    /// Whether deliveries say all that happens: they come in, and GitHub sends them here. Somebody who passes them on from
    /// elsewhere may stop that any time.
    pub fn is_told_by_deliveries(&self) -> bool {
        let goes_elsewhere = self.differing.iter().any(|one| one.property == Property::Webhook);
        self.webhooks == Webhooks::Proven && !goes_elsewhere
    }

    /// Where an owner of the organisation settles what the installation may do, while there is one.
    pub fn installation_url(&self) -> Option<String> {
        let login = &self.account.as_ref()?.login;
        let id = self.installation()?;
        Some(format!("{}/organizations/{login}/settings/installations/{id}", self.app.origin()))
    }

    /// The secrets that a delivery may be signed with, the newest first.
    pub fn webhook_secrets(&self) -> impl Iterator<Item = SecretRef> {
        self.webhook_secret.into_iter().chain(self.previous_webhook_secret)
    }
}

impl Aggregate for Installation {
    const TYPE: &'static str = "installation";
    type Command = Command;
    type Event = Event;
    type Error = Error;

    fn decide(&self, stamped: Stamped<Command>) -> Result<Vec<Event>, Error> {
        decide::decide(self, stamped)
    }

    fn evolve(&mut self, event: &Event) {
        evolve::evolve(self, event);
    }

    fn claims(event: &Event) -> Vec<ClaimChange> {
        use ClaimScope::{GithubAccount, GithubApp};
        match event {
            Event::AppRegistered { host, app, .. } | Event::Adopted { host, app, .. } => {
                vec![ClaimChange::take(GithubApp, app_key(host, app.id))]
            }
            Event::Installed { account, .. } => {
                vec![ClaimChange::take(GithubAccount, account_key(&account.host, account.id))]
            }
            Event::Removed { app, host: Some(host), account, .. } => {
                let app = app.map(|app| ClaimChange::release(GithubApp, app_key(host, app)));
                let account = account.map(|account| ClaimChange::release(GithubAccount, account_key(host, account)));
                app.into_iter().chain(account).collect()
            }
            Event::Removed { host: None, .. }
            | Event::RegistrationOpened { .. }
            | Event::RegistrationReturned { .. }
            | Event::ApprovalRequested { .. }
            | Event::ApprovalWithdrawn {}
            // The organisation stays the holder's while the app is uninstalled.
            | Event::Reinstalled { .. }
            | Event::Suspended { .. }
            | Event::Resumed {}
            | Event::SuspensionWished {}
            | Event::SuspensionLifted {}
            | Event::Uninstalled { .. }
            | Event::AppDeleted {}
            | Event::AppFound {}
            | Event::KeyRotated { .. }
            | Event::KeyRejected {}
            | Event::KeyAccepted {}
            | Event::WebhookSecretRotated { .. }
            | Event::WebhookSecretRetired { .. }
            | Event::WebhookWished {}
            | Event::WebhookTold { .. }
            | Event::AppChanged { .. }
            | Event::AccountRenamed { .. }
            | Event::PermissionsChanged { .. }
            | Event::SelectionChanged { .. }
            | Event::WebhooksProven {}
            | Event::WebhooksDoubted { .. }
            | Event::PropertiesCompared { .. }
            | Event::Diagnosed { .. }
            | Event::Cleared {}
            | Event::ConfirmationWanted { .. }
            | Event::ConfirmationGiven { .. }
            | Event::ConfirmationSpared {}
            | Event::RemainderChanged { .. }
            | Event::RemainderGone {} => Vec::new(),
        }
    }
}

event_sourced!(Installation);
