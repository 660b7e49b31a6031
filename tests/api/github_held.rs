//! More repositories than start by themselves: what is new waits for a person's word, and what is known does not wait with it.

use std::path::Path;

use keytrail::config::Config;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    github_app::{Github, act, active, repositories, settled, shown},
    github_troubles::repaired,
    server::{Server, on_both_engines, on_postgres_besides, on_sqlite_besides, soon},
};

/// By what they are called, with how they are.
async fn known(server: &Server, id: &str) -> Vec<(String, bool)> {
    let rows = repositories(server, id).await;
    let of = |row: &Value| (row["name"].as_str().expect("a name").to_owned(), row["archived"] == true);
    let mut all: Vec<_> = rows.iter().filter(|row| row["state"] != "forgotten").map(of).collect();
    all.sort();
    all
}

async fn what_is_known_is_followed_while_what_is_new_waits(server: Server) {
    let github = Github::start(&server).await;
    let (shop, ship) =
        (github.add(&server, "shop", &["SHOP-1 begins"]), github.add(&server, "ship", &["SHIP-1 sails"]));
    let fake = &github.fake;
    let id = active(&server, &github).await;
    let names = |pairs: &[(&str, bool)]| pairs.iter().map(|(name, old)| ((*name).to_owned(), *old)).collect::<Vec<_>>();
    soon("both are there", || async { known(&server, &id).await.len() == 2 }).await;
    settled(&server, &[fake]).await;
    let many: Vec<_> = (0..1_000).map(|number| fake.add_repository("acme", &format!("old-{number:04}"))).collect();
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("confirmation_wanted")));
    assert_eq!(shown(&server, &id).await["confirmation"]["repositories"], 1_002);
    assert_eq!(known(&server, &id).await, names(&[("acme/ship", false), ("acme/shop", false)]));
    // Another name, one that nobody may change any more, one that goes.
    fake.rename_repository(shop, "store");
    fake.archive_repository(ship, true);
    repaired(&server, &id).await;
    soon("it is followed", || async {
        known(&server, &id).await == names(&[("acme/ship", true), ("acme/store", false)])
    })
    .await;
    fake.delete_repository(ship);
    assert_eq!(repaired(&server, &id).await, ("active".to_owned(), json!("confirmation_wanted")));
    soon("what went is forgotten", || async { known(&server, &id).await == names(&[("acme/store", false)]) }).await;
    let issue = server.get("/api/v1/issues/SHOP-1").await.with(StatusCode::OK);
    assert_eq!(issue.body["commits"], 1, "{}", issue.text);
    // Few enough again: what is new starts.
    many.into_iter().for_each(|one| fake.delete_repository(one));
    github.add(&server, "late", &["LATE-1 begins"]);
    repaired(&server, &id).await;
    soon("it starts", || async { known(&server, &id).await == names(&[("acme/late", false), ("acme/store", false)]) })
        .await;
    assert_eq!(shown(&server, &id).await["confirmation"], Value::Null);
    settled(&server, &[fake]).await;
}

/// Nobody wants more than two without a word.
fn two_at_most(config: &mut Config, _: &Path) {
    config.github.confirm_repositories = 2;
}

async fn what_waits_starts_when_a_person_says_so(server: Server) {
    let github = Github::start(&server).await;
    github.add(&server, "shop", &["SHOP-1 begins"]);
    github.add(&server, "ship", &["SHIP-1 sails"]);
    github.add(&server, "boat", &["BOAT-1 floats"]);
    let id = active(&server, &github).await;
    soon("a person is asked", || async { shown(&server, &id).await["cause"] == "confirmation_wanted" }).await;
    settled(&server, &[&github.fake]).await;
    assert_eq!(shown(&server, &id).await["confirmation"]["repositories"], 3);
    assert!(known(&server, &id).await.is_empty(), "nothing starts");
    let told = act(&server, &id, "confirm").await.with(StatusCode::OK).body;
    assert_eq!(told["confirmation"]["state"], "given", "{told}");
    let are_indexed = async |wanted: usize| {
        let rows = repositories(&server, &id).await;
        rows.len() == wanted && rows.iter().all(|row| row["state"] == "indexed")
    };
    soon("they start", || async { are_indexed(3).await }).await;
    assert_eq!(shown(&server, &id).await["cause"], Value::Null);
    // It was said of those that come later, too.
    github.add(&server, "late", &["LATE-1 begins"]);
    repaired(&server, &id).await;
    soon("it starts with them", || async { are_indexed(4).await }).await;
    settled(&server, &[&github.fake]).await;
}

on_both_engines!(reaching_this_machine;
    what_is_known_is_followed_while_what_is_new_waits,
);

#[test]
fn what_waits_starts_when_a_person_says_so_on_the_embedded_engine() {
    on_sqlite_besides(two_at_most, what_waits_starts_when_a_person_says_so);
}

#[test]
fn what_waits_starts_when_a_person_says_so_on_postgresql() {
    on_postgres_besides(two_at_most, what_waits_starts_when_a_person_says_so);
}
