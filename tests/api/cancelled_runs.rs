//! A run is cancelled while it lists, fetches or walks: it stops, leaves nothing behind that was not there, and the next
//! one completes. What a run fetches is shown meanwhile.

mod later;

use std::sync::Arc;

use actix_web::dev::ServerHandle;
use keytrail::{
    app::App,
    clock::Clock,
    http::{self, Access, HttpSettings, LocalToken},
    store::Area,
    views::Status,
};
use keytrail_domain::{
    fact::Fact, git_remote::GitRemote, index_run::batch::Event, recorded::StreamId, remote_url::RemoteUrl,
    service::Connection,
};
use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    web_server::{Fault, Refusal, Relay, WebServer},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    nodes::{connect, node_with},
    server::{Answer, answer, soon},
    transports::{Transport, by_both_transports},
};

/// Bytes of an answer that come through: more than a listing has, and than a packet of objects (64 KiB), of which nobody
/// sees a part; less than all objects.
const PART: u64 = 200_000;

/// A node with doors, and a repository behind a web server that can be made to stall.
struct Stage {
    app: Arc<App>,
    handle: ServerHandle,
    url: String,
    token: String,
    repository: Repository,
    relay: Relay,
    _server: WebServer,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new(commits: usize, transport: Transport) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there").join("root");
        std::fs::create_dir(&root).expect("a folder");
        let shape = Shape { commits, keyed_percent: 100, ..Shape::default() };
        let repository = generate(&root.join("shop.git"), &shape).expect("git works");
        let server = WebServer::start(&root);
        let relay = Relay::start(server.address(), Fault::None);
        let app = node_with(folder.path(), None, Clock::System, |config| {
            config.git.hosts = vec!["127.0.0.1".to_owned()];
            config.git.allow_http = true;
            config.git.free_bytes = 0;
            // Runs are those that a case asks for.
            (config.git.shortest_poll_seconds, config.git.longest_poll_seconds) = (36_000, 36_000);
            transport.set(&mut config.git);
        })
        .await;
        transport.is_used_by(&app);
        soon("all views are live", || async {
            app.views.states().iter().all(|(.., state)| state.status == Status::Live)
        })
        .await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (token, local) = LocalToken::random();
        let settings = HttpSettings { workers: 1, local_token: Some(local), metrics: None, access: Access::default() };
        let serving = http::serve(app.clone(), settings, listener).expect("it serves");
        let handle = serving.handle();
        tokio::spawn(serving);
        Self { app, handle, url, token, repository, relay, _server: server, _folder: folder }
    }

    async fn ask(&self, method: Method, path: &str) -> Answer {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let request = client.request(method.clone(), format!("{}{path}", self.url)).bearer_auth(&self.token);
        answer(if method == Method::POST { request.json(&json!({})) } else { request }).await
    }

    /// Adds the repository; its first run.
    async fn first_run(&self) -> String {
        let url = self.relay.url(&self._server.url("shop.git"));
        let remote = GitRemote::at(RemoteUrl::parse(&url).expect("a URL").url);
        connect(&self.app, "shop", Connection::Git(remote.into())).await;
        soon("a run is asked for", || async { self.repository_row().await["last_run"].is_string() }).await;
        self.repository_row().await["last_run"].as_str().expect("a run").to_owned()
    }

    async fn repository_row(&self) -> Value {
        let page = self.ask(Method::GET, "/api/v1/repositories").await.with(StatusCode::OK);
        page.items().first().cloned().unwrap_or_default()
    }

    async fn progress(&self, run: &str) -> Value {
        self.ask(Method::GET, &format!("/api/v1/index-runs/{run}")).await.with(StatusCode::OK).body["progress"].clone()
    }

    /// Cancels the run, and waits until nobody works on it. The remote may be silent for two minutes: it is not that.
    async fn cancel(&self, run: &str) {
        let cancelled = self.ask(Method::POST, &format!("/api/v1/index-runs/{run}/cancel")).await;
        assert_eq!(cancelled.with(StatusCode::OK).body["state"], "cancelled");
        soon("nobody works on it", || async { self.is_idle().await }).await;
    }

    async fn is_idle(&self) -> bool {
        self.app.db.read(Area::Log, "SELECT kind, key FROM jobs", &[]).await.expect("the jobs").is_empty()
    }

    /// Until the run has come as far as this phase, and something of it came.
    async fn is_in(&self, run: &str, phase: &str) {
        soon("it is at work", || async {
            let progress = self.progress(run).await;
            let came = progress["bytes"].as_u64() > Some(0) && progress["objects_total"].as_u64() > Some(0);
            progress["phase"] == phase && (came || phase == "listing")
        })
        .await;
    }

    /// What a run recorded.
    async fn recorded(&self, run: &str) -> Vec<Fact> {
        let stream = StreamId::new("index_batch", run.parse().expect("an id"));
        let facts = self.app.log.stream(stream, i64::MAX).await.expect("the log can be read");
        facts.into_iter().map(|recorded| recorded.fact).collect()
    }

    /// Another run completes, and everything is there.
    async fn completes(&self) {
        self.completes_with(0).await;
    }

    /// The same, when so many commits were known that no ref leads to any more.
    async fn completes_with(&self, gone: u64) {
        self.relay.set(Fault::None);
        let id = self.repository_row().await["id"].as_str().expect("an id").to_owned();
        let asked = self.ask(Method::POST, &format!("/api/v1/repositories/{id}/index-runs")).await;
        let run = asked.with(StatusCode::ACCEPTED).id();
        let ended = self.ask(Method::GET, &format!("/api/v1/index-runs/{run}?wait_ms=30000")).await;
        assert_eq!(ended.body["state"], "completed", "{}", ended.text);
        let path = format!("/api/v1/repositories/{id}?min_position={}", ended.body["position"]);
        let row = self.ask(Method::GET, &path).await.with(StatusCode::OK);
        let all = self.repository.git_line(&["rev-list", "--all", "--count"]).expect("a number");
        assert_eq!(row.body["commits"].as_u64(), all.trim().parse::<u64>().ok().map(|all| all + gone));
    }

    async fn stop(self) {
        self.handle.stop(false).await;
        self.app.stop().await;
    }
}

/// A run that gets no further than this is cancelled there.
async fn cancelled_before_its_walk(transport: Transport, fault: Fault, phase: &str) {
    let stage = Stage::new(10_000, transport).await;
    stage.relay.set(fault);
    let run = stage.first_run().await;
    stage.is_in(&run, phase).await;
    stage.cancel(&run).await;
    assert_eq!(stage.recorded(&run).await, [], "nothing was recorded");
    let id = stage.repository_row().await["id"].as_str().expect("an id").parse().expect("an id");
    let repository = keytrail_domain::id::RepositoryId(id);
    let mirror = stage.app.caches.mirror(repository);
    assert!(!stage.app.caches.graph(repository).exists(), "no commit counts as looked at");
    assert!(!mirror.join("packed-refs").exists(), "no ref of the copy moved");
    stage.completes().await;
    stage.stop().await;
}

async fn a_run_is_cancelled_while_the_server_is_silent(transport: Transport) {
    cancelled_before_its_walk(transport, Fault::Stalls(0), "listing").await;
}

async fn a_run_is_cancelled_while_objects_trickle(transport: Transport) {
    cancelled_before_its_walk(transport, Fault::Trickles(PART), "fetching").await;
}

async fn a_run_is_cancelled_while_no_more_objects_come(transport: Transport) {
    cancelled_before_its_walk(transport, Fault::Stalls(PART), "fetching").await;
}

/// The git program was refused, and the server is asked why: it says nothing any more, for two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_while_a_refusal_is_looked_into() {
    let stage = Stage::new(10, Transport::GitProgram).await;
    stage.relay.refuse("want ", Some(Refusal::UnavailableThenSilent));
    let run = stage.first_run().await;
    soon("it is asked why", || async { stage.relay.refusals() >= 1 && stage.relay.stalled() >= 1 }).await;
    stage.cancel(&run).await;
    assert_eq!(stage.recorded(&run).await, [], "nothing was recorded");
    stage.relay.refuse("", None);
    stage.completes().await;
    stage.stop().await;
}

async fn a_run_is_cancelled_while_it_walks(transport: Transport) {
    let stage = Stage::new(24_000, transport).await;
    let run = stage.first_run().await;
    soon("it walks", || async {
        let progress = stage.progress(&run).await;
        let fetched = progress["objects"] == progress["objects_total"];
        fetched && progress["commits"].as_u64() > Some(0)
    })
    .await;
    stage.cancel(&run).await;
    assert!(stage.recorded(&run).await.len() < 20, "it did not come to its end");
    stage.completes().await;
    stage.stop().await;
}

/// What it recorded is known; when nothing leads there any more, that is said by the next run that completes.
async fn what_a_cancelled_run_recorded_is_superseded_when_nothing_leads_to_it_any_more(transport: Transport) {
    let stage = Stage::new(24_000, transport).await;
    let run = stage.first_run().await;
    let keys = async || {
        let facts = stage.recorded(&run).await;
        facts.into_iter().find_map(|fact| match fact {
            Fact::IndexBatch(Event::CommitsRecorded(batch)) => Some(batch.commits[0].keys[0].0.to_string()),
            _ => None,
        })
    };
    soon("it recorded commits", || async { keys().await.is_some() }).await;
    stage.cancel(&run).await;
    let key = keys().await.expect("a key");
    let refs = stage.repository.git_line(&["for-each-ref", "--format=%(refname)"]).expect("refs");
    for name in refs.lines() {
        stage.repository.git(&["update-ref", "-d", name]).expect("it is gone");
    }
    stage.repository.commit("refs/heads/main", "NEW-1 begins anew", &[]).expect("a commit");
    stage.completes().await;
    let at = format!("/api/v1/issues/{key}?min_position={}", stage.app.log.feed().head().position);
    let shown = stage.ask(Method::GET, &at).await.with(StatusCode::OK).body;
    assert!(shown["commits"].as_u64() > Some(0) && shown["commits"] == shown["superseded"], "{shown}");
    let new = stage.ask(Method::GET, "/api/v1/issues/NEW-1").await.with(StatusCode::OK).body;
    assert_eq!((&new["commits"], &new["superseded"]), (&json!(1), &json!(0)), "{new}");
    stage.stop().await;
}

by_both_transports!(
    a_run_is_cancelled_while_the_server_is_silent,
    a_run_is_cancelled_while_objects_trickle,
    a_run_is_cancelled_while_no_more_objects_come,
    a_run_is_cancelled_while_it_walks,
    what_a_cancelled_run_recorded_is_superseded_when_nothing_leads_to_it_any_more,
);
