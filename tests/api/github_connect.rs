//! Connecting to a GitHub by browser: from the link to what is installed, and every way off the path.

use keytrail_test_support::fake_github::{FakeGithub, Selection};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Page},
    repository,
    server::{Answer, Server, on_both_engines, soon},
};

/// A server that knows its address, a GitHub, and an integration that waits for its app.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) fake: FakeGithub,
    pub(crate) id: String,
}

impl Scene {
    pub(crate) async fn set(server: &Server) -> Self {
        Self::set_as(server, "acme").await
    }

    pub(crate) async fn set_as(server: &Server, name: &str) -> Self {
        let server = server.clone();
        let fake = FakeGithub::start().await;
        fake.set_clock(server.app.clock.now().seconds());
        // The organisation is there, and lets everybody in.
        fake.set_ip_allow_list("acme", false);
        let connection = json!({ "kind": "github_app", "host": fake.url(), "organisation": "acme" });
        let id = server.connect(name, connection).await.with(StatusCode::CREATED).id();
        Self { server, fake, id }
    }

    /// The GitHub goes with the scene: nobody may want anything of it any more.
    pub(crate) async fn end(self) {
        self.fake.deliveries_are_sent().await;
        self.server.look_behind().await;
    }

    fn at(&self, rest: &str) -> String {
        format!("/api/v1/integrations/{}/installation{rest}", self.id)
    }

    pub(crate) fn page(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.address)
    }

    pub(crate) async fn shown(&self) -> Value {
        self.server.get(&self.at("")).await.body
    }

    pub(crate) async fn post(&self, rest: &str) -> Answer {
        self.server.post(&self.at(rest), json!({})).await
    }

    pub(crate) async fn becomes(&self, status: &str) {
        soon(&format!("it is {status}"), || async { self.shown().await["status"] == status }).await;
    }

    pub(crate) async fn link(&self) -> String {
        self.post("/connect").await.with(StatusCode::OK).text_of("url")
    }

    /// To the page at GitHub that creates the app.
    pub(crate) async fn before_creating(&self, browser: &Browser) -> Page {
        let start = browser.open(&self.link().await).await.belongs_to_us(200);
        let form = browser.press(&start, "Begin", &[]).await.belongs_to_us(200);
        browser.press(&form, "Go to GitHub", &[]).await
    }

    /// To the page at GitHub that installs it.
    pub(crate) async fn before_installing(&self, browser: &Browser) -> Page {
        let creating = self.before_creating(browser).await;
        let installing = browser.press(&creating, "Create GitHub App", &[]).await;
        assert!(installing.url.path().ends_with("/installations/new"), "{}", installing.url);
        self.becomes("installing").await;
        installing
    }

    pub(crate) async fn connected(&self) -> u64 {
        let browser = Browser::new();
        let installing = self.before_installing(&browser).await;
        browser.press(&installing, "Install", &[("selection", "all")]).await.belongs_to_us(200);
        self.becomes("active").await;
        self.shown().await["app"]["id"].as_u64().expect("an id")
    }

    pub(crate) async fn events(&self) -> String {
        self.server.get("/api/v1/events?type=installation.&limit=500").await.with(StatusCode::OK).text
    }
}

pub(crate) fn parameter(page: &Page, name: &str) -> String {
    let mut pairs = page.url.query_pairs();
    pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn a_browser_creates_and_installs_an_app_and_nothing_of_it_gets_out(server: Server) {
    let scene = Scene::set(&server).await;
    let work = scene.server.elsewhere.join("shop");
    repository::with_commits(&work, &["SHOP-1 begins"]);
    scene.fake.serve_repository(scene.fake.add_repository("acme", "shop"), &work);
    let answered = scene.post("/connect").await.with(StatusCode::OK);
    let name = answered.text_of("app_name");
    assert!(name.starts_with("Keytrail acme ") && name.len() <= 34, "{name}");
    // Before anything is done at GitHub it says who has to be at each step, and how the integration is set up.
    let steps = answered.body["steps"].as_array().expect("a list");
    let says_who = |step: &Value| {
        let link = step["link"].as_str().is_some_and(|link| link.starts_with("https://docs.github.com/"));
        link && step["role"].as_str().is_some_and(|role| !role.is_empty())
    };
    assert!(steps.len() == 4 && steps.iter().all(says_who), "{}", answered.text);
    let settings = &answered.body["settings"];
    assert_eq!((&settings[0]["setting"], &settings[0]["value"]), (&json!("display_name"), &json!("acme")));
    assert_eq!(settings[1]["setting"], "filter");
    assert_eq!((&settings[2]["setting"], &settings[2]["value"]), (&json!("require_user_pat"), &json!("on")));
    assert!(settings[2]["locked"] == true && settings[0]["locked"] == false, "{}", answered.text);
    assert!(settings[2]["text"].as_str().is_some_and(|text| text.contains("own token")), "{}", answered.text);
    let (browser, link) = (Browser::new(), answered.text_of("url"));
    let start = browser.open(&link).await.belongs_to_us(200);
    for said in ["An owner of the organisation", "Cancel", "Name of the app", "Name of the integration", "on (locked)"]
    {
        assert!(start.html.contains(said), "no {said:?} in {}", start.html);
    }
    let form = browser.press(&start, "Begin", &[]).await.belongs_to_us(200);
    // The secret of the link is not in the address that stays.
    assert!(
        !form.url.as_str().contains(link.rsplit('/').next().and_then(|end| end.split('?').next()).expect("a ticket"))
    );
    let creating = browser.press(&form, "Go to GitHub", &[]).await;
    assert!(creating.html.contains(&name), "{}", creating.html);
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    // What GitHub gives once was kept before the person went on.
    scene.becomes("installing").await;
    let done = browser.press(&installing, "Install", &[("selection", "all")]).await.belongs_to_us(200);
    assert!(done.html.contains("<h1>Connected</h1>"), "{}", done.html);
    scene.becomes("active").await;
    let shown = scene.shown().await;
    let app = shown["app"]["id"].as_u64().expect("an id");
    assert_eq!((&shown["app"]["name"], &shown["app"]["owner"]), (&json!(name), &json!("acme")));
    let hook = scene.page(&format!("/webhooks/github/{}", scene.id));
    assert_eq!(scene.fake.hook_url(app).as_deref(), Some(hook.as_str()));
    soon("its repository is indexed", || async {
        let rows = scene.server.get(&format!("/api/v1/integrations/{}/repositories", scene.id)).await;
        rows.items().len() == 1 && rows.items()[0]["state"] == "indexed"
    })
    .await;
    // Neither the log nor a page has a secret of GitHub's or of the way.
    let told = [scene.events().await, done.html, form.html, shown.to_string()].concat();
    for secret in scene.fake.secrets() {
        assert!(!told.contains(&secret), "a secret got out");
    }
    let state = parameter(&installing, "state");
    assert!(!state.is_empty() && !scene.events().await.contains(&state));
    // The link is used up, and a new one is not to be had.
    browser.open(&link).await.belongs_to_us(410).says("app_registered_already");
    scene.post("/connect").await.refused(409, "app_registered_already");
    scene.end().await;
}

async fn a_link_is_good_once_and_the_last_one_counts(server: Server) {
    let scene = Scene::set(&server).await;
    let (first, second) = (scene.link().await, scene.link().await);
    let (one, other) = (Browser::new(), Browser::new());
    one.open(&first).await.belongs_to_us(410).says("registration_ticket_unknown");
    // Looking uses nothing up; beginning does.
    let start = one.open(&second).await.belongs_to_us(200);
    let start_elsewhere = other.open(&second).await.belongs_to_us(200);
    let form = one.press(&start, "Begin", &[]).await.belongs_to_us(200);
    other.press(&start_elsewhere, "Begin", &[]).await.belongs_to_us(410).says("registration_ticket_unknown");
    other.open(form.url.as_str()).await.belongs_to_us(403).says("registration_session_missing");
    // Reloading and going back is no trouble for the browser that began.
    one.open(form.url.as_str()).await.belongs_to_us(200);
    for bad in ["/github/connect/x/y", &format!("/github/connect/{}/zz", scene.id), "/github/apps/nobody"] {
        let page = one.open(&scene.page(bad)).await;
        assert!(page.status.is_client_error(), "{bad}: {}", page.html);
        let status = page.status.as_u16();
        page.belongs_to_us(status);
    }
    let late = scene.link().await;
    scene.server.pass_days(2);
    one.open(&late).await.belongs_to_us(410).says("registration_ticket_expired");
    scene.end().await;
}

async fn a_way_back_that_was_not_opened_here_changes_nothing(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let creating = scene.before_creating(&browser).await;
    let state = parameter(&creating, "state");
    let back = |state: &str, code: &str| scene.page(&format!("/github/callback?code={code}&state={state}"));
    for (url, browser, status, code) in [
        (scene.page("/github/callback"), &browser, 400, "registration_state_unknown"),
        (scene.page("/github/callback?code=abc"), &browser, 400, "registration_state_unknown"),
        (back("nonsense", "abc"), &browser, 400, "registration_state_unknown"),
        (back(&format!("{}.{}", scene.id, "0".repeat(64)), "abc"), &browser, 400, "registration_state_unknown"),
        (back(&format!("{}.x", uuid::Uuid::nil()), "abc"), &browser, 400, "registration_state_unknown"),
        (back(&state, "abc"), &Browser::new(), 403, "registration_session_missing"),
        (scene.page(&format!("/github/callback?state={state}")), &browser, 400, "registration_code_missing"),
    ] {
        browser.open(&url).await.belongs_to_us(status).says(code);
        assert_eq!(scene.shown().await["status"], "registering", "{url}");
    }
    // A code that GitHub does not know uses the way back up, and leaves nothing.
    let lost = browser.open(&back(&state, "0123456789")).await.belongs_to_us(502).says("github_not_found");
    assert!(lost.html.contains("does not know the code"), "{}", lost.html);
    browser.open(&back(&state, "0123456789")).await.belongs_to_us(409).says("registration_state_used");
    assert_eq!(scene.shown().await["app"], Value::Null);
    // Too late.
    let creating = scene.before_creating(&browser).await;
    let state = parameter(&creating, "state");
    scene.server.pass_days(1);
    browser.open(&back(&state, "0123456789")).await.belongs_to_us(410).says("registration_state_expired");
    assert!(!scene.events().await.contains("installation.app_registered"));
    scene.end().await;
}

async fn a_way_back_that_is_replayed_leads_to_what_became_of_it(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let creating = scene.before_creating(&browser).await;
    // GitHub was seen to refuse a good code once.
    scene.fake.fail_next_at("/conversions", 401, 1);
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    let callback = installing.way.iter().find(|url| url.path() == "/github/callback").expect("it came back").clone();
    scene.becomes("installing").await;
    let again = browser.open(callback.as_str()).await.belongs_to_us(409).says("registration_state_used");
    browser.follow(&again, "See how the app is, and go on").await.belongs_to_us(200);
    // What is told of the log follows it.
    soon("it is told", || async { scene.events().await.contains("installation.app_registered") }).await;
    let events = scene.events().await;
    assert_eq!(events.matches("installation.app_registered").count(), 1, "{events}");
    scene.end().await;
}

async fn an_app_that_github_did_not_give_is_said_to_be_there_perhaps(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let creating = scene.before_creating(&browser).await;
    let before = scene.shown().await;
    assert!(before["next_step"].as_str().is_some_and(|next| next.contains("Nothing is left")), "{before}");
    scene.fake.fail_next_at("/conversions", 502, 2);
    browser.press(&creating, "Create GitHub App", &[]).await.belongs_to_us(502).says("github_troubled");
    let shown = scene.shown().await;
    assert_eq!((&shown["status"], &shown["cause"]), (&json!("registering"), &json!("not_registered")), "{shown}");
    assert!(shown["action"].as_str().is_some_and(|action| action.contains("take it over")), "{shown}");
    assert!(shown["next_step"].as_str().is_some_and(|next| !next.contains("Nothing is left")), "{shown}");
    scene.end().await;
}

async fn whoever_cancels_or_goes_back_goes_on_later_in_another_browser(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let start = browser.open(&scene.link().await).await.belongs_to_us(200);
    let begun = browser.press(&start, "Begin", &[]).await.belongs_to_us(200);
    let creating = browser.press(&begun, "Go to GitHub", &[]).await;
    // The way back is open for longer than GitHub's own hour.
    scene.server.look_behind().await;
    scene.server.pass_seconds(61 * 60);
    scene.fake.set_clock(scene.server.app.clock.now().seconds());
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    scene.becomes("installing").await;
    let gone = browser.follow(&installing, "Cancel").await;
    assert!(gone.url.as_str().starts_with(&scene.fake.url()), "it leads back to us by no means");
    let shown = scene.shown().await;
    let page = scene.page(&format!("/github/apps/{}", scene.id));
    assert_eq!((&shown["status"], &shown["page_url"]), (&json!("installing"), &json!(page)));
    // Going back says what became of it, and leads on.
    let back = browser.open(begun.url.as_str()).await.belongs_to_us(410).says("registration_state_used");
    browser.follow(&back, "See how the app is, and go on").await.belongs_to_us(200);
    let other = Browser::new();
    let page = other.open(&scene.page(&format!("/github/apps/{}", scene.id))).await.belongs_to_us(200);
    assert!(page.html.contains("registered and not installed"), "{}", page.html);
    let installing = other.follow(&page, "Continue: install the app at GitHub").await;
    let done = other.press(&installing, "Install", &[("selection", "all")]).await.belongs_to_us(200);
    assert!(done.html.contains("<h1>Connected</h1>"), "{}", done.html);
    scene.becomes("active").await;
    assert_eq!(scene.shown().await["page_url"], Value::Null);
    scene.end().await;
}

async fn what_an_address_says_of_an_installation_is_not_believed(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let installing = scene.before_installing(&browser).await;
    let state = parameter(&installing, "state");
    let elsewhere = scene.fake.register_app("evil", "Another app");
    let foreign = scene.fake.install(elsewhere.id, "evil", Selection::All);
    let back = |rest: &str| scene.page(&format!("/github/setup?installation_id={foreign}&setup_action=install{rest}"));
    browser.open(&back("")).await.belongs_to_us(400).says("installation_state_unknown");
    browser.open(&back("&state=nonsense")).await.belongs_to_us(400).says("installation_state_unknown");
    Browser::new().open(&back(&format!("&state={state}"))).await.belongs_to_us(400).says("installation_state_unknown");
    // The right browser with a foreign id: GitHub is asked, and says that nothing is installed.
    let page = browser.open(&back(&format!("&state={state}"))).await.belongs_to_us(200);
    assert!(page.html.contains("registered and not installed"), "{}", page.html);
    let shown = scene.shown().await;
    assert_eq!((&shown["status"], &shown["installation"]), (&json!("installing"), &Value::Null));
    // GitHub's own settings lead here without anything of ours.
    let saved = scene.page(&format!("/github/setup?installation_id={foreign}&setup_action=update"));
    browser.open(&saved).await.belongs_to_us(200);
    assert_eq!(scene.shown().await["installation"], Value::Null);
    scene.end().await;
}

async fn a_member_asks_and_an_owner_approves(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let installing = scene.before_installing(&browser).await;
    let asked = browser.press(&installing, "Request", &[]).await.belongs_to_us(200);
    assert!(asked.html.contains("<h1>An owner has to approve</h1>"), "{}", asked.html);
    scene.becomes("approval_requested").await;
    let shown = scene.shown().await;
    // Who it was is for those who may ask the API, and not for whoever has the address.
    let text = shown["text"].as_str().expect("a text");
    let (who, _) = text.split_once(" asked an owner").expect("it says who asked");
    assert_ne!(who, "A member");
    let page = Browser::new().open(&scene.page(&format!("/github/apps/{}", scene.id))).await.belongs_to_us(200);
    assert!(page.html.contains("A member asked an owner"), "{}", page.html);
    for html in [&asked.html, &page.html] {
        assert!(!html.contains(who), "{html}");
    }
    scene.fake.install(shown["app"]["id"].as_u64().expect("an id"), "acme", Selection::All);
    scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(scene.shown().await["status"], "active");
    scene.end().await;
}

async fn the_browser_may_come_back_after_it_is_known_and_twice(server: Server) {
    let scene = Scene::set(&server).await;
    let browser = Browser::new();
    let installing = scene.before_installing(&browser).await;
    let state = parameter(&installing, "state");
    let app = scene.shown().await["app"]["id"].as_u64().expect("an id");
    let installation = scene.fake.install(app, "acme", Selection::All);
    scene.post("/repair").await.with(StatusCode::OK);
    assert_eq!(scene.shown().await["status"], "active");
    let back = scene.page(&format!("/github/setup?installation_id={installation}&setup_action=install&state={state}"));
    for _ in 0..2 {
        browser.open(&back).await.belongs_to_us(200);
    }
    assert_eq!(scene.events().await.matches("installation.installed").count(), 1);
    // After it was taken away the same way back is an old one.
    scene.fake.uninstall(installation);
    scene.post("/repair").await.with(StatusCode::OK);
    scene.fake.install(app, "acme", Selection::All);
    browser.open(&back).await.belongs_to_us(409).says("installation_state_used");
    scene.end().await;
}

async fn what_cannot_be_connected_is_refused_before_anything_is_there(server: Server) {
    let at = |id: &str| format!("/api/v1/integrations/{id}/installation/connect");
    let scene = Scene::set_as(&server, "theirs").await;
    let (server, fake) = (scene.server.clone(), &scene.fake);
    let second = json!({ "kind": "github_app", "host": fake.url(), "organisation": "ACME" });
    let refused = server.connect("again", second).await.refused(409, "connection_taken");
    assert_eq!(refused.body["integration"], scene.id, "{}", refused.text);
    // It has no app yet, and is named with a link all the same.
    let (detail, page) = (refused.text_of("detail"), scene.page(&format!("/github/apps/{}", scene.id)));
    assert!(detail.contains("“theirs” is connected") && detail.contains(&page), "{detail}");
    for bad in [json!({ "app_name": "x".repeat(35) }), json!({ "app_name": " " })] {
        server.post(&at(&scene.id), bad).await.refused(422, "name_invalid");
    }
    server.post(&at(&uuid::Uuid::nil().to_string()), json!({})).await.refused(404, "integration_unknown");
    server.post(&at(&scene.id), json!({ "surprise": 1 })).await.refused(400, "body_invalid");
    assert_eq!(fake.requests().len(), 0, "GitHub was asked");
    let given = server.post(&at(&scene.id), json!({ "app_name": "Ours <b>\"&" })).await.with(StatusCode::OK);
    let start = Browser::new().open(&given.text_of("url")).await.belongs_to_us(200);
    assert!(!start.html.contains("<b>"), "{}", start.html);
    scene.end().await;
}

on_both_engines!(known reaching_this_machine;
    a_browser_creates_and_installs_an_app_and_nothing_of_it_gets_out,
    a_link_is_good_once_and_the_last_one_counts,
    a_way_back_that_was_not_opened_here_changes_nothing,
    a_way_back_that_is_replayed_leads_to_what_became_of_it,
    an_app_that_github_did_not_give_is_said_to_be_there_perhaps,
    whoever_cancels_or_goes_back_goes_on_later_in_another_browser,
    what_an_address_says_of_an_installation_is_not_believed,
    a_member_asks_and_an_owner_approves,
    the_browser_may_come_back_after_it_is_known_and_twice,
    what_cannot_be_connected_is_refused_before_anything_is_there,
);
