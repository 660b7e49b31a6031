//! How an app comes to be, and what GitHub says of it.

use super::*;

#[test]
fn a_way_back_is_taken_once_in_time_and_only_as_it_went_out() {
    given::<Installation>(&opened()).when(come_back("s")).then(&[Event::RegistrationReturned { state: digest("s") }]);
    given::<Installation>(&[]).when(come_back("s")).then_refused("registration_state_unknown");
    given::<Installation>(&opened()).when(come_back("other")).then_refused("registration_state_unknown");
    given::<Installation>(&returned()).when(come_back("s")).then_refused("registration_state_used");
    given::<Installation>(&registered()).when(come_back("s")).then_refused("registration_state_used");
    given::<Installation>(&opened()).when_at(at(1_003_601), come_back("s")).then_refused("registration_state_expired");
}

#[test]
fn an_app_is_registered_only_by_who_came_back() {
    given::<Installation>(&[]).when(register()).then_refused("installation_unknown");
    given::<Installation>(&opened()).when(register()).then_refused("installation_unknown");
    given::<Installation>(&returned()).when(register()).then(&registered()[2..]);
    given::<Installation>(&registered()).when(register()).then_nothing();
    given::<Installation>(&registered()).when(open()).then_refused("app_registered_already");
}

#[test]
fn opening_again_makes_the_last_way_back_useless() {
    let again = Command::OpenRegistration { state: digest("t"), expires_at: at(9) };
    let history = then_also(opened(), Event::RegistrationOpened { state: digest("t"), expires_at: at(1_003_600) });
    given::<Installation>(&opened())
        .when(again)
        .then(&[Event::RegistrationOpened { state: digest("t"), expires_at: at(9) }]);
    given::<Installation>(&history).when(come_back("s")).then_refused("registration_state_unknown");
    given::<Installation>(&history).when(come_back("t")).then(&[Event::RegistrationReturned { state: digest("t") }]);
}

#[test]
fn an_app_that_was_there_before_is_taken_over_at_any_time_before_there_is_one() {
    for history in [Vec::new(), opened(), returned()] {
        let Command::Adopt { host, app, key, webhook_secret } = adopt() else { unreachable!("it is one") };
        given::<Installation>(&history).when(adopt()).then(&[Event::Adopted { host, app, key, webhook_secret }]);
    }
    given::<Installation>(&registered()).when(adopt()).then_nothing();
    let other = Command::Adopt {
        host: "github.com".to_owned(),
        app: App { id: 18, ..app() },
        key: key(1),
        webhook_secret: None,
    };
    given::<Installation>(&registered()).when(other).then_refused("app_registered_already");
}

#[test]
fn whichever_is_first_of_delivery_and_reading_completes_it_and_the_other_says_nothing() {
    let heard = Command::Hear(Heard::Installed(seen(100)));
    given::<Installation>(&registered()).when(heard.clone()).then(&[Event::WebhooksProven {}, installed_event(100)]);
    given::<Installation>(&installed()).when(heard).then(&[Event::WebhooksProven {}]);
    given::<Installation>(&registered()).when(read(There::Installed(seen(100)))).then(&[installed_event(100)]);
    given::<Installation>(&installed()).when(read(There::Installed(seen(100)))).then_nothing();
}

#[test]
fn what_the_api_says_of_an_installation_is_recorded_once() {
    let suspended_now = Event::Suspended { by: Some(text("alice")), since: Some(at(7)) };
    given::<Installation>(&installed()).when(read(There::Installed(halted(100)))).then(&[suspended_now]);
    given::<Installation>(&suspended()).when(read(There::Installed(halted(100)))).then_nothing();
    given::<Installation>(&suspended()).when(read(There::Installed(seen(100)))).then(&[Event::Resumed {}]);
    given::<Installation>(&installed())
        .when(read(There::NotInstalled))
        .then(&[Event::Uninstalled { installation: 100 }]);
    given::<Installation>(&uninstalled()).when(read(There::NotInstalled)).then_nothing();
    given::<Installation>(&installed())
        .when(read(There::Installed(halted(200))))
        .then(&[reinstalled_event(200), Event::Suspended { by: Some(text("alice")), since: Some(at(7)) }]);
}

#[test]
fn a_request_for_approval_is_known_and_withdrawn() {
    let asked = There::ApprovalRequested { by: Some(login("bob")) };
    let requested = Event::ApprovalRequested { by: Some(login("bob")) };
    given::<Installation>(&registered()).when(read(asked.clone())).then(std::slice::from_ref(&requested));
    let history = then_also(registered(), requested);
    given::<Installation>(&history).when(read(asked)).then_nothing();
    given::<Installation>(&history).when(read(There::NotInstalled)).then(&[Event::ApprovalWithdrawn {}]);
    given::<Installation>(&history).when(read(There::Installed(seen(100)))).then(&[installed_event(100)]);
    assert_eq!(status(&history), Status::ApprovalRequested);
    let stuck = then_also(history, diagnosed(Cause::NotInstalled));
    assert_eq!(status(&stuck), Status::ApprovalRequested, "waiting for a person is never stuck");
}

#[test]
fn what_is_heard_of_an_old_installation_changes_nothing() {
    let again = then_also(then_also(uninstalled(), reinstalled_event(200)), Event::WebhooksProven {});
    for late in [
        Heard::Installed(seen(100)),
        Heard::Uninstalled { installation: 100 },
        Heard::Suspended { installation: 100, suspension: by("alice") },
        Heard::Resumed { installation: 100 },
        Heard::SelectionChanged { installation: 100, selection: Selection::Selected },
        Heard::PermissionsAccepted { installation: 100, permissions: app().permissions },
    ] {
        given::<Installation>(&again).when(Command::Hear(late)).then_nothing();
    }
    let gone = then_also(uninstalled(), Event::WebhooksProven {});
    given::<Installation>(&gone).when(Command::Hear(Heard::Installed(seen(100)))).then_nothing();
    given::<Installation>(&gone).when(Command::Hear(Heard::Installed(seen(200)))).then(&[reinstalled_event(200)]);
}

#[test]
fn an_installation_in_another_organisation_is_refused() {
    let other = Seen { account: Account { id: 5, ..account() }, ..seen(300) };
    given::<Installation>(&installed())
        .when(Command::Hear(Heard::Installed(other)))
        .then_refused("installation_of_another_account");
}
