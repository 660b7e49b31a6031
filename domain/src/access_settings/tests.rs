//! Given, when, then.

use super::{AccessSettings, Algorithm, BadFingerprint, Command, Event, KeyFingerprint, Services, TrustedKey};
use crate::{access::Role, display_text::DisplayText, given::given};

fn services(keys: &[u8]) -> Services {
    Services {
        issuer: DisplayText::clean("https://issuer.example"),
        audience: DisplayText::clean("keytrail"),
        role_claim: DisplayText::clean("role"),
        roles: [(DisplayText::clean("admin"), Role::Admin)].into(),
        leeway_seconds: 60,
        keys: keys
            .iter()
            .map(|byte| TrustedKey { kid: None, algorithm: Algorithm::Rs256, fingerprint: KeyFingerprint([*byte; 32]) })
            .collect(),
    }
}

fn say(services: Option<Services>) -> Command {
    Command::Say { services }
}

fn changed(services: Option<Services>) -> Event {
    Event::Changed { services }
}

#[test]
fn an_installation_without_services_says_nothing_of_them() {
    given::<AccessSettings>(&[]).when(say(None)).then_nothing();
}

#[test]
fn what_differs_from_what_was_said_last_is_a_fact() {
    given::<AccessSettings>(&[]).when(say(Some(services(&[1])))).then(&[changed(Some(services(&[1])))]);
    let said = [changed(Some(services(&[1])))];
    given::<AccessSettings>(&said).when(say(Some(services(&[1])))).then_nothing();
    given::<AccessSettings>(&said).when(say(Some(services(&[1, 2])))).then(&[changed(Some(services(&[1, 2])))]);
    given::<AccessSettings>(&said).when(say(Some(services(&[2])))).then(&[changed(Some(services(&[2])))]);
    given::<AccessSettings>(&said).when(say(None)).then(&[changed(None)]);
    given::<AccessSettings>(&[said[0].clone(), changed(None)]).when(say(None)).then_nothing();
}

#[test]
fn a_fingerprint_is_read_back_and_nothing_else_is_one() {
    let fingerprint = KeyFingerprint([0xab; 32]);
    assert_eq!(KeyFingerprint::try_from(String::from(fingerprint)), Ok(fingerprint));
    for bad in ["", "ab", &"ab".repeat(33), &"+1".repeat(32), &"äb".repeat(21)] {
        assert_eq!(KeyFingerprint::try_from(bad.to_owned()), Err(BadFingerprint), "{bad}");
    }
}
