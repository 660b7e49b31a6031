//! What an app asks in its own name, with signatures that the other side really checks.

use std::{sync::Arc, time::Duration};

use keytrail_domain::installation::{Report, There};
use keytrail_test_support::fake_github::{AppKeyPair, Credential, Silence};

use super::{AppAccess, Github, Installed, Known, NOW, acme, place, refused};

fn there(report: Report) -> There {
    match report {
        Report::Read { there, .. } => there,
        Report::AppDeleted | Report::KeyRejected => panic!("the app was not read"),
    }
}

#[tokio::test]
async fn an_app_describes_itself() {
    let github = Installed::start().await;
    let app = github.access().await.app().await.expect("the app");
    assert_eq!((app.id, app.slug.as_str(), app.name.as_str()), (github.app.id, "keytrail-acme", "Keytrail acme"));
    assert_eq!(app.html_url.as_str(), format!("{}/github-apps/keytrail-acme", github.fake.url()));
    assert_eq!(app.owner, Some(acme()));
    assert_eq!(app.permissions["contents"], "write");
    assert!(app.events.is_sorted() && app.events.contains(&"push".to_owned()));
}

#[tokio::test]
async fn an_answer_that_trickles_in_is_waited_for_no_longer_than_it_may_take() {
    let github = Installed::start().await;
    let mut place = place(&github.fake.url());
    place.limits.listing = Duration::from_millis(500);
    let (host, reached) = (place.host.clone(), Github::reach(&place).await.expect("it may be reached"));
    let hurried = AppAccess::new(reached, host, github.app.id, &github.app.key.pkcs1, Arc::new(|| NOW)).expect("a key");
    github.fake.set_silence(Some(Silence::Trickles));
    assert_eq!(refused(hurried.app().await), "github_unreachable");
    github.fake.set_silence(None);
    assert_eq!(github.access().await.app().await.expect("the app").id, github.app.id);
}

#[tokio::test]
async fn a_report_says_what_became_of_an_installation() {
    let github = Installed::start().await;
    let access = github.access().await;
    let There::Installed(seen) = there(access.report(&acme(), Known::default()).await.expect("a report")) else {
        panic!("installed")
    };
    assert_eq!((seen.installation, seen.suspended.is_some()), (github.installation, false));
    github.fake.suspend_by(github.installation, "boss");
    let There::Installed(seen) = there(access.report(&acme(), Known::default()).await.expect("a report")) else {
        panic!("installed")
    };
    let by = seen.suspended.and_then(|halt| halt.by).expect("somebody");
    assert_eq!(by.as_str(), "boss");
    github.fake.uninstall(github.installation);
    assert_eq!(there(access.report(&acme(), Known::default()).await.expect("a report")), There::NotInstalled);
    github.fake.request_approval(github.app.id, "acme", "member");
    let asked = there(access.report(&acme(), Known::default()).await.expect("a report"));
    assert!(matches!(asked, There::ApprovalRequested { by: Some(by) } if by.as_str() == "member"));
    github.fake.delete_app(github.app.id);
    assert_eq!(access.report(&acme(), Known::default()).await.expect("a report"), Report::AppDeleted);
}

#[tokio::test]
async fn a_key_that_was_deleted_or_is_another_apps_is_rejected() {
    let github = Installed::start().await;
    let stranger = github.access_by(&AppKeyPair::new().pkcs1).await;
    assert_eq!(stranger.report(&acme(), Known::default()).await.expect("a report"), Report::KeyRejected);
    let access = github.access().await;
    github.fake.add_key(github.app.id);
    github.fake.delete_key(github.app.id, &github.app.key.fingerprint);
    assert_eq!(refused(access.app().await), "app_key_rejected");
}

#[tokio::test]
async fn clocks_that_differ_cost_one_more_request_and_no_more() {
    for (ahead, requests) in [(0, 1), (300, 1), (-300, 2), (3_600, 2), (-3_600, 2), (86_400 * 30, 2)] {
        let github = Installed::start().await;
        github.fake.set_clock(NOW.seconds() + ahead);
        let access = github.access().await;
        access.app().await.unwrap_or_else(|error| panic!("{ahead}: {error}"));
        assert_eq!(github.fake.requests().len(), requests, "{ahead}");
        access.app().await.expect("the app");
        assert_eq!(github.fake.requests().len(), requests + 1, "what was learned is kept: {ahead}");
    }
}

#[tokio::test]
async fn suspending_and_letting_run_again_twice_is_as_once() {
    let github = Installed::start().await;
    let access = github.access().await;
    for suspended in [true, true, false, false] {
        access.set_suspended(github.installation, suspended).await.expect("it is done");
        assert_eq!(github.fake.installation(github.installation), Some(suspended));
    }
    // What the organisation did is not the app's to undo.
    github.fake.suspend_by(github.installation, "boss");
    assert_eq!(refused(access.set_suspended(github.installation, false).await), "github_not_found");
    assert_eq!(github.fake.installation(github.installation), Some(true));
}

#[tokio::test]
async fn taking_away_what_is_gone_is_done() {
    let github = Installed::start().await;
    let access = github.access().await;
    access.uninstall(github.installation).await.expect("it is done");
    assert_eq!(github.fake.installation(github.installation), None);
    access.uninstall(github.installation).await.expect("it is done");
    github.fake.delete_app(github.app.id);
    access.uninstall(github.installation).await.expect("it is done");
}

#[tokio::test]
async fn deliveries_are_led_elsewhere_and_the_secret_stays_when_none_is_given() {
    let github = Installed::start().await;
    let access = github.access().await;
    assert_eq!(access.hook().await.expect("the hook").url, None);
    let set = access.set_hook(Some("https://jira.example/webhooks/1"), None).await.expect("the hook");
    assert_eq!(set.url.as_deref(), Some("https://jira.example/webhooks/1"));
    assert_eq!(github.fake.hook_secret(github.app.id), Some(github.app.webhook_secret.clone()));
    access.set_hook(Some("https://jira.example/webhooks/2"), Some("another")).await.expect("the hook");
    assert_eq!(github.fake.hook_secret(github.app.id).as_deref(), Some("another"));
    assert_eq!(access.hook().await.expect("the hook").content_type.as_deref(), Some("json"));
}

#[tokio::test]
async fn a_suspended_installation_gives_no_token() {
    let github = Installed::start().await;
    github.fake.suspend_by(github.installation, "boss");
    assert_eq!(refused(github.access().await.mint(github.installation).await), "installation_suspended");
    github.fake.uninstall(github.installation);
    assert_eq!(refused(github.access().await.mint(github.installation).await), "github_not_found");
    assert!(github.fake.requests().iter().all(|asked| asked.credential == Credential::App(github.app.id)));
}
