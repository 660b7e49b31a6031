//! Apps while a view does not follow the log: what is taken away at GitHub, and what is over with it, is told by the log.

use keytrail::store::{Area, Statement};
use keytrail_test_support::fake_github::Silence;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::{Github, active, adopt, connect, remove, settled, shown},
    github_troubles::repaired,
    server::{Server, answer, on_postgres_with, reaching_this_machine},
};

/// Another node, which does nothing, has taken a view.
async fn stands_still(server: &Server, view: &str) {
    let now = server.app.db.lease_clock(&mut Vec::new(), server.app.clock.now());
    let taken = format!(
        "UPDATE view_builds SET owner = 'nobody', epoch = epoch + 1, lease_until = {now} + 15000000 WHERE view = '{view}'"
    );
    server.app.db.write(Area::Views, vec![Statement::new(taken, vec![])]).await.expect("it is taken");
}

/// The lease of that node ends.
fn goes_on(server: &Server) {
    server.pass_seconds(15);
    server.pass_micros(1);
}

#[test]
fn an_app_is_taken_away_whether_the_view_of_integrations_follows_or_not() {
    on_postgres_with(reaching_this_machine, |server| async move {
        let github = Github::start(&server).await;
        let id = active(&server, &github).await;
        settled(&server, &[&github.fake]).await;
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
        assert!(github.fake.live_tokens() > 0, "its repositories were listed with it");
        stands_still(&server, "integration_list").await;
        let removed = remove(&server, &id).await;
        assert_eq!(removed.status, StatusCode::ACCEPTED, "the view does not show it yet: {}", removed.text);
        assert_eq!(github.fake.installation(github.installation), None);
        assert_eq!(github.fake.live_tokens(), 0);
        goes_on(&server);
        settled(&server, &[&github.fake]).await;
        let now = shown(&server, &id).await;
        assert_eq!((&now["status"], &now["remainder"]["installed"]), (&"removed".into(), &false.into()), "{now}");
    });
}

#[test]
fn what_was_left_of_an_app_that_is_taken_over_is_over_also_when_the_request_could_not_say_so() {
    on_postgres_with(reaching_this_machine, |server| async move {
        let github = Github::start(&server).await;
        let id = active(&server, &github).await;
        settled(&server, &[&github.fake]).await;
        github.fake.set_silence(Some(Silence::Ends));
        let removed = remove(&server, &id).await.with(StatusCode::OK);
        assert_eq!(removed.body["remainder"]["installed"], true, "{}", removed.text);
        github.fake.set_silence(None);
        let again = connect(&server, &github.fake).await.with(StatusCode::CREATED).id();
        stands_still(&server, "installation_status").await;
        let adopted = adopt(&server, &again, github.app.id, &github.app.key.pkcs1).await;
        assert_eq!(adopted.status, StatusCode::ACCEPTED, "the view does not show it yet: {}", adopted.text);
        goes_on(&server);
        settled(&server, &[&github.fake]).await;
        let now = shown(&server, &id).await;
        assert_eq!((&now["status"], &now["remainder"]), (&"removed".into(), &Value::Null), "{now}");
        assert_eq!(shown(&server, &again).await["status"], "active");
    });
}

#[test]
fn a_repair_that_the_view_does_not_show_yet_is_told_with_its_position() {
    on_postgres_with(reaching_this_machine, |server| async move {
        let github = Github::start(&server).await;
        let id = active(&server, &github).await;
        settled(&server, &[&github.fake]).await;
        stands_still(&server, "installation_status").await;
        // The log goes on, and the view does not.
        let name = server.local(Method::PUT, &format!("/api/v1/integrations/{id}/name")).header("If-Match", "*");
        answer(name.json(&json!({ "name": "another" }))).await.with(StatusCode::OK);
        let at = format!("/api/v1/integrations/{id}/installation/repair");
        let told = server.post(&at, json!({})).await.with(StatusCode::ACCEPTED);
        assert_eq!(told.body, json!({ "id": id, "position": told.body["position"] }), "what was asked for is done");
        assert_eq!(told.header("x-log-position"), told.body["position"].to_string());
        goes_on(&server);
        settled(&server, &[&github.fake]).await;
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    });
}
