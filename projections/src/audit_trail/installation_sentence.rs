//! What an event of an installation says, in one sentence whose subject is the actor. Called by `summary`.

use keytrail_domain::{
    display_text::DisplayText,
    github::{App, Login},
    installation::{Cause, Event, Property, Remainder, Selection, WebhookDoubt},
};

/// The sentence, without its subject and its full stop.
pub(super) fn sentence(event: &Event) -> String {
    match event {
        Event::RegistrationOpened { expires_at, .. } => {
            format!("set out to register an app at GitHub; the way back is good until {expires_at}")
        }
        Event::RegistrationReturned { .. } => "came back from registering an app at GitHub".to_owned(),
        Event::AppRegistered { app, key, .. } => {
            format!("registered {}, with the key {}", called(app), key.fingerprint)
        }
        Event::Adopted { app, key, .. } => format!("took over {}, with the key {}", called(app), key.fingerprint),
        Event::ApprovalRequested { by } => format!("learned that {} asked an owner to install the app", somebody(by)),
        Event::ApprovalWithdrawn {} => "learned that nobody asks for the app any more".to_owned(),
        Event::Installed { installation, account, selection, .. } => {
            format!("learned of installation {installation} in {}, for {}", account.login, repositories(*selection))
        }
        Event::Reinstalled { installation, account, selection, .. } => format!(
            "learned that the app was installed again in {}, as installation {installation}, for {}",
            account.login,
            repositories(*selection)
        ),
        Event::Suspended { by, .. } => format!("learned that the installation was suspended{}", by_whom(by.as_ref())),
        Event::Resumed {} => "learned that the installation runs again".to_owned(),
        Event::SuspensionWished {} => "suspended the installation".to_owned(),
        Event::SuspensionLifted {} => "let the installation run again".to_owned(),
        Event::Uninstalled { installation } => format!("learned that installation {installation} was taken away"),
        Event::AppDeleted {} => "learned that GitHub knows no such app any more".to_owned(),
        Event::AppFound {} => "learned that GitHub knows the app after all".to_owned(),
        Event::KeyRotated { key, previous } => format!("changed the key {previous} for {}", key.fingerprint),
        Event::KeyRejected {} => "learned that GitHub refuses the key of the app".to_owned(),
        Event::KeyAccepted {} => "learned that GitHub takes the key of the app again".to_owned(),
        Event::WebhookSecretRotated { .. } => "changed the secret that deliveries are signed with".to_owned(),
        Event::WebhookSecretRetired { .. } => "takes the old secret of deliveries no more".to_owned(),
        Event::WebhookWished {} => "wished deliveries to be sent to this server".to_owned(),
        Event::WebhookTold { address } => format!("told GitHub to send deliveries to {address}"),
        Event::AppChanged { app } => format!("learned that the app is {} now", called(app)),
        Event::AccountRenamed { login } => format!("learned that the organisation is called {login} now"),
        Event::PermissionsChanged { permissions } => {
            let all: Vec<_> = permissions.iter().map(|(what, how)| format!("{what}: {how}")).collect();
            format!("learned that the installation may do this now: {}", all.join(", "))
        }
        Event::SelectionChanged { selection } => {
            format!("learned that the installation is for {} now", repositories(*selection))
        }
        Event::WebhooksProven {} => "saw that deliveries of GitHub's come in".to_owned(),
        Event::WebhooksDoubted { cause } => format!("has no deliveries of GitHub's: {}", doubt(*cause)),
        Event::PropertiesCompared { differing } if differing.is_empty() => {
            "found everything at GitHub as it was set up".to_owned()
        }
        Event::PropertiesCompared { differing } => {
            let all: Vec<_> = differing.iter().map(|difference| property(difference.property)).collect();
            format!("found changed at GitHub: {}", all.join(", "))
        }
        Event::Diagnosed { cause, stuck, holder, .. } => {
            let holder = holder.map(|holder| format!(" ({holder})")).unwrap_or_default();
            let said = if *stuck { "found the installation stuck" } else { "waits" };
            format!("{said}: {}{holder}", obstacle(*cause))
        }
        Event::ConfirmationWanted { repositories, .. } => {
            format!("waits for a person to confirm {repositories} repositories")
        }
        Event::ConfirmationGiven { repositories } => format!("confirmed {repositories} repositories"),
        Event::ConfirmationSpared {} => "found few enough repositories to go on by itself".to_owned(),
        Event::Cleared {} => "found nothing in the way of the installation any more".to_owned(),
        Event::Removed { remainder: None, .. } => "removed the app; nothing of it is left at GitHub".to_owned(),
        Event::Removed { remainder: Some(Remainder { link, .. }), .. } => {
            format!("removed the app; what is left at GitHub is deleted at {link}")
        }
        Event::RemainderChanged { remainder: Remainder { installed, link, .. } } => {
            let installed = if *installed { "still installed" } else { "installed no more" };
            format!("learned that the app is {installed}; what is left at GitHub is deleted at {link}")
        }
        Event::RemainderGone {} => "found nothing left to be done about the app at GitHub".to_owned(),
    }
}

fn called(app: &App) -> String {
    format!("the app {} (id {})", app.name, app.id)
}

fn somebody(login: &Option<Login>) -> String {
    login.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string)
}

fn by_whom(who: Option<&DisplayText>) -> String {
    who.map(|who| format!(" by {who}")).unwrap_or_default()
}

const fn repositories(selection: Selection) -> &'static str {
    match selection {
        Selection::All => "all repositories",
        Selection::Selected => "chosen repositories",
    }
}

const fn doubt(cause: WebhookDoubt) -> &'static str {
    match cause {
        WebhookDoubt::NoAddress => "no address is set at which GitHub could reach this server",
        WebhookDoubt::PrivateAddress => "the address of this server is private",
        WebhookDoubt::Tls => "GitHub does not accept the certificate of this server",
        WebhookDoubt::Unreachable => "GitHub cannot connect",
        WebhookDoubt::Timeout => "GitHub waited too long for an answer",
        WebhookDoubt::Refused => "a delivery was refused",
        WebhookDoubt::NoneSent => "GitHub has sent none",
    }
}

const fn property(property: Property) -> &'static str {
    match property {
        Property::Name => "the name",
        Property::PostInstallation => "the address after installing",
        Property::Webhook => "the webhook",
        Property::PrivateKey => "the private key",
        Property::PermissionsAndEvents => "permissions and events",
        Property::InstallationSettings => "the settings of the installation",
    }
}

const fn obstacle(cause: Cause) -> &'static str {
    match cause {
        Cause::NotRegistered => "nobody came back from registering the app",
        Cause::WaitingForService => "GitHub has troubles of its own",
        Cause::Unreachable => "GitHub cannot be reached",
        Cause::NotInstalled => "nobody installed the app",
        Cause::ClockSkew => "the clocks of this server and of GitHub differ too much",
        Cause::RateLimited => "GitHub wants to be asked less often",
        Cause::AddressNotAllowed { .. } => "GitHub lets only certain addresses in",
        Cause::SuspendedThere => "it is suspended at GitHub by somebody else",
        Cause::SecretUnreadable => "its key cannot be opened here",
        Cause::ProxyCredentialUnreadable => "the login of the proxy before GitHub cannot be opened here",
        Cause::WebhookSecretUnreadable => "what its deliveries are signed with cannot be opened here",
        Cause::OrganisationTaken => "another integration has the organisation",
        Cause::PermissionMissing => "the app may not do what it needs to",
        Cause::PullRequestsDenied => "the app may not read pull requests",
        Cause::SignInDemanded => "the organisation wants a person to sign in once more",
        Cause::Refused => "GitHub refuses what is asked",
        Cause::AppElsewhere => "the app is registered at another GitHub than the integration leads to",
        Cause::FilterInvalid => "the filter of repositories answers no list of repositories",
    }
}
