//! Whether deliveries come in, and what GitHub is to be told of them.

use super::*;

#[test]
fn deliveries_are_not_doubted_by_who_looked_before_one_came() {
    let doubt = |known| Command::DoubtWebhooks { cause: WebhookDoubt::NoneSent, known };
    let doubted = Event::WebhooksDoubted { cause: WebhookDoubt::NoneSent };
    let unproven = Some(Webhooks::Unproven);
    given::<Installation>(&installed()).when(doubt(unproven)).then(std::slice::from_ref(&doubted));
    let proven = then_also(installed(), Event::WebhooksProven {});
    given::<Installation>(&proven).when(doubt(unproven)).then_nothing();
    for known in [Some(Webhooks::Proven), None] {
        given::<Installation>(&proven).when(doubt(known)).then(std::slice::from_ref(&doubted));
    }
}

#[test]
fn where_deliveries_go_is_not_known_by_who_looked_before_one_came() {
    let compare = |known| Command::CompareProperties { differing: vec![renamed_hook()], known };
    let compared = Event::PropertiesCompared { differing: vec![renamed_hook()] };
    let proven = then_also(installed(), Event::WebhooksProven {});
    let doubted = Webhooks::Doubted { cause: WebhookDoubt::Tls };
    for known in [Webhooks::Unproven, doubted] {
        given::<Installation>(&installed()).when(compare(known)).then(std::slice::from_ref(&compared));
        given::<Installation>(&proven).when(compare(known)).then_nothing();
        let elsewhere = then_also(proven.clone(), compared.clone());
        let back = Command::CompareProperties { differing: Vec::new(), known };
        given::<Installation>(&elsewhere).when(back).then(&[Event::PropertiesCompared { differing: Vec::new() }]);
    }
    given::<Installation>(&proven).when(compare(Webhooks::Proven)).then(&[compared]);
}

#[test]
fn only_what_has_just_come_in_shows_that_deliveries_come_in_again() {
    let doubted = then_also(installed(), Event::WebhooksDoubted { cause: WebhookDoubt::NoneSent });
    for heard in [Heard::Resumed { installation: 100 }, Heard::Earlier] {
        given::<Installation>(&doubted).when(Command::Hear(heard)).then_nothing();
    }
    given::<Installation>(&doubted).when(Command::Hear(Heard::Anything)).then(&[Event::WebhooksProven {}]);
    // The first one may be anything.
    for first in [Heard::Resumed { installation: 100 }, Heard::Earlier] {
        given::<Installation>(&installed()).when(Command::Hear(first)).then(&[Event::WebhooksProven {}]);
    }
}

#[test]
fn deliveries_say_all_that_happens_only_where_github_sends_them_here() {
    let tells = |history: &[Event]| match folded(history) {
        Installation::Registered(now) => now.is_told_by_deliveries(),
        _ => panic!("it is registered"),
    };
    assert!(!tells(&installed()));
    let proven = then_also(installed(), Event::WebhooksProven {});
    assert!(tells(&proven));
    let elsewhere = then_also(proven, Event::PropertiesCompared { differing: vec![renamed_hook()] });
    assert!(!tells(&elsewhere));
    assert!(tells(&then_also(elsewhere, Event::PropertiesCompared { differing: Vec::new() })));
}

#[test]
fn what_github_is_to_be_told_of_deliveries_is_wished_until_it_was_told() {
    let address = text("https://keytrail.example.com/webhooks/github/7");
    let tell = |number| Command::TellWebhook { address: address.clone(), secret: secret(number) };
    let told = Event::WebhookTold { address: address.clone() };
    given::<Installation>(&installed()).when(tell(2)).then_nothing();
    given::<Installation>(&installed()).when(Command::WishWebhook).then(&[Event::WebhookWished {}]);
    let wished = then_also(installed(), Event::WebhookWished {});
    given::<Installation>(&wished).when(Command::WishWebhook).then_nothing();
    given::<Installation>(&wished).when(tell(2)).then(std::slice::from_ref(&told));
    given::<Installation>(&then_also(wished.clone(), told.clone())).when(tell(2)).then_nothing();
    // Of the secret that is good now.
    let rotated = Event::WebhookSecretRotated { secret: secret(3), previous: Some(secret(2)), until: None };
    let both = then_also(installed(), rotated);
    given::<Installation>(&both).when(tell(2)).then_nothing();
    given::<Installation>(&both).when(tell(3)).then(std::slice::from_ref(&told));
    let Installation::Registered(state) = folded(&then_also(both, told)) else { panic!("it is registered") };
    assert_eq!((state.webhook_wished, &state.webhook_told), (false, &Some(address.clone())));
    // Where deliveries of an app went that was taken over is somebody else's address.
    let adopted =
        Event::Adopted { host: "github.com".to_owned(), app: app(), key: key(1), webhook_secret: Some(secret(2)) };
    given::<Installation>(&[adopted]).when(tell(2)).then(&[Event::WebhookTold { address: address.clone() }]);
    given::<Installation>(&removed()).when(tell(2)).then_nothing();
    // GitHub made a secret with the app, or made none.
    let wishes = |history: &[Event]| match folded(history) {
        Installation::Registered(state) => state.webhook_wished,
        _ => panic!("it is registered"),
    };
    let unsigned = Event::AppRegistered {
        host: "github.com".to_owned(),
        app: app(),
        key: key(1),
        webhook_secret: None,
        client_secret: None,
    };
    assert!(!wishes(&registered()) && wishes(&[unsigned]));
}
