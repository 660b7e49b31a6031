//! The whole life of an app at a server that says everything that it can say: no token, signed token, key or secret of it
//! is in a log line, an answer, an event, a support archive or a file.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use keytrail_test_support::{
    fake_github::{FakeGithub, Limit, Selection, TokenShape},
    postgres::database,
    server::{Answer, Client, Home, Options},
};
use serde_json::{Value, json};

use crate::{
    all_reads::Reader, browser::Browser, command_line::text, github_troubles::is_clean, host_keys::KNOWN, repository,
    server::soon,
};

/// What must not get out, gathered while it is about: what was taken back or changed is to be missing, too.
#[derive(Default)]
struct Secrets(BTreeSet<String>);

impl Secrets {
    /// All that a GitHub gave away or was shown so far.
    fn gather(&mut self, fake: &FakeGithub) {
        self.0.extend(fake.secrets());
        self.0.extend(fake.requests().into_iter().filter_map(|asked| asked.bearer));
    }

    /// The lines of a key.
    fn key(&mut self, pem: &str) {
        self.0.extend(pem.lines().filter(|line| line.len() == 64 && !line.starts_with('-')).map(str::to_owned));
    }

    fn all(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

/// A client that keeps what it is told.
struct Listener {
    client: Client,
    at: String,
    told: Vec<String>,
}

impl Listener {
    fn kept(&mut self, answer: Answer) -> Answer {
        self.told.push(answer.body.to_string());
        answer
    }

    async fn act(&mut self, word: &str, body: Value) -> Answer {
        let answer = self.client.post(&format!("{}/installation/{word}", self.at), None, &body).await;
        self.kept(answer.expect("an answer"))
    }

    async fn give(&mut self, what: &str, body: Value) -> Answer {
        let answer = self.client.put(&format!("{}/installation/{what}", self.at), &body).await;
        self.kept(answer.expect("an answer"))
    }

    async fn becomes(&mut self, status: &str) {
        soon(status, || async {
            let asked = self.client.post(&format!("{}/installation/repair", self.at), None, &json!({})).await;
            asked.is_ok_and(|answer| answer.body["status"] == status)
        })
        .await;
    }
}

fn free_address() -> SocketAddr {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    held.local_addr().expect("a listener has an address")
}

async fn life(database_url: Option<String>) {
    let own = free_address();
    let env = [
        ("GIT__HOSTS", r#"["127.0.0.1"]"#),
        ("GIT__ALLOW_HTTP", "true"),
        ("GIT__FREE_BYTES", "0"),
        ("LOG__LEVEL", "trace"),
        ("SERVER__PUBLIC_URL", &format!("http://{own}")),
    ];
    let env = env.map(|(name, value)| (format!("KEYTRAIL__{name}"), value.to_owned())).to_vec();
    let options = Options { database_url, env, listen: Some(own), ..Options::default() };
    let home = Home::new(env!("CARGO_BIN_EXE_keytrail"), options);
    let (fake, mut secrets) = (FakeGithub::start().await, Secrets::default());
    let work = home.folder().join("work");
    repository::with_commits(&work, &["SHOP-1 begins"]);
    let shop = fake.add_repository("acme", "shop");
    fake.serve_repository(shop, &work);
    let server = home.start().await;
    let client = server.client();
    let place = json!({ "kind": "github_app", "host": fake.url(), "organisation": "acme" });
    let added = client.post("/api/v1/integrations", None, &json!({ "name": "acme", "connection": place })).await;
    let at = format!("/api/v1/integrations/{}", added.expect("an answer").id());
    let mut listener = Listener { client: client.clone(), at: at.clone(), told: Vec::new() };

    // Connected by browser: GitHub gives the key and the secrets.
    let url = client.post(&format!("{at}/installation/connect"), None, &json!({})).await.expect("an answer");
    let browser = Browser::new();
    let start = browser.open(url.body["url"].as_str().expect("a link")).await;
    let form = browser.press(&start, "Begin", &[]).await;
    let creating = browser.press(&form, "Go to GitHub", &[]).await;
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    secrets.0.extend(codes(&installing.way));
    let done = browser.press(&installing, "Install", &[("selection", "all")]).await;
    // The form before GitHub carries the state there, which is what it is for.
    listener.told.extend([start.html, done.html]);
    listener.becomes("active").await;
    soon("it is indexed", || async {
        let all = client.get(&format!("{at}/repositories")).await.expect("an answer");
        all.body["items"][0]["state"] == "indexed"
    })
    .await;
    let shown = client.get(&format!("{at}/installation")).await.expect("an answer");
    let (app, installation) = (shown.body["app"]["id"].as_u64(), shown.body["installation"]["id"].as_u64());
    let (app, installation) = (app.expect("an id"), installation.expect("an id"));
    secrets.gather(&fake);

    // Changed: a token of another form, the secret, the key; what is no key of it is refused.
    fake.set_token_shape(TokenShape { seconds: 90, characters: 520 });
    listener.give("webhook-secret", json!({})).await;
    let key = fake.add_key(app);
    let other = fake.register_app("elsewhere", "Another app").key;
    for pem in [&key.pkcs1, &key.pkcs8, &other.pkcs1, &other.pkcs8] {
        secrets.key(pem);
    }
    for (given, code) in [
        (key.pkcs8[..900].to_owned(), "key_invalid"),
        (other.pkcs1.clone(), "github_refused"),
        (key.pkcs8.replace('\n', "\r\n"), ""),
    ] {
        let answer = listener.give("key", json!({ "key": given })).await;
        assert_eq!(answer.code(), code, "{}", answer.body);
    }

    // Stopped, let go, troubled in every way, and told of what happens.
    listener.act("suspend", json!({})).await;
    soon("GitHub knows", || async { fake.installation(installation) == Some(true) }).await;
    secrets.gather(&fake);
    listener.act("resume", json!({})).await;
    listener.becomes("active").await;
    for status in [401, 403, 404, 422, 429, 500, 502] {
        fake.fail_next(status, 1);
        listener.act("repair", json!({})).await;
    }
    fake.limit(installation, Limit::Secondary { retry_after: Some(1) }, 403);
    listener.act("repair", json!({})).await;
    fake.lift_limit(installation);
    repository::git(&work, &["commit", "-q", "--allow-empty", "-m", "SHOP-2 goes on"]);
    fake.push(shop, &work);
    fake.revoke_tokens();
    fake.rename_app(app, "Another name");
    fake.deliveries_are_sent().await;
    listener.becomes("active").await;
    secrets.gather(&fake);
    // Somebody sends what nobody signed, with secrets where they do not belong.
    let forged = reqwest::Client::builder().no_proxy().build().expect("a client");
    let secret = fake.hook_secret(app).expect("it has one");
    let hook = format!("{}/webhooks/github/{}", client.url(), at.rsplit('/').next().expect("an id"));
    let sent = forged.post(&hook).header("X-Hub-Signature-256", "sha256=00").header("X-GitHub-Event", "push");
    let sent = sent.header("Content-Type", "application/json").header("Authorization", format!("Bearer {secret}"));
    listener.told.push(sent.body("{}").send().await.expect("an answer").text().await.expect("a text"));
    fake.uninstall(installation);
    listener.becomes("uninstalled").await;
    fake.install(app, "acme", Selection::All);
    listener.becomes("active").await;
    secrets.gather(&fake);

    // Everything that can be read, then the end of it, then everything again.
    let token = json!({ "name": "a viewer", "role": "viewer", "expires_in_days": 1 });
    client.post("/api/v1/tokens", None, &token).await.expect("an answer");
    client.post("/api/v1/ssh-keys/generate", None, &json!({ "name": "deploy" })).await.expect("an answer");
    client.post("/api/v1/host-keys/import", None, &json!({ "known_hosts": KNOWN })).await.expect("an answer");
    let reader = Reader::new(client.url(), client.token());
    let mut values = reader.values("SHOP-1").await;
    values.insert("id", at.rsplit('/').next().expect("an id").to_owned());
    for (operation, said) in reader.every_answer(&values).await {
        is_clean(operation, &said, &secrets.all());
    }
    let bundle = home.folder().join("bundle.tar.gz");
    let (_, printed, complained) = home.run(["doctor", "--bundle", text(&bundle)]).await;
    is_clean("the doctor", &format!("{printed}{complained}"), &secrets.all());
    for (name, content) in crate::support_archive::unpacked(&bundle) {
        is_clean(&name, &content, &secrets.all());
    }
    let removed = client.delete(&format!("{at}?secrets=kept")).await.expect("an answer");
    listener.kept(removed);
    secrets.gather(&fake);
    let events: Vec<Value> = client.list("/api/v1/events").await.expect("the events");
    assert!(events.len() > 20, "{}", events.len());
    listener.told.push(json!(events).to_string());
    let all = secrets.all();
    let (tokens, signed) = (count(&all, "ghs_"), count(&all, "eyJ"));
    // Within a second one is signed like the other: how many there are is up to the machine.
    assert!(tokens >= 4 && signed >= 3 && all.len() > tokens + signed + 40, "{tokens}, {signed}, {}", all.len());
    for told in &listener.told {
        is_clean("an answer", told, &all);
    }

    let (home, _) = server.terminate().await;
    let log = home.log();
    assert!(log.contains("\"TRACE\"") && log.contains("installation"), "it says what it does");
    is_clean("the log", &log, &all);
    for line in log.lines() {
        assert!(!line.contains("ghs_") && !line.contains("PRIVATE KEY"), "{line}");
    }
    for file in std::fs::read_dir(home.data()).expect("the data").flatten().filter(|entry| entry.path().is_file()) {
        let bytes = std::fs::read(file.path()).unwrap_or_default();
        is_clean(&file.path().display().to_string(), &String::from_utf8_lossy(&bytes), &all);
    }
}

/// What GitHub sent a person back with: good once, for what it gives once.
fn codes(way: &[reqwest::Url]) -> Vec<String> {
    let pairs = way.iter().flat_map(|url| url.query_pairs().into_owned().collect::<Vec<_>>());
    pairs.filter(|(name, _)| name == "code" || name == "state").map(|(_, value)| value).collect()
}

fn count(all: &[String], beginning: &str) -> usize {
    all.iter().filter(|one| one.starts_with(beginning)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_an_app_gets_out_in_all_of_its_life_on_the_embedded_engine() {
    life(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_an_app_gets_out_in_all_of_its_life_on_postgresql() {
    let database = database().await;
    life(Some(database.url())).await;
}
