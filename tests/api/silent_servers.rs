//! Servers that fall silent while somebody looks at their commits keep nobody waiting who looks at another's.

use std::sync::Arc;

use keytrail::{
    app::App,
    clock::Clock,
    jobs::{Asked, Part, commit_changes},
};
use keytrail_domain::{git_remote::GitRemote, remote_url::RemoteUrl, service::Connection};
use keytrail_projections::repository_list::{self, Repository as Row, RepositoryState};
use keytrail_test_support::{
    repositories::{Shape, generate},
    web_server::{Fault, Relay, WebServer},
};

use crate::{
    nodes::{connect, node_with},
    server::soon,
    transports::{Transport, by_both_transports},
};

async fn all(app: &App) -> Vec<Row> {
    let rows = app.read(repository_list::page(None, None, None, 10)).await.expect("the view is live");
    rows.into_iter().map(|listed| listed.repository).collect()
}

async fn silent_servers_keep_nobody_elses_diffs_waiting(transport: Transport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("root");
    std::fs::create_dir(&root).expect("a folder");
    let shape = Shape { commits: 20, files_per_commit: 1, ..Shape::default() };
    let server = WebServer::start(&root);
    let relays = [(); 3].map(|()| Relay::start(server.address(), Fault::None));
    let app = node_with(folder.path(), None, Clock::System, |config| {
        config.git.hosts = vec!["127.0.0.1".to_owned()];
        config.git.allow_http = true;
        config.git.free_bytes = 0;
        config.git.diff_cache_bytes = 1;
        (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (3_600, 3_600);
        transport.set(&mut config.git);
    })
    .await;
    transport.is_used_by(&app);
    let mut tips = Vec::new();
    for (number, relay) in relays.iter().enumerate() {
        let made = generate(&root.join(format!("made{number}.git")), &shape).expect("git works");
        let names = made.git_line(&["rev-list", "--max-count=2", "--no-merges", "refs/heads/main"]).expect("commits");
        tips = names.lines().map(str::to_owned).collect();
        let url = relay.url(&server.url(&format!("made{number}.git")));
        let remote = GitRemote::at(RemoteUrl::parse(&url).expect("a URL").url);
        connect(&app, &format!("made{number}"), Connection::Git(remote.into())).await;
    }
    soon("all are indexed", || async {
        let rows = all(&app).await;
        rows.len() == 3 && rows.iter().all(|row| row.state == RepositoryState::Indexed)
    })
    .await;
    let of = |commit: &str| Asked { commit: commit.parse().expect("a name"), parent: None, part: Part::Files };
    let (mut silent, mut well) = (Vec::new(), None);
    for row in all(&app).await {
        match relays.iter().position(|relay| row.location.as_str().contains(&relay.address().to_string())) {
            Some(0) => well = Some(row),
            _ => silent.push(row),
        }
    }
    let before: Vec<u64> = relays.iter().map(Relay::answered).collect();
    relays[1..].iter().for_each(|relay| relay.set(Fault::Stalls(10)));
    let waiting: Vec<_> = silent
        .into_iter()
        .map(|row| {
            let (app, asked): (Arc<App>, _) = (app.clone(), of(&tips[0]));
            tokio::spawn(async move { commit_changes(&app, &row, asked).await })
        })
        .collect();
    let asked = || relays[1..].iter().zip(&before[1..]).map(|(relay, before)| relay.answered() > *before);
    if transport.leaves_files_out() {
        soon("both were asked, and said nothing more", || async { asked().all(|asked| asked) }).await;
    }
    let well = well.expect("one of them");
    for commit in &tips {
        let shown = commit_changes(&app, &well, of(commit)).await.expect("this server answers");
        assert!(!shown.files.files.is_empty());
    }
    if transport.leaves_files_out() {
        assert!(waiting.iter().all(|waits| !waits.is_finished()), "the silent ones are waited for still");
        drop(relays);
        for waits in waiting {
            waits.await.expect("no panic").expect_err("it is away");
        }
    } else {
        for waits in waiting {
            waits.await.expect("no panic").expect("all of it is here");
        }
        assert!(asked().all(|asked| !asked), "nobody is asked for what is here");
    }
    app.stop().await;
}

by_both_transports!(silent_servers_keep_nobody_elses_diffs_waiting);
