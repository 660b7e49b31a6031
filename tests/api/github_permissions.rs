//! What an app may not read because nobody granted it: told, and read as soon as it may, whoever says so.

use keytrail_test_support::fake_github::Denial;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    github_app::{Github, active, remove, settled, shown},
    github_troubles::repaired,
    pull_requests::{becomes, of_issue, tick},
    server::{Server, on_both_engines, soon},
};

const WITHOUT: [(&str, &str); 2] = [("contents", "write"), ("metadata", "read")];
const WITH: [(&str, &str); 3] = [("contents", "write"), ("metadata", "read"), ("pull_requests", "write")];
const EVENTS: [&str; 2] = ["pull_request", "push"];

/// The app asks for these, and an owner grants them.
fn grant(github: &Github, permissions: &[(&str, &str)]) {
    github.fake.ask_for(github.app.id, permissions, &EVENTS);
    github.fake.accept_permissions(github.installation);
}

/// Running, with a pull request that it may not read, and told so.
async fn denied(server: &Server) -> (Github, String) {
    let github = Github::start(server).await;
    grant(&github, &WITHOUT);
    let shop = github.add(server, "shop", &["SHOP-1 begins"]);
    tick(server, &github);
    github.fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "ada");
    let id = active(server, &github).await;
    soon("it is said", || async { shown(server, &id).await["cause"] == "permission_missing" }).await;
    let now = shown(server, &id).await;
    for (member, part) in [("text", "may not read the pull requests"), ("action", "Grant it to read pull requests")] {
        assert!(now[member].as_str().is_some_and(|text| text.contains(part)), "{member}: {now}");
    }
    settled(server, &[&github.fake]).await;
    (github, id)
}

async fn pull_requests_that_an_app_may_not_read_are_told_of_and_listed_when_it_may(server: Server) {
    let (github, id) = denied(&server).await;
    // Neither asking after the app nor listing its repositories shows that it is over.
    for _ in 0..2 {
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), "permission_missing".into()));
        server.look_behind().await;
    }
    assert!(of_issue(&server, "SHOP-1").await.is_empty());
    let unknown = async || {
        let issue = server.get("/api/v1/issues/SHOP-1").await.with(StatusCode::OK);
        issue.body["repositories"][0]["pull_requests_unknown"].clone()
    };
    soon("it is said of the issue, too", || async {
        unknown().await.as_str().is_some_and(|why| why.contains("may not read its pull requests"))
    })
    .await;
    assert!(github.fake.live_tokens() > 0, "one that may not read them is kept");
    // Granted, and nobody tells: whoever asks sees it. No time passes, so the token is as good as it was.
    grant(&github, &WITH);
    assert_eq!(repaired(&server, &id).await.0, "active");
    becomes(&server, "SHOP-1", "it is listed", |_| true).await;
    soon("the issue says no more of it", || async { unknown().await.is_null() }).await;
    soon("nothing is in the way", || async { shown(&server, &id).await["cause"].is_null() }).await;
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn what_an_app_may_not_read_is_no_matter_once_it_is_uninstalled(server: Server) {
    let (github, id) = denied(&server).await;
    github.fake.uninstall(github.installation);
    assert_eq!(repaired(&server, &id).await, ("uninstalled".to_owned(), Value::Null));
    remove(&server, &id).await.with(StatusCode::OK);
    settled(&server, &[&github.fake]).await;
}

async fn what_an_app_may_not_read_is_told_again_after_whatever_stood_before_it(server: Server) {
    let (github, id) = denied(&server).await;
    let missing = ("active".to_owned(), json!("permission_missing"));
    // A trouble that passes, found by who asks after the app, and by who lists its repositories.
    for part in ["", "/installation/repositories"] {
        github.fake.fail_next_at(part, 502, 1_000);
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("waiting_for_service")), "{part}");
        github.fake.fail_no_more();
        for _ in 0..2 {
            assert_eq!(repaired(&server, &id).await, missing, "{part}");
        }
    }
    // The same is not written twice.
    let before = shown(&server, &id).await["version"].clone();
    assert_eq!(repaired(&server, &id).await, missing);
    assert_eq!(shown(&server, &id).await["version"], before);
    for word in ["pause", "resume"] {
        server.post(&format!("/api/v1/integrations/{id}/{word}"), json!({})).await.with(StatusCode::OK);
        assert_eq!(repaired(&server, &id).await, missing, "{word}");
    }
    settled(&server, &[&github.fake]).await;
}

async fn what_is_granted_is_seen_where_there_is_nothing_to_list(server: Server) {
    let github = Github::start(&server).await;
    grant(&github, &WITHOUT);
    let id = active(&server, &github).await;
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("permission_missing")));
    grant(&github, &WITH);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    settled(&server, &[&github.fake]).await;
}

async fn a_repository_that_is_kept_from_an_app_which_may_read_is_no_matter_of_the_app(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    tick(&server, &github);
    github.fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "ada");
    github.fake.deny_at("/pulls", Denial::Permission);
    let id = active(&server, &github).await;
    settled(&server, &[&github.fake]).await;
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
    let (mints, version) = (github.fake.mints(), shown(&server, &id).await["version"].clone());
    // Looked at again soon, each time with a token that is new.
    for _ in 0..2 {
        server.pass_seconds(15 * 60);
        github.fake.set_clock(server.app.clock.now().seconds());
        assert_eq!(repaired(&server, &id).await, ("active".to_owned(), Value::Null));
        settled(&server, &[&github.fake]).await;
    }
    assert!(github.fake.mints() > mints, "the token may be of before");
    assert_eq!(shown(&server, &id).await["version"], version, "nothing is said of it");
    github.fake.fail_no_more();
    server.pass_seconds(15 * 60);
    github.fake.set_clock(server.app.clock.now().seconds());
    repaired(&server, &id).await;
    becomes(&server, "SHOP-1", "it is listed", |_| true).await;
    settled(&server, &[&github.fake]).await;
}

on_both_engines!(reaching_this_machine;
    pull_requests_that_an_app_may_not_read_are_told_of_and_listed_when_it_may,
    what_an_app_may_not_read_is_no_matter_once_it_is_uninstalled,
    what_an_app_may_not_read_is_told_again_after_whatever_stood_before_it,
    what_is_granted_is_seen_where_there_is_nothing_to_list,
    a_repository_that_is_kept_from_an_app_which_may_read_is_no_matter_of_the_app,
);
