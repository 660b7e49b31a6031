//! What must not change of an app, as it is shown: each property as it should be and as it is, with what mends it and where.
//! Called by the answer that shows an app; it asks nobody.

use keytrail_domain::{
    id::IntegrationId,
    installation::{Compared, Property, Registered, compared},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::public_address::PublicAddress;

/// Something of an app that must not change.
#[derive(Serialize, ToSchema)]
#[schema(as = InstallationProperty)]
pub(super) struct ShownProperty {
    /// `name`, `post_installation`, `webhook`, `private_key`, `permissions_and_events` or `installation_settings`.
    #[schema(example = "webhook")]
    property: &'static str,
    /// `kept`, `differs`, `not_told` where GitHub's API says nothing of it, or `absent` while there is no installation.
    #[schema(example = "kept")]
    state: &'static str,
    /// As it should be.
    expected: String,
    /// As it is; `null` where GitHub's API says nothing of it.
    actual: Option<String>,
    /// What mends it; `null` while it is kept.
    repair: Option<&'static str>,
    /// Where it stands at GitHub.
    link: Option<String>,
}

/// All six of them.
pub(super) fn properties(address: &PublicAddress, id: IntegrationId, registered: &Registered) -> Vec<ShownProperty> {
    let (webhook, setup) = (address.webhook(id), address.page("/github/setup"));
    let all = compared(registered, webhook.as_deref(), setup.as_deref());
    all.into_iter().map(|one| shown(one, registered)).collect()
}

fn shown(one: Compared, registered: &Registered) -> ShownProperty {
    let state = match (one.differs, &one.actual) {
        (true, _) => "differs",
        (false, None) if one.property == Property::InstallationSettings => "absent",
        (false, Some(_)) => "kept",
        (false, None) => "not_told",
    };
    ShownProperty {
        property: one.property.as_str(),
        state,
        expected: one.expected,
        actual: one.actual,
        repair: (state != "kept").then(|| repair(one.property)),
        link: link(one.property, registered),
    }
}

const fn repair(property: Property) -> &'static str {
    match property {
        Property::Name => {
            "Nothing breaks by it: the app is known by its id, and every link follows. Name it as before if you like."
        }
        Property::PostInstallation => {
            "Look at the settings of the app: its setup URL has to be this one, and has to be used on updates, too. If it is \
             another, whoever installs the app does not come back here; the installation is found all the same."
        }
        Property::Webhook => "Repair the installation: address, form, certificates and secret are set from here.",
        Property::PrivateKey => "Make a new private key in the settings of the app, and give it here.",
        Property::PermissionsAndEvents => {
            "Set permissions and events of the app as they should be; an owner of the organisation then accepts them."
        }
        Property::InstallationSettings => {
            "An owner of the organisation installs the app, or accepts the permissions that it asks for."
        }
    }
}

fn link(property: Property, registered: &Registered) -> Option<String> {
    let settings = || registered.app.settings_url();
    match property {
        Property::Name | Property::PostInstallation | Property::Webhook | Property::PrivateKey => Some(settings()),
        Property::PermissionsAndEvents => {
            Some(if registered.app.owner.is_some() { format!("{}/permissions", settings()) } else { settings() })
        }
        Property::InstallationSettings => registered.installation_url(),
    }
}
