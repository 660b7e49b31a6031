//! The settings of an app, which its owner and the managers of its apps see: keys, its name, deleting it.

use super::{
    html::{button, escaped, form, line, page},
    pages::{Visit, missing},
    reply::Reply,
    world::{App, World, slug},
};

impl World {
    /// Where an app's settings are.
    pub(super) fn app_settings_url(&self, app: &App) -> String {
        let owner = self.accounts.get(&app.owner);
        match owner.filter(|owner| owner.organisation) {
            Some(owner) => format!("{}/organizations/{}/settings/apps/{}", self.web, owner.login, app.slug),
            None => format!("{}/settings/apps/{}", self.web, app.slug),
        }
    }

    pub(super) fn app_settings(&mut self, visit: &Visit<'_>, name: &str, rest: &[&str]) -> Reply {
        let Some(app) = self.app_by_slug(name).and_then(|id| self.apps.get(&id)) else { return missing() };
        let (id, at, called) = (app.id, self.app_settings_url(app), app.name.clone());
        match (visit.method, rest) {
            ("GET", []) => {
                let keys: String = app
                    .keys
                    .iter()
                    .map(|(print, _)| {
                        let delete = button(&format!("{at}/keys/delete"), "Delete", &[("key", print)]);
                        format!("<li>SHA256:{}{delete}", escaped(print))
                    })
                    .collect();
                let fields = [
                    line("name", "GitHub App name", &called),
                    line("setup_url", "Setup URL (post installation)", app.setup_url.as_deref().unwrap_or_default()),
                    line("hook_url", "Webhook URL", app.hook.url.as_deref().unwrap_or_default()),
                ];
                let body = format!(
                    "<p>App ID: {id}</p>{}<h2>Private keys</h2><ul>{keys}</ul>{}\
                     <p><a href=\"{at}/permissions\">Permissions & events</a></p><p><a href=\"{at}/advanced\">Advanced</a></p>",
                    form(&format!("{at}/rename"), &fields.concat(), "Save changes"),
                    button(&format!("{at}/keys"), "Generate a private key", &[]),
                );
                Reply::html(200, &page(&called, &body))
            }
            ("GET", ["permissions"]) => {
                let fields: String = app.permissions.iter().map(|(name, how)| line(name, name, how)).collect();
                let body = format!(
                    "{}<p>Events: {}</p>",
                    form(&format!("{at}/permissions"), &fields, "Save changes"),
                    escaped(&app.events.join(", "))
                );
                Reply::html(200, &page(&format!("{called}: permissions and events"), &body))
            }
            ("POST", ["permissions"]) => {
                if let Some(app) = self.apps.get_mut(&id) {
                    for (name, how) in &mut app.permissions {
                        if let Some(given) = visit.form.get(name).filter(|given| !given.is_empty()) {
                            *how = given.clone();
                        }
                    }
                }
                Reply::see(&format!("{at}/permissions"))
            }
            ("GET", ["advanced"]) => {
                let body = button(&format!("{at}/delete"), "Delete GitHub App", &[]);
                Reply::html(200, &page(&format!("{called}: advanced"), &body))
            }
            ("POST", ["keys"]) => {
                let file = format!("attachment; filename=\"{}.private-key.pem\"", app.slug);
                let pair = self.add_key(id);
                Reply::text(200, &pair.pkcs1).with("content-disposition", file)
            }
            ("POST", ["keys", "delete"]) => {
                let given = visit.given("key");
                let print = given.strip_prefix("SHA256:").unwrap_or(given);
                // The last one cannot go.
                if let Some(app) = self.apps.get_mut(&id).filter(|app| app.keys.len() > 1) {
                    app.keys.retain(|(known, _)| known != print);
                }
                Reply::see(&at)
            }
            ("POST", ["rename"]) => {
                let name = visit.given("name").trim().to_owned();
                if name.is_empty() || slug(&name) != app.slug && self.is_taken(&name) {
                    return Reply::html(422, &page(&called, "<p role=\"alert\">Name is already taken</p>"));
                }
                if let Some(app) = self.apps.get_mut(&id) {
                    (app.slug, app.name) = (slug(&name), name);
                    let given = |field: &str| visit.form.get(field).map(|text| Some(text.trim().to_owned()));
                    app.setup_url = given("setup_url").unwrap_or(app.setup_url.take()).filter(|url| !url.is_empty());
                    app.hook.url = given("hook_url").unwrap_or(app.hook.url.take()).filter(|url| !url.is_empty());
                }
                Reply::see(&self.app_settings_url(&self.apps[&id]))
            }
            ("POST", ["delete"]) => {
                self.delete_app(id, "octo-owner");
                Reply::see("/")
            }
            _ => missing(),
        }
    }
}
