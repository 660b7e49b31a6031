//! Where browsers and GitHub reach this server from outside: read from the configuration once, at the start. Whoever makes
//! a link asks here; nothing is guessed from what a request says of itself.

use std::net::IpAddr;

use keytrail_domain::{
    id::IntegrationId,
    remote_url::{Host, RemoteUrl, Scheme},
};

use crate::config;

/// An address that cannot be the one from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAddress {
    /// Which setting.
    pub key: &'static str,
    /// What is wrong with it.
    pub text: String,
}

/// The addresses of this server as others know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicAddress {
    pages: Option<Origin>,
    webhooks: Option<Origin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    text: String,
    is_private: bool,
    is_secure: bool,
}

impl PublicAddress {
    /// As it was configured.
    pub fn of(server: &config::Server) -> Result<Self, BadAddress> {
        let read = |key, text: &Option<String>| {
            text.as_deref().map(|text| Origin::parse(text).map_err(|text| BadAddress { key, text })).transpose()
        };
        let pages = read("server.public_url", &server.public_url)?;
        let webhooks = read("server.webhook_url", &server.webhook_url)?;
        Ok(Self { webhooks: webhooks.or_else(|| pages.clone()), pages })
    }

    /// A page of ours, for browsers; `path` begins with a slash.
    pub fn page(&self, path: &str) -> Option<String> {
        self.pages.as_ref().map(|origin| format!("{}{path}", origin.text))
    }

    /// Whether browsers come over TLS, so that cookies can be kept to it.
    pub fn is_secure(&self) -> bool {
        self.pages.as_ref().is_some_and(|origin| origin.is_secure)
    }

    /// Where GitHub sends the deliveries of this integration.
    pub fn webhook(&self, integration: IntegrationId) -> Option<String> {
        self.webhooks.as_ref().map(|origin| format!("{}{}", origin.text, webhook_path(integration)))
    }

    /// Whether they go to this integration, and to another address than this server has now.
    pub fn is_webhook_moved(&self, integration: IntegrationId, from: &str) -> bool {
        self.webhook(integration).is_some_and(|now| now != from) && from.ends_with(&webhook_path(integration))
    }

    /// Whether only our own network knows where deliveries are to go, as far as its text tells.
    pub fn is_webhook_private(&self) -> bool {
        self.webhooks.as_ref().is_some_and(|origin| origin.is_private)
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let bare = text.strip_suffix('/').unwrap_or(text);
        // The parser of addresses wants a path; an origin has none. What it says repeats no part of the text.
        let parsed = RemoteUrl::parse(&format!("{bare}/x")).map_err(|bad| bad.to_string())?;
        let (url, scheme) = (&parsed.url, parsed.url.scheme());
        if !matches!(scheme, Scheme::Https | Scheme::Http) {
            return Err("it begins with https://".to_owned());
        }
        if parsed.credential.is_some() || url.path() != "/x" {
            return Err("it is scheme, host and port alone, such as https://keytrail.example.com".to_owned());
        }
        let is_secure = scheme == Scheme::Https;
        if !is_secure && !is_loopback(url.host()) {
            return Err(
                "it begins with https://; http:// is for this machine only, as 127.0.0.1 or localhost".to_owned()
            );
        }
        Ok(Self { text: url.origin(), is_private: is_private(url.host()), is_secure })
    }
}

fn webhook_path(integration: IntegrationId) -> String {
    format!("/webhooks/github/{integration}")
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::V4(address) => address.is_loopback(),
        Host::V6(address) => address.is_loopback(),
    }
}

/// Whether nobody outside can know it.
fn is_private(host: &Host) -> bool {
    const INNER: [&str; 7] = [".local", ".localhost", ".internal", ".lan", ".home.arpa", ".intranet", ".corp"];
    match (host, host.address()) {
        (Host::Name(name), _) => !name.contains('.') || INNER.iter().any(|end| name.ends_with(end)),
        (_, Some(IpAddr::V4(address))) => {
            let [a, b, ..] = address.octets();
            let shared = a == 100 && (64..128).contains(&b);
            address.is_private() || address.is_loopback() || address.is_link_local() || shared
        }
        (_, Some(IpAddr::V6(address))) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(public: Option<&str>, webhook: Option<&str>) -> Result<PublicAddress, BadAddress> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let server = config::Server { public_url: own(public), webhook_url: own(webhook), ..Default::default() };
        PublicAddress::of(&server)
    }

    #[test]
    fn pages_and_deliveries_have_one_address_unless_deliveries_have_their_own() {
        let id = IntegrationId(uuid::Uuid::nil());
        let one = of(Some("https://keytrail.example.com/"), None).expect("it can be used");
        assert_eq!(one.page("/x").as_deref(), Some("https://keytrail.example.com/x"));
        let hook = format!("https://keytrail.example.com/webhooks/github/{id}");
        assert_eq!(one.webhook(id).as_deref(), Some(hook.as_str()));
        assert!(one.is_secure() && !one.is_webhook_private());
        let two = of(Some("https://k.internal"), Some("https://hooks.example.com:8443")).expect("they can be used");
        assert!(two.webhook(id).is_some_and(|url| url.starts_with("https://hooks.example.com:8443/")));
        assert!(!two.is_webhook_private());
        // An address of before leads to the same integration; one that leads elsewhere is somebody's own doing.
        assert!(two.is_webhook_moved(id, &hook) && !one.is_webhook_moved(id, &hook));
        assert!(!two.is_webhook_moved(id, "https://keytrail.example.com/elsewhere"));
        let none = of(None, None).expect("nothing is something");
        assert!(!none.is_webhook_moved(id, &hook), "there is nowhere else");
        assert_eq!((none.page("/x"), none.webhook(id)), (None, None));
    }

    #[test]
    fn an_address_that_only_we_know_is_told_apart() {
        for private in
            ["https://10.0.0.1", "https://keytrail", "https://k.corp", "http://127.0.0.1:8421", "https://[fd00::1]"]
        {
            assert!(of(Some(private), None).expect("it can be used").is_webhook_private(), "{private}");
        }
        for public in ["https://keytrail.example.com", "https://8.8.8.8", "https://[2606:4700::1]"] {
            assert!(!of(Some(public), None).expect("it can be used").is_webhook_private(), "{public}");
        }
    }

    #[test]
    fn what_is_no_address_from_outside_is_refused_with_its_key() {
        for bad in [
            "http://keytrail.example.com",
            "keytrail.example.com",
            "ssh://a@b",
            "https://a/b",
            "https://u:geheim@a",
            "",
        ] {
            let refused = of(None, Some(bad)).expect_err(bad);
            assert_eq!(refused.key, "server.webhook_url", "{bad}");
            assert!(!refused.text.contains("geheim"), "{refused:?}");
        }
    }
}
