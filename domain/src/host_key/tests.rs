//! Given, when, then; and any history of wishes.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{given::given, histories};

const ED25519: &str = "ssh-ed25519";
const RSA: &str = "ssh-rsa";

/// A key of this kind, number `n` of them.
pub(crate) fn key(kind: &str, n: u8) -> HostPublicKey {
    let length = u32::try_from(kind.len()).expect("a short name");
    let blob = [&length.to_be_bytes()[..], kind.as_bytes(), &[0, 0, 0, 1, n]].concat();
    HostPublicKey { algorithm: kind.to_owned(), blob }
}

fn host() -> Host {
    Host::parse("git.example.com").expect("a host")
}

fn at() -> Endpoint {
    Endpoint { host: host(), port: 2222 }
}

fn trust(keys: &[HostPublicKey]) -> Command {
    Command::Trust { host: host(), port: 2222, keys: keys.to_vec(), how: How::Person }
}

fn offer(keys: &[HostPublicKey]) -> Command {
    Command::ReportOffered { host: host(), port: 2222, keys: keys.to_vec() }
}

fn accept(keys: &[HostPublicKey]) -> Command {
    Command::AcceptChanged { fingerprints: keys.iter().map(HostPublicKey::sha256).collect() }
}

fn seen(keys: &[HostPublicKey]) -> Event {
    Event::Seen { at: at(), keys: keys.to_vec() }
}

fn trusted(keys: &[HostPublicKey]) -> Event {
    Event::Trusted { at: at(), keys: keys.to_vec(), how: How::Person }
}

fn changed(expected: &[HostPublicKey], offered: &[HostPublicKey]) -> Event {
    Event::Changed { at: at(), expected: expected.to_vec(), offered: offered.to_vec(), proved: false }
}

/// As [`changed`], with a trusted key shown beside.
fn changed_beside(expected: &[HostPublicKey], offered: &[HostPublicKey]) -> Event {
    Event::Changed { at: at(), expected: expected.to_vec(), offered: offered.to_vec(), proved: true }
}

fn accepted(keys: &[HostPublicKey], replaced: &[HostPublicKey]) -> Event {
    Event::ChangeAccepted { at: at(), keys: keys.to_vec(), replaced: replaced.to_vec() }
}

fn refused(keys: &[HostPublicKey]) -> Event {
    Event::ChangeRefused { at: at(), keys: keys.to_vec() }
}

fn revoked(keys: &[HostPublicKey]) -> Event {
    Event::Revoked { at: at(), keys: keys.to_vec() }
}

/// One of each.
pub(crate) fn one_of_each() -> Vec<Event> {
    let (one, other) = ([key(ED25519, 1)], [key(ED25519, 2)]);
    vec![seen(&one), trusted(&one), changed(&one, &other), refused(&other), accepted(&other, &one), revoked(&other)]
}

fn after(events: &[Event]) -> HostKeys {
    let mut state = HostKeys::default();
    events.iter().for_each(|event| state.evolve(event));
    state
}

#[test]
fn what_an_unknown_server_shows_is_seen_once_and_trusted_by_nobody() {
    let keys = [key(ED25519, 1), key(RSA, 1)];
    given::<HostKeys>(&[]).when(offer(&keys)).then(&[seen(&keys)]);
    given::<HostKeys>(&[seen(&keys)]).when(offer(&keys[1..])).then_nothing();
    given::<HostKeys>(&[seen(&keys)]).when(offer(&[key(RSA, 2)])).then(&[seen(&[key(RSA, 2)])]);
    given::<HostKeys>(&[]).when(offer(&[])).then_nothing();
    let state = after(&[seen(&keys), seen(&[key(RSA, 2)])]);
    assert_eq!(state.seen(), [key(RSA, 2), key(ED25519, 1)]);
    assert!(state.trusted().is_empty() && !state.is_alarmed());
}

#[test]
fn a_trusted_key_proves_the_server_and_another_kind_beside_it_is_no_alarm() {
    let known = [trusted(&[key(ED25519, 1)])];
    given::<HostKeys>(&known).when(offer(&[key(ED25519, 1)])).then_nothing();
    given::<HostKeys>(&known).when(offer(&[key(RSA, 1), key(ED25519, 1)])).then_nothing();
}

#[test]
fn another_key_of_a_trusted_kind_is_an_alarm_even_beside_one_that_is_right() {
    let right = [key(ED25519, 1), key(RSA, 1)];
    let known = [trusted(&right)];
    let wrong = [key(RSA, 2)];
    given::<HostKeys>(&known).when(offer(&wrong)).then(&[changed(&right, &wrong)]);
    given::<HostKeys>(&known).when(offer(&[key(ED25519, 1), key(RSA, 2)])).then(&[changed_beside(&right, &wrong)]);
    let alarmed = [known[0].clone(), changed(&right, &wrong)];
    assert!(after(&alarmed).is_alarmed());
    given::<HostKeys>(&alarmed).when(offer(&wrong)).then_nothing();
    given::<HostKeys>(&alarmed).when(offer(&[key(RSA, 3)])).then(&[changed(&right, &[key(RSA, 3)])]);
    // That the right one is back does not say whose the other was.
    given::<HostKeys>(&alarmed).when(offer(&right)).then_nothing();
    given::<HostKeys>(&alarmed).when(trust(&[key("ecdsa-sha2-nistp256", 1)])).then_refused("host_key_alarmed");
}

#[test]
fn a_server_that_shows_nothing_of_what_is_trusted_is_an_alarm_whatever_kind_it_shows() {
    let right = [key(ED25519, 1)];
    let other = [key(RSA, 1)];
    given::<HostKeys>(&[trusted(&right)]).when(offer(&other)).then(&[changed(&right, &other)]);
    let alarmed = [trusted(&right), changed(&right, &other)];
    let event = accepted(&other, &right);
    given::<HostKeys>(&alarmed).when(accept(&other)).then(std::slice::from_ref(&event));
    let [one, two] = alarmed;
    let state = after(&[one, two, event]);
    assert_eq!(state.trusted(), other);
    // Who has the old disk is somebody else now.
    assert_eq!(state.suspects(&right), right);
}

#[test]
fn a_change_that_was_once_shown_without_a_trusted_key_replaces_all_of_them() {
    let right = [key(ED25519, 1), key(RSA, 1)];
    let new = [key(RSA, 2)];
    let beside = [key(ED25519, 1), key(RSA, 2)];
    let alarmed = [trusted(&right), changed_beside(&right, &new)];
    given::<HostKeys>(&alarmed).when(offer(&beside)).then_nothing();
    given::<HostKeys>(&alarmed).when(offer(&new)).then(&[changed(&right, &new)]);
    let [one, two] = alarmed;
    let alone = [one, two, changed(&right, &new)];
    given::<HostKeys>(&alone).when(offer(&beside)).then_nothing();
    given::<HostKeys>(&alone).when(accept(&new)).then(&[accepted(&new, &right)]);
}

#[test]
fn an_accepted_change_replaces_the_key_of_its_kind_and_no_other() {
    let right = [key(ED25519, 1), key(RSA, 1)];
    let alarmed = [trusted(&right), changed_beside(&right, &[key(RSA, 2)])];
    let event = accepted(&[key(RSA, 2)], &[key(RSA, 1)]);
    given::<HostKeys>(&alarmed).when(accept(&[key(RSA, 2)])).then(std::slice::from_ref(&event));
    for other in [accept(&[key(RSA, 3)]), accept(&[]), accept(&[key(RSA, 2), key(RSA, 3)])] {
        given::<HostKeys>(&alarmed).when(other).then_refused("host_key_other_fingerprints");
    }
    let [one, two] = alarmed;
    let state = after(&[one, two, event]);
    assert_eq!(state.trusted(), [key(ED25519, 1), key(RSA, 2)]);
    assert!(!state.is_alarmed() && state.offered().is_empty());
}

#[test]
fn a_refused_change_leaves_what_is_trusted_and_that_key_raises_no_alarm_again() {
    let right = [key(ED25519, 1)];
    let wrong = [key(ED25519, 2)];
    let alarmed = [trusted(&right), changed(&right, &wrong)];
    given::<HostKeys>(&alarmed).when(Command::RefuseChanged).then(&[refused(&wrong)]);
    let decided = [alarmed[0].clone(), alarmed[1].clone(), refused(&wrong)];
    assert_eq!(after(&decided).trusted(), right);
    given::<HostKeys>(&decided).when(offer(&wrong)).then_nothing();
    given::<HostKeys>(&decided).when(offer(&[key(ED25519, 3)])).then(&[changed(&right, &[key(ED25519, 3)])]);
    given::<HostKeys>(&decided).when(trust(&wrong)).then_refused("host_key_refused");
    // Nor beside one that is right, nor as a kind of its own.
    given::<HostKeys>(&decided).when(trust(&[right[0].clone(), wrong[0].clone()])).then_refused("host_key_refused");
    let of_new_kind = [trusted(&right), changed(&right, &[key(RSA, 1)]), refused(&[key(RSA, 1)])];
    given::<HostKeys>(&of_new_kind).when(trust(&[key(RSA, 1)])).then_refused("host_key_refused");
    let [one, two, three] = of_new_kind;
    given::<HostKeys>(&[one, two, three, revoked(&right)]).when(trust(&[key(RSA, 1)])).then(&[trusted(&[key(RSA, 1)])]);
}

#[test]
fn nothing_is_decided_where_nothing_is_in_question() {
    for command in [accept(&[]), Command::RefuseChanged] {
        given::<HostKeys>(&[trusted(&[key(RSA, 1)])]).when(command.clone()).then_refused("host_key_no_change");
        given::<HostKeys>(&[]).when(command).then_refused("host_key_unknown");
    }
    given::<HostKeys>(&[]).when(Command::Forget).then_refused("host_key_unknown");
}

#[test]
fn trust_grows_by_new_kinds_and_never_moves_in_silence() {
    let known = [trusted(&[key(ED25519, 1)])];
    given::<HostKeys>(&[]).when(trust(&[key(RSA, 1), key(RSA, 1)])).then(&[trusted(&[key(RSA, 1)])]);
    given::<HostKeys>(&known).when(trust(&[key(ED25519, 1)])).then_nothing();
    given::<HostKeys>(&known).when(trust(&[key(ED25519, 1), key(RSA, 1)])).then(&[trusted(&[key(RSA, 1)])]);
    given::<HostKeys>(&known).when(trust(&[key(ED25519, 2)])).then_refused("host_key_differs");
    // A server that is between two keys shows both, and a file says so.
    let both = [key(ED25519, 1), key(ED25519, 2)];
    given::<HostKeys>(&known).when(trust(&both)).then(&[trusted(&both[1..])]);
    let many: Vec<_> = (0..=16).map(|n| key(RSA, n)).collect();
    given::<HostKeys>(&[]).when(trust(&many)).then_refused("host_key_too_many");
    given::<HostKeys>(&[]).when(trust(&many[1..])).then(&[trusted(&many[1..])]);
}

#[test]
fn a_forgotten_server_is_as_one_that_nobody_knew() {
    let right = [key(ED25519, 1)];
    given::<HostKeys>(&[trusted(&right)]).when(Command::Forget).then(&[revoked(&right)]);
    given::<HostKeys>(&[seen(&right)]).when(Command::Forget).then(&[revoked(&[])]);
    assert_eq!(after(&[trusted(&right), changed(&right, &[key(RSA, 1)]), revoked(&right)]), HostKeys::default());
}

#[test]
fn a_server_has_one_stream_however_its_host_is_written() {
    assert_eq!(HostKeyId::of("Git.Example.COM", 22), HostKeyId::of("git.example.com", 22));
    assert_eq!(HostKeyId::of("::1", 22), HostKeyId::of("[0:0::1]", 22));
    assert_eq!(HostKeyId::of("git.example.com", 2222), at().id());
    let all = [("a", 22), ("a", 23), ("b", 22), ("10.0.0.1", 22), ("::1", 22), ("-a", 22)];
    assert_eq!(all.map(|(host, port)| HostKeyId::of(host, port)).iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn a_host_is_checked_before_any_program_sees_it() {
    for bad in
        ["", "-oProxyCommand=x", "a b", "a\nb", "a\u{0}b", "ä.example", "a/b", "a,b", "*.example.com", "[::1", "|1|a|b"]
    {
        assert!(Endpoint::host_of(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn known_hosts_calls_a_server_by_its_port_only_where_it_is_an_unusual_one() {
    let name = |host, port| {
        let host = Endpoint::host_of(host).expect("a host");
        Endpoint { host, port }.known_hosts_name()
    };
    assert_eq!(name("Example.com", 22), "example.com");
    assert_eq!(name("example.com", 2222), "[example.com]:2222");
    assert_eq!(name("[::1]", 22), "::1");
    assert_eq!(name("::1", 2222), "[::1]:2222");
}

#[test]
fn a_key_is_what_it_says_of_itself() {
    let right = key(ED25519, 7);
    assert_eq!(HostPublicKey::read(ED25519, &right.base64()), Ok(right.clone()));
    assert_eq!(right.known_hosts_line("[h]:1"), format!("[h]:1 ssh-ed25519 {}", right.base64()));
    let long = "A".repeat(HostPublicKey::MAX_BYTES * 2 + 4);
    for (kind, base64) in [
        (RSA, right.base64().as_str()),
        (ED25519, "AAAA"),
        (ED25519, "no base64"),
        (ED25519, ""),
        (ED25519, long.as_str()),
    ] {
        assert_eq!(HostPublicKey::read(kind, base64), Err(BadHostKey), "{kind}");
    }
    for kind in ["", "ssh ed", "ssh\ned", &"x".repeat(65)] {
        assert!(!key(kind, 1).is_sound(), "{kind:?}");
    }
}

#[test]
fn refusals_differ() {
    histories::refusals_differ(&[
        Error::Unknown,
        Error::Alarmed,
        Error::Differs,
        Error::Refused,
        Error::NoChange,
        Error::OtherFingerprints,
        Error::TooMany,
    ]);
}

#[test]
fn every_word_is_stored_as_it_is_said() {
    for how in How::ALL {
        assert_eq!(serde_json::to_value(how).expect("a word"), how.as_str());
    }
}

fn some_keys() -> impl Strategy<Value = Vec<HostPublicKey>> {
    let kinds = || prop::sample::select(vec![ED25519, RSA, "ecdsa-sha2-nistp256"]);
    vec((kinds(), 0..3_u8).prop_map(|(kind, n)| key(kind, n)), 0..4)
}

fn any_wish() -> impl Strategy<Value = Command> {
    prop_oneof![
        2 => some_keys().prop_map(|keys| trust(&keys)),
        4 => some_keys().prop_map(|keys| offer(&keys)),
        2 => some_keys().prop_map(|keys| accept(&keys)),
        1 => Just(Command::RefuseChanged),
        1 => Just(Command::Forget),
    ]
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(commands in vec(any_wish(), 0..30)) {
        histories::fold::<HostKeys>(commands)?;
    }

    #[test]
    fn no_key_is_trusted_that_no_person_vouched_for(commands in vec(any_wish(), 0..30)) {
        let (mut state, mut vouched) = (HostKeys::default(), BTreeSet::new());
        for command in commands {
            let stamped = Stamped { command: command.clone(), at: crate::timestamp::Timestamp::from_seconds(1) };
            for event in state.decide(stamped).unwrap_or_default() {
                state.evolve(&event);
                match (&command, &event) {
                    (Command::Trust { keys, .. }, _) | (Command::AcceptChanged { .. }, Event::ChangeAccepted { keys, .. }) => {
                        vouched.extend(keys.iter().cloned());
                    }
                    _ => {}
                }
            }
            prop_assert!(state.trusted().iter().all(|key| vouched.contains(key)));
            prop_assert!(!state.is_alarmed() || !state.offered().is_empty());
        }
    }
}
