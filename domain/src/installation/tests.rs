//! Given, when, then.

mod any_order;
mod coming_to_be;
mod deliveries;
mod standing;

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*, sample::subsequence};
use uuid::Uuid;

use super::{
    Account, Cause, Command, Diagnosis, Difference, Error, Event, Heard, Installation, Kept, Key, Property, Registered,
    Remainder, Report, Seen, Selection, Service, StateDigest, Status, Suspension, There, TooMany, WebhookDoubt,
    Webhooks, Wish, account_claim, app_claim,
};
use crate::{
    aggregate::Aggregate as _,
    claim::ClaimChange,
    display_text::DisplayText,
    github::{App, KeyFingerprint, Login},
    given::given,
    histories,
    id::IntegrationId,
    secret_ref::SecretRef,
    stamped::Stamped,
    timestamp::Timestamp,
};

fn text(text: &str) -> DisplayText {
    DisplayText::clean(text)
}

fn login(name: &str) -> Login {
    Login::parse(name).expect("a name")
}

fn secret(number: u128) -> SecretRef {
    SecretRef(Uuid::from_u128(number))
}

fn digest(of: &str) -> StateDigest {
    StateDigest(of.to_owned())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(second)
}

fn key(number: u128) -> Key {
    Key { secret: secret(number), fingerprint: KeyFingerprint::new(format!("fingerprint-{number}")) }
}

fn app() -> App {
    App {
        id: 17,
        slug: text("keytrail-octo"),
        name: text("Keytrail Octo"),
        html_url: text("https://github.com/apps/keytrail-octo"),
        owner: Some(login("octo")),
        owner_id: None,
        permissions: BTreeMap::from([("contents".to_owned(), "write".to_owned())]),
        events: vec!["push".to_owned()],
    }
}

fn account() -> Account {
    Account { host: "github.com".to_owned(), id: 4, login: login("octo") }
}

fn seen(installation: u64) -> Seen {
    Seen { installation, account: account(), selection: Selection::All, permissions: BTreeMap::new(), suspended: None }
}

fn halted(installation: u64) -> Seen {
    Seen { suspended: Some(by("alice")), ..seen(installation) }
}

fn by(who: &str) -> Suspension {
    Suspension { by: Some(text(who)), since: Some(at(7)) }
}

fn open() -> Command {
    Command::OpenRegistration { state: digest("s"), expires_at: at(1_003_600) }
}

fn come_back(with: &str) -> Command {
    Command::ReturnFromRegistration { state: digest(with) }
}

fn register() -> Command {
    Command::RegisterApp {
        host: "github.com".to_owned(),
        app: app(),
        key: key(1),
        webhook_secret: Some(secret(2)),
        client_secret: None,
    }
}

fn adopt() -> Command {
    Command::Adopt { host: "github.com".to_owned(), app: app(), key: key(1), webhook_secret: Some(secret(2)) }
}

fn read(there: There) -> Command {
    Command::Report(Report::Read { app: app(), there })
}

fn opened() -> Vec<Event> {
    vec![Event::RegistrationOpened { state: digest("s"), expires_at: at(1_003_600) }]
}

fn returned() -> Vec<Event> {
    [opened(), vec![Event::RegistrationReturned { state: digest("s") }]].concat()
}

pub(super) fn registered() -> Vec<Event> {
    let event = Event::AppRegistered {
        host: "github.com".to_owned(),
        app: app(),
        key: key(1),
        webhook_secret: Some(secret(2)),
        client_secret: None,
    };
    [returned(), vec![event]].concat()
}

fn installed_event(installation: u64) -> Event {
    Event::Installed { installation, account: account(), selection: Selection::All, permissions: BTreeMap::new() }
}

fn reinstalled_event(installation: u64) -> Event {
    Event::Reinstalled { installation, account: account(), selection: Selection::All, permissions: BTreeMap::new() }
}

fn installed() -> Vec<Event> {
    [registered(), vec![installed_event(100)]].concat()
}

fn then_also(mut history: Vec<Event>, event: Event) -> Vec<Event> {
    history.push(event);
    history
}

fn suspended() -> Vec<Event> {
    then_also(installed(), Event::Suspended { by: Some(text("alice")), since: Some(at(7)) })
}

fn uninstalled() -> Vec<Event> {
    then_also(installed(), Event::Uninstalled { installation: 100 })
}

fn removed() -> Vec<Event> {
    let remainder = Some(left(false, "Keytrail Octo"));
    let event =
        Event::Removed { app: Some(17), host: Some("github.com".to_owned()), account: Some(4), remainder, kept: None };
    then_also(installed(), event)
}

/// Every kind of event once, for whoever has to know them all.
pub(crate) fn one_of_each() -> Vec<Event> {
    let mut events = [removed(), suspended(), uninstalled()].concat();
    let permissions = app().permissions;
    events.extend([
        Event::Adopted { host: "github.com".to_owned(), app: app(), key: key(1), webhook_secret: None },
        Event::ApprovalRequested { by: Some(login("bob")) },
        Event::ApprovalWithdrawn {},
        reinstalled_event(200),
        Event::Resumed {},
        Event::SuspensionWished {},
        Event::SuspensionLifted {},
        Event::AppDeleted {},
        Event::AppFound {},
        Event::KeyRotated { key: key(9), previous: key(1).fingerprint },
        Event::KeyRejected {},
        Event::KeyAccepted {},
        Event::WebhookSecretRotated { secret: secret(3), previous: Some(secret(2)), until: None },
        Event::WebhookSecretRetired { secret: secret(2) },
        Event::WebhookWished {},
        Event::WebhookTold { address: text("https://keytrail.example.com/webhooks/github/7") },
        Event::AppChanged { app: app() },
        Event::AccountRenamed { login: login("octo-two") },
        Event::PermissionsChanged { permissions },
        Event::SelectionChanged { selection: Selection::Selected },
        Event::WebhooksProven {},
        Event::WebhooksDoubted { cause: WebhookDoubt::PrivateAddress },
        Event::PropertiesCompared { differing: vec![renamed_hook()] },
        diagnosed(Cause::NotInstalled),
        Event::ConfirmationWanted { repositories: 3, kilobytes: 9, proposed: DisplayText::clean("repositories") },
        Event::ConfirmationGiven { repositories: 3 },
        Event::ConfirmationSpared {},
        Event::Cleared {},
        Event::RemainderChanged { remainder: left(false, "Another name") },
        Event::RemainderGone {},
    ]);
    events
}

/// What is left of the app under this name.
fn left(installed: bool, name: &str) -> Remainder {
    let link = text("https://github.com/organizations/octo/settings/apps");
    Remainder { installed, link, owner: Some(login("octo")), app: Some(text(name)) }
}

/// It has stood in the way for too long.
fn diagnosed(cause: Cause) -> Event {
    Event::Diagnosed { cause, stuck: true, listing: false, holder: None }
}

fn renamed_hook() -> Difference {
    Difference {
        property: Property::Webhook,
        expected: text("https://keytrail.example.com/webhooks/github/7"),
        actual: text("https://elsewhere.example.com/"),
    }
}

fn folded(history: &[Event]) -> Installation {
    let mut state = Installation::default();
    for event in history {
        state.evolve(event);
    }
    state
}

fn status(history: &[Event]) -> Status {
    folded(history).status()
}
