//! The manifest that an app is registered from (docs.github.com, "Registering a GitHub App from a manifest"), and its name.

use keytrail_domain::{
    github::{Edition, GithubConnection, Login, wanted},
    id::IntegrationId,
};
use serde_json::{Value, json};

use crate::{
    http::error::{ApiError, Code},
    ids,
    public_address::PublicAddress,
};

/// The bound of the name of an app, in characters. It must be free on the whole GitHub.
pub(super) const LONGEST_NAME: usize = 34;

/// A name that is probably free.
pub(super) fn proposed(organisation: &Login) -> String {
    proposed_with(organisation, ids::random_bytes())
}

/// The same, told apart from other ones by these bytes.
pub(super) fn proposed_with(organisation: &Login, [a, b]: [u8; 2]) -> String {
    // "Keytrail " and " 4f3a" take 14.
    let short: String = organisation.as_str().chars().take(LONGEST_NAME - 14).collect();
    format!("Keytrail {short} {a:02x}{b:02x}")
}

/// The name that a person gave.
pub(super) fn named(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let good = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if good {
        return Ok(name.to_owned());
    }
    let detail = "The name of an app has 1 to 34 characters; GitHub takes no longer ones.";
    Err(ApiError::new(Code::NameInvalid, detail))
}

/// The manifest. GitHub makes the webhook secret itself.
pub(super) fn manifest(
    name: &str,
    id: IntegrationId,
    github: &GithubConnection,
    address: &PublicAddress,
) -> Option<Value> {
    let mut manifest = json!({
        "name": name,
        "url": address.page("/")?,
        "redirect_url": address.page("/github/callback")?,
        "setup_url": address.page("/github/setup")?,
        "setup_on_update": true,
        "public": false,
        "description": format!("Ties the repositories of {} to Jira.", github.organisation),
        "default_permissions": wanted::PERMISSIONS.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        "default_events": wanted::EVENTS,
    });
    // github.com refuses a manifest whose deliveries would go to its own machine; they are set up once there is an address.
    let refused = github.host.edition == Edition::Cloud && address.is_webhook_private();
    if let Some(url) = address.webhook(id).filter(|_| !refused) {
        manifest["hook_attributes"] = json!({ "url": url, "active": true });
    }
    Some(manifest)
}

#[cfg(test)]
mod tests {
    use keytrail_domain::github::GithubHost;
    use uuid::Uuid;

    use super::*;
    use crate::config;

    fn address(public: &str) -> PublicAddress {
        let server = config::Server { public_url: Some(public.to_owned()), ..Default::default() };
        PublicAddress::of(&server).expect("it can be used")
    }

    fn of(host: &str, public: &str) -> Value {
        let host = GithubHost::parse(host).expect("a host");
        let github = GithubConnection::of(host, Login::parse("octo").expect("a name"));
        manifest("A name", IntegrationId(Uuid::nil()), &github, &address(public)).expect("there is an address")
    }

    #[test]
    fn a_name_is_proposed_that_github_takes() {
        for organisation in ["a", "an-organisation-with-a-rather-long-name-indeed"] {
            let name = proposed(&Login::parse(organisation).expect("a name"));
            assert!(named(&name).is_ok_and(|kept| kept == name), "{name}");
        }
        for bad in ["", "   ", &"x".repeat(35), "a\nb"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_manifest_leads_back_here_and_asks_for_what_is_needed() {
        let manifest = of("github.example.com", "https://k.example.com");
        assert_eq!(manifest["redirect_url"], "https://k.example.com/github/callback");
        assert_eq!(manifest["setup_url"], "https://k.example.com/github/setup");
        let hook = format!("https://k.example.com/webhooks/github/{}", Uuid::nil());
        assert_eq!(manifest["hook_attributes"]["url"], hook);
        assert_eq!(manifest["public"], false);
        assert_eq!(manifest["setup_on_update"], true);
        assert_eq!(manifest["default_permissions"]["contents"], "write");
        assert!(manifest.get("request_oauth_on_install").is_none(), "it would make the setup URL useless");
    }

    #[test]
    fn an_address_that_github_com_refuses_is_left_out() {
        assert!(of("github.com", "http://localhost:8421").get("hook_attributes").is_none());
        assert!(of("github.com", "https://k.example.com").get("hook_attributes").is_some());
        assert!(of("ghe.example.com", "http://localhost:8421").get("hook_attributes").is_some());
    }
}
