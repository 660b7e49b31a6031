//! The app of an integration as it is shown. Of keys and secrets only fingerprints.

use std::{borrow::Cow, collections::BTreeMap};

use keytrail_domain::{
    installation::{
        Confirmation, Difference, Installation, Registered, Remainder, Selection, Service, Status, Webhooks, Wish,
    },
    recorded::Sequence,
    timestamp::Timestamp,
};
use keytrail_projections::installation_status::InstallationRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    properties::{ShownProperty, properties},
    told::{People, deliveries, told},
};
use crate::{app::App, http::changed::Versioned};

/// The app of an integration.
#[derive(Serialize, ToSchema)]
#[schema(as = Installation)]
pub(in crate::http) struct Shown {
    /// Of which integration.
    integration: Uuid,
    /// `registering`, `installing`, `approval_requested`, `active`, `suspended`, `key_rejected`, `stuck`, `uninstalled`,
    /// `app_deleted` or `removed`.
    #[schema(example = "active")]
    status: &'static str,
    /// Since when it is so.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// A stable word for what stands in the way.
    cause: Option<&'static str>,
    /// How it is, in a sentence.
    text: String,
    /// What the server does by itself.
    next_step: &'static str,
    /// When that is, as far as this node knows: `null` where another one looks after the app.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
    /// What a person can do.
    action: Cow<'static, str>,
    /// Whether a person is asked, or was, because it sees so many repositories.
    confirmation: Option<ShownConfirmation>,
    /// What is left of its budget of requests at GitHub, as far as this node knows.
    budget: Option<ShownBudget>,
    /// Whether its secrets were kept when it was removed.
    secrets_kept: bool,
    /// The app at GitHub, once there is one.
    app: Option<ShownApp>,
    /// Its installation, while there is one.
    installation: Option<ShownInstallation>,
    /// `suspend` or `resume`, while that is wished from here.
    wish: Option<&'static str>,
    /// Who wished that: the name of an access token, `service:` and a subject, or `local` for the command line of the
    /// server's own machine.
    #[schema(example = "release manager")]
    wished_by: Option<String>,
    /// The integration that has the organisation, where that is what stands in the way.
    holder: Option<ShownHolder>,
    /// `unproven`, `proven`, or why deliveries do not come in.
    #[schema(example = "proven")]
    webhooks: Option<&'static str>,
    /// The same in words, with what to look at.
    webhooks_text: Option<String>,
    /// A page for browsers that says how it is and leads on from there, while a person is waited for at GitHub.
    page_url: Option<String>,
    /// What is not as it was set up.
    differing: Vec<ShownDifference>,
    /// Everything that must not change, as it should be and as it is, with what mends it; nothing before there is an app.
    properties: Vec<ShownProperty>,
    /// What is left at GitHub after removal.
    remainder: Option<ShownRemainder>,
    /// Its version, which is its ETag, too.
    version: i64,
    /// The position of its last change.
    position: i64,
}

/// Another integration.
#[derive(Serialize, ToSchema)]
#[schema(as = InstallationHolder)]
struct ShownHolder {
    /// Which.
    integration: Uuid,
    /// What it is called, as far as that could be read.
    name: Option<String>,
}

/// An app of GitHub.
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredApp)]
struct ShownApp {
    /// GitHub's id.
    id: u64,
    /// What it is called there.
    name: String,
    /// Its page.
    url: String,
    /// Where it is installed.
    install_url: String,
    /// Who owns it.
    owner: Option<String>,
    /// SHA-256 of its key as GitHub shows it.
    #[schema(example = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
    key_fingerprint: String,
}

/// An installation of an app.
#[derive(Serialize, ToSchema)]
#[schema(as = GithubInstallation)]
struct ShownInstallation {
    /// GitHub's id.
    id: u64,
    /// The organisation.
    organisation: Option<String>,
    /// `all` repositories or `selected` ones.
    repositories: &'static str,
    /// What it may do.
    permissions: BTreeMap<String, String>,
    /// Since when GitHub reports it suspended.
    #[schema(value_type = Option<String>, format = DateTime)]
    suspended_at: Option<Timestamp>,
    /// Who suspended it, as far as GitHub says.
    suspended_by: Option<String>,
}

/// More repositories than start by themselves.
#[derive(Serialize, ToSchema)]
#[schema(as = InstallationConfirmation)]
struct ShownConfirmation {
    /// `wanted` while nothing starts before a person says so, `given` once one did.
    #[schema(example = "wanted")]
    state: &'static str,
    /// How many repositories.
    repositories: u64,
    /// How large they are together, as GitHub reckons.
    kilobytes: Option<u64>,
    /// A filter that leaves out archived, forked, large and quiet ones, to be taken instead.
    proposed_filter: Option<String>,
}

/// What is left of a budget of requests.
#[derive(Serialize, ToSchema)]
#[schema(as = InstallationBudget)]
struct ShownBudget {
    /// Requests in an hour.
    limit: Option<u64>,
    /// What is left of them.
    remaining: Option<u64>,
    /// When it is full again.
    #[schema(value_type = Option<String>, format = DateTime)]
    reset_at: Option<Timestamp>,
    /// GitHub wants to be left alone until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
}

/// Something that is not as it was set up.
#[derive(Serialize, ToSchema)]
#[schema(as = InstallationDifference)]
struct ShownDifference {
    /// Which property.
    property: String,
    /// As it was set up.
    expected: String,
    /// As it is.
    actual: String,
}

/// What is left at GitHub.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = InstallationRemainder)]
pub(in crate::http) struct ShownRemainder {
    /// Whether the app is still installed, as far as is known.
    installed: bool,
    /// What the app is called there, as far as is known.
    app_name: Option<String>,
    /// The list of its owner's apps, where it is found and deleted.
    link: String,
    /// Who can.
    owner: Option<String>,
    /// Since when it is left.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

impl Shown {
    /// As this node knows it: with when it is asked after next, and what is left of its budget.
    pub(in crate::http) fn at(app: &App, row: InstallationRow) -> Self {
        Self::with(app, row, None)
    }

    /// The same, with what the integration is called that is in the way.
    pub(super) fn with(app: &App, row: InstallationRow, holder: Option<&str>) -> Self {
        let is_over = matches!(row.state, Installation::Removed { kept: None, .. });
        let next_at = app.jobs.installation_turns.of(row.id).filter(|_| !is_over);
        let left = match &row.state {
            Installation::Registered(registered) => registered
                .installation()
                .map(|installation| app.jobs.budgets.left(&registered.host, installation, app.clock.now())),
            Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => None,
        };
        let budget = left.filter(|left| left.budget.is_some() || left.not_before.is_some()).map(|left| ShownBudget {
            limit: left.budget.map(|budget| budget.limit),
            remaining: left.budget.map(|budget| budget.remaining),
            reset_at: left.budget.map(|budget| budget.reset),
            not_before: left.not_before,
        });
        let properties = match &row.state {
            Installation::Registered(registered) => properties(&app.public_address, row.id, registered),
            Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => Vec::new(),
        };
        let is_awaited = match row.status {
            Status::Installing | Status::ApprovalRequested | Status::Stuck | Status::Uninstalled => true,
            Status::Registering
            | Status::Active
            | Status::Suspended
            | Status::KeyRejected
            | Status::AppDeleted
            | Status::Removed => false,
        };
        let page_url = app.public_address.page(&format!("/github/apps/{}", row.id)).filter(|_| is_awaited);
        Self { next_at, budget, properties, page_url, ..Self::of(row, holder) }
    }

    /// As it was before GitHub was asked, which says nothing yet.
    pub(super) fn asked_still(self) -> Self {
        let next_step =
            "GitHub did not answer within eight seconds. The server goes on asking, and shows here what it says.";
        Self { next_step, next_at: None, ..self }
    }

    fn of(row: InstallationRow, holder: Option<&str>) -> Self {
        let told = told(&row.state, &People { wished_by: row.wished_by.as_deref(), holder });
        let holder = row.state.holder().map(|id| ShownHolder { integration: id.0, name: holder.map(str::to_owned) });
        let registered = match &row.state {
            Installation::Registered(registered) => Some(registered.as_ref()),
            Installation::Absent | Installation::Registering(_) | Installation::Removed { .. } => None,
        };
        let remainder = match &row.state {
            Installation::Removed { remainder, .. } => remainder.as_ref(),
            _ => None,
        };
        let secrets_kept = matches!(row.state, Installation::Removed { kept: Some(_), .. });
        Self {
            integration: row.id.0,
            status: row.status.as_str(),
            since: row.since,
            cause: told.cause,
            text: told.text,
            next_step: told.next,
            next_at: None,
            action: told.action,
            confirmation: registered.and_then(|registered| registered.confirmation.as_ref()).map(confirmation),
            budget: None,
            secrets_kept,
            app: registered.map(ShownApp::of),
            installation: registered.and_then(ShownInstallation::of),
            wish: registered.and_then(|registered| wish(registered.wish)),
            wished_by: row.wished_by,
            holder,
            webhooks: registered.map(|registered| webhooks(registered.webhooks)),
            webhooks_text: registered.map(deliveries),
            page_url: None,
            differing: registered
                .map(|all| all.differing.iter().map(ShownDifference::of).collect())
                .unwrap_or_default(),
            properties: Vec::new(),
            remainder: remainder.map(|remainder| ShownRemainder::of(remainder, row.since)),
            version: row.version,
            position: row.position,
        }
    }
}

fn confirmation(confirmation: &Confirmation) -> ShownConfirmation {
    match confirmation {
        Confirmation::Wanted { repositories, kilobytes, proposed } => ShownConfirmation {
            state: "wanted",
            repositories: *repositories,
            kilobytes: Some(*kilobytes),
            proposed_filter: Some(proposed.to_string()),
        },
        Confirmation::Given { repositories } => {
            ShownConfirmation { state: "given", repositories: *repositories, kilobytes: None, proposed_filter: None }
        }
    }
}

impl ShownApp {
    fn of(registered: &Registered) -> Self {
        let app = &registered.app;
        Self {
            id: app.id,
            name: app.name.to_string(),
            url: app.html_url.to_string(),
            install_url: format!("{}/installations/new", app.html_url),
            owner: app.owner.as_ref().map(ToString::to_string),
            key_fingerprint: registered.key.fingerprint.to_string(),
        }
    }
}

impl ShownInstallation {
    fn of(registered: &Registered) -> Option<Self> {
        let Service::Installed { installation, selection, permissions, suspended } = &registered.service else {
            return None;
        };
        Some(Self {
            id: *installation,
            organisation: registered.account.as_ref().map(|account| account.login.to_string()),
            repositories: match selection {
                Selection::All => "all",
                Selection::Selected => "selected",
            },
            permissions: permissions.clone(),
            suspended_at: suspended.as_ref().and_then(|halt| halt.since),
            suspended_by: suspended.as_ref().and_then(|halt| halt.by.as_ref()).map(ToString::to_string),
        })
    }
}

impl ShownDifference {
    fn of(difference: &Difference) -> Self {
        Self {
            property: difference.property.as_str().to_owned(),
            expected: difference.expected.to_string(),
            actual: difference.actual.to_string(),
        }
    }
}

impl ShownRemainder {
    /// What is left of an app that was removed.
    pub(in crate::http) fn left(row: InstallationRow) -> Option<Self> {
        match &row.state {
            Installation::Removed { remainder, .. } => remainder.as_ref().map(|left| Self::of(left, row.since)),
            Installation::Absent | Installation::Registering(_) | Installation::Registered(_) => None,
        }
    }

    fn of(remainder: &Remainder, since: Timestamp) -> Self {
        Self {
            installed: remainder.installed,
            app_name: remainder.app.as_ref().map(ToString::to_string),
            link: remainder.link.to_string(),
            owner: remainder.owner.as_ref().map(ToString::to_string),
            since,
        }
    }
}

const fn wish(wish: Wish) -> Option<&'static str> {
    match wish {
        Wish::Unsaid => None,
        Wish::Suspend => Some("suspend"),
        Wish::Resume => Some("resume"),
    }
}

const fn webhooks(webhooks: Webhooks) -> &'static str {
    use keytrail_domain::installation::WebhookDoubt::{
        NoAddress, NoneSent, PrivateAddress, Refused, Timeout, Tls, Unreachable,
    };
    match webhooks {
        Webhooks::Unproven => "unproven",
        Webhooks::Proven => "proven",
        Webhooks::Doubted { cause } => match cause {
            NoAddress => "no_address",
            PrivateAddress => "private_address",
            Tls => "tls",
            Unreachable => "unreachable",
            Timeout => "timeout",
            Refused => "refused",
            NoneSent => "none_sent",
        },
    }
}

impl Versioned for Shown {
    fn version(&self) -> Sequence {
        self.version
    }
}
