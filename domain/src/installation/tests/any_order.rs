//! Wishes and reports in any order.

use super::*;

const fn chosen(all: bool) -> Selection {
    if all { Selection::All } else { Selection::Selected }
}

fn any_seen() -> impl Strategy<Value = Seen> {
    (100..103_u64, any::<bool>(), any::<bool>()).prop_map(|(installation, suspended, all)| Seen {
        selection: chosen(all),
        suspended: suspended.then(|| by("alice")),
        ..seen(installation)
    })
}

fn any_known() -> impl Strategy<Value = Webhooks> {
    prop_oneof![Just(Webhooks::Unproven), Just(Webhooks::Proven)]
}

fn any_heard() -> impl Strategy<Value = Heard> {
    prop_oneof![
        Just(Heard::Anything),
        Just(Heard::Earlier),
        any_seen().prop_map(Heard::Installed),
        (100..103_u64).prop_map(|installation| Heard::Uninstalled { installation }),
        (100..103_u64).prop_map(|installation| Heard::Suspended { installation, suspension: by("bob") }),
        (100..103_u64).prop_map(|installation| Heard::Resumed { installation }),
        (100..103_u64, any::<bool>())
            .prop_map(|(installation, all)| Heard::SelectionChanged { installation, selection: chosen(all) }),
        (100..103_u64)
            .prop_map(|installation| Heard::PermissionsAccepted { installation, permissions: app().permissions }),
        Just(Heard::AccountRenamed { account: 4, login: login("octo-two") }),
    ]
}

fn any_report() -> impl Strategy<Value = Report> {
    let there = prop_oneof![
        Just(There::NotInstalled),
        Just(There::ApprovalRequested { by: None }),
        any_seen().prop_map(There::Installed),
    ];
    prop_oneof![
        1 => Just(Report::AppDeleted),
        1 => Just(Report::KeyRejected),
        4 => there.prop_map(|there| Report::Read { app: app(), there }),
    ]
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(open()),
        Just(come_back("s")),
        Just(register()),
        Just(adopt()),
        any_report().prop_map(Command::Report),
        any_report().prop_map(Command::Report),
        any_heard().prop_map(Command::Hear),
        Just(Command::Suspend),
        Just(Command::Resume),
        (1..4_u128, 17..19_u64).prop_map(|(number, app)| Command::RotateKey { key: key(number), app }),
        (2..5_u128).prop_map(|number| Command::RotateWebhookSecret { secret: secret(number), until: None }),
        (2..5_u128).prop_map(|number| Command::RetireWebhookSecret { secret: secret(number) }),
        Just(Command::WishWebhook),
        (2..5_u128).prop_map(|number| Command::TellWebhook { address: text("https://k/x"), secret: secret(number) }),
        Just(Command::DoubtWebhooks { cause: WebhookDoubt::Tls, known: None }),
        any_known().prop_map(|known| Command::CompareProperties { differing: vec![renamed_hook()], known }),
        any::<bool>().prop_map(|stuck| Command::Diagnose(Diagnosis::of(Cause::NotInstalled, stuck))),
        Just(Command::Clear),
        Just(Command::ConfirmGone),
    ]
}

proptest! {
    #[test]
    fn every_history_folds(commands in vec(any_command(), 0..40), removed in any::<bool>()) {
        let mut commands: Vec<_> = [open(), come_back("s"), register()].into_iter().chain(commands).collect();
        if removed {
            commands.push(Command::Remove { uninstalled: false, keep: false, app: None });
        }
        histories::fold::<Installation>(commands)?;
    }

    /// Deliveries and readings come in any order, twice or never: the last reading is what holds.
    #[test]
    fn whatever_was_heard_the_last_reading_is_what_holds(
        heard in vec(any_heard(), 0..12).prop_flat_map(|heard| {
            let doubled: Vec<_> = heard.iter().cloned().chain(heard.clone()).collect();
            let length = doubled.len();
            subsequence(doubled, 0..=length).prop_shuffle()
        }),
        between in vec(any_report(), 0..4),
        truth in any_report(),
    ) {
        let mut state = folded(&registered());
        let mut take = |command: Command| {
            for event in state.decide(Stamped { command, at: at(1_000_000) }).unwrap_or_default() {
                state.evolve(&event);
            }
        };
        for (index, heard) in heard.into_iter().enumerate() {
            take(Command::Hear(heard));
            if let Some(report) = between.get(index) {
                take(Command::Report(report.clone()));
            }
        }
        take(Command::Report(truth.clone()));
        let Installation::Registered(state) = state else { panic!("it is registered") };
        prop_assert!(agrees(&state, &truth), "{state:?} is not {truth:?}");
    }
}

fn agrees(state: &Registered, truth: &Report) -> bool {
    match truth {
        Report::AppDeleted => state.service == Service::AppDeleted,
        Report::KeyRejected => state.key_rejected,
        Report::Read { app, there } => {
            let service = match (there, &state.service) {
                (There::NotInstalled, service) => matches!(service, Service::NotInstalled | Service::Uninstalled),
                (There::ApprovalRequested { by }, Service::ApprovalRequested { by: known }) => by == known,
                (There::Installed(seen), Service::Installed { installation, selection, permissions, suspended }) => {
                    seen.installation == *installation
                        && seen.selection == *selection
                        && seen.permissions == *permissions
                        && seen.suspended.is_some() == suspended.is_some()
                        && state.account.as_ref() == Some(&seen.account)
                }
                _ => false,
            };
            service && !state.key_rejected && state.app == *app
        }
    }
}
