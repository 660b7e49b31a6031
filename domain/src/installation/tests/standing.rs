//! What is wished of an app, what stands in its way, and how it ends.

use super::*;

#[test]
fn a_wish_to_suspend_holds_until_it_is_lifted_whatever_github_reports() {
    let wished = then_also(installed(), Event::SuspensionWished {});
    given::<Installation>(&installed()).when(Command::Suspend).then(&[Event::SuspensionWished {}]);
    given::<Installation>(&wished).when(Command::Suspend).then_nothing();
    assert_eq!(status(&wished), Status::Suspended);
    let resumed_there =
        then_also(then_also(wished.clone(), Event::Suspended { by: None, since: None }), Event::Resumed {});
    assert_eq!(status(&resumed_there), Status::Suspended, "it is driven on");
    given::<Installation>(&resumed_there).when(Command::Resume).then(&[Event::SuspensionLifted {}]);
    given::<Installation>(&installed()).when(Command::Resume).then_nothing();
    assert_eq!(status(&then_also(wished, Event::SuspensionLifted {})), Status::Active);
}

#[test]
fn what_is_lifted_while_the_wish_is_on_its_way_is_driven_until_github_says_that_it_runs() {
    let wished = then_also(installed(), Event::SuspensionWished {});
    let lifted = then_also(wished, Event::SuspensionLifted {});
    let wish = |events: &[Event]| match folded(events) {
        Installation::Registered(after) => after.wish,
        _ => panic!("it is registered"),
    };
    assert_eq!(wish(&lifted), Wish::Resume);
    // The suspension got there in the meantime.
    let late = then_also(lifted.clone(), Event::Suspended { by: None, since: None });
    assert_eq!((status(&late), wish(&late)), (Status::Suspended, Wish::Resume));
    assert_eq!(wish(&then_also(late, Event::Resumed {})), Wish::Unsaid);
    assert_eq!((status(&lifted), wish(&then_also(lifted, Event::Resumed {}))), (Status::Active, Wish::Unsaid));
}

#[test]
fn what_github_suspended_is_wished_to_run_and_stays_suspended_until_github_says_otherwise() {
    given::<Installation>(&suspended()).when(Command::Resume).then(&[Event::SuspensionLifted {}]);
    let wished = then_also(suspended(), Event::SuspensionLifted {});
    given::<Installation>(&wished).when(Command::Resume).then_nothing();
    assert_eq!(status(&wished), Status::Suspended);
    let Installation::Registered(after) = folded(&then_also(wished, Event::Resumed {})) else {
        panic!("it is registered")
    };
    assert_eq!(after.wish, Wish::Unsaid);
}

#[test]
fn what_was_suspended_and_resumed_before_anybody_saw_it_is_wished_to_run_until_github_says_so() {
    let both = then_also(then_also(installed(), Event::SuspensionWished {}), Event::SuspensionLifted {});
    assert_eq!(status(&both), Status::Active);
    // GitHub was told of the first wish a moment later than of the second.
    let suspension = Suspension { by: Some(text("keytrail-octo[bot]")), since: None };
    let report = |seen| Command::Report(Report::Read { app: app(), there: There::Installed(seen) });
    let halted = report(Seen { suspended: Some(suspension.clone()), ..seen(100) });
    let Suspension { by, since } = suspension;
    given::<Installation>(&both).when(halted).then(&[Event::Suspended { by: by.clone(), since }]);
    let Installation::Registered(after) = folded(&then_also(both.clone(), Event::Suspended { by, since })) else {
        panic!("it is registered")
    };
    assert_eq!(after.wish, Wish::Resume, "it is driven on");
    given::<Installation>(&both).when(report(seen(100))).then(&[Event::Resumed {}]);
    let done = then_also(both, Event::Resumed {});
    given::<Installation>(&done).when(report(seen(100))).then_nothing();
}

#[test]
fn who_suspended_it_last_by_githubs_word_is_who_is_named() {
    let by = |whom: &str| Suspension { by: Some(text(whom)), since: None };
    let of_us = then_also(installed(), Event::Suspended { by: by("keytrail-octo[bot]").by, since: None });
    let report =
        Report::Read { app: app(), there: There::Installed(Seen { suspended: Some(by("boss")), ..seen(100) }) };
    let named = Event::Suspended { by: by("boss").by, since: None };
    given::<Installation>(&of_us).when(Command::Report(report)).then(&[named]);
    // A delivery may be late, so it names nobody else.
    let heard = Heard::Suspended { installation: 100, suspension: by("boss") };
    given::<Installation>(&of_us).when(Command::Hear(heard)).then(&[Event::WebhooksProven {}]);
}

#[test]
fn what_the_app_suspended_stays_its_doing_by_whatever_name() {
    let by_the_app = |history: &[Event]| match folded(history) {
        Installation::Registered(state) => {
            let Service::Installed { suspended: Some(halt), .. } = state.service else { panic!("it is suspended") };
            halt.by_the_app
        }
        _ => panic!("it is registered"),
    };
    let named = |history, name: &str| then_also(history, Event::Suspended { by: Some(text(name)), since: None });
    let renamed = App { slug: text("keytrail-two"), ..app() };
    let is_renamed = Event::AppChanged { app: renamed.clone() };
    let before = then_also(named(installed(), "keytrail-octo[bot]"), is_renamed.clone());
    assert!(by_the_app(&named(installed(), "keytrail-octo[bot]")) && by_the_app(&before));
    assert!(by_the_app(&then_also(before.clone(), Event::AccountRenamed { login: login("octo-two") })));
    // GitHub may tell of its new name first.
    let early = named(installed(), "keytrail-two[bot]");
    assert!(!by_the_app(&early) && by_the_app(&then_also(early, is_renamed.clone())));
    // Or both at once.
    let suspended = Suspension { by: Some(text("keytrail-two[bot]")), since: None };
    let seen = There::Installed(Seen { suspended: Some(suspended), ..seen(100) });
    let again = Event::Suspended { by: Some(text("keytrail-two[bot]")), since: None };
    given::<Installation>(&named(installed(), "keytrail-octo[bot]"))
        .when(Command::Report(Report::Read { app: renamed, there: seen }))
        .then(&[is_renamed.clone(), again]);
    assert!(by_the_app(&named(before.clone(), "keytrail-two[bot]")));
    for other in ["alice", "keytrail-octo", "another[bot]"] {
        assert!(!by_the_app(&then_also(named(installed(), other), is_renamed.clone())), "{other}");
        assert!(!by_the_app(&named(before.clone(), other)), "{other}");
    }
}

#[test]
fn only_what_is_installed_is_suspended() {
    for command in [Command::Suspend, Command::Resume] {
        given::<Installation>(&[]).when(command.clone()).then_refused("app_not_registered");
        given::<Installation>(&registered()).when(command.clone()).then_refused("app_not_installed");
        given::<Installation>(&uninstalled()).when(command.clone()).then_refused("app_not_installed");
        let deleted = then_also(installed(), Event::AppDeleted {});
        given::<Installation>(&deleted).when(command.clone()).then_refused("app_deleted");
        given::<Installation>(&removed()).when(command).then_refused("installation_removed");
    }
}

#[test]
fn a_key_is_changed_for_one_of_the_same_app() {
    let rotated = Event::KeyRotated { key: key(9), previous: key(1).fingerprint };
    given::<Installation>(&installed())
        .when(Command::RotateKey { key: key(9), app: 17 })
        .then(std::slice::from_ref(&rotated));
    given::<Installation>(&installed()).when(Command::RotateKey { key: key(1), app: 17 }).then_nothing();
    // What was sealed of it before cannot be opened any more.
    let anew = Key { secret: secret(9), ..key(1) };
    given::<Installation>(&installed())
        .when(Command::RotateKey { key: anew.clone(), app: 17 })
        .then(&[Event::KeyRotated { key: anew, previous: key(1).fingerprint }]);
    given::<Installation>(&installed())
        .when(Command::RotateKey { key: key(9), app: 18 })
        .then_refused("app_key_of_another_app");
    let rejected = then_also(installed(), Event::KeyRejected {});
    assert_eq!(status(&rejected), Status::KeyRejected);
    assert_eq!(status(&then_also(rejected.clone(), rotated)), Status::Active);
    given::<Installation>(&rejected).when(Command::Report(Report::KeyRejected)).then_nothing();
    given::<Installation>(&rejected).when(read(There::Installed(seen(100)))).then(&[Event::KeyAccepted {}]);
}

#[test]
fn an_app_that_runs_may_read_pull_requests_or_not() {
    let may_not = |history: &[Event]| match folded(history) {
        Installation::Registered(state) => state.may_not_read_pull_requests(),
        Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => false,
    };
    assert!(!may_not(&registered()), "it is not installed");
    assert!(may_not(&installed()));
    let suspended = then_also(installed(), Event::SuspensionWished {});
    assert!(!may_not(&suspended), "nothing is to be read");
    let Installation::Registered(state) = folded(&suspended) else { panic!("it is registered") };
    assert!(state.is_kept_from_pull_requests(), "nor would they be if it ran");
    assert!(!may_not(&then_also(installed(), Event::Uninstalled { installation: 100 })));
    let permissions = BTreeMap::from([("pull_requests".to_owned(), "read".to_owned())]);
    assert!(!may_not(&then_also(installed(), Event::PermissionsChanged { permissions })));
}

#[test]
fn two_webhook_secrets_are_good_while_one_is_changed() {
    let rotate = |number| Command::RotateWebhookSecret { secret: secret(number), until: Some(at(9)) };
    let rotated = Event::WebhookSecretRotated { secret: secret(3), previous: Some(secret(2)), until: Some(at(9)) };
    given::<Installation>(&installed()).when(rotate(3)).then(std::slice::from_ref(&rotated));
    let both = then_also(installed(), rotated);
    given::<Installation>(&both).when(rotate(3)).then_nothing();
    given::<Installation>(&both).when(rotate(4)).then_refused("webhook_secret_rotation_unfinished");
    let Installation::Registered(state) = folded(&both) else { panic!("it is registered") };
    assert_eq!(state.webhook_secrets().collect::<Vec<_>>(), [secret(3), secret(2)]);
    let retire = |number| Command::RetireWebhookSecret { secret: secret(number) };
    given::<Installation>(&both).when(retire(2)).then(&[Event::WebhookSecretRetired { secret: secret(2) }]);
    given::<Installation>(&installed()).when(retire(2)).then_nothing();
    // It was retired and changed once more meanwhile.
    let retired = then_also(both, Event::WebhookSecretRetired { secret: secret(2) });
    let rotated = Event::WebhookSecretRotated { secret: secret(4), previous: Some(secret(3)), until: Some(at(9)) };
    given::<Installation>(&then_also(retired, rotated)).when(retire(2)).then_nothing();
}

#[test]
fn an_app_that_github_forgot_and_knows_again_is_not_lost() {
    given::<Installation>(&installed()).when(Command::Report(Report::AppDeleted)).then(&[Event::AppDeleted {}]);
    let deleted = then_also(installed(), Event::AppDeleted {});
    given::<Installation>(&deleted).when(Command::Report(Report::AppDeleted)).then_nothing();
    given::<Installation>(&deleted)
        .when(read(There::Installed(seen(100))))
        .then(&[Event::AppFound {}, reinstalled_event(100)]);
    given::<Installation>(&deleted).when(Command::Hear(Heard::Installed(seen(300)))).then(&[Event::WebhooksProven {}]);
    assert_eq!(status(&deleted), Status::AppDeleted);
}

#[test]
fn stuck_is_a_verdict_that_clears() {
    let waiting = |stuck| Command::Diagnose(Diagnosis::of(Cause::NotInstalled, stuck));
    let verdict = diagnosed(Cause::NotInstalled);
    given::<Installation>(&registered()).when(waiting(true)).then(std::slice::from_ref(&verdict));
    let stuck = then_also(registered(), verdict);
    given::<Installation>(&stuck).when(waiting(true)).then_nothing();
    assert_eq!(status(&registered()), Status::Installing);
    assert_eq!(status(&stuck), Status::Stuck);
    given::<Installation>(&stuck).when(Command::Clear).then(&[Event::Cleared {}]);
    given::<Installation>(&registered()).when(Command::Clear).then_nothing();
    assert_eq!(status(&then_also(stuck, installed_event(100))), Status::Active);
    let opened_stuck = then_also(opened(), diagnosed(Cause::NotRegistered));
    assert_eq!(status(&opened_stuck), Status::Stuck);
}

#[test]
fn a_verdict_says_who_found_it_and_who_has_what_is_wanted() {
    let found = Diagnosis::by_listing(Cause::PermissionMissing);
    let event = Event::Diagnosed { cause: Cause::PermissionMissing, stuck: false, listing: true, holder: None };
    given::<Installation>(&installed()).when(Command::Diagnose(found)).then(std::slice::from_ref(&event));
    let known = then_also(installed(), event);
    given::<Installation>(&known).when(Command::Diagnose(found)).then_nothing();
    assert!(found.is_of_listing() && Diagnosis::of(Cause::FilterInvalid, false).is_of_listing());
    assert!(!Diagnosis::of(Cause::PermissionMissing, false).is_of_listing());
    assert!(!Diagnosis::of(Cause::PullRequestsDenied, false).is_of_listing());
    let holder = |number| Some(IntegrationId(Uuid::from_u128(number)));
    let event = |holder| Event::Diagnosed { cause: Cause::OrganisationTaken, stuck: false, listing: false, holder };
    let taken = then_also(registered(), event(holder(1)));
    given::<Installation>(&taken).when(Command::Diagnose(Diagnosis::taken(holder(1), false))).then_nothing();
    let other = Command::Diagnose(Diagnosis::taken(holder(2), false));
    given::<Installation>(&taken).when(other).then(&[event(holder(2))]);
}

#[test]
fn the_same_trouble_is_said_once_by_all_who_meet_it() {
    let by_app = |stuck| Diagnosis::of(Cause::Unreachable, stuck);
    let by_listing = Diagnosis::by_listing(Cause::Unreachable);
    let event = |Diagnosis { cause, stuck, listing, holder }| Event::Diagnosed { cause, stuck, listing, holder };
    for stuck in [true, false] {
        let known = then_also(installed(), event(by_app(stuck)));
        given::<Installation>(&known).when(Command::Diagnose(by_listing)).then_nothing();
        // For too long, or no more: who asks for the app says so.
        given::<Installation>(&known).when(Command::Diagnose(by_app(!stuck))).then(&[event(by_app(!stuck))]);
        let other = Diagnosis::by_listing(Cause::PermissionMissing);
        given::<Installation>(&known).when(Command::Diagnose(other)).then(&[event(other)]);
    }
    let listed = then_also(installed(), event(by_listing));
    given::<Installation>(&listed).when(Command::Diagnose(by_app(false))).then_nothing();
    given::<Installation>(&listed).when(Command::Diagnose(by_app(true))).then(&[event(by_app(true))]);
}

#[test]
fn removal_works_from_every_state_and_says_what_is_left() {
    let remove = |uninstalled| Command::Remove { uninstalled, keep: false, app: None };
    given::<Installation>(&[]).when(remove(false)).then_nothing();
    let nothing = Event::Removed { app: None, host: None, account: None, remainder: None, kept: None };
    given::<Installation>(&opened()).when(remove(false)).then(&[nothing]);
    given::<Installation>(&installed()).when(remove(true)).then(&removed()[removed().len() - 1..]);
    given::<Installation>(&removed()).when(remove(true)).then_nothing();
    given::<Installation>(&removed()).when(Command::ConfirmGone).then(&[Event::RemainderGone {}]);
    let deleted = then_also(installed(), Event::AppDeleted {});
    given::<Installation>(&deleted).when(remove(false)).then(&[Event::Removed {
        app: Some(17),
        host: Some("github.com".to_owned()),
        account: Some(4),
        remainder: None,
        kept: None,
    }]);
    for late in [read(There::Installed(seen(100))), Command::Hear(Heard::Anything), Command::Clear] {
        given::<Installation>(&removed()).when(late).then_nothing();
    }
    given::<Installation>(&removed()).when(open()).then_refused("installation_removed");
}

#[test]
fn what_is_left_of_an_app_whose_key_was_kept_is_followed_until_it_is_gone() {
    let renamed = App { name: text("Another name"), ..app() };
    let kept = Kept {
        host: "github.com".to_owned(),
        app: 17,
        key: key(1),
        webhook_secret: Some(secret(2)),
        installation: Some(100),
        account: Some(4),
    };
    let event = Event::Removed {
        app: Some(17),
        host: Some("github.com".to_owned()),
        account: Some(4),
        remainder: Some(left(true, "Another name")),
        kept: Some(kept),
    };
    // As GitHub calls it now, and not as it was called when it was looked at last.
    let remove = Command::Remove { uninstalled: false, keep: true, app: Some(renamed.clone()) };
    given::<Installation>(&installed()).when(remove).then(std::slice::from_ref(&event));
    let removed_and_kept = then_also(installed(), event);
    let leaves = |history: &[Event], host: &str, app| folded(history).leaves(host, app);
    assert!(leaves(&removed_and_kept, "github.com", 17) && leaves(&removed(), "github.com", 17));
    assert!(!leaves(&removed(), "github.com", 18) && !leaves(&removed(), "ghe.example.com", 17));
    assert!(!leaves(&installed(), "github.com", 17), "it is in use");
    let over = then_also(removed_and_kept.clone(), Event::RemainderGone {});
    assert!(!leaves(&over, "github.com", 17), "nothing is left");
    let seen = |installed| Command::ReportRemainder { app: renamed.clone(), installed };
    given::<Installation>(&removed_and_kept).when(seen(true)).then_nothing();
    let changed = Event::RemainderChanged { remainder: left(false, "Another name") };
    given::<Installation>(&removed_and_kept).when(seen(false)).then(std::slice::from_ref(&changed));
    let changed = then_also(removed_and_kept, changed);
    given::<Installation>(&changed).when(seen(false)).then_nothing();
    given::<Installation>(&changed).when(Command::ConfirmGone).then(&[Event::RemainderGone {}]);
    // What was said of it when its key was forgotten, or before it was removed, changes nothing.
    for history in [then_also(changed, Event::RemainderGone {}), removed(), installed()] {
        given::<Installation>(&history).when(seen(true)).then_nothing();
    }
}

#[test]
fn an_organisation_is_held_from_installing_to_removal_and_not_given_up_by_uninstalling() {
    let mut held = Vec::new();
    for event in [installed(), vec![Event::Uninstalled { installation: 100 }, reinstalled_event(200)]].concat() {
        for change in Installation::claims(&event) {
            let ClaimChange::Take(claim) = change else { panic!("nothing is given up") };
            held.push(claim);
        }
    }
    assert_eq!(
        held.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>(),
        ["github.com/app:17", "github.com/account:4"]
    );
    assert_eq!([app_claim("github.com", 17), account_claim("github.com", 4)], held[..]);
    let released = Installation::claims(removed().last().expect("an event"));
    assert_eq!(released.iter().map(|change| change.claim().clone()).collect::<Vec<_>>(), held);
    assert!(released.iter().all(|change| matches!(change, ClaimChange::Release(_))));
}

#[test]
fn refusals_have_codes_and_sentences_of_their_own() {
    histories::refusals_differ(&[
        Error::Unknown,
        Error::StateUnknown,
        Error::StateUsed,
        Error::StateExpired,
        Error::AlreadyRegistered,
        Error::NotRegistered,
        Error::NotInstalled,
        Error::AppDeleted,
        Error::OtherApp,
        Error::OtherAccount,
        Error::RotationUnfinished,
        Error::Removed,
    ]);
}

#[test]
fn every_status_has_a_word_of_its_own() {
    for status in Status::ALL {
        assert_eq!(serde_json::to_value(status).expect("a word"), status.as_str());
    }
}

#[test]
fn many_repositories_wait_for_a_word_which_holds_for_more() {
    let too_many = |repositories| Command::CountRepositories {
        too_many: Some(TooMany { repositories, kilobytes: 9, proposed: DisplayText::clean("repositories") }),
    };
    let wanted = |repositories| Event::ConfirmationWanted {
        repositories,
        kilobytes: 9,
        proposed: DisplayText::clean("repositories"),
    };
    given::<Installation>(&installed()).when(Command::CountRepositories { too_many: None }).then_nothing();
    given::<Installation>(&installed()).when(Command::ConfirmRepositories).then_refused("nothing_to_confirm");
    given::<Installation>(&installed()).when(too_many(3_000)).then(&[wanted(3_000)]);
    let asked = then_also(installed(), wanted(3_000));
    given::<Installation>(&asked).when(too_many(3_000)).then_nothing();
    given::<Installation>(&asked).when(too_many(3_001)).then(&[wanted(3_001)]);
    let spared = Command::CountRepositories { too_many: None };
    given::<Installation>(&asked).when(spared).then(&[Event::ConfirmationSpared {}]);
    let said = Event::ConfirmationGiven { repositories: 3_000 };
    given::<Installation>(&asked).when(Command::ConfirmRepositories).then(std::slice::from_ref(&said));
    let said = then_also(asked, said);
    given::<Installation>(&said).when(too_many(5_000)).then_nothing();
    given::<Installation>(&said).when(Command::ConfirmRepositories).then_nothing();
}
