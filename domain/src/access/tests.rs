//! Given, when, then.

use proptest::{collection::vec, prelude::*};

use super::{Access, Command, Error, Event, LONGEST_LIFE, Role};
use crate::{display_text::DisplayText, given::given, histories, timestamp::Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn issue(name: &str, expires_at: Timestamp) -> Command {
    Command::IssueToken { name: DisplayText::clean(name), role: Role::Auditor, expires_at, prefix: "kt_abcdef".into() }
}

fn issued() -> Event {
    Event::TokenIssued {
        name: DisplayText::clean("ci"),
        role: Role::Auditor,
        expires_at: NOW.plus_micros(1),
        prefix: "kt_abcdef".into(),
    }
}

#[test]
fn a_token_is_issued_once() {
    given::<Access>(&[]).when(issue("ci", NOW.plus_micros(1))).then(&[issued()]);
    given::<Access>(&[issued()]).when(issue("ci", NOW.plus_micros(1))).then_refused("token_exists");
    let revoked = [issued(), Event::TokenRevoked {}];
    given::<Access>(&revoked).when(issue("ci", NOW.plus_micros(1))).then_refused("token_exists");
}

#[test]
fn a_token_is_revoked_once() {
    given::<Access>(&[]).when(Command::RevokeToken).then_refused("token_unknown");
    given::<Access>(&[issued()]).when(Command::RevokeToken).then(&[Event::TokenRevoked {}]);
    given::<Access>(&[issued(), Event::TokenRevoked {}]).when(Command::RevokeToken).then_nothing();
}

#[test]
fn a_token_lives_from_now_to_a_year() {
    for (at, accepted) in [
        (NOW.plus_micros(-1), false),
        (NOW, false),
        (NOW.plus_micros(1), true),
        (NOW.plus_micros(LONGEST_LIFE), true),
        (NOW.plus_micros(LONGEST_LIFE + 1), false),
        (Timestamp(i64::MAX), false),
        (Timestamp(i64::MIN), false),
    ] {
        let then = given::<Access>(&[]).when_at(NOW, issue("ci", at));
        if !accepted {
            then.then_refused("token_bad_expiry");
        }
    }
    let last = NOW.plus_micros(LONGEST_LIFE);
    let Command::IssueToken { name, role, expires_at, prefix } = issue("ci", last) else { unreachable!() };
    given::<Access>(&[]).when(issue("ci", last)).then(&[Event::TokenIssued { name, role, expires_at, prefix }]);
}

#[test]
fn a_token_has_a_name_of_1_to_100_characters() {
    let soon = NOW.plus_micros(1);
    given::<Access>(&[]).when(issue("", soon)).then_refused("token_bad_name");
    given::<Access>(&[]).when(issue(&"ä".repeat(101), soon)).then_refused("token_bad_name");
    histories::refusals_differ(&[Error::AlreadyIssued, Error::Unknown, Error::BadExpiry, Error::BadName]);
}

#[test]
fn a_role_survives_its_word() {
    for role in [Role::Admin, Role::Auditor, Role::Viewer] {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_string(&role).expect("a word"), format!("\"{role}\""));
    }
    assert!("Admin".parse::<Role>().is_err());
}

proptest! {
    #[test]
    fn any_history_of_wishes_folds(
        commands in vec(
            prop_oneof![
                Just(issue("ci", NOW.plus_micros(1))),
                Just(issue("", NOW.plus_micros(1))),
                Just(issue("ci", NOW)),
                Just(Command::RevokeToken),
            ],
            0..20,
        )
    ) {
        histories::fold::<Access>(commands)?;
    }
}
