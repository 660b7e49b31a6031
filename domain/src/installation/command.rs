//! What can be wished of an installation.

use crate::{
    display_text::DisplayText,
    github::App,
    installation::{Diagnosis, Difference, Heard, Key, Report, StateDigest, WebhookDoubt, Webhooks},
    secret_ref::SecretRef,
    timestamp::Timestamp,
};

/// Repositories that are too many to start without a person's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How many.
    pub repositories: u64,
    /// How large they are together.
    pub kilobytes: u64,
    /// A filter that leaves out what is seldom wanted.
    pub proposed: DisplayText,
}

/// In the API: ConnectGithubApp, AdoptGithubApp, SuspendInstallation, ResumeInstallation, RotatePemKey,
/// RotateWebhookSecret. The others are wishes of jobs and of what takes deliveries in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A person sets out to register an app.
    OpenRegistration {
        /// Digest of the secret that will come back.
        state: StateDigest,
        /// Until when it is taken.
        expires_at: Timestamp,
    },
    /// They came back with this.
    ReturnFromRegistration {
        /// Digest of what came back.
        state: StateDigest,
    },
    /// GitHub gave us the app.
    RegisterApp {
        /// Host and port of the GitHub.
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
    /// Take over an app that is there, and that its key proved.
    Adopt {
        /// Host and port of the GitHub.
        host: String,
        /// What GitHub says of it.
        app: App,
        /// Its private key.
        key: Key,
        /// What its deliveries are signed with.
        webhook_secret: Option<SecretRef>,
    },
    /// The API was read.
    Report(Report),
    /// A delivery came in.
    Hear(Heard),
    /// Suspend it.
    Suspend,
    /// Let it run again.
    Resume,
    /// Use another key from now on. GitHub accepted it for the app with this id.
    RotateKey {
        /// The new one.
        key: Key,
        /// Whose key GitHub says it is.
        app: u64,
    },
    /// Have deliveries signed with another secret.
    RotateWebhookSecret {
        /// The new one.
        secret: SecretRef,
        /// Until when the old one is taken at least.
        until: Option<Timestamp>,
    },
    /// Take the old secret no more.
    RetireWebhookSecret {
        /// The one that is meant: where it is another by now, that one is still taken.
        secret: SecretRef,
    },
    /// Have GitHub told where deliveries go, and what they are signed with, until it was.
    WishWebhook,
    /// GitHub was told.
    TellWebhook {
        /// Where they go.
        address: DisplayText,
        /// What they are signed with.
        secret: SecretRef,
    },
    /// Deliveries do not come in.
    DoubtWebhooks {
        /// Why.
        cause: WebhookDoubt,
        /// What was known of them when that was looked up, where it took a while: what came in since tells more.
        known: Option<Webhooks>,
    },
    /// What must not change was compared.
    CompareProperties {
        /// In the order of [`super::Property`].
        differing: Vec<Difference>,
        /// What was known of deliveries before that was looked up.
        known: Webhooks,
    },
    /// This stands in the way.
    Diagnose(Diagnosis),
    /// Nothing stands in the way.
    Clear,
    /// Its integration is gone.
    Remove {
        /// Whether the app was uninstalled at GitHub, or was no more.
        uninstalled: bool,
        /// Whether its secrets stay sealed, for whoever takes the app over.
        keep: bool,
        /// The app as GitHub described it a moment ago, where it could be asked.
        app: Option<App>,
    },
    /// It sees so many repositories: more than start without a person's word, or not.
    CountRepositories {
        /// What a person is told, when they are too many.
        too_many: Option<TooMany>,
    },
    /// A person wants them all, however many they are.
    ConfirmRepositories,
    /// GitHub was asked, with a key that was kept, what is left of an app that was removed.
    ReportRemainder {
        /// The app as GitHub describes it.
        app: App,
        /// Whether it is installed still.
        installed: bool,
    },
    /// Of what was left at GitHub nothing is to be done any more: it is gone, as GitHub or a person says, or another
    /// integration has the app.
    ConfirmGone,
}
