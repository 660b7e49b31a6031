//! Which repositories an organisation lets an app see: all, or those that it chose; heard of by deliveries, and found by
//! asking where none comes.

use keytrail_test_support::fake_github::Selection;
use serde_json::json;

use crate::{
    github_app::{self, Github, act, active, repositories, shown},
    server::{Server, on_both_engines, soon},
    webhooks::{self, hooked},
};

/// Waits until it is said so, and these are there.
async fn sees(server: &Server, id: &str, chosen: &str, names: &[&str]) {
    soon(&format!("{chosen} are seen: {names:?}"), || async {
        let rows = repositories(server, id).await;
        let there = rows.iter().filter(|row| row["state"] != "forgotten");
        let mut there: Vec<_> = there.filter_map(|row| row["name"].as_str()).collect();
        there.sort_unstable();
        there == names && shown(server, id).await["installation"]["repositories"] == json!(chosen)
    })
    .await;
}

async fn what_is_chosen_is_heard_of(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    github.add(&server, "ship", &["SHIP-1 sails"]);
    let id = hooked(&server, &github).await;
    sees(&server, &id, "all", &["acme/ship", "acme/shop"]).await;
    for (selection, chosen, names) in [
        (Selection::Selected([shop].into()), "selected", &["acme/shop"][..]),
        (Selection::All, "all", &["acme/ship", "acme/shop"][..]),
    ] {
        webhooks::settled(&server, &github).await;
        github.fake.choose(github.installation, selection);
        github.fake.deliveries_are_sent().await;
        sees(&server, &id, chosen, names).await;
    }
    webhooks::settled(&server, &github).await;
}

async fn what_is_chosen_is_found_where_no_delivery_comes(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let ship = github.add(&server, "ship", &["SHIP-1 sails"]);
    let id = active(&server, &github).await;
    sees(&server, &id, "all", &["acme/ship", "acme/shop"]).await;
    for (selection, chosen, names) in [
        (Selection::Selected([shop].into()), "selected", &["acme/shop"][..]),
        (Selection::Selected([ship].into()), "selected", &["acme/ship"][..]),
        (Selection::All, "all", &["acme/ship", "acme/shop"][..]),
    ] {
        github_app::settled(&server, &[&github.fake]).await;
        github.fake.choose(github.installation, selection);
        act(&server, &id, "repair").await;
        sees(&server, &id, chosen, names).await;
    }
    github_app::settled(&server, &[&github.fake]).await;
}

on_both_engines!(reaching_this_machine;
    what_is_chosen_is_heard_of,
    what_is_chosen_is_found_where_no_delivery_comes,
);
