//! What happens to an app, as its status shows it.

use std::collections::BTreeMap;

use keytrail_domain::{
    github::{App, GithubConnection, GithubHost, KeyFingerprint, Login},
    installation::{Account, Cause, Key, Selection, StateDigest, Status},
    integration::MirrorsAfter,
    secret_ref::SecretRef,
    timestamp::Timestamp,
};

use super::*;
use crate::{
    fact_histories::{Log, id, name, place},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
};

fn login(name: &str) -> Login {
    Login::parse(name).expect("a name")
}

fn github() -> Connection {
    let organisation = login("octo");
    Connection::GithubApp(Box::new(GithubConnection::of(GithubHost::cloud(), organisation)))
}

fn added(connection: Connection) -> Fact {
    Fact::Integration(integration::Event::Added { name: name("Octo"), connection })
}

fn after(facts: Vec<Fact>) -> Vec<InstallationRow> {
    let mut log = Log::default();
    for fact in facts {
        log.append(id(1, 1), fact);
    }
    FakeStore::folded(&InstallationStatus, log.facts(), 2).read(&INSTALLATIONS, InstallationRow::read)
}

fn opened() -> Fact {
    let expires_at = Timestamp::from_seconds(9_000);
    Fact::Installation(Event::RegistrationOpened { state: StateDigest("s".to_owned()), expires_at })
}

fn second(position: i64) -> Timestamp {
    Timestamp::from_seconds(position)
}

#[test]
fn an_integration_of_another_kind_has_no_row() {
    assert!(after(vec![added(place(1)), opened()]).is_empty());
}

#[test]
fn an_app_that_nobody_registered_yet_is_registering() {
    let [row] = &after(vec![added(github())])[..] else { panic!("one row") };
    assert_eq!((row.status, row.since, row.version, row.opened_position), (Status::Registering, second(1), 0, 1));
}

#[test]
fn a_verdict_changes_the_word_and_is_no_progress() {
    let stuck = Event::Diagnosed { cause: Cause::NotRegistered, stuck: true, listing: false, holder: None };
    let [row] = &after(vec![added(github()), opened(), Fact::Installation(stuck)])[..] else { panic!("one row") };
    assert_eq!((row.status, row.since, row.progress_at), (Status::Stuck, second(3), second(2)));
    assert_eq!((row.version, row.position), (2, 3));
}

fn adopted_and_installed() -> Vec<Fact> {
    let text = |text: &str| keytrail_domain::display_text::DisplayText::clean(text);
    let app = App {
        id: 7,
        slug: text("keytrail"),
        name: text("Keytrail"),
        html_url: text("https://github.com/apps/keytrail"),
        owner: None,
        owner_id: None,
        permissions: BTreeMap::new(),
        events: Vec::new(),
    };
    let key = Key { secret: SecretRef(id(8, 1)), fingerprint: KeyFingerprint::new("f".to_owned()) };
    let host = "github.com".to_owned();
    let account = Account { host: host.clone(), id: 4, login: login("Octo") };
    let (selection, permissions) = (Selection::All, BTreeMap::new());
    vec![
        added(github()),
        Fact::Installation(Event::Adopted { host, app, key, webhook_secret: None }),
        Fact::Installation(Event::Installed { installation: 9, account, selection, permissions }),
    ]
}

fn last(facts: Vec<Fact>) -> InstallationRow {
    let [row] = &after(facts)[..] else { panic!("one row") };
    row.clone()
}

#[test]
fn an_organisation_is_known_by_the_name_that_it_has_now() {
    let mut facts = adopted_and_installed();
    assert_eq!(last(facts.clone()).place.as_deref(), Some("github.com/octo"));
    facts.push(Fact::Installation(Event::AccountRenamed { login: login("Octo-Two") }));
    assert_eq!(last(facts.clone()).place.as_deref(), Some("github.com/octo-two"));
    facts.push(Fact::Installation(Event::Uninstalled { installation: 9 }));
    assert_eq!(last(facts.clone()).place.as_deref(), Some("github.com/octo-two"), "it stays the holder's");
    let removed = Event::Removed { app: Some(7), host: None, account: Some(4), remainder: None, kept: None };
    facts.push(Fact::Installation(removed));
    assert_eq!(last(facts).place, None);
}

#[test]
fn who_wished_something_is_known_until_github_reports_it() {
    let mut facts = adopted_and_installed();
    assert_eq!(last(facts.clone()).wished_by, None);
    facts.push(Fact::Installation(Event::SuspensionWished {}));
    let row = last(facts.clone());
    assert!(row.status == Status::Suspended && row.wished_by.is_some(), "{row:?}");
    facts.push(Fact::Installation(Event::Suspended { by: None, since: None }));
    assert_eq!(last(facts.clone()).wished_by, row.wished_by, "it is wished still");
    facts.push(Fact::Installation(Event::SuspensionLifted {}));
    assert!(last(facts.clone()).wished_by.is_some());
    facts.push(Fact::Installation(Event::Resumed {}));
    assert_eq!(last(facts).wished_by, None);
}

#[test]
fn a_removed_integration_is_removed_though_there_was_no_app() {
    let removed = integration::Event::Removed {
        name: name("Octo"),
        connection: github(),
        mirrors: MirrorsAfter::Deleted,
        secrets: Default::default(),
    };
    let [row] = &after(vec![added(github()), Fact::Integration(removed)])[..] else { panic!("one row") };
    assert_eq!((row.status, row.since, row.version), (Status::Removed, second(2), 0));
}

#[test]
fn every_read_asks_for_what_there_is() {
    let octo = in_organisation("github.com", &login("octo"));
    for read in [by_id(IntegrationId(id(1, 1))), page(Some(Status::Active), Some(3), 10), changed(3, 10), octo] {
        check_read(&read);
        check_columns(&read, &INSTALLATIONS, "");
    }
}
