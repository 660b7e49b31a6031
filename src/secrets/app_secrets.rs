//! Under which words the secrets of an app are sealed. Their owner is the installation, so that they can outlive the
//! integration until the app is taken away at its service.

use keytrail_domain::id::IntegrationId;

use super::{Owner, Vault};
use crate::store::Statement;

/// The private key, in PEM.
pub const APP_KEY: &str = "app_key";
/// What deliveries are signed with.
pub const WEBHOOK_SECRET: &str = "webhook_secret";
/// For signing persons in.
pub const CLIENT_SECRET: &str = "client_secret";

/// To whom they belong.
pub const fn owner(integration: IntegrationId) -> Owner {
    Owner::new("installation", integration.0)
}

/// The statements that take away all of them, and those of the integration itself: the login of the proxy that its GitHub
/// is reached through. Who asks there for the last time needs both, so they go together.
pub fn forget_with_integration(integration: IntegrationId) -> Vec<Statement> {
    vec![Vault::forget_all_of(owner(integration)), forget_of_integration(integration)]
}

/// The statement that takes away the secrets of the integration itself; those of its app stay.
pub fn forget_of_integration(integration: IntegrationId) -> Statement {
    Vault::forget_all_of(Owner::new("integration", integration.0))
}
