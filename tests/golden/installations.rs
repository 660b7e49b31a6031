//! One example of every event of a GitHub App in an organisation.

use std::collections::BTreeMap;

use keytrail_domain::{
    display_text::DisplayText,
    github::{App, KeyFingerprint, Login},
    installation::{
        Account, Cause, Difference,
        Event::{self, *},
        Key, Property, Remainder, Selection, StateDigest, WebhookDoubt,
    },
    secret_ref::SecretRef,
    timestamp::Timestamp,
};
use uuid::Uuid;

fn text(text: &str) -> DisplayText {
    DisplayText::clean(text)
}

fn login(name: &str) -> Login {
    Login::parse(name).expect("a name")
}

fn secret(number: u128) -> SecretRef {
    SecretRef(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0100 + number))
}

fn digest() -> StateDigest {
    StateDigest("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into())
}

fn key(number: u128) -> Key {
    let fingerprint = KeyFingerprint::new("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".into());
    Key { secret: secret(number), fingerprint }
}

fn permissions() -> BTreeMap<String, String> {
    [("contents", "write"), ("metadata", "read")].map(|(what, how)| (what.into(), how.into())).into()
}

fn app() -> App {
    App {
        id: 123_456,
        slug: text("keytrail-octo"),
        name: text("Keytrail \"Octo\" é"),
        html_url: text("https://github.com/apps/keytrail-octo"),
        owner: Some(login("octo")),
        owner_id: None,
        permissions: permissions(),
        events: vec!["pull_request".into(), "push".into()],
    }
}

fn account() -> Account {
    Account { host: "github.com".into(), id: 42, login: login("octo") }
}

pub(crate) fn events() -> Vec<Event> {
    let (host, selection) = ("github.com".to_owned(), Selection::All);
    let at = Timestamp(1_700_000_003_600_000_000 / 1_000);
    vec![
        RegistrationOpened { state: digest(), expires_at: at },
        RegistrationReturned { state: digest() },
        AppRegistered {
            host: host.clone(),
            app: app(),
            key: key(1),
            webhook_secret: Some(secret(2)),
            client_secret: Some(secret(3)),
        },
        Adopted { host: host.clone(), app: app(), key: key(1), webhook_secret: None },
        ApprovalRequested { by: Some(login("bob")) },
        ApprovalWithdrawn {},
        Installed { installation: 987_654, account: account(), selection, permissions: permissions() },
        Reinstalled { installation: 987_655, account: account(), selection, permissions: permissions() },
        Suspended { by: Some(text("alice")), since: Some(at) },
        Resumed {},
        SuspensionWished {},
        SuspensionLifted {},
        Uninstalled { installation: 987_654 },
        AppDeleted {},
        AppFound {},
        KeyRotated { key: key(4), previous: key(1).fingerprint },
        KeyRejected {},
        KeyAccepted {},
        WebhookSecretRotated { secret: secret(5), previous: Some(secret(2)), until: None },
        WebhookSecretRetired { secret: secret(2) },
        WebhookWished {},
        WebhookTold { address: text("https://keytrail.example.com/webhooks/github/7") },
        AppChanged { app: app() },
        AccountRenamed { login: login("octo-two") },
        PermissionsChanged { permissions: permissions() },
        SelectionChanged { selection: Selection::Selected },
        WebhooksProven {},
        WebhooksDoubted { cause: WebhookDoubt::PrivateAddress },
        PropertiesCompared {
            differing: vec![Difference {
                property: Property::Webhook,
                expected: text("https://keytrail.example.com/webhooks/github/7"),
                actual: text("https://elsewhere.example.com/"),
            }],
        },
        Diagnosed { cause: Cause::NotInstalled, stuck: true, listing: false, holder: None },
        Cleared {},
        ConfirmationWanted { repositories: 3_000, kilobytes: 12_345_678, proposed: text("repositories[?!archived]") },
        ConfirmationGiven { repositories: 3_000 },
        ConfirmationSpared {},
        Removed {
            app: Some(123_456),
            host: Some(host),
            account: Some(42),
            remainder: Some(Remainder {
                installed: false,
                link: text("https://github.com/organizations/octo/settings/apps/keytrail-octo/advanced"),
                owner: Some(login("octo")),
                app: None,
            }),
            kept: None,
        },
        RemainderChanged {
            remainder: Remainder {
                installed: true,
                link: text("https://github.com/organizations/octo/settings/apps"),
                owner: Some(login("octo")),
                app: Some(text("Keytrail \"Octo\" é")),
            },
        },
        RemainderGone {},
    ]
}
