//! `keytrail integration connect` as a program: it prints the link, waits until a person is done in the browser, says how it
//! is meanwhile, and may be ended without ending anything else.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Stdio,
    time::Duration,
};

use keytrail_test_support::{
    fake_github::FakeGithub,
    server::{Home, Options, Server},
    web_server::Scripted,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use crate::{
    browser::Browser,
    command_line::{done, failed},
    elsewhere::Elsewhere,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that knows its address and may reach this machine, with a GitHub.
async fn beside_a_github() -> (Server, FakeGithub) {
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let own: SocketAddr = held.local_addr().expect("a listener has an address");
    drop(held);
    let env = [
        ("GIT__HOSTS", r#"["127.0.0.1"]"#.to_owned()),
        ("GIT__ALLOW_HTTP", "true".to_owned()),
        ("GIT__FREE_BYTES", "0".to_owned()),
        ("SERVER__PUBLIC_URL", format!("http://{own}")),
    ];
    let env = env.map(|(name, value)| (format!("KEYTRAIL__{name}"), value)).to_vec();
    let options = Options { env, listen: Some(own), ..Options::default() };
    let fake = FakeGithub::start().await;
    // The organisation is there, and lets everybody in.
    fake.set_ip_allow_list("acme", false);
    (Home::new(env!("CARGO_BIN_EXE_keytrail"), options).start().await, fake)
}

/// The command, while it waits.
struct Waiting {
    child: Child,
    printed: BufReader<ChildStdout>,
    said: BufReader<ChildStderr>,
    /// All that it printed so far.
    text: String,
}

impl Waiting {
    fn begin(server: &Server, fake: &FakeGithub, more: &[&str]) -> Self {
        let url = fake.url();
        let connect = ["integration", "connect", "shop", "--organisation", "acme", "--host", &url];
        let mut command = server.home().command(connect.iter().chain(more));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let said = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, printed, said, text: String::new() }
    }

    /// Reads what it prints up to a line with this in it, and gives that back.
    async fn prints(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.printed.read_line(&mut line)).await.expect("it prints");
            assert!(read.expect("text") > 0, "it ended without {part:?}: {}", self.text);
            self.text.push_str(&line);
            if line.contains(part) {
                return line.trim().to_owned();
            }
        }
    }

    /// The same for what it says beside.
    async fn says(&mut self, part: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(PATIENCE, self.said.read_line(&mut line)).await.expect("it says it");
            assert!(read.expect("text") > 0, "it ended without {part:?}: {all}");
            if line.contains(part) {
                return line;
            }
            all.push_str(&line);
        }
    }

    /// Its end: the exit code, if it has one, and the rest of what it printed.
    async fn ends(&mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("an end");
        self.printed.read_to_string(&mut rest).await.expect("text");
        (ended.code(), rest)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_is_given_a_link_and_told_how_it_is_until_it_is_done() {
    let (server, fake) = beside_a_github().await;
    let mut waiting = Waiting::begin(&server, &fake, &["--app-name", "Ours", "--filter", "repositories[?!archived]"]);
    let link = waiting.prints("/github/connect/").await;
    waiting.prints("leads nowhere").await;
    // Before anything is done there: until when, the settings with the locked one, who has to do what, what to look out for.
    for part in [
        "It works once:",
        "It is good until 2",
        "Name of the app at GitHub: Ours (can be changed there)",
        "Name of the integration: shop",
        "Repositories: repositories[?!archived]",
        "Require user PAT: on (locked)",
        "1. Sign in.",
        "2. Create the app.",
        "Who: An owner of the organisation, or a manager of its GitHub Apps. https://docs.github.com/",
        "3. Choose repositories and install.",
        "4. Done.",
    ] {
        assert!(waiting.text.contains(part), "no {part:?} in {}", waiting.text);
    }
    waiting.says("waiting (registering)").await;
    let browser = Browser::new();
    let start = browser.open(&link).await.belongs_to_us(200);
    let form = browser.press(&start, "Begin", &[]).await.belongs_to_us(200);
    let creating = browser.press(&form, "Go to GitHub", &[]).await;
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    // The page leads on for whoever lost the browser.
    let said = waiting.says("waiting (installing)").await;
    assert!(said.contains("nobody installed it yet") && said.contains("/github/apps/"), "{said}");
    assert!(said.contains("Ctrl+C ends the waiting and nothing else"), "{said}");
    browser.press(&installing, "Install", &[("selection", "all")]).await.belongs_to_us(200);
    let (code, rest) = waiting.ends().await;
    assert_eq!(code, Some(0), "{rest}");
    assert!(rest.contains("It is installed"), "{rest}");
    assert!(rest.contains("How far they are: keytrail integration show shop"), "{rest}");
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_waiting_stops_nothing_else_and_may_wait_again() {
    let (server, fake) = beside_a_github().await;
    let mut waiting = Waiting::begin(&server, &fake, &[]);
    let link = waiting.prints("/github/connect/").await;
    waiting.says("waiting (registering)").await;
    let pid = waiting.child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().await;
    assert!(sent.is_ok_and(|status| status.success()));
    let (code, _) = waiting.ends().await;
    assert_ne!(code, Some(0), "it was interrupted");
    // The link is as good as it was.
    let browser = Browser::new();
    let start = browser.open(&link).await.belongs_to_us(200);
    let form = browser.press(&start, "Begin", &[]).await.belongs_to_us(200);
    let creating = browser.press(&form, "Go to GitHub", &[]).await;
    let installing = browser.press(&creating, "Create GitHub App", &[]).await;
    let shown = server.home().run(["installation", "show", "shop"]).await;
    assert!(done(shown).contains("installing"));
    browser.press(&installing, "Install", &[("selection", "all")]).await.belongs_to_us(200);
    assert!(done(server.home().run(["installation", "show", "shop"]).await).contains("active"));
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_a_github_is_changed_and_the_filter_stays() {
    let (server, fake) = beside_a_github().await;
    let url = fake.url();
    let filter = ["--filter", "repositories[?!archived]"];
    let connect = ["integration", "connect", "shop", "--organisation", "acme", "--host", &url, "--no-link"];
    done(server.home().run(connect.iter().chain(&filter)).await);
    let connection = async || {
        let shown = done(server.home().run(["integration", "show", "shop", "--json"]).await);
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        let connection = &shown["connection"];
        assert_eq!(connection["filter"], filter[1], "{connection}");
        (connection["proxy"]["url"].clone(), connection["trust"]["kind"].clone())
    };
    let before = connection().await;
    let set = ["installation", "set-route", "shop"];
    done(server.home().run(set.iter().chain(&["--proxy", "http://127.0.0.1:9"])).await);
    let (proxy, trust) = connection().await;
    assert!(proxy.as_str().is_some_and(|proxy| proxy.starts_with("http://127.0.0.1:9")), "{proxy}");
    assert_eq!(trust, before.1);
    let pin = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    done(server.home().run(set.iter().chain(&["--pin", pin])).await);
    assert_eq!(connection().await, (proxy, "pinned".into()));
    done(server.home().run(set.iter().chain(&["--no-proxy"])).await);
    assert_eq!(connection().await, (before.0.clone(), "pinned".into()));
    failed(server.home().run(set.iter().chain(&["--public-ca", "--pin", pin])).await, 2);
    done(server.home().run(set.iter().chain(&["--public-ca"])).await);
    assert_eq!(connection().await, before);
    failed(server.home().run(set).await, 2);
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_and_the_filter_are_changed_only_as_they_were_seen() {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let connection = serde_json::json!({
        "kind": "github_app", "host": "https://github.com", "organisation": "acme", "refs": {},
        "trust": { "kind": "web_pki" },
    });
    let seen = serde_json::json!({ "id": id, "name": "shop", "version": 7, "connection": connection });
    let server = Scripted::answering("200 OK", "application/json", seen.to_string().as_bytes());
    let url = format!("http://{}", server.address());
    let away = Elsewhere::new();
    for change in [&["set-route", id, "--proxy", "http://127.0.0.1:9"][..], &["set-filter", id, "--all", "--yes"]] {
        done(away.run(&[&["installation"][..], change, &["--server", &url]].concat(), Some("kt_seen")).await);
    }
    let asked = server.asked();
    let changes: Vec<_> = asked.iter().filter(|head| head.starts_with("PUT ")).collect();
    assert_eq!(changes.len(), 2, "{asked:?}");
    assert!(changes.iter().all(|head| head.to_lowercase().contains("if-match: \"7\"")), "{changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_machines_gets_json_and_an_end_that_is_none_is_said() {
    let (server, fake) = beside_a_github().await;
    let mut waiting = Waiting::begin(&server, &fake, &["--json"]);
    let first = waiting.prints("\"url\"").await;
    let connecting: serde_json::Value = serde_json::from_str(&first).expect("a line of JSON");
    assert!(connecting["url"].is_string() && connecting["steps"].is_array(), "{first}");
    waiting.says("waiting (registering)").await;
    done(server.home().run(["integration", "remove", "shop", "--yes"]).await);
    let (code, rest) = waiting.ends().await;
    assert_ne!(code, Some(0), "{rest}");
    let said = waiting.says("The integration was removed").await;
    assert!(said.starts_with("keytrail: "), "{said}");
    server.terminate().await;
}
