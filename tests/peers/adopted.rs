//! A GitHub of one's own, and a server of ours that has taken over an app there: where judges of apps begin.

use std::{path::Path, time::Duration};

use keytrail_test_support::{
    fake_github::{FakeGithub, RegisteredApp, Selection},
    server::{Client, Options, Server},
};
use serde_json::{Value, json};

use crate::description::commits;

pub(crate) struct Adopted {
    pub(crate) app: RegisteredApp,
    pub(crate) installation: u64,
    /// `/api/v1/integrations/{id}`
    pub(crate) at: String,
    pub(crate) client: Client,
    server: Server,
}

/// What a server is started with that may speak with this machine.
pub(crate) fn options(database_url: Option<String>) -> Options {
    let env = [
        ("GIT__HOSTS", r#"["127.0.0.1"]"#),
        ("GIT__ALLOW_HTTP", "true"),
        ("GIT__FREE_BYTES", "0"),
        // So many wrong signatures come from one address only here.
        ("ACCESS__ADDRESS_FAILURES_PER_MINUTE", "0"),
        ("ACCESS__ADDRESS_REQUESTS_PER_MINUTE", "0"),
        ("ACCESS__REQUESTS_PER_MINUTE", "0"),
    ];
    let env = env.map(|(key, value)| (format!("KEYTRAIL__{key}"), value.to_owned())).to_vec();
    Options { database_url, env, ..Options::default() }
}

/// A repository of `acme` with these commits; its id.
pub(crate) fn repository(fake: &FakeGithub, folder: &Path, name: &str, subjects: &[&str]) -> u64 {
    let work = folder.join(name);
    commits(&work, subjects);
    let id = fake.add_repository("acme", name);
    fake.serve_repository(id, &work);
    id
}

/// Waits until something is so.
pub(crate) async fn soon<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..1_200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never: {what}");
}

impl Adopted {
    /// An app of `acme` there is installed and taken over by a new server, which is told that the GitHub is at `host`.
    pub(crate) async fn at(fake: &FakeGithub, host: &str, options: Options) -> Self {
        Self::filtered(fake, host, options, None).await
    }

    /// The same, with a filter for its repositories.
    pub(crate) async fn filtered(fake: &FakeGithub, host: &str, options: Options, filter: Option<&str>) -> Self {
        let app = fake.register_app("acme", "Keytrail acme");
        let installation = fake.install(app.id, "acme", Selection::All);
        let server = Server::start(env!("CARGO_BIN_EXE_keytrail"), options).await;
        let client = server.client();
        let mut place = json!({ "kind": "github_app", "host": host, "organisation": "acme" });
        if let Some(filter) = filter {
            place["filter"] = filter.into();
        }
        let body = json!({ "name": "acme", "connection": place });
        let added = client.post("/api/v1/integrations", None, &body).await.expect("an answer");
        assert_eq!(added.status, 201, "{}", added.body);
        let at = format!("/api/v1/integrations/{}", added.id());
        let adopted = Self { app, installation, at, client, server };
        let (app, secret) = (&adopted.app, &adopted.app.webhook_secret);
        let body = json!({ "app_id": app.id, "key": app.key.pkcs1, "webhook_secret": secret });
        adopted.act("adopt", &body).await;
        adopted.becomes("active").await;
        adopted
    }

    /// Its integration.
    pub(crate) fn integration(&self) -> &str {
        self.at.rsplit('/').next().unwrap_or_default()
    }

    /// What the API shows of the app.
    pub(crate) async fn shown(&self) -> Value {
        self.client.get(&format!("{}/installation", self.at)).await.expect("an answer").body
    }

    pub(crate) async fn becomes(&self, status: &str) {
        soon(status, || async { self.shown().await["status"] == status }).await;
    }

    /// What it becomes once somebody asks how it is there.
    pub(crate) async fn becomes_when_asked(&self, status: &str) {
        soon(status, || async { self.act("repair", &json!({})).await["status"] == status }).await;
    }

    /// Does something with it, which works.
    pub(crate) async fn act(&self, word: &str, body: &Value) -> Value {
        let told = self.client.post(&format!("{}/installation/{word}", self.at), None, body).await.expect("an answer");
        assert_eq!(told.status, 200, "{word}: {}", told.body);
        told.body
    }

    /// Its repositories.
    pub(crate) async fn repositories(&self) -> Vec<Value> {
        self.client.list(&format!("{}/repositories", self.at)).await.expect("a list")
    }

    pub(crate) async fn indexed(&self, count: usize) {
        soon("its repositories are indexed", || async {
            let all = self.repositories().await;
            all.len() == count && all.iter().all(|one| one["state"] == "indexed")
        })
        .await;
    }

    pub(crate) async fn end(self) {
        self.server.terminate().await;
    }
}
