//! A person clicks through registering and installing an app.

use std::collections::BTreeMap;

use serde_json::json;

use super::Known;

/// What a browser would send for the first form that goes there.
fn form(page: &str, to: &str) -> BTreeMap<String, String> {
    let text = |part: &str, name: &str| {
        let rest = part.split_once(&format!("{name}=\""))?.1;
        let value = rest.split_once('"')?.0;
        Some(
            value
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&"),
        )
    };
    let found = page.split("<form ").find(|part| text(part, "action").is_some_and(|action| action.ends_with(to)));
    let found = found.unwrap_or_else(|| panic!("no form to {to} on {page}")).split("</form>").next().expect("a form");
    let fields = found.split("<input ").skip(1).filter(|part| !part.contains("type=\"checkbox\""));
    let fields = fields.filter(|part| !part.contains("type=\"radio\"") || part.contains("checked"));
    fields.filter_map(|part| Some((text(part, "name")?, text(part, "value")?))).collect()
}

impl Known {
    async fn see(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.github.url())).send().await.expect("a page");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// Sends a form; the status, where it leads, the page.
    async fn send(&self, path: &str, fields: &BTreeMap<String, String>) -> (u16, String, String) {
        let request = self.http.post(format!("{}{path}", self.github.url())).form(fields);
        let answer = request.send().await.expect("a page");
        let to = answer.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        (answer.status().as_u16(), to, answer.text().await.expect("text"))
    }
}

#[tokio::test]
async fn an_app_is_registered_from_a_manifest_and_installed() {
    let known = Known::start().await;
    let shop = known.github.add_repository("acme", "shop");
    known.github.add_repository("acme", "ship");
    let manifest = json!({
        "name": "Jira acme 4f3a", "url": "https://jira.example", "redirect_url": "https://jira.example/back?id=1",
        "setup_url": "https://jira.example/installed", "hook_attributes": { "url": "https://jira.example/hook" },
        "default_permissions": { "contents": "write" }, "default_events": ["push"], "public": false,
    });
    let at = "/organizations/acme/settings/apps/new?state=s%20t%2B1";
    let (status, _, page) = known.send(at, &[("manifest".to_owned(), manifest.to_string())].into()).await;
    assert_eq!(status, 200, "{page}");
    let mut fields = form(&page, "/settings/apps/manifest");
    assert_eq!(fields["state"], "s t+1");
    for (name, told) in [("", "blank"), ("Keytrail acme", "taken"), (&"x".repeat(35), "too long")] {
        fields.insert("name".to_owned(), name.to_owned());
        let (_, to, page) = known.send("/organizations/acme/settings/apps/manifest", &fields).await;
        assert!(to.is_empty() && page.contains(told), "{name}: {page}");
    }
    // A person may call it what they like.
    fields.insert("name".to_owned(), "Our Jira & co".to_owned());
    let (status, to, _) = known.send("/organizations/acme/settings/apps/manifest", &fields).await;
    assert_eq!(status, 302);
    let (back, code) = to.split_once("&code=").expect("a code");
    let (code, state) = code.split_once("&state=").expect("a state");
    assert_eq!((back, state), ("https://jira.example/back?id=1", "s%20t%2B1"));
    let path = format!("/app-manifests/{code}/conversions");
    let (status, app) = known.ask("POST", &path, "", None).await;
    assert_eq!((status, &app["slug"], &app["name"]), (201, &json!("our-jira-co"), &json!("Our Jira & co")));
    assert!(app["pem"].as_str().is_some_and(|pem| pem.starts_with("-----BEGIN RSA PRIVATE KEY-----")));
    assert_eq!(app["permissions"], json!({ "contents": "write", "metadata": "read" }));
    assert_eq!(known.ask("POST", &path, "", None).await.0, 404, "a code is used once");

    let (_, page) = known.see("/github-apps/our-jira-co/installations/new?state=two").await;
    let mut fields = form(&page, "/installations");
    fields.insert("selection".to_owned(), "selected".to_owned());
    fields.insert(format!("repository_{shop}"), "on".to_owned());
    let (_, to, _) = known.send("/github-apps/our-jira-co/installations", &fields).await;
    assert!(to.starts_with("https://jira.example/installed?installation_id="), "{to}");
    assert!(to.ends_with("&setup_action=install&state=two"), "{to}");
    // It is there already: nobody is sent back.
    let answer = known.http.get(format!("{}/github-apps/our-jira-co/installations/new", known.github.url()));
    let to = answer.send().await.expect("a page").headers()["location"].to_str().expect("ASCII").to_owned();
    assert!(to.contains("/organizations/acme/settings/installations/"), "{to}");
    let path = to.strip_prefix(&known.github.url()).expect("here").to_owned();
    let (status, page) = known.see(&path).await;
    assert!(status == 200 && page.contains("It runs."), "{page}");
    known.send(&format!("{path}/suspend"), &BTreeMap::new()).await;
    assert!(known.see(&path).await.1.contains("suspended by octo-owner"));
}

#[tokio::test]
async fn a_member_only_asks_and_a_hook_of_this_machine_is_refused_by_the_cloud() {
    let known = Known::start().await;
    known.github.uninstall(known.installation);
    let (_, page) = known.see("/github-apps/keytrail-acme/installations/new?state=s").await;
    known.send("/github-apps/keytrail-acme/requests", &form(&page, "/requests")).await;
    let (_, asked) = known.ask("GET", "/app/installation-requests", &known.usual(), None).await;
    assert_eq!(asked[0]["requester"]["login"], "octo-member");
    let cloud = super::FakeGithub::start_cloud().await;
    let manifest = json!({ "url": "https://jira.example", "hook_attributes": { "url": "http://127.0.0.1/hook" } });
    let at = format!("{}/settings/apps/new", cloud.url());
    let answer = known.http.post(at).form(&[("manifest", manifest.to_string())]).send().await.expect("a page");
    assert_eq!(answer.status(), 422);
}

#[tokio::test]
async fn everything_there_is_is_on_one_page_with_buttons() {
    let known = Known::start().await;
    let (status, page) = known.see("/").await;
    assert_eq!(status, 200);
    let settings = "/organizations/acme/settings/apps/keytrail-acme";
    form(&page, &format!("{settings}/rename"));
    form(&page, "/suspend");
    let (_, to, _) = known.send(&format!("{settings}/rename"), &[("name".to_owned(), "New".to_owned())].into()).await;
    assert!(to.ends_with("/settings/apps/new"), "{to}");
    assert_eq!(known.ask("GET", "/app", &known.usual(), None).await.1["slug"], "new");
    known.send(&format!("{settings}/delete"), &BTreeMap::new()).await;
    assert_eq!(known.ask("GET", "/app", &known.usual(), None).await.0, 200, "its settings are elsewhere now");
}
