//! Registering an app from a manifest (docs.github.com, "Registering a GitHub App from a manifest"): the page that takes
//! it, and the way back with a code.

use serde_json::Value;

use super::{
    courier::encoded,
    html::{escaped, form, hidden, line, page},
    keys::random,
    pages::Visit,
    reply::Reply,
    world::{Code, World},
};

/// Of a name, in characters.
const LONGEST_NAME: usize = 34;
/// How long a code is good, in seconds.
const CODE_SECONDS: i64 = 3_600;
/// How many apps one account can own.
const MOST_APPS: usize = 100;

impl World {
    /// The page before anything is made. What a person types here is taken instead of what the manifest says.
    pub(super) fn registering(&self, visit: &Visit<'_>, organisation: Option<&str>) -> Reply {
        let text = visit.given("manifest");
        let manifest: Value = serde_json::from_str(text).unwrap_or_default();
        let title = match organisation {
            Some(login) => format!("Create GitHub App for {login}"),
            None => "Create GitHub App".to_owned(),
        };
        if visit.method == "GET" {
            let fields = format!(
                "<p><label>Manifest<br><textarea name=\"manifest\"></textarea></label></p>{}",
                hidden(&[("state", visit.state())])
            );
            return Reply::html(200, &page(&title, &form("", &fields, "Continue")));
        }
        if let Some(wrong) = self.objection(&manifest) {
            return Reply::html(422, &page(&title, &format!("<p>The manifest is invalid: {}</p>", escaped(&wrong))));
        }
        self.form_to_create(&title, organisation, &manifest, visit.state(), "")
    }

    fn form_to_create(
        &self,
        title: &str,
        organisation: Option<&str>,
        manifest: &Value,
        state: &str,
        told: &str,
    ) -> Reply {
        let name = manifest["name"].as_str().unwrap_or_default();
        let (said, action) = (manifest.to_string(), format!("{}/manifest", Self::apps_path(organisation)));
        let fields =
            format!("{}{}", line("name", "GitHub App name", name), hidden(&[("manifest", &said), ("state", state)]));
        let body = format!(
            "{told}{}<p><a href=\"{}\">Cancel</a></p>",
            form(&action, &fields, "Create GitHub App"),
            organisation.map_or_else(|| "/".to_owned(), |login| format!("/{}", escaped(login)))
        );
        Reply::html(200, &page(title, &body))
    }

    fn apps_path(organisation: Option<&str>) -> String {
        organisation.map_or_else(
            || "/settings/apps".to_owned(),
            |login| format!("/organizations/{}/settings/apps", encoded(login)),
        )
    }

    /// What is wrong with a manifest, in words as few as GitHub's.
    fn objection(&self, manifest: &Value) -> Option<String> {
        let hook = &manifest["hook_attributes"];
        let here = |url: &str| ["//localhost", "//127.0.0.1", "//[::1]"].iter().any(|host| url.contains(host));
        let address = |value: &Value| {
            value.as_str().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://"))
        };
        match manifest {
            _ if !manifest.is_object() => Some("it is no JSON object".to_owned()),
            _ if !address(&manifest["url"]) => Some("url is missing or no address".to_owned()),
            _ if !hook.is_null() && !address(&hook["url"]) => Some("hook_attributes.url is missing".to_owned()),
            _ if self.cloud && hook["url"].as_str().is_some_and(here) => {
                Some("Hook url is not supported because it isn't reachable over the public Internet".to_owned())
            }
            _ if manifest["callback_urls"].as_array().is_some_and(|all| all.len() > 10) => {
                Some("callback_urls has more than 10".to_owned())
            }
            _ => None,
        }
    }

    /// Makes the app, and sends the person back with a code.
    pub(super) fn registered(&mut self, visit: &Visit<'_>, organisation: Option<&str>) -> Reply {
        let mut manifest: Value = serde_json::from_str(visit.given("manifest")).unwrap_or_default();
        let title = "Create GitHub App";
        if let Some(wrong) = self.objection(&manifest) {
            return Reply::html(422, &page(title, &format!("<p>The manifest is invalid: {}</p>", escaped(&wrong))));
        }
        let name = visit.given("name").trim().to_owned();
        manifest["name"] = name.clone().into();
        let owner = match organisation {
            Some(login) => match self.account_named(login) {
                Some(owner) => owner,
                None => return super::pages::missing(),
            },
            None => self.person("octo-owner"),
        };
        let wrong = match () {
            () if name.is_empty() => Some("Name can't be blank"),
            () if name.chars().count() > LONGEST_NAME => Some("Name is too long (maximum is 34 characters)"),
            () if self.is_taken(&name) => Some("Name is already taken"),
            () if self.apps.values().filter(|app| app.owner == owner).count() >= MOST_APPS => {
                Some("You have reached the maximum number of GitHub Apps")
            }
            () => None,
        };
        if let Some(wrong) = wrong {
            let told = format!("<p role=\"alert\">{wrong}</p>");
            return self.form_to_create(title, organisation, &manifest, visit.state(), &told);
        }
        let app = self.made(owner, &name, &manifest);
        let pair = self.add_key(app);
        let (code, expires_at) = (random(40).to_ascii_lowercase(), self.now() + CODE_SECONDS);
        self.codes.insert(code.clone(), Code { app, pem: pair.pkcs1, expires_at });
        self.ping(app);
        match manifest["redirect_url"].as_str() {
            Some(back) => {
                let state = visit.state();
                let state = if state.is_empty() { String::new() } else { format!("&state={}", encoded(state)) };
                Reply::see(&format!("{back}{}code={code}{state}", if back.contains('?') { '&' } else { '?' }))
            }
            None => Reply::see(&self.app_settings_url(&self.apps[&app])),
        }
    }

    fn made(&mut self, owner: u64, name: &str, manifest: &Value) -> u64 {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let app = self.add_app(owner, name);
        app.description = text(&manifest["description"]).unwrap_or_default();
        app.external_url = text(&manifest["url"]).unwrap_or_default();
        app.redirect_url = text(&manifest["redirect_url"]);
        // Both at once is one thing that GitHub does not do.
        let signs_in = manifest["request_oauth_on_install"] == true;
        app.setup_url = text(&manifest["setup_url"]).filter(|_| !signs_in);
        app.setup_on_update = manifest["setup_on_update"] == true;
        app.permissions = [("metadata".to_owned(), "read".to_owned())].into();
        let wanted = manifest["default_permissions"].as_object().into_iter().flatten();
        app.permissions.extend(wanted.filter_map(|(name, how)| Some((name.clone(), text(how)?))));
        app.events = manifest["default_events"].as_array().into_iter().flatten().filter_map(text).collect();
        let hook = &manifest["hook_attributes"];
        app.hook.url = text(&hook["url"]).filter(|_| hook["active"] != false);
        app.id
    }
}
