//! What happens to an integration, as the list shows it.

use keytrail_domain::{
    id::SshKeyId,
    integration::{Event, MirrorsAfter},
    service::Connection,
};

use super::*;
use crate::{
    fact_histories::{Log, id, name, place},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
};

fn after(events: &[Event]) -> Integration {
    let mut log = Log::default();
    for event in events {
        log.append(id(1, 1), Fact::Integration(event.clone()));
    }
    let mut all = FakeStore::folded(&IntegrationList, log.facts(), 2).read(&INTEGRATIONS, Integration::read);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn added() -> Event {
    Event::Added { name: name("Straße"), connection: place(1) }
}

fn second(position: i64) -> Timestamp {
    Timestamp::from_seconds(position)
}

#[test]
fn an_added_integration_is_active() {
    let expected = Integration {
        id: IntegrationId(id(1, 1)),
        name: "Straße".to_owned(),
        folded_name: "straße".to_owned(),
        kind: "path".to_owned(),
        location: "/srv/git/1".to_owned(),
        place: "path:/srv/git/1".to_owned(),
        connection: place(1),
        web_links: WebLinks::Host,
        state: IntegrationState::Active,
        since: second(1),
        added_at: second(1),
        added_position: 1,
        version: 1,
        position: 1,
    };
    assert_eq!(after(&[added()]), expected);
}

#[test]
fn a_state_lasts_since_it_was_first_said() {
    let paused = after(&[added(), Event::Paused {}, Event::Paused {}]);
    assert_eq!((paused.state, paused.since, paused.version), (IntegrationState::Paused, second(2), 3));
    let resumed = after(&[added(), Event::Paused {}, Event::Resumed {}]);
    assert_eq!((resumed.state, resumed.since, resumed.added_at), (IntegrationState::Active, second(3), second(1)));
}

#[test]
fn a_new_name_and_a_new_place_are_no_new_state() {
    let moved = after(&[
        added(),
        Event::Renamed { name: name("Other"), previous: name("Straße") },
        Event::ConnectionChanged { connection: place(2), previous: place(1) },
    ]);
    assert_eq!((moved.name.as_str(), moved.folded_name.as_str()), ("Other", "other"));
    assert_eq!((moved.location.as_str(), moved.since, moved.version), ("/srv/git/2", second(1), 3));
    assert_eq!(moved.place, "path:/srv/git/2");
}

#[test]
fn links_that_are_set_last_until_others_are() {
    let off = Event::WebLinksSet { web_links: WebLinks::Off };
    let moved = Event::ConnectionChanged { connection: place(2), previous: place(1) };
    assert_eq!(after(&[added(), off.clone(), moved, Event::Paused {}]).web_links, WebLinks::Off);
    let host = Event::WebLinksSet { web_links: WebLinks::Host };
    assert_eq!(after(&[added(), off, host]).web_links, WebLinks::Host);
}

#[test]
fn a_removed_integration_stays_readable_and_removed() {
    let removed = after(&[
        added(),
        Event::Removed {
            name: name("Straße"),
            connection: place(1),
            mirrors: MirrorsAfter::Deleted,
            secrets: Default::default(),
        },
        Event::Resumed {},
    ]);
    assert_eq!((removed.state, removed.since), (IntegrationState::Removed, second(2)));
    assert_eq!(removed.name, "Straße");
}

#[test]
fn reads_fit_their_table() {
    let path = Connection::path("/srv");
    for read in [
        by_id(IntegrationId(id(1, 1))),
        by_ids(&[IntegrationId(id(1, 1)), IntegrationId(id(1, 2))]),
        by_name("Straße"),
        by_place(&path),
        at_location("/srv"),
        at_location("https://git.example/shop.git"),
        by_ssh_key(SshKeyId(id(6, 1)), 10),
        changed(7, 10),
        page(None, None, None, 10),
        page(Some(IntegrationState::Paused), Some("path"), Some(7), 10),
    ] {
        check_read(&read);
        check_columns(&read, &INTEGRATIONS, "");
    }
    check_read(&ssh_key_uses(SshKeyId(id(6, 1)), SshKeyId(id(6, 9))));
}
