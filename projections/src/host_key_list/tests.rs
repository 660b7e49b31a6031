//! What happens to the host keys of a server, as the list shows it.

use keytrail_domain::{host_key::How, timestamp::Timestamp};

use super::*;
use crate::{
    fact_histories::{Log, endpoint, host_key},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
};

fn after(events: &[Event]) -> SshServer {
    let mut log = Log::default();
    for event in events {
        log.append(endpoint(1).id().0, Fact::HostKey(event.clone()));
    }
    let mut rows = FakeStore::folded(&HostKeyList, log.facts(), 2).read(&SERVERS, SshServer::read);
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn seen() -> Event {
    Event::Seen { at: endpoint(1), keys: vec![host_key("ssh-rsa", 1)] }
}

fn trusted() -> Event {
    Event::Trusted { at: endpoint(1), keys: vec![host_key("ssh-rsa", 1)], how: How::Published }
}

fn changed() -> Event {
    Event::Changed {
        at: endpoint(1),
        expected: vec![host_key("ssh-rsa", 1)],
        offered: vec![host_key("ssh-rsa", 2)],
        proved: false,
    }
}

#[test]
fn a_server_that_was_only_seen_is_listed_as_such() {
    let server = after(&[seen()]);
    assert_eq!((server.host.as_str(), server.port, server.state), ("host1", 22, HostKeyState::Seen));
    assert_eq!(server.keys.seen(), [host_key("ssh-rsa", 1)]);
    assert_eq!((server.how, server.trusted_at), (None, None));
    assert_eq!((server.met_at, server.met_position, server.version), (Timestamp::from_seconds(1), 1, 1));
}

#[test]
fn trust_says_since_when_and_by_whom() {
    let server = after(&[seen(), trusted()]);
    assert_eq!((server.state, server.how), (HostKeyState::Trusted, Some(How::Published)));
    assert_eq!((server.trusted_at, server.met_at), (Some(Timestamp::from_seconds(2)), Timestamp::from_seconds(1)));
    assert_eq!((server.keys.trusted(), server.version, server.position), (&[host_key("ssh-rsa", 1)][..], 2, 2));
}

#[test]
fn a_change_is_shown_until_a_person_decides() {
    let alarmed = after(&[trusted(), changed()]);
    assert_eq!((alarmed.state, alarmed.changed_at), (HostKeyState::Changed, Some(Timestamp::from_seconds(2))));
    let keys = vec![host_key("ssh-rsa", 2)];
    let refused = after(&[trusted(), changed(), Event::ChangeRefused { at: endpoint(1), keys: keys.clone() }]);
    assert_eq!((refused.state, refused.changed_at), (HostKeyState::Trusted, None));
    assert_eq!(refused.keys.trusted(), [host_key("ssh-rsa", 1)]);
    let replaced = vec![host_key("ssh-rsa", 1)];
    let accepted = after(&[trusted(), changed(), Event::ChangeAccepted { at: endpoint(1), keys, replaced }]);
    assert_eq!((accepted.state, accepted.trusted_at), (HostKeyState::Trusted, Some(Timestamp::from_seconds(3))));
    assert_eq!(accepted.keys.trusted(), [host_key("ssh-rsa", 2)]);
}

#[test]
fn a_forgotten_server_stays_in_the_list_without_keys() {
    let server = after(&[trusted(), changed(), Event::Revoked { at: endpoint(1), keys: Vec::new() }]);
    assert_eq!((server.state, server.how, server.changed_at), (HostKeyState::Forgotten, None, None));
    assert!(server.keys.trusted().is_empty() && server.keys.offered().is_empty());
    assert_eq!(
        after(&[trusted(), Event::Revoked { at: endpoint(1), keys: Vec::new() }, seen()]).state,
        HostKeyState::Seen
    );
}

#[test]
fn reads_fit_their_table() {
    for read in [by_id(endpoint(1).id()), page(None, None, 10), page(Some(HostKeyState::Changed), Some(7), 10)] {
        check_read(&read);
        check_columns(&read, &SERVERS, "");
    }
    check_read(&counts());
}
