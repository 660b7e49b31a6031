//! Installing an app: its page, which repositories, and the way back. Who is no owner of the organisation can only ask.

use std::collections::BTreeSet;

use super::{
    courier::encoded,
    html::{button, escaped, form, hidden, page},
    pages::{Visit, missing},
    reply::Reply,
    world::{Installation, World},
};

impl World {
    /// Where an installation is settled.
    pub(super) fn installation_url(&self, one: &Installation) -> String {
        let account = self.accounts.get(&one.account);
        match account.filter(|account| account.organisation) {
            Some(account) => format!("{}/organizations/{}/settings/installations/{}", self.web, account.login, one.id),
            None => format!("{}/settings/installations/{}", self.web, one.id),
        }
    }

    pub(super) fn installing(&mut self, visit: &Visit<'_>, slug: &str, rest: &[&str]) -> Reply {
        let Some(app) = self.app_by_slug(slug).and_then(|id| self.apps.get(&id)) else { return missing() };
        let (id, owner, at) = (app.id, app.owner, self.app_url(app));
        match (visit.method, rest) {
            ("GET", []) => {
                let body = format!(
                    "<p>{}</p><p><a href=\"{at}/installations/new\">Install</a></p>",
                    escaped(&app.description)
                );
                Reply::html(200, &page(&app.name, &body))
            }
            // It is private to its owner, so there is only one place.
            ("GET", ["installations", "new" | "select_target"] | ["installations", "new", "permissions"]) => {
                match self.installation_of(id, owner) {
                    // The page of the one that is there; nobody is sent back from it.
                    Some(known) => Reply::see(&self.installation_url(known)),
                    None => self.choice(id, &at, visit.state()),
                }
            }
            ("POST", ["installations"]) => {
                let selected = chosen(visit);
                let Some(installation) = self.install(id, owner, selected, "octo-owner") else { return missing() };
                let says = format!("installation_id={installation}&setup_action=install");
                self.back(id, &says, visit.state(), Some(installation))
            }
            ("POST", ["requests"]) => {
                let member = self.person("octo-member");
                self.request(id, owner, member);
                self.back(id, "setup_action=request", visit.state(), None)
            }
            _ => missing(),
        }
    }

    fn choice(&self, app: u64, at: &str, state: &str) -> Reply {
        let Some(app) = self.apps.get(&app) else { return missing() };
        let permissions: String =
            app.permissions.iter().map(|(name, how)| format!("<li>{}: {}", escaped(name), escaped(how))).collect();
        let fields = format!("{}{}", self.selection(app.owner, None), hidden(&[("state", state)]));
        let body = format!(
            "<p>On {}. It may:</p><ul>{permissions}</ul>{}<p>As a member who is no owner:</p>{}<p><a href=\"/{}\">Cancel</a></p>",
            escaped(self.login(app.owner)),
            form(&format!("{at}/installations"), &fields, "Install"),
            button(&format!("{at}/requests"), "Request", &[("state", state)]),
            escaped(self.login(app.owner)),
        );
        Reply::html(200, &page(&format!("Install {}", app.name), &body))
    }

    /// The fields that choose repositories.
    pub(super) fn selection(&self, account: u64, now: Option<&BTreeSet<u64>>) -> String {
        let mark = |on: bool| if on { " checked" } else { "" };
        let all = self.repositories.values().filter(|one| one.owner == account);
        let boxes: String = all
            .map(|one| {
                let on = mark(now.is_some_and(|chosen| chosen.contains(&one.id)));
                let name = escaped(&one.name);
                format!("<br><label><input type=\"checkbox\" name=\"repository_{}\"{on}> {name}</label>", one.id)
            })
            .collect();
        format!(
            "<p><label><input type=\"radio\" name=\"selection\" value=\"all\"{}> All repositories</label></p>\
             <p><label><input type=\"radio\" name=\"selection\" value=\"selected\"{}> Only these:</label>{boxes}</p>",
            mark(now.is_none()),
            mark(now.is_some()),
        )
    }

    /// Back to where the app wants people to come, if it said so.
    pub(super) fn back(&self, app: u64, says: &str, state: &str, installation: Option<u64>) -> Reply {
        let known = installation.and_then(|id| self.installations.get(&id));
        let Some(app) = self.apps.get(&app) else { return missing() };
        match (&app.setup_url, known) {
            (Some(back), _) => {
                let state = if state.is_empty() { String::new() } else { format!("&state={}", encoded(state)) };
                Reply::see(&format!("{back}{}{says}{state}", if back.contains('?') { '&' } else { '?' }))
            }
            (None, Some(one)) => Reply::see(&self.installation_url(one)),
            (None, None) => Reply::see(&self.app_url(app)),
        }
    }

    pub(super) fn installation_settings(&mut self, visit: &Visit<'_>, id: &str, rest: &[&str]) -> Reply {
        let Some(one) = id.parse().ok().and_then(|id: u64| self.installations.get(&id)) else { return missing() };
        let (id, app, at) = (one.id, one.app, self.installation_url(one));
        let (me, now) = ("octo-owner", self.now());
        match (visit.method, rest) {
            ("GET", []) => return self.installation_page(one, &at),
            ("POST", ["suspend"]) => {
                self.suspend(id, false, super::world::Suspension { by: me.to_owned(), at: now });
            }
            ("POST", ["unsuspend"]) => self.unsuspend(id, false, me),
            ("POST", ["accept"]) => self.accept_permissions(id, me),
            ("POST", ["uninstall"]) => {
                self.uninstalled(id, me);
                return Reply::see("/");
            }
            ("POST", ["repositories"]) => {
                self.choose(id, chosen(visit), me);
                if self.apps.get(&app).is_some_and(|app| app.setup_on_update) {
                    // No state comes back from here.
                    return self.back(app, &format!("installation_id={id}&setup_action=update"), "", Some(id));
                }
            }
            _ => return missing(),
        }
        Reply::see(&at)
    }

    fn installation_page(&self, one: &Installation, at: &str) -> Reply {
        let state = match one.suspension() {
            Some(halt) => format!("It was suspended by {}.", halt.by),
            None => "It runs.".to_owned(),
        };
        let name = self.apps.get(&one.app).map_or("", |app| app.name.as_str());
        let body = format!(
            "<p>{}</p>{}{}{}{}{}",
            escaped(&state),
            form(&format!("{at}/repositories"), &self.selection(one.account, one.selected.as_ref()), "Save"),
            button(&format!("{at}/suspend"), "Suspend", &[]),
            button(&format!("{at}/unsuspend"), "Unsuspend", &[]),
            button(&format!("{at}/accept"), "Accept new permissions", &[]),
            button(&format!("{at}/uninstall"), "Uninstall", &[]),
        );
        Reply::html(200, &page(&format!("{name} in {}", self.login(one.account)), &body))
    }
}

/// Which repositories a form chooses; `None` is all of them.
fn chosen(visit: &Visit<'_>) -> Option<BTreeSet<u64>> {
    let ids = || visit.form.keys().filter_map(|name| name.strip_prefix("repository_")?.parse().ok()).collect();
    (visit.given("selection") == "selected").then(ids)
}
