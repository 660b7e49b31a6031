//! What must not change at GitHub, as it was set up and as it is. Called by whoever read both; it asks nobody.
//!
//! Where a person goes after installing is no part of what GitHub's API tells, so it is never found to differ.

use std::collections::BTreeMap;

use super::{Difference, Property, Registered, Service};
use crate::{display_text::DisplayText, github::wanted};

/// How deliveries are sent, as GitHub says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenHook {
    /// Where they go.
    pub url: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
    /// Whether certificates are not looked at.
    pub insecure: bool,
}

/// A property as it should be, and as it is as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which.
    pub property: Property,
    /// As it was set up.
    pub expected: String,
    /// As it is; `None` where GitHub's API does not tell, or nothing is there to be told.
    pub actual: Option<String>,
    /// Whether it was found to be another one.
    pub differs: bool,
}

/// Every property of an app, in the order of [`Property::ALL`], from what was compared last. `webhook` and `setup` are
/// where deliveries and people should go.
pub fn compared(state: &Registered, webhook: Option<&str>, setup: Option<&str>) -> Vec<Compared> {
    let nowhere = || "none: this server has no address".to_owned();
    let of = |property: Property| {
        let found = state.differing.iter().find(|difference| difference.property == property);
        if let Some(found) = found {
            let (expected, actual) = (found.expected.to_string(), Some(found.actual.to_string()));
            return Compared { property, expected, actual, differs: true };
        }
        let same = |expected: String| (expected.clone(), Some(expected));
        let (expected, actual) = match property {
            Property::Name => same(state.app.name.to_string()),
            Property::PostInstallation => (setup.map_or_else(nowhere, str::to_owned), None),
            Property::Webhook => webhook.map_or_else(|| (nowhere(), None), |url| same(hook_said(url, "json", false))),
            Property::PrivateKey => same(state.key.fingerprint.to_string()),
            Property::PermissionsAndEvents => same(may(&state.app.permissions, &state.app.events)),
            Property::InstallationSettings => {
                let wanted = wanted::listed(&state.app.permissions);
                if state.installation().is_some() { same(wanted) } else { (wanted, None) }
            }
        };
        Compared { property, expected, actual, differs: false }
    };
    Property::ALL.into_iter().map(of).collect()
}

fn hook_said(url: &str, kind: &str, insecure: bool) -> String {
    format!("{url}, {kind}, certificates {}", if insecure { "ignored" } else { "checked" })
}

fn may(permissions: &BTreeMap<String, String>, events: &[String]) -> String {
    format!("{}; {}", wanted::listed(permissions), events.join(", "))
}

/// What differs, in the order of [`Property`]. `webhook` is where deliveries should go and how they are sent, which GitHub
/// may refuse to tell; nothing where the one is not known, or the other could not be asked.
pub fn differing(state: &Registered, webhook: Option<(&str, Option<&SeenHook>)>) -> Vec<Difference> {
    let expected = state.registered_as.as_deref().unwrap_or(&state.app);
    let name = (expected.name != state.app.name)
        .then(|| difference(Property::Name, expected.name.as_str(), state.app.name.as_str()));
    let webhook = webhook.and_then(|(url, seen)| {
        let wanted = hook_said(url, "json", false);
        let Some(seen) = seen else {
            return Some(difference(Property::Webhook, &wanted, "GitHub does not let it be read"));
        };
        let actual = hook_said(
            seen.url.as_deref().filter(|url| !url.is_empty()).unwrap_or("no address"),
            seen.content_type.as_deref().unwrap_or("form"),
            seen.insecure,
        );
        (wanted != actual).then(|| difference(Property::Webhook, &wanted, &actual))
    });
    let fingerprint = state.key.fingerprint.to_string();
    let key = state.key_rejected.then(|| difference(Property::PrivateKey, &fingerprint, "GitHub refuses this key"));
    let actual = may(&state.app.permissions, &state.app.events);
    let permissions = if wanted::suffices(expected) {
        let wanted = may(&expected.permissions, &expected.events);
        (wanted != actual).then(|| difference(Property::PermissionsAndEvents, &wanted, &actual))
    } else {
        // It was taken over with less than is needed.
        (!wanted::suffices(&state.app))
            .then(|| difference(Property::PermissionsAndEvents, &wanted::wanted_listed(), &actual))
    };
    let settings = match &state.service {
        Service::Installed { permissions, .. } if *permissions != state.app.permissions => Some(difference(
            Property::InstallationSettings,
            &wanted::listed(&state.app.permissions),
            &wanted::listed(permissions),
        )),
        _ => None,
    };
    [name, webhook, key, permissions, settings].into_iter().flatten().collect()
}

fn difference(property: Property, expected: &str, actual: &str) -> Difference {
    Difference { property, expected: DisplayText::clean(expected), actual: DisplayText::clean(actual) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::Aggregate as _,
        installation::{Installation, tests},
    };

    fn registered() -> Registered {
        let mut state = Installation::default();
        tests::registered().iter().for_each(|event| state.evolve(event));
        let Installation::Registered(mut registered) = state else { panic!("it is registered") };
        let permissions = wanted::PERMISSIONS.map(|(name, how)| (name.to_owned(), how.to_owned())).into();
        registered.app.permissions = permissions;
        registered.app.events = wanted::EVENTS.map(str::to_owned).to_vec();
        registered.registered_as = Some(Box::new(registered.app.clone()));
        *registered
    }

    fn seen(url: &str) -> SeenHook {
        SeenHook { url: Some(url.to_owned()), content_type: Some("json".to_owned()), insecure: false }
    }

    fn properties(state: &Registered, hook: &SeenHook) -> Vec<Property> {
        differing(state, Some(("https://k/x", Some(hook)))).into_iter().map(|one| one.property).collect()
    }

    #[test]
    fn what_is_as_it_was_set_up_does_not_differ() {
        assert_eq!(properties(&registered(), &seen("https://k/x")), []);
    }

    #[test]
    fn a_webhook_that_cannot_be_read_is_not_told_as_kept() {
        let found = differing(&registered(), Some(("https://k/x", None)));
        assert_eq!(found.iter().map(|one| one.property).collect::<Vec<_>>(), [Property::Webhook]);
        assert!(found[0].actual.as_str().contains("read"), "{found:?}");
    }

    #[test]
    fn all_six_are_told_with_what_is_known_of_them() {
        let mut state = registered();
        state.differing = differing(&state, Some(("https://k/x", Some(&seen("https://elsewhere/x")))));
        let all = compared(&state, Some("https://k/x"), Some("https://k/setup"));
        assert_eq!(all.iter().map(|one| one.property).collect::<Vec<_>>(), Property::ALL);
        let differing: Vec<_> = all.iter().filter(|one| one.differs).map(|one| one.property).collect();
        assert_eq!(differing, [Property::Webhook]);
        assert!(all[2].expected.starts_with("https://k/x,"), "{all:?}");
        assert!(all[2].actual.as_ref().is_some_and(|actual| actual.starts_with("https://elsewhere/x,")), "{all:?}");
        // GitHub does not tell where people go after installing, and nothing is installed.
        assert_eq!((&*all[1].expected, &all[1].actual), ("https://k/setup", &None));
        assert_eq!(all[5].actual, None);
        let unknown = compared(&state, None, None);
        assert!(unknown[1].expected.contains("no address"), "{unknown:?}");
    }

    #[test]
    fn each_property_that_the_api_tells_is_compared() {
        let mut state = registered();
        state.app.name = DisplayText::clean("another");
        assert_eq!(properties(&state, &seen("https://k/x")), [Property::Name]);
        state.key_rejected = true;
        state.app.permissions.insert("contents".to_owned(), "read".to_owned());
        let hook = SeenHook { insecure: true, ..seen("https://k/x") };
        let all = [Property::Name, Property::Webhook, Property::PrivateKey, Property::PermissionsAndEvents];
        assert_eq!(properties(&state, &hook), all);
        assert_eq!(properties(&registered(), &seen("https://elsewhere/x")), [Property::Webhook]);
        assert_eq!(properties(&registered(), &SeenHook::default()), [Property::Webhook]);
    }

    #[test]
    fn an_app_that_was_taken_over_with_too_little_is_measured_by_what_is_needed() {
        let mut state = registered();
        state.app.permissions.remove("contents");
        state.registered_as = Some(Box::new(state.app.clone()));
        let found = differing(&state, None);
        assert_eq!(found.iter().map(|one| one.property).collect::<Vec<_>>(), [Property::PermissionsAndEvents]);
        assert!(found[0].expected.as_str().contains("contents=write"), "{found:?}");
    }

    #[test]
    fn permissions_that_an_owner_has_not_accepted_yet_differ() {
        let mut state = registered();
        state.service = Service::Installed {
            installation: 1,
            selection: crate::installation::Selection::All,
            permissions: [("metadata".to_owned(), "read".to_owned())].into(),
            suspended: None,
        };
        assert_eq!(properties(&state, &seen("https://k/x")), [Property::InstallationSettings]);
    }
}
