//! How an app is, told to a person: in the way, what the server does next, what they can do. One place for the API, the
//! command line and the console.

use std::borrow::Cow;

use keytrail_domain::installation::{
    Cause, Confirmation, Installation, Registered, Remainder, Service, Status, WebhookDoubt, Webhooks, Wish,
};

/// What is told.
pub(in crate::http) struct Told {
    /// A stable word for what stands in the way, if anything does.
    pub(in crate::http) cause: Option<&'static str>,
    /// How it is, in a sentence.
    pub(in crate::http) text: String,
    /// What the server does by itself.
    pub(in crate::http) next: &'static str,
    /// What a person can do.
    pub(in crate::http) action: Cow<'static, str>,
}

const ASKS_AGAIN: &str = "The server asks GitHub again by itself, and at once when GitHub sends word.";
const ONLY_CERTAIN: &str = "The organisation lets only certain addresses in.";
const LIST: &str = "list of allowed addresses of the organisation";
const NOTHING: &str = "Nothing has to be done.";

/// Who is named, as far as that is known and for the reader's eyes.
#[derive(Default)]
pub(in crate::http) struct People<'a> {
    /// Who suspended it here, or lets it run again.
    pub(in crate::http) wished_by: Option<&'a str>,
    /// What the integration is called that has the organisation.
    pub(in crate::http) holder: Option<&'a str>,
}

/// Tells it.
pub(in crate::http) fn told(state: &Installation, people: &People<'_>) -> Told {
    match state {
        Installation::Absent => Told {
            cause: Some("not_registered"),
            text: "No app is registered at GitHub yet.".to_owned(),
            next: "The server waits.",
            action: Cow::Borrowed("Open the link to connect, or take over an app that is there already."),
        },
        // For a moment, or for good: what GitHub gives is given once.
        Installation::Registering(opened) if opened.returned => Told {
            cause: Some("not_registered"),
            text: "A browser came back from GitHub, and the app that was created there was not taken in.".to_owned(),
            next: "The server waits.",
            action: Cow::Borrowed(
                "Look for the app among those of the organisation at GitHub. If it is there, make a private key in its \
                 settings and take it over, or have it deleted and ask for a new link.",
            ),
        },
        Installation::Registering(_) => Told {
            cause: Some("not_registered"),
            text: "A link to connect was given, and no app came back from GitHub yet.".to_owned(),
            next: "The server waits. Nothing is left at GitHub of what was begun there before the app was created.",
            action: Cow::Borrowed(
                "Open the link, and go on at GitHub. A link that was used or is over is replaced by a new one.",
            ),
        },
        Installation::Removed { remainder, kept, .. } => of_removed(remainder.as_ref(), kept.is_some()),
        Installation::Registered(registered) => of_registered(state.status(), registered, people),
    }
}

fn of_removed(remainder: Option<&Remainder>, kept: bool) -> Told {
    const FOLLOWS: &str = "The server asks GitHub now and then, with the key that was kept. When the app is gone, its \
                           secrets are forgotten.";
    let Some(left) = remainder else {
        let (next, action) = if kept {
            (FOLLOWS, "Confirm that it is gone to have its secrets forgotten now.")
        } else {
            ("The server does nothing more.", NOTHING)
        };
        let text = "The integration was removed; nothing of it is left at GitHub that is to be taken away.".to_owned();
        return Told { cause: None, text, next, action: Cow::Borrowed(action) };
    };
    let name = left.app.as_ref().map(|name| format!(", {name},")).unwrap_or_default();
    let owner = left.owner.as_ref().map(|owner| format!("{owner}, which owns it,"));
    let owner = owner.unwrap_or_else(|| "the owner".to_owned());
    let start = left.link.as_str().split("/organizations/").next().unwrap_or_default();
    let start = start.trim_end_matches("/settings/apps");
    Told {
        cause: Some("left_at_github"),
        text: format!(
            "The integration was removed. The app{name} is still registered at GitHub, where only its owner or a manager \
             of its apps can delete it."
        ),
        next: if kept { FOLLOWS } else { "The server does nothing more: without the key of the app it cannot ask." },
        action: Cow::Owned(format!(
            "Have {owner} delete the app, which stands in the list that the link leads to, and confirm here that it is \
             gone. If the organisation was renamed since, it stands at {start}/settings/organizations."
        )),
    }
}

fn of_registered(status: Status, registered: &Registered, people: &People<'_>) -> Told {
    let cause = registered.diagnosis.map(|diagnosis| diagnosis.cause);
    let (text, next, action) = match (&registered.service, status) {
        (Service::AppDeleted, _) => (
            "The app was deleted at GitHub.".to_owned(),
            "The server asks now and then whether it is there after all.",
            "Remove this integration and connect a new app. What was indexed stays readable.",
        ),
        (_, Status::KeyRejected) => (
            "GitHub refuses the key of the app.".to_owned(),
            ASKS_AGAIN,
            "Make a new private key in the settings of the app at GitHub, and give it here.",
        ),
        (Service::Uninstalled, _) => (
            "The app was taken away from the organisation at GitHub.".to_owned(),
            ASKS_AGAIN,
            "Install it again with the link, or remove this integration. What was indexed stays.",
        ),
        (Service::ApprovalRequested { by }, _) => (
            match by {
                Some(by) => format!("{by} asked an owner of the organisation to install the app."),
                None => "A member asked an owner of the organisation to install the app.".to_owned(),
            },
            ASKS_AGAIN,
            "An owner of the organisation approves the request at GitHub. This may take as long as it takes.",
        ),
        (Service::NotInstalled, _) => (
            "The app is registered at GitHub, and nobody installed it yet.".to_owned(),
            ASKS_AGAIN,
            "Install it with the link; an owner of the organisation can.",
        ),
        (Service::Installed { suspended, .. }, Status::Suspended) => {
            let whom = suspended.as_ref().and_then(|halt| halt.by.as_ref());
            let by_the_app = suspended.as_ref().is_some_and(|halt| halt.by_the_app);
            match (registered.wish, by_the_app) {
                (Wish::Suspend, _) => (
                    format!("It was suspended from here{}; nothing is indexed.", by(people.wished_by)),
                    "The server tells GitHub, and keeps it so.",
                    "Resume it here; GitHub's own pages cannot lift that.",
                ),
                (Wish::Resume, true) => (
                    format!("It was resumed from here{}, and GitHub does not report so yet.", by(people.wished_by)),
                    "The server tells GitHub, and asks whether it is so.",
                    NOTHING,
                ),
                (Wish::Unsaid, true) => (
                    "It was suspended with the key of the app; nothing is indexed.".to_owned(),
                    ASKS_AGAIN,
                    "Resume it here.",
                ),
                (Wish::Unsaid | Wish::Resume, false) => (
                    whom.map_or_else(
                        || "It was suspended at GitHub; nothing is indexed.".to_owned(),
                        |whom| format!("{whom} suspended it at GitHub; nothing is indexed."),
                    ),
                    ASKS_AGAIN,
                    "Whoever suspended it lets it run again at GitHub; that cannot be lifted from here. To stop \
                     indexing for a while suspend it here instead: then it is known who did it, and why nothing comes.",
                ),
            }
        }
        (Service::Installed { .. }, _) => {
            ("It is installed, and its repositories are followed.".to_owned(), ASKS_AGAIN, NOTHING)
        }
    };
    if let (None | Some(Cause::PullRequestsDenied), Some(Confirmation::Wanted { repositories, .. })) =
        (cause, &registered.confirmation)
    {
        return Told {
            cause: Some("confirmation_wanted"),
            text: format!("{text} It sees {repositories} repositories, which are more than start by themselves."),
            next: "The server waits; nothing is fetched of those that are new. Those that are known are followed.",
            action: Cow::Borrowed("Confirm that all are wanted, or take the proposed filter, or another one."),
        };
    }
    let (text, action) = match cause {
        Some(cause) if status != Status::AppDeleted => match obstacle(cause, registered, people.holder) {
            Some((obstacle, remedy)) => (format!("{text} {obstacle}"), remedy),
            None => (text, Cow::Borrowed(action)),
        },
        _ => (text, Cow::Borrowed(action)),
    };
    Told { cause: cause.map(word), text, next, action }
}

/// Whether deliveries come in, and what to look at when they do not. Either way the server looks for itself.
pub(super) fn deliveries(registered: &Registered) -> String {
    const POLLS: &str = "Until then the server looks for what is new by itself.";
    let doubt = match registered.webhooks {
        Webhooks::Proven => return "GitHub's deliveries come in.".to_owned(),
        Webhooks::Unproven if registered.webhook_wished => {
            return format!("Webhooks are not proven: GitHub is still to be told where deliveries go. {POLLS}");
        }
        Webhooks::Unproven => return format!("Webhooks are not proven: no delivery came in yet. {POLLS}"),
        Webhooks::Doubted { cause } => cause,
    };
    let meta = if registered.host == "github.com" {
        "https://api.github.com/meta".to_owned()
    } else {
        format!("/meta of the API of {}", registered.host)
    };
    let likely = match doubt {
        WebhookDoubt::NoAddress => {
            "this server has no address for them: set `public_url` or `webhook_url` in [server].".to_owned()
        }
        WebhookDoubt::PrivateAddress => {
            "the address of this server is known in its own network only: set `webhook_url` in \
                                         [server] to one that GitHub reaches, such as that of a proxy."
                .to_owned()
        }
        WebhookDoubt::Tls => {
            "GitHub does not accept the certificate of this server, or of the proxy before it: it needs \
                              one of a public authority, with the whole chain."
                .to_owned()
        }
        WebhookDoubt::Unreachable => format!(
            "GitHub cannot connect to this server. A firewall that lets only certain addresses in has to let those in \
             that {meta} lists under `hooks`."
        ),
        WebhookDoubt::Timeout => {
            "GitHub waited too long for an answer: look at the proxy before this server.".to_owned()
        }
        WebhookDoubt::Refused => {
            "a delivery was refused, by this server or a proxy before it. Repair the installation to sign them anew; \
             GitHub's page of the app has the answer."
                .to_owned()
        }
        WebhookDoubt::NoneSent if registered.webhook_wished => {
            "GitHub is still to be told where they go; the server tries until it was.".to_owned()
        }
        WebhookDoubt::NoneSent => "GitHub has sent none. Repair the installation to set their address anew.".to_owned(),
    };
    format!("Webhooks are not proven; most likely {likely} {POLLS}")
}

/// The stable word.
const fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::NotRegistered => "not_registered",
        Cause::WaitingForService => "waiting_for_service",
        Cause::Unreachable => "unreachable",
        Cause::NotInstalled => "not_installed",
        Cause::ClockSkew => "clock_skew",
        Cause::RateLimited => "rate_limited",
        Cause::AddressNotAllowed { .. } => "address_not_allowed",
        Cause::SuspendedThere => "suspended_there",
        Cause::SecretUnreadable => "secret_unreadable",
        Cause::ProxyCredentialUnreadable => "proxy_credential_unreadable",
        Cause::WebhookSecretUnreadable => "webhook_secret_unreadable",
        Cause::OrganisationTaken => "organisation_taken",
        Cause::FilterInvalid => "filter_invalid",
        Cause::PermissionMissing | Cause::PullRequestsDenied => "permission_missing",
        Cause::SignInDemanded => "sign_in_demanded",
        Cause::Refused => "github_refused",
        Cause::AppElsewhere => "app_elsewhere",
    }
}

/// What keeps us from knowing more, and what to do about it.
fn obstacle(
    cause: Cause,
    registered: &Registered,
    holder: Option<&str>,
) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    let (text, remedy) = match cause {
        Cause::WaitingForService => ("GitHub answers with troubles of its own.", "Wait; look at GitHub's status page."),
        Cause::Unreachable => (
            "GitHub cannot be reached now.",
            "Check that this server may connect to it: name, network, proxy, certificate.",
        ),
        Cause::ClockSkew => {
            ("The clocks of this server and of GitHub differ too much.", "Set the clock of this server.")
        }
        Cause::RateLimited => ("GitHub wants to be asked less often.", "Wait."),
        Cause::AddressNotAllowed { address: Some(address) } => {
            let remedy = format!("An owner adds {address}, from which this server comes, to the {LIST}.");
            return Some((ONLY_CERTAIN.into(), remedy.into()));
        }
        Cause::AddressNotAllowed { address: None } => {
            let remedy = format!("An owner adds the address of this server to the {LIST}.");
            return Some((ONLY_CERTAIN.into(), remedy.into()));
        }
        Cause::SecretUnreadable => ("The key of the app cannot be opened here.", "Give the key of the app again."),
        Cause::ProxyCredentialUnreadable => (
            "The login of the proxy that GitHub is reached through cannot be opened here.",
            "Change the connection of the integration, and give the login of the proxy again with it.",
        ),
        Cause::WebhookSecretUnreadable => (
            "What deliveries are signed with cannot be opened here, so none is taken; the server looks for what is new by \
             itself.",
            "Have the webhook secret changed: the server makes another one, and tells GitHub.",
        ),
        Cause::OrganisationTaken => {
            let id = registered.diagnosis.and_then(|diagnosis| diagnosis.holder).map(|id| format!(" ({id})"));
            let holder = match holder {
                Some(name) => format!("The integration “{name}”{}", id.unwrap_or_default()),
                None => format!("Another integration{}", id.unwrap_or_default()),
            };
            let text = format!("{holder} has an app in this organisation, which was called something else then.");
            return Some((text.into(), "Keep one of the two integrations, and remove the other.".into()));
        }
        Cause::FilterInvalid => (
            "The filter of the integration answers no list of repositories; nothing is looked for, and nothing is forgotten.",
            "Try filters out with the preview, and give the connection one that ends in whole repositories.",
        ),
        Cause::PermissionMissing => (
            "The app may not do what it needs to.",
            "Compare its permissions among the properties; grant in the settings of the app at GitHub what is missing, \
             and have an owner of the organisation accept it.",
        ),
        Cause::PullRequestsDenied => (
            "The app may not read the pull requests of its repositories.",
            "Grant it to read pull requests in the settings of the app at GitHub, and have an owner of the organisation \
             accept it; they are listed as soon as that is seen.",
        ),
        Cause::SignInDemanded => (
            "The organisation wants a person to sign in once more before it answers the app.",
            "An owner of the organisation signs in there with its identity provider, and opens the settings of the \
             installation.",
        ),
        Cause::Refused => (
            "GitHub refuses what the app asks for.",
            "Look at the settings of the app and of its installation at GitHub, and repair the installation.",
        ),
        Cause::AppElsewhere => {
            let text =
                format!("The app is registered at {}, and the integration leads elsewhere now.", registered.host);
            let remedy = format!(
                "Connect the integration to {} again, or remove it and connect a new one there.",
                registered.host
            );
            return Some((text.into(), remedy.into()));
        }
        // The status says these already.
        Cause::NotRegistered | Cause::NotInstalled | Cause::SuspendedThere => return None,
    };
    Some((text.into(), remedy.into()))
}

fn by(whom: Option<&str>) -> String {
    whom.map(|whom| format!(" by {whom}")).unwrap_or_default()
}
