//! `keytrail serve --demo` from outside: what it shows, what it leaves behind, what it refuses.

use std::{path::Path, process::Stdio, time::Duration};

use keytrail_test_support::server::{Home, Options};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::command_line::{done, failed, lines, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");
const PATIENCE: Duration = Duration::from_secs(120);

/// A demo that was started; it ends with the value.
struct Demo {
    child: Child,
    said: Vec<String>,
    more: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    /// Waits for the whole tour.
    async fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
        let mut more = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut said = Vec::new();
        let told = async {
            while let Some(line) = more.next_line().await.expect("text") {
                let last = line.starts_with("Ctrl-C");
                said.push(line);
                if last {
                    return true;
                }
            }
            false
        };
        let whole = tokio::time::timeout(PATIENCE, told).await.expect("it says what to try");
        assert!(whole, "it ended: {said:?}");
        Self { child, said, more }
    }

    /// What follows this word on its line.
    fn after(&self, word: &str) -> String {
        let line = self.said.iter().find_map(|line| line.trim().strip_prefix(word)).expect("a line of the tour");
        line.split_whitespace().next().expect("something").to_owned()
    }

    /// What it said at the end.
    async fn stop(mut self) -> Vec<String> {
        let pid = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs").success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("it ended");
        assert_eq!(ended.code(), Some(0));
        let mut rest = Vec::new();
        while let Ok(Some(line)) = self.more.next_line().await {
            rest.push(line);
        }
        rest
    }
}

/// Without the folders that a home names for its commands: as a person types it.
fn typed(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("HOME", home.folder()).env("TMPDIR", home.folder());
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").stdin(Stdio::null());
    command
}

async fn run(home: &Home, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = typed(home, arguments).output().await.expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_the_demo_shows_something_and_nothing_of_it_stays() {
    let home = Home::new(PROGRAM, Options::default());
    let demo = Demo::start(typed(&home, &["serve", "--demo", "--listen", "127.0.0.1:0"])).await;
    let data = demo.after("data");
    let ask = async |arguments: &[&str]| done(run(&home, &[arguments, &["--data", &data]].concat()).await);

    let commits = lines(&ask(&["issue", "commits", "SHOP-128", "--json"]).await);
    let superseded = commits.iter().filter(|commit| !commit["superseded_position"].is_null()).count();
    assert!(commits.len() > 10 && superseded == 3, "{superseded} of {commits:?}");
    let of = |name: &str| commits.iter().filter(|commit| commit["repository"]["name"] == name).count();
    assert!(["web", "api", "gateway", "mobile"].iter().all(|name| of(name) >= 4), "{commits:?}");
    assert!(ask(&["issue", "show", "SHOP-128"]).await.contains("superseded: "));
    assert_eq!(lines(&ask(&["issue", "branches", "SHOP-128", "--json"]).await).len(), 4);
    // What only looks like a key is told as such.
    assert!(ask(&["issue", "show", "UTF-8"]).await.contains("the rules of projects leave it out"));

    let repositories = lines(&ask(&["repository", "list", "--json"]).await);
    assert!(repositories.len() >= 10, "{repositories:?}");
    let indexed = repositories.iter().filter(|repository| repository["state"] == "indexed");
    assert!(indexed.clone().count() == 9 && indexed.clone().all(|one| one["keyed"].as_u64() > Some(30)));
    let troubles = lines(&ask(&["repository", "list", "--trouble", "--json"]).await);
    assert!(troubles.iter().any(|one| one["trouble"]["code"] == "not_a_repository"), "{troubles:?}");

    let integrations = lines(&ask(&["integration", "list", "--json"]).await);
    let with = |member: &str, value: &str| integrations.iter().filter(|one| one[member] == value).count();
    assert_eq!((with("state", "paused"), with("kind", "folder"), with("name", "Payment gateway")), (1, 1, 1));
    let events = lines(&ask(&["events", "--last", "0", "--json"]).await);
    let happened = |name: &str| events.iter().filter(|event| event["event_type"] == name).count();
    for name in [
        "integration.renamed",
        "integration.connection_changed",
        "integration.paused",
        "integration.resumed",
        "access.token_revoked",
        "repository.unreachable",
        "commit_link.linked",
        "project_rules.changed",
        "person.forgotten",
        "ssh_key.generated",
        "ssh_key.retired",
        "host_key.trusted",
        "host_key.changed",
        "index_batch.commits_superseded",
        "index_batch.commits_restored",
    ] {
        assert!(happened(name) > 0, "{name}");
    }
    let by_hand: Vec<_> = commits.iter().filter(|commit| commit["decision"]["state"] == "linked").collect();
    assert!(by_hand.len() == 1 && by_hand[0]["decision"]["by"] == "Maria Jensen", "{by_hand:?}");
    let rules = ask(&["project", "rules"]).await;
    assert!(["APP", "OPS", "PAY", "SHOP", "WEB"].iter().all(|project| rules.contains(project)), "{rules}");
    assert_eq!(lines(&ask(&["person", "list", "--forgotten", "--json"]).await).len(), 1);
    assert_eq!(lines(&ask(&["person", "list", "Whitaker", "--json"]).await).len(), 0);
    assert!(events.iter().any(|event| event["actor"]["name"] == "Maria Jensen"), "somebody did it");
    assert_eq!(lines(&ask(&["token", "list", "--json"]).await).len(), 4);
    let keys = lines(&ask(&["ssh-key", "list", "--all", "--json"]).await);
    let in_state =
        |state: &str| keys.iter().filter(|key| key["state"] == state && key["origin"] == "generated").count();
    assert_eq!((keys.len(), in_state("active"), in_state("retired")), (2, 1, 1), "{keys:?}");
    let of_keys = events.iter().filter(|event| event["stream_type"] == "ssh_key");
    assert!(of_keys.clone().count() == 3 && of_keys.clone().all(|event| event["actor"]["name"] == "Maria Jensen"));
    ask(&["views", "verify"]).await;
    assert_eq!(ask(&["health"]).await, "ready\n");
    let sha = commits[0]["sha"].as_str().expect("a name");
    assert!(ask(&["commit", "diff", sha]).await.contains("@@"));

    // The tokens are good over HTTP, and told nowhere else.
    let token = demo.after("token");
    let url = demo.after("address");
    let asked = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = asked.get(format!("{url}/api/v1/tokens")).bearer_auth(&token).send().await.expect("an answer");
    assert!(answer.status() == 200 && !answer.text().await.expect("a text").contains(&token));

    let answer = asked.get(format!("{url}/api/v1/host-keys")).bearer_auth(&token).send().await.expect("an answer");
    let known: serde_json::Value = answer.json().await.expect("a list");
    let told = |server: &serde_json::Value| ["host", "state", "trusted_how"].map(|member| server[member].clone());
    let mut servers: Vec<_> = known["items"].as_array().expect("a list").iter().map(told).collect();
    servers.sort_by_key(|told| told[0].to_string());
    let expected = [["git.erp.invalid", "trusted", "known_hosts"], ["git.partner.invalid", "changed", "known_hosts"]];
    assert_eq!(servers, expected, "{known}");

    let folder = Path::new(&data).parent().expect("a folder").to_owned();
    assert!(folder.exists() && folder.starts_with(home.folder()));
    let rest = demo.stop().await;
    assert!(rest.iter().any(|line| line.starts_with("removing ")), "whoever waits knows for what: {rest:?}");
    assert!(!folder.exists(), "its folder is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_in_an_empty_folder_stays_and_one_in_a_used_folder_is_refused() {
    let home = Home::new(PROGRAM, Options::default());
    std::fs::create_dir(home.data()).expect("a folder");
    let demo = Demo::start(home.command(["serve", "--demo", "--listen", "127.0.0.1:0"])).await;
    assert_eq!(demo.after("data"), text(&home.data()));
    let go_on = format!("serve --data {} --root-key-file {}` goes on", text(&home.data()), text(&home.root_key()));
    assert!(demo.said.last().is_some_and(|line| line.contains(&go_on)), "{:?}", demo.said);
    demo.stop().await;

    let said = failed(home.run(["serve", "--demo", "--listen", "127.0.0.1:0"]).await, 2);
    assert!(said.contains("is not empty") && said.contains("leave --demo out"), "{said}");
    // What was there is there, and goes on without the demo.
    let server = home.start().await;
    let commits = lines(&done(home.run(["issue", "commits", "SHOP-128", "--json"]).await));
    assert!(commits.len() > 10);
    server.terminate().await;

    let said = failed(run(&home, &["serve", "--demo", "--database-url", "postgres://u:geheim@nowhere/x"]).await, 2);
    assert!(said.contains("a store of its own") && !said.contains("geheim"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_stopped_while_it_is_made_leaves_nothing() {
    let home = Home::new(PROGRAM, Options::default());
    let mut child = begun(typed(&home, &["serve", "--demo", "--listen", "127.0.0.1:0"])).await;
    let left = || std::fs::read_dir(home.folder()).expect("a folder").flatten().map(|entry| entry.file_name());
    let folders = || left().filter(|name| name.to_string_lossy().starts_with("keytrail-demo-")).count();
    assert_eq!(folders(), 1);
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.expect("kill runs").success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it ended");
    assert_eq!((ended.code(), folders()), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_cannot_listen_leaves_no_folder_behind() {
    let home = Home::new(PROGRAM, Options::default());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = failed(home.run(["serve", "--demo", "--listen", &address]).await, 5);
    assert!(said.contains("cannot listen on") && said.matches("already in use").count() == 1, "{said}");
    assert!(!home.data().exists(), "nothing was made");
    // The root key cannot be read: that is found when the folders are there already.
    std::fs::create_dir_all(home.root_key()).expect("a folder instead of a file");
    failed(home.run(["serve", "--demo", "--listen", "127.0.0.1:0"]).await, 5);
    assert!(!home.data().join("repositories").exists(), "what was made is gone");
}

/// Waits until it serves, which is before it is set up.
async fn begun(mut command: Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
    let mut more = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = tokio::time::timeout(PATIENCE, more.next_line()).await.expect("it serves").expect("text");
    assert!(first.is_some_and(|line| line.starts_with("keytrail serves on ")));
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_fails_or_is_stopped_on_its_way_leaves_what_was_there_before() {
    let home = Home::new(PROGRAM, Options::default());
    let below = home.folder().join("new");
    let key = below.join("keys").join("root.key");
    let there = || {
        let mut names: Vec<_> =
            std::fs::read_dir(home.folder()).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        names
    };
    let (before, data) = (there(), below.join("data"));
    let serve = |setting: (&str, &str), data: &Path| {
        let mut command = typed(&home, &["serve", "--demo", "--listen", "127.0.0.1:0", "--data", text(data)]);
        command.args(["--root-key-file", text(&key)]).env(setting.0, setting.1);
        command
    };
    // The store is there already when this is found.
    let output = serve(("KEYTRAIL__GIT__SHORTEST_POLL_SECONDS", "0"), &data).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends by itself").expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(5) && said.contains("git.shortest_poll_seconds"),
        "{:?}: {said}",
        output.status
    );
    assert_eq!(there(), before);

    // The server serves already, and whoever sets it up may do so no more.
    let mut child = begun(serve(("KEYTRAIL__LOG__LEVEL", "error"), &data)).await;
    let endpoint: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data.join("server.json")).expect("it serves")).expect("JSON");
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let of = |member: &str| endpoint[member].as_str().expect("a text").to_owned();
    let (tokens, token) = (format!("{}/api/v1/tokens", of("url")), of("token"));
    crate::server::soon("her token is revoked", || async {
        let listed = http.get(&tokens).bearer_auth(&token).send().await.expect("an answer");
        let listed: serde_json::Value = listed.json().await.expect("JSON");
        let items = listed["items"].as_array().expect("a list");
        let Some(hers) = items.iter().find(|one| one["name"] == "Maria Jensen") else { return false };
        let at = format!("{tokens}/{}", hers["id"].as_str().expect("an id"));
        http.delete(at).bearer_auth(&token).send().await.expect("an answer").status().is_success()
    })
    .await;
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends by itself").expect("it ended");
    assert_eq!((ended.code(), there()), (Some(4), before));

    // A folder that was there stays, and is empty again.
    let empty = home.folder().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let mut child = begun(serve(("KEYTRAIL__LOG__LEVEL", "error"), &empty)).await;
    assert!(key.exists() && empty.join("repositories").exists(), "it has begun");
    let pid = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.expect("kill runs").success());
    let ended = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it ended");
    assert_eq!(ended.code(), Some(0));
    assert_eq!(std::fs::read_dir(&empty).expect("it is there").count(), 0);
    assert!(!below.exists(), "the root key was made for it");
}
