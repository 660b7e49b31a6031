//! A server of ours that has taken over an app at a GitHub of the bench: what it is delivered is of a repository that it
//! knows, so that working it off is real work.

use std::{net::TcpListener, path::Path, sync::Arc, time::Duration};

use keytrail::{
    app::App,
    boot,
    clock::Clock,
    config,
    http::{Access, HttpSettings, LocalToken, serve},
    ids,
    inbox::{Origin, Receipt},
};
use keytrail_domain::id::IntegrationId;
use keytrail_test_support::fake_github::{FakeGithub, Selection};
use serde_json::{Value, json};

use crate::{SECRET, server};

/// One that runs.
pub(crate) struct Ours {
    app: Arc<App>,
    id: IntegrationId,
    address: std::net::SocketAddr,
    handle: actix_web::dev::ServerHandle,
    /// With every right.
    pub(crate) token: String,
    /// A push to its repository, as GitHub sends it: on one line.
    pub(crate) body: String,
}

impl Ours {
    /// Starts it, for an organisation whose repository is served there.
    pub(crate) async fn start(
        folder: &Path,
        database: Option<String>,
        fake: &FakeGithub,
        organisation: &str,
        push: &str,
    ) -> Self {
        std::fs::create_dir_all(folder).expect("a folder can be made");
        let mut config = server::settings(folder, database);
        config.git.hosts = vec!["127.0.0.1".to_owned()];
        config.git.allow_http = true;
        config.git.free_bytes = 0;
        let app = boot::start(&config, Clock::System).await.expect("a server starts in an empty folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let limits = config::Access {
            requests_per_minute: 0,
            address_requests_per_minute: 0,
            address_failures_per_minute: 0,
            ..config::Access::default()
        };
        let access = Access::open(&limits).expect("the settings can be used");
        let (token, local) = LocalToken::random();
        let settings = HttpSettings { workers: 1, local_token: Some(local), metrics: None, access };
        let serving = serve(app.clone(), settings, listener).expect("it serves");
        let handle = serving.handle();
        tokio::spawn(serving);
        let mut ours = Self { app, id: IntegrationId(ids::new_id()), address, handle, token, body: String::new() };
        ours.take_over(fake, organisation, push).await;
        ours
    }

    async fn take_over(&mut self, fake: &FakeGithub, organisation: &str, push: &str) {
        let app = fake.register_app(organisation, &format!("Keytrail {organisation}"));
        let installation = fake.install(app.id, organisation, Selection::All);
        let place = json!({ "kind": "github_app", "host": fake.url(), "organisation": organisation });
        let added =
            self.ask("POST", "/api/v1/integrations", &json!({ "name": organisation, "connection": place })).await;
        self.id = added["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{added}"));
        let body = json!({ "app_id": app.id, "key": app.key.pkcs1, "webhook_secret": SECRET });
        self.ask("POST", &format!("/api/v1/integrations/{}/installation/adopt", self.id), &body).await;
        let list = format!("/api/v1/integrations/{}/repositories", self.id);
        loop {
            let found = self.ask("GET", &list, &Value::Null).await;
            if found["items"][0]["state"] == "indexed" {
                break;
            }
            assert!(found["items"][0]["state"] != "failed", "{found}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut push: Value = serde_json::from_str(push).expect("JSON");
        push["repository"]["id"] = fake.repositories_of(organisation)[0].into();
        push["repository"]["full_name"] = format!("{organisation}/shop").into();
        push["installation"] = json!({ "id": installation, "node_id": "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9uMQ==" });
        self.body = push.to_string();
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let method = method.parse().expect("a method");
        let mut request = client.request(method, format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Where it takes deliveries.
    pub(crate) fn at(&self) -> String {
        format!("http://{}/webhooks/github/{}", self.address, self.id)
    }

    /// A read of the API.
    pub(crate) fn read(&self) -> String {
        format!("http://{}/api/v1/integrations/{}/repositories", self.address, self.id)
    }

    /// How many wait; at most `most` are counted.
    pub(crate) async fn waiting(&self, most: u32) -> i64 {
        self.app.inbox.waiting(most).await.expect("a count")
    }

    /// Until nothing waits.
    pub(crate) async fn is_done(&self) {
        while self.waiting(1).await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Puts so many deliveries into the inbox, past the door.
    pub(crate) async fn put(&self, count: u32) {
        let put = |_| {
            let now = self.app.clock.now();
            let body = self.body.as_bytes();
            let receipt = Receipt::new(self.id, ids::new_id(), "push", None, Origin::Sent, "{}", body, now);
            async { self.app.inbox.put(receipt).await.expect("it is stored") }
        };
        futures::StreamExt::for_each_concurrent(futures::stream::iter(0..count), 256, put).await;
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
        self.app.stop().await;
    }
}
