//! Repositories of a git daemon, over `git://`: read and followed like others where an administrator allows that, and
//! refused where nobody does.

use keytrail::{clock::Clock, config::Git};
use keytrail_domain::{git_remote::GitRemote, index_run::FailureCode, remote_url::RemoteUrl, service::Connection};
use keytrail_projections::repository_list::{self, RepositoryState};
use keytrail_test_support::git_daemon::GitDaemon;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    nodes::{connect, node_with},
    repository::{self, git},
    server::{Server, answer, on_both_engines, soon},
    transports::{Transport, by_both_transports},
};

/// A daemon with the bare repository `shop.git`, and the working tree that it was cloned from.
fn served(folder: &std::path::Path) -> (GitDaemon, std::path::PathBuf) {
    let (root, work) = (folder.join("served"), folder.join("work"));
    std::fs::create_dir_all(&root).expect("a folder");
    repository::with_commits(&work, &["SHOP-1 begins", "SHOP-2 goes on"]);
    git(&root, &["clone", "-q", "--bare", "../work", "shop.git"]);
    (GitDaemon::start(&root).expect("git daemon runs"), work)
}

async fn a_repository_of_a_git_daemon_is_added_indexed_followed_and_removed(server: Server) {
    let (daemon, work) = served(&server.elsewhere);
    let url = daemon.url("shop.git");
    let added = server.connect("shop", json!({ "kind": "git", "url": url })).await.with(StatusCode::CREATED);
    assert_eq!((added.text_of("kind"), added.text_of("location")), ("git".into(), url));
    let id = added.id();
    let list = format!("/api/v1/integrations/{id}/repositories");
    let is_indexed = async || {
        soon("it is indexed", || async {
            server.get(&list).await.items().first().is_some_and(|row| row["state"] == "indexed")
        })
        .await;
    };
    is_indexed().await;
    let row = server.get(&list).await.items()[0].clone();
    assert_eq!((&row["reading"], &row["commits"]), (&json!("mirrored"), &json!(2)), "{row}");
    let commits = async |key: &str| {
        let head = server.app.log.feed().head().position;
        server.get(&format!("/api/v1/issues/{key}?min_position={head}")).await.body["commits"].clone()
    };
    assert_eq!(commits("SHOP-2").await, 1);

    let doctor = server.get("/api/v1/doctor").await.with(StatusCode::OK);
    let copies =
        doctor.items().iter().find(|finding| finding["id"] == "mirrors_transports").expect("it looks at copies");
    let by = format!("{}: {}", row["id"].as_str().expect("an id"), Transport::of(&server.app).fills_copies());
    assert!(copies["details"][0].as_str().is_some_and(|text| text.starts_with(&by)), "{by} {copies}");

    repository::commit(&work, "SHOP-3 is new");
    let bare = server.elsewhere.join("served/shop.git");
    git(&work, &["push", "-q", bare.to_str().expect("UTF-8"), "main"]);
    let fetch = format!("/api/v1/repositories/{}/fetch", row["id"].as_str().expect("an id"));
    server.post(&fetch, json!({})).await.with(StatusCode::ACCEPTED);
    soon("the new commit is found", || async { commits("SHOP-3").await == 1 }).await;
    is_indexed().await;
    let removed = server.local(Method::DELETE, &format!("/api/v1/integrations/{id}")).header("If-Match", "*");
    answer(removed).await.with(StatusCode::OK);
    server.look_behind().await;
}

by_both_transports!(
    reaching_this_machine;
    a_repository_of_a_git_daemon_is_added_indexed_followed_and_removed,
);

async fn a_git_daemon_is_refused_where_nobody_allows_it(server: Server) {
    let (daemon, _) = served(&server.elsewhere);
    let refused = server.connect("shop", json!({ "kind": "git", "url": daemon.url("shop.git") })).await;
    refused.refused(422, "url_not_allowed");
    assert!(server.get("/api/v1/integrations").await.items().is_empty(), "nothing was made");
}

on_both_engines!(a_git_daemon_is_refused_where_nobody_allows_it);

/// What was allowed before is asked no more; what was found of it is shown on.
async fn what_is_allowed_no_more_is_told_by_its_code(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (daemon, _) = served(folder.path());
    let url = RemoteUrl::parse(&daemon.url("shop.git")).expect("a URL").url;
    let node = async |set: fn(&mut Git)| {
        let app = node_with(folder.path(), None, Clock::System, |config| {
            crate::server::reaching_this_machine(&mut config.git);
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (1, 1);
            set(&mut config.git);
            transport.set(&mut config.git);
        })
        .await;
        transport.is_used_by(&app);
        app
    };
    let app = node(|_| {}).await;
    connect(&app, "shop", Connection::git(GitRemote::at(url))).await;
    soon("it is indexed", || async {
        let rows = app.read(repository_list::page(None, None, None, 10)).await.unwrap_or_default();
        rows.first().is_some_and(|row| row.repository.state == RepositoryState::Indexed)
    })
    .await;
    app.stop().await;
    drop(app);
    type Forbidden = (fn(&mut Git), FailureCode);
    let refusals: [Forbidden; 2] = [
        (|git| git.allow_git_protocol = false, FailureCode::UrlNotAllowed),
        (|git| git.hosts.clear(), FailureCode::AddressDenied),
    ];
    for (set, code) in refusals {
        let app = node(set).await;
        soon(&format!("{code:?} is told"), || async {
            let rows = app.read(repository_list::page(None, None, None, 10)).await.unwrap_or_default();
            let trouble = rows.into_iter().next().and_then(|row| row.repository.trouble);
            trouble.is_some_and(|trouble| trouble.code == code)
        })
        .await;
        app.stop().await;
    }
}

mod no_more {
    use super::what_is_allowed_no_more_is_told_by_its_code;
    use crate::transports::by_both_transports;

    by_both_transports!(what_is_allowed_no_more_is_told_by_its_code);
}
