//! The pull requests of an issue, against a GitHub of one's own: told by deliveries in any order, listed in pages, reviewed,
//! renamed, deleted, and gone with their repository.

use keytrail_test_support::fake_github::Sending;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    github_app::{Github, act, active, remove},
    server::{Answer, Server, answer, on_both_engines, soon},
    webhooks::{hooked, settled, worked_off},
};

on_both_engines!(reaching_this_machine;
    deliveries_tell_of_one_from_draft_to_merged,
    in_any_order_and_doubled_what_was_last_holds,
    a_listing_goes_on_after_troubles_and_a_restart_and_says_nothing_twice,
    a_limit_within_a_listing_is_waited_for_and_the_listing_goes_on_from_there,
    what_a_title_does_not_name_any_more_is_unlinked_and_rules_hide_the_rest,
    reviews_of_what_named_nothing_are_asked_for_when_it_does,
    what_is_deleted_there_stays_as_a_tombstone,
    pull_requests_follow_their_repository_and_go_with_it,
    whoever_opened_or_reviewed_one_can_be_forgotten,
);

async fn asked(server: &Server, key: &str, query: &str) -> Answer {
    server.get(&format!("/api/v1/issues/{key}/pull-requests{query}")).await.with(StatusCode::OK)
}

/// The pull requests of an issue, of one page.
pub(crate) async fn of_issue(server: &Server, key: &str) -> Vec<Value> {
    asked(server, key, "?limit=500").await.items().to_vec()
}

/// Waits until the only pull request of an issue is so.
pub(crate) async fn becomes(server: &Server, key: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    soon(what, || async { of_issue(server, key).await.first().is_some_and(&is_so) }).await;
    let all = of_issue(server, key).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

/// A minute passes here and there: times of GitHub are whole seconds, and its clock went on meanwhile.
pub(crate) fn tick(server: &Server, github: &Github) {
    server.pass_seconds(60);
    github.fake.set_clock(server.app.clock.now().seconds());
}

pub(crate) async fn days_pass(server: &Server, github: &Github, id: &str, days: i64) {
    server.look_behind().await;
    server.pass_days(days);
    github.fake.set_clock(server.app.clock.now().seconds());
    act(server, id, "repair").await.with(StatusCode::OK);
    server.look_behind().await;
}

/// How many events of this kind there are.
async fn events(server: &Server, kind: &str) -> usize {
    let (mut count, mut next) = (0, String::new());
    loop {
        let page = server.get(&format!("/api/v1/events?type={kind}&limit=500{next}")).await.with(StatusCode::OK);
        count += page.items().len();
        match page.body["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return count,
        }
    }
}

/// The views are what the log says.
async fn verified(server: &Server) {
    let told = server.post("/api/v1/views/verify?wait=true", json!({})).await.with(StatusCode::OK);
    assert!(told.text.contains("pull_requests"), "{}", told.text);
    assert!(!told.text.contains("\"same\":false"), "{}", told.text);
}

fn verdicts(pull: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("(nobody)").to_owned();
    let reviews = pull["reviews"].as_array().expect("a list").iter();
    reviews.map(|review| (text(&review["reviewer"]["name"]), text(&review["verdict"]))).collect()
}

fn said(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(who, what)| ((*who).to_owned(), (*what).to_owned())).collect()
}

async fn deliveries_tell_of_one_from_draft_to_merged(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = hooked(&server, &github).await;
    settled(&server, &github).await;
    tick(&server, &github);
    let fake = &github.fake;
    let number = fake.open_pull(shop, "SHOP-1: a change, and utf-8", "feature/shop-3-cart", "main", "ada");
    let opened = becomes(&server, "shop-1", "it is there", |_| true).await;
    assert_eq!(
        (&opened["number"], &opened["state"], &opened["draft"]),
        (&json!(number), &json!("open"), &json!(false))
    );
    assert_eq!(opened["title"], "SHOP-1: a change, and utf-8");
    assert_eq!((&opened["source_branch"], &opened["target_branch"]), (&json!("feature/shop-3-cart"), &json!("main")));
    assert_eq!((&opened["author"]["name"], &opened["repository"]["name"]), (&json!("ada"), &json!("acme/shop")));
    assert_eq!(opened["url"], format!("{}/acme/shop/pull/{number}", fake.url()));
    assert_eq!(opened["places"], json!(["title"]));
    assert_eq!(
        (&opened["reviews"], &opened["merged_at"], &opened["deleted_at"]),
        (&json!([]), &Value::Null, &Value::Null)
    );
    assert_eq!(opened["created_at"], opened["updated_at"]);
    assert_eq!(of_issue(&server, "SHOP-3").await[0]["places"], json!(["branch"]));
    tick(&server, &github);
    fake.describe_pull(shop, number, "It mends what SHOP-2 tells of; see SHOP-1.");
    assert_eq!(becomes(&server, "SHOP-2", "its body counts", |_| true).await["places"], json!(["body"]));
    becomes(&server, "SHOP-1", "both places are told", |pull| pull["places"] == json!(["title", "body"])).await;
    tick(&server, &github);
    fake.draft_pull(shop, number, true);
    becomes(&server, "SHOP-1", "it is a draft", |pull| pull["draft"] == true).await;
    tick(&server, &github);
    fake.review_pull(shop, number, "grace", "changes_requested");
    becomes(&server, "SHOP-1", "it is reviewed", |pull| verdicts(pull) == said(&[("grace", "changes_requested")]))
        .await;
    tick(&server, &github);
    fake.draft_pull(shop, number, false);
    fake.dismiss_review(shop, number, "grace");
    tick(&server, &github);
    fake.review_pull(shop, number, "alan", "approved");
    let reviews = said(&[("grace", "dismissed"), ("alan", "approved")]);
    becomes(&server, "SHOP-1", "a review is dismissed", |pull| verdicts(pull) == reviews).await;
    tick(&server, &github);
    fake.close_pull(shop, number, true);
    let merged = becomes(&server, "SHOP-1", "it is merged", |pull| pull["state"] == "merged").await;
    assert!(merged["merged_at"].is_string() && merged["merged_at"] == merged["closed_at"], "{merged}");
    assert_eq!((&merged["draft"], verdicts(&merged)), (&json!(false), reviews));
    let issue = server.get("/api/v1/issues/SHOP-1").await.with(StatusCode::OK);
    assert_eq!((&issue.body["pull_requests"], &issue.body["repositories"][0]["pull_requests"]), (&json!(1), &json!(1)));
    // As it was when it was opened.
    let before = asked(&server, "SHOP-1", &format!("?as_of={}", opened["position"])).await;
    assert_eq!((&before.items()[0]["state"], &before.items()[0]["reviews"]), (&json!("open"), &json!([])));
    let all = worked_off(&server, &id).await;
    assert!(all.iter().all(|one| one["state"] == "done"), "{all:?}");
    settled(&server, &github).await;
    verified(&server).await;
}

async fn in_any_order_and_doubled_what_was_last_holds(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = hooked(&server, &github).await;
    settled(&server, &github).await;
    let fake = &github.fake;
    fake.set_sending(Sending { copies: 2, shuffled: true, ..Sending::default() });
    tick(&server, &github);
    let number = fake.open_pull(shop, "SHOP-1 begins", "topic", "main", "ada");
    for round in 0..4 {
        tick(&server, &github);
        fake.retitle_pull(shop, number, &format!("SHOP-{} goes on", round % 2 + 1));
        tick(&server, &github);
        fake.draft_pull(shop, number, round % 2 == 0);
        tick(&server, &github);
        fake.review_pull(shop, number, "grace", "approved");
        tick(&server, &github);
        fake.dismiss_review(shop, number, "grace");
    }
    tick(&server, &github);
    fake.close_pull(shop, number, false);
    tick(&server, &github);
    fake.reopen_pull(shop, number);
    fake.deliveries_are_sent().await;
    worked_off(&server, &id).await;
    let now =
        becomes(&server, "SHOP-2", "it is open again", |pull| pull["state"] == "open" && pull["draft"] == false).await;
    assert_eq!(now["title"], "SHOP-2 goes on");
    assert_eq!(verdicts(&now), vec![("grace".to_owned(), "dismissed".to_owned()); 4]);
    assert!(of_issue(&server, "SHOP-1").await.is_empty(), "it names it no more");
    // GitHub is asked and says the same: that is no event.
    settled(&server, &github).await;
    let before = events(&server, "pull_request.").await;
    days_pass(&server, &github, &id, 1).await;
    assert!(fake.requests().iter().any(|one| one.path.contains("/acme/shop/pulls?")), "it was asked");
    assert_eq!(events(&server, "pull_request.").await, before);
    assert_eq!(of_issue(&server, "SHOP-2").await, [now]);
    verified(&server).await;
}

async fn a_listing_goes_on_after_troubles_and_a_restart_and_says_nothing_twice(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let fake = &github.fake;
    for number in 0..230 {
        fake.open_pull(shop, &format!("SHOP-1 change {number}"), &format!("topic-{number}"), "main", "ada");
    }
    // So that not all of them were changed in the last second of all.
    tick(&server, &github);
    fake.review_pull(shop, 7, "grace", "approved");
    fake.close_pull(shop, 8, true);
    fake.fail_next_at("&page=2", 502, 2);
    let id = active(&server, &github).await;
    soon("the first page is there", || async { of_issue(&server, "SHOP-1").await.len() >= 100 }).await;
    let server = server.restarted().await;
    server.look_behind().await;
    soon("all are there", || async { of_issue(&server, "SHOP-1").await.len() == 230 }).await;
    let all = of_issue(&server, "SHOP-1").await;
    let of_number = |number: u64| all.iter().find(|pull| pull["number"] == number).expect("it is there").clone();
    assert_eq!(verdicts(&of_number(7)), said(&[("grace", "approved")]));
    assert_eq!((&of_number(8)["state"], &of_number(9)["state"]), (&json!("merged"), &json!("open")));
    let pages = |page: &str, status: u16| {
        let asked = fake.requests();
        let of_page = |path: &str| path.contains("/acme/shop/pulls?") && path.ends_with(page);
        asked.iter().filter(|one| of_page(&one.path) && one.status == status).count()
    };
    assert_eq!((pages("&page=1", 200), pages("&page=2", 502), pages("&page=3", 200)), (1, 2, 1), "it went on");
    assert_eq!(events(&server, "pull_request.recorded").await, 230);
    // The list in pages is the list.
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let page = asked(&server, "SHOP-1", &format!("?limit=60{next}")).await;
        paged.extend_from_slice(page.items());
        match page.body["next"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, all);
    // What is new is on the first page, and nothing else is asked for.
    tick(&server, &github);
    fake.retitle_pull(shop, 3, "SHOP-2 instead");
    fake.forget_requests();
    days_pass(&server, &github, &id, 1).await;
    assert_eq!((pages("&page=1", 200), pages("&page=2", 200)), (1, 0));
    becomes(&server, "SHOP-2", "it names another one", |_| true).await;
    soon("it is unlinked", || async { of_issue(&server, "SHOP-1").await.len() == 229 }).await;
    assert_eq!(events(&server, "pull_request.recorded").await, 231);
    verified(&server).await;
}

async fn a_limit_within_a_listing_is_waited_for_and_the_listing_goes_on_from_there(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let fake = &github.fake;
    for number in 0..130 {
        fake.open_pull(shop, &format!("SHOP-1 change {number}"), &format!("topic-{number}"), "main", "ada");
    }
    tick(&server, &github);
    fake.limit_next_at("&page=2", 900);
    let id = active(&server, &github).await;
    let pages = |page: &str| {
        let asked = fake.requests();
        asked.iter().filter(|one| one.path.contains("/acme/shop/pulls?") && one.path.ends_with(page)).count()
    };
    soon("GitHub had enough", || async { pages("&page=2") == 1 }).await;
    server.look_behind().await;
    soon("what was read by then is there", || async { of_issue(&server, "SHOP-1").await.len() == 100 }).await;
    // Whoever asks finds when it goes on, and nothing asks before.
    let told = act(&server, &id, "repair").await.with(StatusCode::OK).body;
    assert!(told["budget"]["not_before"].is_string(), "{told}");
    server.look_behind().await;
    assert_eq!((pages("&page=1"), pages("&page=2")), (1, 1));
    server.pass_seconds(901);
    fake.set_clock(server.app.clock.now().seconds());
    act(&server, &id, "repair").await.with(StatusCode::OK);
    soon("all are there", || async { of_issue(&server, "SHOP-1").await.len() == 130 }).await;
    assert_eq!((pages("&page=1"), pages("&page=2")), (1, 2), "it went on where it was");
    server.look_behind().await;
}

async fn what_a_title_does_not_name_any_more_is_unlinked_and_rules_hide_the_rest(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    hooked(&server, &github).await;
    settled(&server, &github).await;
    tick(&server, &github);
    let number = github.fake.open_pull(shop, "SHOP-1 and SHOP-2, as UTF-8", "topic", "main", "ada");
    becomes(&server, "SHOP-1", "it is linked", |_| true).await;
    assert_eq!(of_issue(&server, "SHOP-2").await.len(), 1);
    assert!(of_issue(&server, "UTF-8").await.is_empty(), "it is no project");
    tick(&server, &github);
    github.fake.retitle_pull(shop, number, "SHOP-2 alone");
    soon("it is unlinked", || async { of_issue(&server, "SHOP-1").await.is_empty() }).await;
    assert_eq!(of_issue(&server, "SHOP-2").await[0]["title"], "SHOP-2 alone");
    let rules = |denied: Value| {
        let request = server.local(Method::PUT, "/api/v1/project-rules").header("If-Match", "*");
        answer(request.json(&json!({ "known": [], "denied": denied })))
    };
    rules(json!(["SHOP-2"])).await.with(StatusCode::OK);
    soon("the issue is left out", || async { of_issue(&server, "SHOP-2").await.is_empty() }).await;
    assert_eq!(server.get("/api/v1/issues/SHOP-2").await.body["pull_requests"], 0);
    rules(json!([])).await.with(StatusCode::OK);
    becomes(&server, "SHOP-2", "it counts again", |_| true).await;
    settled(&server, &github).await;
    verified(&server).await;
}

async fn reviews_of_what_named_nothing_are_asked_for_when_it_does(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let fake = &github.fake;
    let number = fake.open_pull(shop, "a change", "topic", "main", "ada");
    fake.review_pull(shop, number, "grace", "approved");
    hooked(&server, &github).await;
    settled(&server, &github).await;
    assert!(!fake.requests().iter().any(|one| one.path.contains("/reviews")), "nobody would be shown them");
    assert_eq!(events(&server, "pull_request.recorded").await, 1, "it is a fact all the same");
    tick(&server, &github);
    fake.retitle_pull(shop, number, "SHOP-1 a change");
    becomes(&server, "SHOP-1", "reviews are there", |pull| verdicts(pull) == said(&[("grace", "approved")])).await;
    settled(&server, &github).await;
}

async fn what_is_deleted_there_stays_as_a_tombstone(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let fake = &github.fake;
    let number = fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "ada");
    fake.review_pull(shop, number, "grace", "approved");
    let other = fake.open_pull(shop, "SHOP-2 a change", "topic-2", "main", "ada");
    let id = active(&server, &github).await;
    becomes(&server, "SHOP-1", "it is listed", |pull| verdicts(pull) == said(&[("grace", "approved")])).await;
    fake.delete_pull(shop, number);
    days_pass(&server, &github, &id, 8).await;
    let gone = becomes(&server, "SHOP-1", "it is gone", |pull| pull["state"] == "deleted").await;
    assert!(gone["deleted_at"].is_string() && gone["number"] == number, "{gone}");
    for nothing in ["title", "source_branch", "target_branch", "author"] {
        assert_eq!(gone[nothing], Value::Null, "{nothing}");
    }
    assert_eq!(gone["reviews"], json!([]));
    assert_eq!(server.get("/api/v1/issues/SHOP-1").await.body["pull_requests"], 0);
    let there = of_issue(&server, "SHOP-2").await;
    assert_eq!((&there[0]["number"], &there[0]["state"]), (&json!(other), &json!("open")));
    assert_eq!(events(&server, "pull_request.deleted").await, 1);
    days_pass(&server, &github, &id, 8).await;
    assert_eq!(events(&server, "pull_request.").await, 4, "two, a review, and one that is gone");
    verified(&server).await;
}

async fn pull_requests_follow_their_repository_and_go_with_it(server: Server) {
    let github = Github::start(&server).await;
    let (shop, ship) =
        (github.add(&server, "shop", &["SHOP-1 begins"]), github.add(&server, "ship", &["SHIP-1 sails"]));
    let fake = &github.fake;
    let number = fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "ada");
    fake.open_pull(ship, "SHIP-1 a change", "topic", "main", "ada");
    let id = hooked(&server, &github).await;
    settled(&server, &github).await;
    let before = becomes(&server, "SHOP-1", "it is listed", |_| true).await;
    fake.rename_repository(shop, "store");
    let page = format!("{}/acme/store/pull/{number}", fake.url());
    let after = becomes(&server, "SHOP-1", "its address follows", |pull| pull["url"] == page.as_str()).await;
    assert_eq!(after["repository"]["id"], before["repository"]["id"]);
    tick(&server, &github);
    fake.close_pull(shop, number, false);
    becomes(&server, "SHOP-1", "it is the same one", |pull| pull["state"] == "closed").await;
    fake.delete_repository(shop);
    soon("it goes with its repository", || async { of_issue(&server, "SHOP-1").await.is_empty() }).await;
    assert_eq!(of_issue(&server, "SHIP-1").await.len(), 1);
    worked_off(&server, &id).await;
    settled(&server, &github).await;
    remove(&server, &id).await.with(StatusCode::OK);
    soon("it goes with the integration", || async { of_issue(&server, "SHIP-1").await.is_empty() }).await;
    settled(&server, &github).await;
    verified(&server).await;
}

async fn whoever_opened_or_reviewed_one_can_be_forgotten(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    hooked(&server, &github).await;
    settled(&server, &github).await;
    tick(&server, &github);
    let number = github.fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "zelda-the-author");
    let opened = becomes(&server, "SHOP-1", "it is there", |pull| pull["author"]["name"] == "zelda-the-author").await;
    let person = opened["author"]["id"].as_str().expect("an id");
    let listed = server.get("/api/v1/people?fragment=ZELDA").await.with(StatusCode::OK);
    assert_eq!((listed.items().len(), listed.items()[0].get("email")), (1, None));
    server.post(&format!("/api/v1/people/{person}/forget"), json!({})).await.with(StatusCode::OK);
    tick(&server, &github);
    github.fake.review_pull(shop, number, "zelda-the-author", "commented");
    let now = becomes(&server, "SHOP-1", "it is reviewed", |pull| pull["reviews"] != json!([])).await;
    assert_eq!(now["author"], json!({ "id": person, "name": null }));
    assert_eq!(now["reviews"][0]["reviewer"], json!({ "id": person, "name": null }));
    for path in ["/api/v1/people", "/api/v1/events?limit=500", "/api/v1/search"] {
        let told = server.get(path).await.with(StatusCode::OK);
        assert!(!told.text.contains("zelda"), "{path}: {}", told.text);
    }
    settled(&server, &github).await;
}
