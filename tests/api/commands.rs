//! The commands that have no test of their own elsewhere: what they print, as JSON, too, and what they end with.

use keytrail_test_support::server::{Home, Options};

use crate::{
    command_line::{done, failed, lines, text},
    repository,
};

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_keytrail"), Options::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_is_added_and_listed_and_what_it_found_is_shown() {
    let server = home().start().await;
    let home = server.home();
    let path = home.folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins", "SHOP-1 goes on"]);
    repository::git(&path, &["branch", "SHOP-1-one"]);
    repository::git(&path, &["branch", "SHOP-1-two"]);
    let add = ["integration", "add", text(&path), "--name", "shop"];
    let added = lines(&done(home.run(add).await)).remove(0);
    assert!(failed(home.run(add).await, 4).contains("(connection_taken)"));
    failed(home.run(["integration", "add", text(home.folder()), "--name", "x"]).await, 4);
    failed(home.run(["integration", "add"]).await, 2);
    failed(home.run(["integration", "show", "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"]).await, 3);
    let listed = lines(&done(home.run(["integration", "list", "--json"]).await)).remove(0);
    assert_eq!((&listed["id"], &listed["name"]), (&added["id"], &"shop".into()));
    assert!(done(home.run(["integration", "list"]).await).starts_with("ID "));

    done(home.run(["index", text(&path)]).await);
    let issue = lines(&done(home.run(["issue", "show", "shop-1", "--json"]).await)).remove(0);
    assert_eq!((&issue["issue"]["key"], issue["commits"].as_array().map(Vec::len)), (&"SHOP-1".into(), Some(2)));
    let said = done(home.run(["issue", "show", "SHOP-1"]).await);
    assert!(said.starts_with("SHOP-1: 2 commits\n") && said.contains("\n2 branches\n"), "{said}");
    failed(home.run(["issue", "show", "no key"]).await, 2);

    let events = lines(&done(home.run(["events", "--json", "--last", "0"]).await));
    assert_eq!(events[0]["event_type"], "integration.added");
    assert!(done(home.run(["events"]).await).lines().count() == events.len());
    let verdicts = lines(&done(home.run(["views", "verify", "--json"]).await));
    assert!(!verdicts.is_empty() && verdicts.iter().all(|verdict| verdict["same"] == true), "{verdicts:?}");
    assert!(failed(home.run(["vault", "rotate-root-key"]).await, 5).contains("keytrail: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_migrated_and_its_root_key_replaced_without_a_server() {
    let home = home();
    assert!(done(home.run(["migrate", "--dry-run"]).await).starts_with("would run: "));
    assert!(done(home.run(["migrate"]).await).starts_with("ran: "));
    assert_eq!(done(home.run(["migrate", "--dry-run"]).await), "the store is up to date\n");
    done(home.run(["token", "issue", "--name", "x"]).await);
    let before = std::fs::read(home.root_key()).expect("a root key");
    assert!(done(home.run(["vault", "rotate-root-key"]).await).contains("now under a new root key"));
    assert_ne!(std::fs::read(home.root_key()).expect("a root key"), before);
    done(home.run(["views", "verify"]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_need_a_token_have_the_times_of_requests_and_hold_no_token() {
    let server = home().start().await;
    let endpoint = std::fs::read_to_string(server.home().data().join("server.json")).expect("a file");
    let endpoint = lines(&endpoint).remove(0);
    let token = endpoint["token"].as_str().expect("a token");
    let at = format!("{}/metrics", endpoint["url"].as_str().expect("an address"));
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    assert_eq!(client.get(&at).send().await.expect("an answer").status(), 401);
    let viewer = lines(&done(server.home().run(["token", "issue", "--name", "v"]).await)).remove(0);
    let viewer = viewer["token"].as_str().expect("a token");
    assert_eq!(client.get(&at).bearer_auth(viewer).send().await.expect("an answer").status(), 403);
    let answered = client.get(&at).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answered.status(), 200);
    let text = answered.text().await.expect("a text");
    assert!(text.contains("_seconds_bucket{") && text.contains("/api/v1/tokens"), "{text}");
    assert!(!text.contains(&token[3..]) && !text.contains(&viewer[3..]) && !text.contains("kt_"), "{text}");
}
