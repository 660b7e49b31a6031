//! The pages of a GitHub that a person clicks through: which one is meant, and the one that lists what there is. Plain
//! forms without a script.

use std::collections::BTreeMap;

use super::{
    Silence,
    html::{button, escaped, page},
    reply::Reply,
    world::World,
};

/// A page that is asked for, or a form that is sent.
pub(super) struct Visit<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a BTreeMap<String, String>,
    pub(super) form: &'a BTreeMap<String, String>,
}

impl Visit<'_> {
    /// What a form says, or nothing.
    pub(super) fn given(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// The secret that travels along, as a question or in a form.
    pub(super) fn state(&self) -> &str {
        self.query.get("state").or_else(|| self.form.get("state")).map_or("", String::as_str)
    }
}

impl World {
    pub(super) fn page(&mut self, visit: &Visit<'_>) -> Reply {
        match (visit.method, visit.path) {
            ("GET", []) => self.all(),
            // Not a page of GitHub's: whoever tries things out has it fall silent, and come back.
            ("POST", ["silence", word]) => {
                self.silence = (*word == "on").then_some(("", Silence::Ends));
                Reply::see("/")
            }
            ("GET" | "POST", ["organizations", login, "settings", "apps", "new"]) => {
                self.registering(visit, Some(login))
            }
            ("GET" | "POST", ["settings", "apps", "new"]) => self.registering(visit, None),
            ("POST", ["organizations", login, "settings", "apps", "manifest"]) => self.registered(visit, Some(login)),
            ("POST", ["settings", "apps", "manifest"]) => self.registered(visit, None),
            ("GET", ["organizations", login, "settings", "apps"]) => match self.account_named(login) {
                Some(account) => self.apps_of(account),
                None => missing(),
            },
            ("GET", ["settings", "organizations"]) => self.organisations(),
            (_, ["organizations", _, "settings", "apps", slug, rest @ ..] | ["settings", "apps", slug, rest @ ..]) => {
                self.app_settings(visit, slug, rest)
            }
            (_, ["apps" | "github-apps", slug, rest @ ..]) => self.installing(visit, slug, rest),
            (
                _,
                ["organizations", _, "settings", "installations", id, rest @ ..]
                | ["settings", "installations", id, rest @ ..],
            ) => self.installation_settings(visit, id, rest),
            ("GET", [login]) => match self.account_named(login) {
                Some(account) => self.account_page(account),
                None => missing(),
            },
            ("GET", [owner, name]) => match self.repository_named(&format!("{owner}/{name}")) {
                Some(Ok(one)) => Reply::html(200, &page(&self.full_name(one), "<p>A repository.</p>")),
                Some(Err(now)) => Reply::see(&format!("{}/{}", self.web, self.full_name(now))),
                None => missing(),
            },
            _ => missing(),
        }
    }

    /// Everything there is, with buttons for what its people can do.
    fn all(&self) -> Reply {
        let mut body = String::from("<h2>Accounts</h2><ul>");
        for account in self.accounts.values() {
            let login = escaped(&account.login);
            body.push_str(&format!("<li><a href=\"/{login}\">{login}</a>"));
        }
        body.push_str("</ul><h2>Apps</h2><ul>");
        for app in self.apps.values() {
            let (page, settings) = (self.app_url(app), self.app_settings_url(app));
            body.push_str(&format!(
                "<li><a href=\"{page}\">{}</a> ({}), id {}: <a href=\"{settings}\">settings</a>{}{}",
                escaped(&app.name),
                escaped(self.login(app.owner)),
                app.id,
                button(&format!("{settings}/rename"), "Rename", &[("name", &format!("{} 2", app.name))]),
                button(&format!("{settings}/delete"), "Delete app", &[]),
            ));
        }
        body.push_str("</ul><h2>Installations</h2><ul>");
        for one in self.installations.values() {
            let at = self.installation_url(one);
            let name = self.apps.get(&one.app).map_or("", |app| app.name.as_str());
            let state = one.suspension().map_or_else(|| "runs".to_owned(), |halt| format!("suspended by {}", halt.by));
            let act = if one.suspended_there.is_some() { ("unsuspend", "Unsuspend") } else { ("suspend", "Suspend") };
            body.push_str(&format!(
                "<li><a href=\"{at}\">{} in {}</a>, id {}: {}{}{}",
                escaped(name),
                escaped(self.login(one.account)),
                one.id,
                escaped(&state),
                button(&format!("{at}/{}", act.0), act.1, &[]),
                button(&format!("{at}/uninstall"), "Uninstall", &[]),
            ));
        }
        body.push_str("</ul><h2>Repositories</h2><ul>");
        for one in self.repositories.values() {
            let name = escaped(&self.full_name(one));
            body.push_str(&format!("<li><a href=\"/{name}\">{name}</a>"));
        }
        let (told, to, label) = if self.silence.is_some() {
            ("It answers no app and no git now.", "/silence/off", "Answer again")
        } else {
            ("It answers.", "/silence/on", "Fall silent")
        };
        body.push_str(&format!("</ul><h2>The network</h2><p>{told}</p>{}", button(to, label, &[])));
        Reply::html(200, &page("A GitHub for trying things out", &body))
    }

    /// The apps of an owner, each with its settings.
    fn apps_of(&self, owner: u64) -> Reply {
        let all = self.apps.values().filter(|app| app.owner == owner);
        let line = |app| (self.app_settings_url(app), escaped(&app.name));
        let lines: Vec<_> = all.map(line).map(|(at, name)| format!("<li><a href=\"{at}\">{name}</a>")).collect();
        Reply::html(200, &page("GitHub Apps", &format!("<ul>{}</ul>", lines.concat())))
    }

    /// The organisations of whoever is signed in, who is an owner of all.
    fn organisations(&self) -> Reply {
        let all = self.accounts.values().filter(|account| account.organisation);
        let at = |login: &str| format!("{}/organizations/{}/settings/apps", self.web, escaped(login));
        let lines: Vec<_> =
            all.map(|one| format!("<li><a href=\"{}\">{}</a>", at(&one.login), escaped(&one.login))).collect();
        Reply::html(200, &page("Organizations", &format!("<ul>{}</ul>", lines.concat())))
    }

    fn account_page(&self, account: u64) -> Reply {
        let of_it = self.repositories.values().filter(|one| one.owner == account);
        let names: Vec<String> = of_it.map(|one| format!("<li>{}", escaped(&one.name))).collect();
        Reply::html(200, &page(self.login(account), &format!("<h2>Repositories</h2><ul>{}</ul>", names.concat())))
    }
}

pub(super) fn missing() -> Reply {
    Reply::html(404, &page("Page not found", "<p>This is not the page that you are looking for.</p>"))
}
