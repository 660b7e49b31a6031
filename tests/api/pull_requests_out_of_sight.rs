//! Pull requests of a repository that the app does not see any more while they are listed: nobody can tell whether they are
//! there.

use serde_json::json;

use crate::{
    github_app::{Github, act, active},
    pull_requests::{becomes, days_pass},
    server::{Server, on_both_engines},
};

async fn what_is_out_of_sight_is_not_taken_for_deleted(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let fake = &github.fake;
    let number = fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "ada");
    let id = active(&server, &github).await;
    becomes(&server, "SHOP-1", "it is listed", |_| true).await;
    server.look_behind().await;
    // It is not listed and not found, and then the whole repository is not.
    fake.delete_pull(shop, number);
    fake.fail_after("/pulls?", 1, 404);
    days_pass(&server, &github, &id, 8).await;
    let asked = |part: &str| fake.requests().iter().any(|one| one.path.contains(part) && one.status == 404);
    assert!(asked(&format!("/pulls/{number}")) && asked("/pulls?"), "{:?}", fake.requests());
    becomes(&server, "SHOP-1", "it is as it was", |pull| pull["state"] == json!("open")).await;
    // It is seen again, and looked at soon.
    fake.fail_no_more();
    server.pass_seconds(15 * 60);
    fake.set_clock(server.app.clock.now().seconds());
    act(&server, &id, "repair").await;
    becomes(&server, "SHOP-1", "it is gone", |pull| pull["state"] == json!("deleted")).await;
    server.look_behind().await;
}

on_both_engines!(reaching_this_machine;
    what_is_out_of_sight_is_not_taken_for_deleted,
);
