//! What happens to an installation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    display_text::DisplayText,
    github::{App, KeyFingerprint, Login},
    id::IntegrationId,
    installation::{Account, Cause, Difference, Kept, Key, Remainder, Selection, StateDigest, WebhookDoubt},
    secret_ref::SecretRef,
    stored_events,
    timestamp::Timestamp,
};

/// Stored events of the stream `installation`; the stream's id is its integration's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A person set out to register an app at GitHub.
    RegistrationOpened {
        /// Digest of the secret that comes back with them.
        state: StateDigest,
        /// Until when it is taken.
        expires_at: Timestamp,
    },
    /// They came back. What they brought is used up.
    RegistrationReturned {
        /// Which opening it was.
        state: StateDigest,
    },
    /// The app is there, and we hold its key.
    AppRegistered {
        /// Where: host and port of the GitHub.
        host: String,
        /// What GitHub says of it.
        app: App,
        /// Its private key.
        key: Key,
        /// What its deliveries are signed with.
        webhook_secret: Option<SecretRef>,
        /// For signing persons in.
        client_secret: Option<SecretRef>,
    },
    /// An app that was there before was taken over.
    Adopted {
        /// Where: host and port of the GitHub.
        host: String,
        /// What GitHub says of it.
        app: App,
        /// Its private key.
        key: Key,
        /// What its deliveries are signed with.
        webhook_secret: Option<SecretRef>,
    },
    /// A member asked for it, and an owner has not said yes yet.
    ApprovalRequested {
        /// Who asked.
        by: Option<Login>,
    },
    /// Nobody asks any more.
    ApprovalWithdrawn {},
    /// It was installed for the first time.
    Installed {
        /// GitHub's id of the installation.
        installation: u64,
        /// In which organisation.
        account: Account,
        /// All of its repositories, or some.
        selection: Selection,
        /// What it may do there.
        permissions: BTreeMap<String, String>,
    },
    /// It was installed again, under a new id. What was before stays what it was.
    Reinstalled {
        /// The new id.
        installation: u64,
        /// In which organisation, as it is called now.
        account: Account,
        /// All of its repositories, or some.
        selection: Selection,
        /// What it may do there.
        permissions: BTreeMap<String, String>,
    },
    /// GitHub reports it suspended.
    Suspended {
        /// By whom, as far as GitHub says.
        by: Option<DisplayText>,
        /// Since when, by GitHub's clock.
        since: Option<Timestamp>,
    },
    /// GitHub reports it running again.
    Resumed {},
    /// A person here wished that it be suspended.
    SuspensionWished {},
    /// A person here wished that it run again.
    SuspensionLifted {},
    /// GitHub reports it uninstalled.
    Uninstalled {
        /// Which id it had.
        installation: u64,
    },
    /// GitHub knows no such app any more.
    AppDeleted {},
    /// GitHub knows the app after all.
    AppFound {},
    /// From now on another key is used.
    KeyRotated {
        /// The new one, which GitHub accepted.
        key: Key,
        /// The old one.
        previous: KeyFingerprint,
    },
    /// GitHub refuses the key.
    KeyRejected {},
    /// GitHub takes the key again.
    KeyAccepted {},
    /// Deliveries are signed with another secret. The old one is taken until it is retired.
    WebhookSecretRotated {
        /// The new one.
        secret: SecretRef,
        /// The old one, if there was one.
        previous: Option<SecretRef>,
        /// Until when the old one is taken at least.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The old secret is taken no more.
    WebhookSecretRetired {
        /// Which.
        secret: SecretRef,
    },
    /// GitHub is to be told where deliveries go, and what they are signed with. Changing the secret, and taking an app over,
    /// wish it, too.
    WebhookWished {},
    /// GitHub was told.
    WebhookTold {
        /// Where they go.
        address: DisplayText,
    },
    /// It is called something else at GitHub, belongs to somebody else, or may do something else.
    AppChanged {
        /// As it is now.
        app: App,
    },
    /// The organisation is called something else.
    AccountRenamed {
        /// Its new name.
        login: Login,
    },
    /// An owner accepted other permissions.
    PermissionsChanged {
        /// All of them now.
        permissions: BTreeMap<String, String>,
    },
    /// An owner chose other repositories.
    SelectionChanged {
        /// All, or some.
        selection: Selection,
    },
    /// A delivery of GitHub's came in with a good signature.
    WebhooksProven {},
    /// Deliveries do not come in.
    WebhooksDoubted {
        /// Why, as far as can be told.
        cause: WebhookDoubt,
    },
    /// What must not be changed at GitHub was compared; this differs now.
    PropertiesCompared {
        /// Nothing, when all is as it was set up.
        differing: Vec<Difference>,
    },
    /// What stands in the way.
    Diagnosed {
        /// What.
        cause: Cause,
        /// Whether it has stood there for too long.
        stuck: bool,
        /// Whether who lists the repositories found it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        listing: bool,
        /// Which integration has what this one wants.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<IntegrationId>,
    },
    /// Nothing stands in the way any more.
    Cleared {},
    /// It sees so many repositories that a person is asked before anything new of them starts.
    ConfirmationWanted {
        /// How many.
        repositories: u64,
        /// How large they are together, as GitHub reckons.
        kilobytes: u64,
        /// A filter that leaves out what is seldom wanted.
        proposed: DisplayText,
    },
    /// A person wants them all.
    ConfirmationGiven {
        /// How many there were.
        repositories: u64,
    },
    /// They are few enough by now.
    ConfirmationSpared {},
    /// Its integration was taken away.
    Removed {
        /// The app that it was; its key may be forgotten.
        app: Option<u64>,
        /// Where it was.
        host: Option<String>,
        /// In which organisation.
        account: Option<u64>,
        /// What could not be taken away at GitHub.
        remainder: Option<Remainder>,
        /// The app, when its secrets stay sealed for whoever takes it over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<Kept>,
    },
    /// What was left at GitHub is otherwise than it was.
    RemainderChanged {
        /// As it is now.
        remainder: Remainder,
    },
    /// Of what was left at GitHub nothing is to be done any more: it is gone, or another integration has the app.
    RemainderGone {},
}

stored_events!(Event {
    RegistrationOpened => "installation.registration_opened" v "1",
    RegistrationReturned => "installation.registration_returned" v "1",
    AppRegistered => "installation.app_registered" v "1",
    Adopted => "installation.adopted" v "1",
    ApprovalRequested => "installation.approval_requested" v "1",
    ApprovalWithdrawn => "installation.approval_withdrawn" v "1",
    Installed => "installation.installed" v "1",
    Reinstalled => "installation.reinstalled" v "1",
    Suspended => "installation.suspended" v "1",
    Resumed => "installation.resumed" v "1",
    SuspensionWished => "installation.suspension_wished" v "1",
    SuspensionLifted => "installation.suspension_lifted" v "1",
    Uninstalled => "installation.uninstalled" v "1",
    AppDeleted => "installation.app_deleted" v "1",
    AppFound => "installation.app_found" v "1",
    KeyRotated => "installation.key_rotated" v "1",
    KeyRejected => "installation.key_rejected" v "1",
    KeyAccepted => "installation.key_accepted" v "1",
    WebhookSecretRotated => "installation.webhook_secret_rotated" v "1",
    WebhookSecretRetired => "installation.webhook_secret_retired" v "1",
    WebhookWished => "installation.webhook_wished" v "1",
    WebhookTold => "installation.webhook_told" v "1",
    AppChanged => "installation.app_changed" v "1",
    AccountRenamed => "installation.account_renamed" v "1",
    PermissionsChanged => "installation.permissions_changed" v "1",
    SelectionChanged => "installation.selection_changed" v "1",
    WebhooksProven => "installation.webhooks_proven" v "1",
    WebhooksDoubted => "installation.webhooks_doubted" v "1",
    PropertiesCompared => "installation.properties_compared" v "1",
    Diagnosed => "installation.diagnosed" v "1",
    Cleared => "installation.cleared" v "1",
    ConfirmationWanted => "installation.confirmation_wanted" v "1",
    ConfirmationGiven => "installation.confirmation_given" v "1",
    ConfirmationSpared => "installation.confirmation_spared" v "1",
    Removed => "installation.removed" v "1",
    RemainderChanged => "installation.remainder_changed" v "1",
    RemainderGone => "installation.remainder_gone" v "1",
});
