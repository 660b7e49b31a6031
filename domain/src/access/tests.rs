//! Given, when, then.

use proptest::{collection::vec, prelude::*};

use super::{Access, Command, Error, Event, LONGEST_LIFE, Role, Scope, Scopes};
use crate::{display_text::DisplayText, given::given, histories, timestamp::Timestamp};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

fn issue(name: &str, expires_at: Timestamp) -> Command {
    Command::IssueToken {
        name: DisplayText::clean(name),
        role: Role::Auditor,
        scopes: None,
        expires_at,
        prefix: "kt_abcdef".into(),
    }
}

fn issued() -> Event {
    Event::TokenIssued {
        name: DisplayText::clean("ci"),
        role: Role::Auditor,
        scopes: None,
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
    let Command::IssueToken { name, role, scopes, expires_at, prefix } = issue("ci", last) else { unreachable!() };
    given::<Access>(&[]).when(issue("ci", last)).then(&[Event::TokenIssued { name, role, scopes, expires_at, prefix }]);
}

#[test]
fn a_token_has_a_name_of_1_to_100_characters() {
    let soon = NOW.plus_micros(1);
    given::<Access>(&[]).when(issue("", soon)).then_refused("token_bad_name");
    given::<Access>(&[]).when(issue(&"ä".repeat(101), soon)).then_refused("token_bad_name");
    histories::refusals_differ(&[
        Error::AlreadyIssued,
        Error::Unknown,
        Error::BadExpiry,
        Error::BadName,
        Error::BadScopes,
    ]);
}

#[test]
fn a_role_survives_its_word() {
    for role in [Role::Admin, Role::Auditor, Role::Viewer] {
        assert_eq!(role.as_str().parse(), Ok(role));
        assert_eq!(serde_json::to_string(&role).expect("a word"), format!("\"{role}\""));
    }
    assert!("Admin".parse::<Role>().is_err());
}

#[test]
fn a_scope_is_within_the_role() {
    for (role, scope, accepted) in [
        (Role::Viewer, Scope::IssuesRead, true),
        (Role::Viewer, Scope::EventsRead, false),
        (Role::Auditor, Scope::EventsRead, true),
        (Role::Auditor, Scope::IntegrationsWrite, false),
        (Role::Admin, Scope::IntegrationsWrite, true),
    ] {
        let Command::IssueToken { name, expires_at, prefix, .. } = issue("ci", NOW.plus_micros(1)) else {
            unreachable!()
        };
        let scopes = Scopes::of([Scope::IssuesRead, scope]);
        let (event_name, event_prefix, event_scopes) = (name.clone(), prefix.clone(), scopes.clone());
        let then = given::<Access>(&[]).when(Command::IssueToken { name, role, scopes, expires_at, prefix });
        if accepted {
            let (name, scopes, prefix) = (event_name, event_scopes, event_prefix);
            then.then(&[Event::TokenIssued { name, role, scopes, expires_at, prefix }]);
        } else {
            then.then_refused("token_bad_scopes");
        }
    }
}

#[test]
fn scopes_are_each_once_in_one_order_and_never_none() {
    assert_eq!(Scopes::of([]), None);
    let scopes = Scopes::of([Scope::EventsRead, Scope::IssuesRead, Scope::EventsRead]).expect("two");
    assert_eq!(scopes.to_string(), "issues:read events:read");
    assert_eq!(scopes.to_string().parse(), Ok(scopes.clone()));
    assert_eq!(serde_json::to_string(&scopes).expect("words"), r#"["issues:read","events:read"]"#);
    let one = Scopes::of([Scope::IssuesRead]).expect("one");
    assert!(one.within(&scopes) && !scopes.within(&one) && scopes.contains(Scope::EventsRead));
    assert!("issues:read ".parse::<Scopes>().is_err() && "".parse::<Scopes>().is_err());
    for scope in Scope::ALL {
        assert_eq!(scope.as_str().parse(), Ok(*scope));
        assert_eq!(serde_json::to_string(scope).expect("a word"), format!("\"{scope}\""));
    }
}

#[test]
fn a_token_issued_before_there_were_scopes_has_all_that_its_role_allows() {
    let old =
        r#"{"token_issued":{"name":"ci","role":"admin","expires_at":"2026-01-01T00:00:00.000000Z","prefix":"kt_abc"}}"#;
    let Event::TokenIssued { scopes, .. } = serde_json::from_str(old).expect("an old event") else { unreachable!() };
    assert_eq!(scopes, None);
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
