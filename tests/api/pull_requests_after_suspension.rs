//! Pull requests that nobody told of, because the app might not read: they are listed when it may again.

use reqwest::StatusCode;

use crate::{
    github_app::{Github, act, becomes as is_now},
    pull_requests::{becomes, of_issue, tick},
    server::{Server, on_both_engines, soon},
    webhooks::{hooked, settled},
};

async fn what_happened_while_an_app_was_suspended_is_listed_when_it_runs_again(server: Server) {
    let github = Github::start(&server).await;
    let shop = github.add(&server, "shop", &["SHOP-1 begins"]);
    let id = hooked(&server, &github).await;
    settled(&server, &github).await;
    let fake = &github.fake;
    tick(&server, &github);
    fake.open_pull(shop, "SHOP-1 a change", "topic", "main", "ada");
    becomes(&server, "SHOP-1", "it is told of", |_| true).await;
    for (from_here, issue) in [(true, "SHOP-2"), (false, "SHOP-3"), (true, "SHOP-4")] {
        tick(&server, &github);
        if from_here {
            act(&server, &id, "suspend").await.with(StatusCode::OK);
            soon("GitHub knows", || async { fake.installation(github.installation) == Some(true) }).await;
        } else {
            fake.suspend_by(github.installation, "boss");
            is_now(&server, &id, "suspended").await;
        }
        settled(&server, &github).await;
        tick(&server, &github);
        fake.open_pull(shop, &format!("{issue} a change"), issue, "main", "ada");
        fake.deliveries_are_sent().await;
        settled(&server, &github).await;
        assert!(of_issue(&server, issue).await.is_empty(), "nobody told of it");
        if from_here {
            act(&server, &id, "resume").await.with(StatusCode::OK);
        } else {
            fake.unsuspend(github.installation);
        }
        is_now(&server, &id, "active").await;
        // Hours before the next listing would be due.
        becomes(&server, issue, "it is listed", |_| true).await;
        settled(&server, &github).await;
    }
    server.look_behind().await;
}

on_both_engines!(reaching_this_machine;
    what_happened_while_an_app_was_suspended_is_listed_when_it_runs_again,
);
