//! What stands in the way of an app has a word, a sentence and a next step of its own, and whoever is in the way is named.

use keytrail::{jobs::ask_after_by_jobs, store::Area};
use keytrail_domain::id::IntegrationId;
use keytrail_test_support::fake_github::Denial;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::{Github, act, active, adopt, becomes, remove, repositories, settled, shown},
    github_troubles::repaired,
    server::{Server, answer, on_both_engines, soon},
};

async fn what_keeps_repositories_from_being_listed_is_told_and_goes_away(server: Server) {
    let github = Github::start(&server).await;
    github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let mut told = Vec::new();
    for (denial, cause) in [
        (Some(Denial::Permission), "permission_missing"),
        (Some(Denial::SignIn), "sign_in_demanded"),
        (Some(Denial::Refused), "github_refused"),
        (None, "waiting_for_service"),
    ] {
        match denial {
            Some(denial) => github.fake.deny_at("/installation/repositories", denial),
            None => github.fake.fail_next_at("/installation/repositories", 502, 1_000),
        }
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), cause.into()));
        let now = shown(&server, &id).await;
        // GitHub answers for the app itself, which tells nothing of the list; and the same is not written twice.
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), cause.into()));
        assert_eq!(shown(&server, &id).await["version"], now["version"], "{cause}");
        let text = |member: &str| now[member].as_str().expect("a text").to_owned();
        told.push((text("text"), text("action")));
        assert_eq!(repositories(&server, &id).await.len(), 1, "nothing is forgotten");
        github.fake.fail_no_more();
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null), "{cause}");
    }
    let mut distinct = told.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), told.len(), "each has words of its own: {told:?}");
    settled(&server, &[&github.fake]).await;
}

async fn what_kept_repositories_from_being_listed_is_told_only_while_they_are_listed(server: Server) {
    type Halt = fn(&Github);
    let halts: [(Halt, &str, &str); 2] = [
        (|github| github.fake.uninstall(github.installation), "uninstalled", "Install it again"),
        (|github| github.fake.suspend_by(github.installation, "boss"), "suspended", "Whoever suspended it"),
    ];
    for (halt, status, action) in halts {
        let github = Github::start(&server).await;
        let id = active(&server, &github).await;
        settled(&server, &[&github.fake]).await;
        github.fake.set_ip_allow_list("acme", true);
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), "address_not_allowed".into()));
        halt(&github);
        assert_eq!(repaired(&server, &id).await, (status.to_owned(), Value::Null));
        let now = shown(&server, &id).await;
        assert!(now["action"].as_str().is_some_and(|said| said.starts_with(action)), "{now}");
        github.fake.set_ip_allow_list("acme", false);
        remove(&server, &id).await.with(StatusCode::OK);
        settled(&server, &[&github.fake]).await;
    }
    // While the integration is paused nothing is listed; afterwards it is, and the cause is there again.
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    github.fake.set_ip_allow_list("acme", true);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), "address_not_allowed".into()));
    server.post(&format!("/api/v1/integrations/{id}/pause"), json!({})).await.with(StatusCode::OK);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    server.post(&format!("/api/v1/integrations/{id}/resume"), json!({})).await.with(StatusCode::OK);
    soon("it is said again", || async { shown(&server, &id).await["cause"] == "address_not_allowed" }).await;
    github.fake.set_ip_allow_list("acme", false);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn what_keeps_the_app_from_being_asked_after_is_told(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    for (denial, cause) in [
        (Denial::Permission, "permission_missing"),
        (Denial::SignIn, "sign_in_demanded"),
        (Denial::Refused, "github_refused"),
    ] {
        github.fake.deny_at("/orgs/acme/installation", denial);
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), cause.into()));
        github.fake.fail_no_more();
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null), "{cause}");
    }
    settled(&server, &[&github.fake]).await;
}

async fn who_asks_and_who_lists_say_the_same_trouble_once(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "acme" });
    let mut nowhere = place.clone();
    nowhere["proxy"] = json!({ "url": "http://127.0.0.1:9" });
    let leads = async |place: &Value| {
        let at = format!("/api/v1/integrations/{id}/connection");
        let request = server.local(Method::PUT, &at).header("If-Match", "*");
        answer(request.json(&json!({ "connection": place }))).await.with(StatusCode::OK);
    };
    let said = async || {
        let at = format!("/api/v1/events?stream={id}&type=installation.diagnosed&limit=500");
        server.get(&at).await.with(StatusCode::OK).items().len()
    };
    leads(&nowhere).await;
    server.pass_days(1);
    let integration: IntegrationId = id.parse().expect("an id");
    ask_after_by_jobs(&server.app, integration).await.expect("the store answers");
    let mut first = None;
    for round in 1..=4 {
        let tried = format!(
            "SELECT kind FROM jobs WHERE kind IN ('reconcile_installation', 'discover_repositories') \
             AND state = 'waiting' AND attempts >= {round}"
        );
        soon("it was asked and listed in vain", || async {
            server.app.db.read(Area::Log, &tried, &[]).await.expect("the jobs").len() == 2
        })
        .await;
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), "unreachable".into()));
        let now = said().await;
        assert!(now > 0 && now == *first.get_or_insert(now), "round {round}: said {now} times, {first:?} before");
        server.pass_seconds(600);
    }
    leads(&place).await;
    github.fake.set_clock(server.app.clock.now().seconds());
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn who_suspends_it_here_is_named(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let token = server.token("admin").await;
    let by_token = async |word: &str| {
        let at = format!("/api/v1/integrations/{id}/installation/{word}");
        let asked = server.request(Method::POST, &at).bearer_auth(&token).json(&json!({}));
        answer(asked).await.with(StatusCode::OK).body
    };
    let told = by_token("suspend").await;
    assert_eq!((&told["wish"], &told["wished_by"]), (&json!("suspend"), &json!("a admin")), "{told}");
    soon("GitHub knows", || async { github.fake.installation(github.installation) == Some(true) }).await;
    settled(&server, &[&github.fake]).await;
    // GitHub names the app, and it is still told who it was.
    let now = shown(&server, &id).await;
    assert_eq!(
        (&now["installation"]["suspended_by"], &now["wished_by"]),
        (&json!("keytrail-acme[bot]"), &json!("a admin"))
    );
    assert!(
        now["text"].as_str().is_some_and(|text| text.starts_with("It was suspended from here by a admin;")),
        "{now}"
    );
    // The app has another name by now, and GitHub does not take the word that it may run again: it was no stranger's doing.
    github.fake.rename_app(github.app.id, "Another name");
    assert_eq!(repaired(&server, &id).await.0, "suspended");
    github.fake.fail_next_at("/suspended", 502, 1_000);
    let told = act(&server, &id, "resume").await.with(StatusCode::OK).body;
    assert!(
        told["text"].as_str().is_some_and(|text| text.starts_with("It was resumed from here by local, and GitHub")),
        "{told}"
    );
    github.fake.fail_no_more();
    assert_eq!(repaired(&server, &id).await.0, "active");
    settled(&server, &[&github.fake]).await;
    assert_eq!(shown(&server, &id).await["wished_by"], Value::Null);
    // By the command line of the machine.
    let told = act(&server, &id, "suspend").await.with(StatusCode::OK).body;
    assert_eq!(told["wished_by"], "local", "{told}");
    settled(&server, &[&github.fake]).await;
}

async fn an_app_that_another_integration_has_is_refused_with_its_name(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "apex" });
    let other = server.connect("apex", place).await.with(StatusCode::CREATED).id();
    let refused = adopt(&server, &other, github.app.id, &github.app.key.pkcs1).await.refused(409, "app_taken");
    assert_eq!(refused.body["integration"], id, "{}", refused.text);
    assert!(refused.text.contains("“acme”"), "{}", refused.text);
    settled(&server, &[&github.fake]).await;
}

async fn an_organisation_is_held_by_its_new_name_too(server: Server) {
    let github = Github::start(&server).await;
    let first = active(&server, &github).await;
    github.fake.rename_org("acme", "acme-two");
    assert_eq!(repaired(&server, &first).await.0, "active");
    settled(&server, &[&github.fake]).await;
    github.fake.forget_requests();
    let renamed =
        |organisation: &str| json!({ "kind": "github_app", "host": github.fake.url(), "organisation": organisation });
    for organisation in ["acme-two", "Acme-Two", "acme"] {
        let refused = server.connect("second", renamed(organisation)).await.refused(409, "connection_taken");
        assert_eq!(refused.body["integration"], first, "{}", refused.text);
        let detail = refused.text_of("detail");
        let tells_all =
            ["“acme” has an app", "was called “acme”", &format!("/api/v1/integrations/{first}/installation")]
                .iter()
                .all(|part| detail.contains(part));
        assert_eq!(tells_all, organisation != "acme", "{detail}");
    }
    // Nor does one that is there come to it.
    let other = server.connect("other", renamed("apex")).await.with(StatusCode::CREATED).id();
    let moved = |id: &str| {
        let at = format!("/api/v1/integrations/{id}/connection");
        let request = server.local(Method::PUT, &at).header("If-Match", "*");
        answer(request.json(&json!({ "connection": renamed("acme-two") })))
    };
    moved(&other).await.refused(409, "connection_taken");
    assert!(github.fake.requests().is_empty(), "nothing was asked: {:?}", github.fake.requests());
    // The holder itself may say what it is called now.
    moved(&first).await.with(StatusCode::OK);
    remove(&server, &first).await.with(StatusCode::OK);
    becomes(&server, &first, "removed").await;
    server.connect("second", renamed("acme-two")).await.with(StatusCode::CREATED);
    settled(&server, &[&github.fake]).await;
}

async fn a_limit_that_is_met_by_asking_for_a_token_is_kept_to(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let passes = |seconds: i64| {
        server.pass_seconds(seconds);
        github.fake.set_clock(server.app.clock.now().seconds());
    };
    github.fake.limit_next_at("/access_tokens", 600);
    github.fake.forget_requests();
    // The token is over.
    passes(2 * 3_600);
    for _ in 0..2 {
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("rate_limited")));
    }
    let asked = github.fake.requests().iter().filter(|one| one.path.ends_with("/access_tokens")).count();
    assert_eq!(asked, 1, "it is left alone as long as it wished");
    assert!(shown(&server, &id).await["budget"]["not_before"].is_string());
    passes(601);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn an_integration_stays_in_the_organisation_of_its_app(server: Server) {
    let github = Github::start(&server).await;
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    let moved = |id: &str, organisation: &str| {
        let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": organisation });
        let at = format!("/api/v1/integrations/{id}/connection");
        answer(server.local(Method::PUT, &at).header("If-Match", "*").json(&json!({ "connection": place })))
    };
    let refused = moved(&id, "apex").await.refused(409, "organisation_other");
    assert!(refused.text.contains("“acme”") && refused.text.contains("“apex”"), "{}", refused.text);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    moved(&id, "ACME").await.with(StatusCode::OK);
    // Taken away it is still the app of that organisation.
    github.fake.uninstall(github.installation);
    assert_eq!(repaired(&server, &id).await.0, "uninstalled");
    moved(&id, "apex").await.refused(409, "organisation_other");
    // Before an app is installed nothing keeps it.
    let place = json!({ "kind": "github_app", "host": github.fake.url(), "organisation": "apex" });
    let other = server.connect("other", place).await.with(StatusCode::CREATED).id();
    moved(&other, "apex-two").await.with(StatusCode::OK);
    settled(&server, &[&github.fake]).await;
}

on_both_engines!(reaching_this_machine;
    what_keeps_repositories_from_being_listed_is_told_and_goes_away,
    what_kept_repositories_from_being_listed_is_told_only_while_they_are_listed,
    what_keeps_the_app_from_being_asked_after_is_told,
    who_asks_and_who_lists_say_the_same_trouble_once,
    who_suspends_it_here_is_named,
    an_app_that_another_integration_has_is_refused_with_its_name,
    an_organisation_is_held_by_its_new_name_too,
    a_limit_that_is_met_by_asking_for_a_token_is_kept_to,
    an_integration_stays_in_the_organisation_of_its_app,
);
