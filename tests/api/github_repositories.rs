//! The repositories of an organisation of a GitHub, against a GitHub of one's own: listed in pages, filtered, confirmed,
//! held while the app is suspended, within budgets, and what is left when the app goes.

use keytrail::{reactors, store::Area};
use keytrail_test_support::fake_github::{FakeGithub, Limit, RegisteredApp, Selection};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::settled,
    repository,
    server::{Answer, Server, answer, on_both_engines, soon},
};

/// An organisation of a GitHub whose clock goes with the server's, with an app of ours.
struct Stage<'a> {
    server: &'a Server,
    fake: &'a FakeGithub,
    organisation: &'static str,
    app: RegisteredApp,
    installation: u64,
}

async fn github(server: &Server) -> FakeGithub {
    let fake = FakeGithub::start().await;
    fake.set_clock(server.app.clock.now().seconds());
    fake
}

impl<'a> Stage<'a> {
    fn of(server: &'a Server, fake: &'a FakeGithub, organisation: &'static str) -> Self {
        let app = fake.register_app(organisation, &format!("Keytrail {organisation}"));
        let installation = fake.install(app.id, organisation, Selection::All);
        Self { server, fake, organisation, app, installation }
    }

    /// A repository with a commit.
    fn served(&self, name: &str) -> u64 {
        let work = self.server.elsewhere.join(self.organisation).join(name);
        repository::with_commits(&work, &["SHOP-1 begins"]);
        let id = self.fake.add_repository(self.organisation, name);
        self.fake.serve_repository(id, &work);
        id
    }

    fn connection(&self, filter: Option<&str>) -> Value {
        let (host, organisation) = (self.fake.url(), self.organisation);
        json!({ "kind": "github_app", "host": host, "organisation": organisation, "filter": filter })
    }

    /// Connected and taken over.
    async fn adopted(&self, filter: Option<&str>) -> String {
        let id = self.server.connect(self.organisation, self.connection(filter)).await.with(StatusCode::CREATED).id();
        let app = json!({ "app_id": self.app.id, "key": self.app.key.pkcs1 });
        self.act(&id, "installation/adopt", app).await.with(StatusCode::OK);
        self.becomes(&id, "active").await;
        id
    }

    async fn act(&self, id: &str, word: &str, body: Value) -> Answer {
        self.server.post(&format!("/api/v1/integrations/{id}/{word}"), body).await
    }

    async fn repair(&self, id: &str) -> Value {
        self.act(id, "installation/repair", json!({})).await.with(StatusCode::OK).body
    }

    async fn status(&self, id: &str) -> Value {
        self.server.get(&format!("/api/v1/integrations/{id}/installation")).await.with(StatusCode::OK).body
    }

    async fn becomes(&self, id: &str, status: &str) {
        soon(&format!("it is {status}"), || async { self.status(id).await["status"] == status }).await;
    }

    async fn filter(&self, id: &str, filter: Option<&str>) -> Answer {
        let at = format!("/api/v1/integrations/{id}/connection");
        let request = self.server.local(Method::PUT, &at).header("If-Match", "*");
        answer(request.json(&json!({ "connection": self.connection(filter) }))).await
    }

    /// Those that are not forgotten.
    async fn repositories(&self, id: &str) -> Vec<Value> {
        let path = format!("/api/v1/integrations/{id}/repositories?limit=500");
        let all = self.server.get(&path).await.with(StatusCode::OK).items().to_vec();
        all.into_iter().filter(|row| row["state"] != "forgotten").collect()
    }

    async fn names(&self, id: &str) -> Vec<String> {
        let all = self.repositories(id).await;
        let mut names: Vec<_> = all.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect();
        names.sort_unstable();
        names
    }

    async fn come(&self, id: &str, wanted: &[&str]) {
        soon(&format!("{wanted:?} are there"), || async { self.names(id).await == wanted }).await;
    }

    async fn are(&self, id: &str, state: &str) {
        let all = || async {
            self.server.later_comes().await;
            self.repositories(id).await
        };
        soon(&format!("all are {state}"), || async { all().await.iter().all(|row| row["state"] == state) }).await;
    }

    async fn remove(&self, id: &str, query: &str) -> Answer {
        let at = format!("/api/v1/integrations/{id}{query}");
        answer(self.server.local(Method::DELETE, &at).header("If-Match", "*")).await
    }

    async fn events(&self, id: &str, name: &str) -> usize {
        let path = format!("/api/v1/streams/installation/{id}/events?limit=500");
        let all = self.server.get(&path).await.with(StatusCode::OK);
        all.items().iter().filter(|event| event["event_type"] == name).count()
    }

    fn listings(&self, status: u16) -> usize {
        let asked = self.fake.requests();
        asked.iter().filter(|one| one.path.contains("/installation/repositories") && one.status == status).count()
    }
}

async fn a_filter_keeps_what_it_answers_and_a_wrong_one_forgets_nothing(server: Server) {
    let fake = github(&server).await;
    let stage = Stage::of(&server, &fake, "acme");
    let (old, fork) = (stage.served("old"), stage.served("fork"));
    stage.served("shop");
    fake.archive_repository(old, true);
    fake.describe_repository(fork, true, 7_000, 1_600_000_000);
    let unreadable = server.connect("acme", stage.connection(Some("repositories[?!archived"))).await;
    unreadable.refused(422, "filter_invalid");
    let id = stage.adopted(Some("repositories[?!archived]")).await;
    stage.come(&id, &["acme/fork", "acme/shop"]).await;
    stage.are(&id, "indexed").await;

    let tried = json!({ "filter": "repositories[?!fork]" });
    let preview = stage.act(&id, "filter-preview", tried).await.with(StatusCode::OK).body;
    assert_eq!((&preview["kept"]["repositories"], &preview["dropped"]["repositories"]), (&json!(2), &json!(1)));
    assert_eq!(preview["dropped"], json!({ "repositories": 1, "kilobytes": 7_000, "names": ["acme/fork"] }));
    for (filter, place) in [("repos", "nothing"), ("repositories[", "character"), ("repositories[].name", "list")] {
        let refused = stage.act(&id, "filter-preview", json!({ "filter": filter })).await;
        assert!(refused.text.contains(place), "{}", refused.text);
        refused.refused(422, "filter_invalid");
    }
    // It can be read, and answers something else.
    stage.filter(&id, Some("repositories[].name")).await.with(StatusCode::OK);
    soon("that is said", || async { stage.status(&id).await["cause"] == "filter_invalid" }).await;
    assert_eq!(stage.repair(&id).await["cause"], "filter_invalid", "asking again does not hide it");
    assert_eq!(stage.names(&id).await, ["acme/fork", "acme/shop"], "nothing is forgotten");
    stage.filter(&id, Some("repositories[?!fork]")).await.with(StatusCode::OK);
    stage.come(&id, &["acme/old", "acme/shop"]).await;
    soon("nothing is in the way", || async { stage.status(&id).await["cause"] == Value::Null }).await;
    stage.are(&id, "indexed").await;
}

async fn repositories_are_listed_in_pages_and_followed_by_their_ids(server: Server) {
    let fake = github(&server).await;
    let stage = Stage::of(&server, &fake, "acme");
    let shop = stage.served("shop");
    let ship = stage.served("ship");
    for number in 0..110 {
        fake.add_repository("acme", &format!("empty-{number:03}"));
    }
    let id = stage.adopted(None).await;
    soon("all pages were read", || async { stage.repositories(&id).await.len() == 112 }).await;
    soon("nothing is being indexed", || async {
        let rows = stage.repositories(&id).await;
        rows.iter().all(|row| row["state"] == "indexed" || row["state"] == "failed")
    })
    .await;
    assert_eq!(fake.mints(), 1, "one token for all of them");
    // The second page fails.
    fake.fail_next_at("page=2", 502, 1);
    stage.repair(&id).await;
    assert_eq!(stage.repositories(&id).await.len(), 112, "what was not seen is not gone");
    stage.repair(&id).await;
    // That it is in order again is reacted to, and lists them once more.
    soon("nobody lists them any more", || async {
        let reacted = reactors::position(&server.app.db).await.expect("a checkpoint");
        let sql =
            "SELECT key FROM jobs WHERE kind = 'discover_repositories' AND (state = 'running' OR run_after <= $1)";
        let now = [keytrail_projections::value::Value::from(server.app.clock.now())];
        let due = server.app.db.read(Area::Log, sql, &now).await.expect("the jobs");
        due.is_empty() && server.app.log.stored_head().await.expect("a head").position == reacted
    })
    .await;
    // Nothing changed: nothing is sent, and nothing is written.
    let version = stage.status(&id).await["version"].clone();
    fake.forget_requests();
    stage.repair(&id).await;
    assert_eq!((stage.listings(304), stage.listings(200)), (2, 0));
    assert_eq!(stage.status(&id).await["version"], version, "a look that finds nothing writes nothing");

    let known = |rows: &[Value], name: &str| rows.iter().find(|row| row["name"] == name).map(|row| row["id"].clone());
    let before = known(&stage.repositories(&id).await, "acme/shop");
    fake.rename_repository(shop, "store");
    fake.archive_repository(ship, true);
    fake.delete_repository(fake.add_repository("acme", "never-seen"));
    stage.repair(&id).await;
    soon("it is archived", || async {
        let rows = stage.repositories(&id).await;
        rows.iter().any(|row| row["name"] == "acme/ship" && row["archived"] == true)
    })
    .await;
    assert_eq!(known(&stage.repositories(&id).await, "acme/store"), before, "it is the same under another name");
    fake.archive_repository(ship, false);
    fake.transfer_repository(shop, "elsewhere");
    stage.repair(&id).await;
    soon("what went is forgotten", || async { stage.repositories(&id).await.len() == 111 }).await;
    assert!(stage.repositories(&id).await.iter().all(|row| row["archived"] == false));
    settled(&server, &[&fake]).await;
}

async fn thousands_start_only_after_a_word_or_a_filter(server: Server) {
    let fake = github(&server).await;
    let stage = Stage::of(&server, &fake, "acme");
    stage.served("shop");
    for number in 0..2_999 {
        let id = fake.add_repository("acme", &format!("old-{number:04}"));
        fake.archive_repository(id, true);
    }
    let id = stage.adopted(None).await;
    soon("a person is asked", || async { stage.status(&id).await["cause"] == "confirmation_wanted" }).await;
    let asked = stage.status(&id).await["confirmation"].clone();
    assert_eq!((&asked["state"], &asked["repositories"]), (&json!("wanted"), &json!(3_000)));
    let proposed = asked["proposed_filter"].as_str().expect("a filter");
    assert!(stage.repositories(&id).await.is_empty(), "nothing starts");
    fake.fail_next_at("page=17", 502, 1);
    let tried = || stage.act(&id, "filter-preview", json!({ "filter": proposed }));
    assert_eq!(tried().await.refused(422, "github_refused").body["reason"], "github_troubled");
    let preview = tried().await.with(StatusCode::OK).body;
    assert_eq!((&preview["kept"]["repositories"], &preview["dropped"]["repositories"]), (&json!(1), &json!(2_999)));
    assert_eq!(preview["dropped"]["names"].as_array().map(Vec::len), Some(100));
    stage.filter(&id, Some(proposed)).await.with(StatusCode::OK);
    stage.come(&id, &["acme/shop"]).await;
    soon("nobody is asked any more", || async { stage.status(&id).await["confirmation"] == Value::Null }).await;
    stage.act(&id, "installation/confirm", json!({})).await.refused(409, "nothing_to_confirm");
    stage.are(&id, "indexed").await;
}

async fn what_a_suspended_app_reads_is_held_and_goes_on_by_itself(server: Server) {
    let fake = github(&server).await;
    let stage = Stage::of(&server, &fake, "acme");
    stage.served("shop");
    let id = stage.adopted(None).await;
    stage.come(&id, &["acme/shop"]).await;
    stage.are(&id, "indexed").await;
    stage.act(&id, "installation/suspend", json!({})).await.with(StatusCode::OK);
    soon("GitHub knows", || async { fake.installation(stage.installation) == Some(true) }).await;
    assert_eq!(fake.live_tokens(), 0, "what was about is taken back");
    let held = stage.repositories(&id).await[0].clone();
    assert_eq!((&held["state"], &held["held"]["status"]), (&json!("indexed"), &json!("suspended")), "{held}");
    let repository = held["id"].as_str().expect("an id");
    let asked = server.post(&format!("/api/v1/repositories/{repository}/index-runs"), json!({})).await;
    asked.with(StatusCode::ACCEPTED);
    stage.are(&id, "failed").await;
    assert_eq!(stage.repositories(&id).await[0]["failure"]["code"], "installation_held");
    let issue = server.get("/api/v1/issues/SHOP-1").await.with(StatusCode::OK);
    assert_eq!(issue.body["commits"], 1, "what was indexed stays");
    stage.act(&id, "installation/resume", json!({})).await.with(StatusCode::OK);
    stage.becomes(&id, "active").await;
    stage.are(&id, "indexed").await;
    assert_eq!(stage.repositories(&id).await[0]["held"], Value::Null);
}

async fn the_limit_of_one_organisation_slows_no_other(server: Server) {
    let fake = github(&server).await;
    let (acme, apex) = (Stage::of(&server, &fake, "acme"), Stage::of(&server, &fake, "apex"));
    acme.served("shop");
    let (one, other) = (acme.adopted(None).await, apex.adopted(None).await);
    acme.come(&one, &["acme/shop"]).await;
    acme.are(&one, "indexed").await;
    apex.come(&other, &[]).await;
    soon("its budget is known", || async { apex.status(&other).await["budget"]["remaining"].is_u64() }).await;
    for (limit, status, micros) in [
        (Limit::Secondary { retry_after: None }, 403, 60_000_000),
        (Limit::Secondary { retry_after: Some(7) }, 429, 7_000_000),
    ] {
        fake.limit(acme.installation, limit, status);
        acme.served(&format!("new-{status}"));
        acme.repair(&one).await;
        fake.forget_requests();
        let limited = acme.repair(&one).await;
        let until = limited["budget"]["not_before"].as_str().expect("it is left alone").to_owned();
        assert_eq!(acme.listings(200) + acme.listings(status), 0, "it is not even asked until {until}");
        assert_eq!(limited["budget"]["remaining"], 0);
        apex.served(&format!("new-{status}"));
        apex.repair(&other).await;
        let name = format!("apex/new-{status}");
        soon("the other one goes on", || async { apex.names(&other).await.contains(&name) }).await;
        fake.lift_limit(acme.installation);
        let now = server.app.clock.now();
        server.pass_micros(micros + 1);
        fake.set_clock(now.plus_micros(micros + 1).seconds());
        acme.repair(&one).await;
        let name = format!("acme/new-{status}");
        soon("it goes on, too", || async { acme.names(&one).await.contains(&name) }).await;
    }
    acme.are(&one, "indexed").await;
    apex.are(&other, "indexed").await;
}

async fn an_app_goes_once_and_what_is_left_is_named_until_it_is_gone(server: Server) {
    let fake = github(&server).await;
    let stage = Stage::of(&server, &fake, "acme");
    let id = stage.adopted(None).await;
    stage.act(&id, "installation/confirm-gone", json!({})).await.refused(409, "integration_not_removed");
    let (first, second) = tokio::join!(stage.remove(&id, "?secrets=kept"), stage.remove(&id, "?secrets=kept"));
    for removed in [first, second] {
        let removed = removed.with(StatusCode::OK);
        assert_eq!(removed.body["remainder"]["installed"], false, "{}", removed.text);
        assert_eq!(removed.body["remainder"]["owner"], "acme");
    }
    assert_eq!(stage.events(&id, "installation.removed").await, 1);
    assert_eq!(fake.installation(stage.installation), None, "it was taken away there");
    assert_eq!(stage.status(&id).await["secrets_kept"], true);
    // The app is still there: it is taken over with the key that was kept.
    fake.install(stage.app.id, "acme", Selection::All);
    let again = server.connect("again", stage.connection(None)).await.with(StatusCode::CREATED).id();
    let app = json!({ "app_id": stage.app.id, "kept_by": id });
    stage.act(&again, "installation/adopt", app.clone()).await.with(StatusCode::OK);
    stage.becomes(&again, "active").await;
    stage.act(&again, "installation/adopt", app).await.with(StatusCode::OK);
    // Nobody is advised to delete an app that is in use, and its key is sealed once.
    soon("it is over", || async { stage.status(&id).await["remainder"].is_null() }).await;
    let over = stage.status(&id).await;
    assert_eq!((&over["cause"], &over["secrets_kept"]), (&Value::Null, &json!(false)), "{over}");
    let confirmed = stage.act(&id, "installation/confirm-gone", json!({})).await.with(StatusCode::OK);
    assert_eq!(confirmed.body["version"], over["version"], "there is nothing more to say: {}", confirmed.text);
    // And once more, with nobody at the other end.
    let secrets = fake.secrets();
    let url = fake.url();
    drop(fake);
    let at = format!("/api/v1/integrations/{again}");
    let removed = answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert_eq!(removed.body["remainder"]["installed"], true, "{}", removed.text);
    assert!(removed.body["remainder"]["link"].as_str().is_some_and(|link| link.starts_with(&url)));
    let events = server.get("/api/v1/events?limit=500").await.with(StatusCode::OK).text;
    assert!(secrets.iter().all(|secret| !events.contains(secret.as_str())), "no secret is in an event");
    let third = server.connect("third", json!({ "kind": "github_app", "host": url, "organisation": "acme" })).await;
    let third = third.with(StatusCode::CREATED).id();
    let app = json!({ "app_id": 1, "kept_by": again });
    let refused = server.post(&format!("/api/v1/integrations/{third}/installation/adopt"), app).await;
    refused.refused(409, "secrets_not_kept");
}

async fn an_organisation_that_does_not_let_us_in_is_told_of_with_our_address(server: Server) {
    let fake = github(&server).await;
    let stage = Stage::of(&server, &fake, "acme");
    stage.served("shop");
    fake.set_ip_allow_list("acme", true);
    let id = stage.adopted(None).await;
    soon("it is said", || async { stage.status(&id).await["cause"] == "address_not_allowed" }).await;
    let told = stage.status(&id).await;
    // As GitHub named it.
    assert!(told["action"].as_str().is_some_and(|action| action.contains("adds 203.0.113.7,")), "{told}");
    // GitHub answers for the app itself; that tells nothing of the way to the organisation.
    assert_eq!(stage.repair(&id).await["cause"], "address_not_allowed");
    fake.set_ip_allow_list("acme", false);
    stage.repair(&id).await;
    stage.come(&id, &["acme/shop"]).await;
    soon("nothing is in the way", || async { stage.status(&id).await["cause"].is_null() }).await;
    server.look_behind().await;
}

async fn installing_that_does_not_come_on_is_stuck_until_it_does(server: Server) {
    let fake = github(&server).await;
    let app = fake.register_app("acme", "Keytrail acme");
    let stage = Stage { server: &server, fake: &fake, organisation: "acme", app, installation: 0 };
    let id = server.connect("acme", stage.connection(None)).await.with(StatusCode::CREATED).id();
    let app = json!({ "app_id": stage.app.id, "key": stage.app.key.pkcs1 });
    stage.act(&id, "installation/adopt", app).await.with(StatusCode::OK);
    soon("that is said", || async { stage.status(&id).await["cause"] == "not_installed" }).await;
    assert_eq!(stage.status(&id).await["status"], "installing");
    soon("it is said when it goes on", || async { stage.status(&id).await["next_at"].is_string() }).await;
    for (seconds, status) in [(5 * 60, "installing"), (1, "stuck")] {
        // Whoever works on a job while minutes pass has lost it.
        server.look_behind().await;
        server.pass_seconds(seconds);
        fake.set_clock(server.app.clock.now().seconds());
        assert_eq!(stage.repair(&id).await["status"], status, "after {seconds} seconds more");
    }
    // Nobody asks: the timer does.
    fake.install(stage.app.id, "acme", Selection::All);
    stage.becomes(&id, "active").await;
    server.look_behind().await;
}

on_both_engines!(reaching_this_machine;
    a_filter_keeps_what_it_answers_and_a_wrong_one_forgets_nothing,
    repositories_are_listed_in_pages_and_followed_by_their_ids,
    thousands_start_only_after_a_word_or_a_filter,
    what_a_suspended_app_reads_is_held_and_goes_on_by_itself,
    the_limit_of_one_organisation_slows_no_other,
    an_app_goes_once_and_what_is_left_is_named_until_it_is_gone,
    installing_that_does_not_come_on_is_stuck_until_it_does,
    an_organisation_that_does_not_let_us_in_is_told_of_with_our_address,
);
