//! What happens to a key, as the list shows it.

use keytrail_domain::{
    display_text::DisplayText,
    id::RepositoryId,
    ssh_key::{Algorithm, Format, Intake, RsaReason},
    timestamp::Timestamp,
};

use super::*;
use crate::{
    fact_histories::{Log, id, key_name, public_key, sealed},
    fake_store::{FakeStore, check_columns, check_read},
    stored::Stored,
};

fn after(events: &[Event]) -> Vec<SshKey> {
    let mut log = Log::default();
    for event in events {
        log.append(id(6, 1), Fact::SshKey(event.clone()));
    }
    FakeStore::folded(&SshKeyList, log.facts(), 2).read(&KEYS, SshKey::read)
}

fn added() -> Event {
    let intake = Intake { origin: Origin::File, format: Format::PpkV2, had_passphrase: true };
    Event::Added { name: key_name("Straße"), public: public_key(1), intake, common: true, secret: sealed(1) }
}

fn generated() -> Event {
    let rsa_because = Some(RsaReason::AzureDevops);
    Event::Generated { name: key_name("Build"), public: public_key(2), rsa_because, common: false, secret: sealed(2) }
}

fn retired() -> Event {
    Event::Retired { name: key_name("Straße"), sha256: public_key(1).sha256 }
}

#[test]
fn an_added_key_is_listed_with_all_that_may_be_seen() {
    let expected = SshKey {
        id: SshKeyId(id(6, 1)),
        name: "Straße".to_owned(),
        folded_name: "straße".to_owned(),
        state: KeyState::Active,
        origin: KeyOrigin::File,
        format: Some(Format::PpkV2),
        had_passphrase: true,
        public: public_key(1),
        rsa_because: None,
        path: None,
        common: true,
        rotation_to: None,
        added_at: Timestamp::from_seconds(1),
        retired_at: None,
        added_position: 1,
        version: 1,
        position: 1,
    };
    assert_eq!(after(&[added()]), [expected]);
}

#[test]
fn a_generated_key_says_why_it_is_of_its_kind() {
    let keys = after(&[generated()]);
    assert_eq!((keys[0].origin, keys[0].format), (KeyOrigin::Generated, None));
    assert_eq!((keys[0].rsa_because, keys[0].public.algorithm), (Some(RsaReason::AzureDevops), Algorithm::Ed25519));
}

#[test]
fn a_registered_key_says_where_its_file_was_found() {
    let path = DisplayText::clean("/srv/keys/deploy");
    let (name, public, format) = (key_name("Disk"), public_key(3), Format::Sec1);
    let keys = after(&[Event::Registered { name, public, format, common: false, path }]);
    assert_eq!((keys[0].origin, keys[0].path.as_deref()), (KeyOrigin::OnDisk, Some("/srv/keys/deploy")));
    assert_eq!((keys[0].format, keys[0].had_passphrase, keys[0].common), (Some(Format::Sec1), false, false));
}

#[test]
fn a_new_name_is_shown_and_a_retired_key_says_when() {
    let renamed = Event::Renamed { name: key_name("Other"), previous: key_name("Straße") };
    let keys = after(&[added(), renamed, retired(), retired()]);
    assert_eq!((keys[0].name.as_str(), keys[0].folded_name.as_str()), ("Other", "other"));
    assert_eq!((keys[0].state, keys[0].retired_at), (KeyState::Retired, Some(Timestamp::from_seconds(3))));
    assert_eq!((keys[0].version, keys[0].position, keys[0].added_position), (4, 4, 1));
}

#[test]
fn whether_a_key_is_common_is_what_was_said_last() {
    let common = |events: &[Event]| after(events)[0].common;
    assert!(common(&[added()]) && !common(&[generated()]));
    assert!(!common(&[added(), Event::Shared { common: false }]));
    assert!(common(&[generated(), Event::Shared { common: true }]));
    assert_eq!(after(&[added(), Event::Shared { common: false }])[0].version, 2);
}

fn repositories(numbers: &[u64]) -> Vec<RepositoryId> {
    numbers.iter().map(|n| RepositoryId(id(2, *n))).collect()
}

#[test]
fn a_repository_has_the_key_that_it_was_associated_with_last_and_keeps_it_when_that_is_retired() {
    let mut log = Log::default();
    for (key, event) in [
        (1, added()),
        (2, generated()),
        (1, Event::Associated { repositories: repositories(&[1, 2, 3]) }),
        (1, Event::Dissociated { repositories: repositories(&[2]) }),
        (2, Event::Associated { repositories: repositories(&[2]) }),
        // It has another one by now.
        (1, Event::Dissociated { repositories: repositories(&[2, 3]) }),
        (1, retired()),
    ] {
        log.append(id(6, key), Fact::SshKey(event));
    }
    let store = FakeStore::folded(&SshKeyList, log.facts(), 2);
    let found: Vec<_> = store.read(&ASSOCIATIONS, Association::read);
    let one = |repository, key, position| Association {
        repository: RepositoryId(id(2, repository)),
        key: SshKeyId(id(6, key)),
        position,
    };
    assert_eq!(found, [one(1, 1, 3), one(2, 2, 5)]);
    let versions: Vec<_> = store.read(&KEYS, SshKey::read).iter().map(|key| key.version).collect();
    assert_eq!(versions, [5, 2]);
}

#[test]
fn a_key_says_which_one_takes_its_place_and_keeps_no_repository() {
    let (to, mine) = (SshKeyId(id(6, 2)), repositories(&[1, 2]));
    let begun = Event::RotationBegun { to };
    for end in [Event::RotationCancelled {}, Event::RotationRefused { to, not_taken: Vec::new(), others: 1 }] {
        let keys = after(&[added(), begun.clone(), end]);
        assert_eq!((keys[0].rotation_to, keys[0].state, keys[0].version), (None, KeyState::Active, 3));
    }
    let mut log = Log::default();
    let accepted = Event::RotationAccepted { to, repositories: mine.clone() };
    let rotated =
        Event::Rotated { to, name: key_name("Straße"), sha256: "SHA256:1".to_owned(), repositories: mine.clone() };
    for (key, event) in [
        (1, added()),
        (2, generated()),
        (1, Event::Associated { repositories: mine }),
        (1, begun),
        (1, accepted),
        (2, Event::Associated { repositories: repositories(&[1]) }),
        (1, rotated),
    ] {
        log.append(id(6, key), Fact::SshKey(event));
    }
    let store = FakeStore::folded(&SshKeyList, log.facts(), 3);
    let keys = store.read(&KEYS, SshKey::read);
    assert_eq!((keys[0].state, keys[0].rotation_to, keys[0].version), (KeyState::Retired, Some(to), 5));
    let found: Vec<_> = store.read(&ASSOCIATIONS, Association::read);
    assert_eq!(found, [Association { repository: RepositoryId(id(2, 1)), key: to, position: 6 }]);
}

#[test]
fn what_is_said_of_no_key_shows_nothing() {
    assert_eq!(after(&[retired()]), []);
}

#[test]
fn nothing_says_where_a_private_half_is_sealed() {
    let secret = sealed(1).0;
    let shown = format!("{:?}", after(&[added()]));
    assert!(!shown.contains(&secret.to_string()) && !shown.contains(&secret.simple().to_string()), "{shown}");
}

#[test]
fn reads_fit_their_table() {
    let moment = Timestamp::from_seconds(7);
    for read in [
        by_id(SshKeyId(id(6, 1))),
        by_name("Straße"),
        by_fingerprint("SHA256:x"),
        on_disk(10),
        tried_for(SshKeyId(id(6, 1))),
        page(None, None, None, 10),
        page(Some(KeyState::Active), Some(moment), Some(7), 10),
    ] {
        check_read(&read);
        check_columns(&read, &KEYS, "");
    }
    check_read(&counts(moment));
    let one = SshKeyId(id(6, 1));
    check_read(&associations(one, 10));
    check_columns(&associations(one, 10), &ASSOCIATIONS, "");
    check_read(&association_counts(one, one));
}
