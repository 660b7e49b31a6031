//! Judges of the API that nobody here wrote: a linter of descriptions, a maker of TypeScript clients and the compiler, and
//! schemathesis, which sends what the description allows and what it forbids. `scripts/test` installs them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use keytrail_test_support::{
    postgres::database,
    server::{Options, Server},
};
use serde_json::{Value, json};

use crate::tools::{HERE, tools};

const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json");

/// Runs one of them, which must be there.
fn judge(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    let path = tools().join(program);
    let mut command = Command::new(&path);
    command.args(arguments).current_dir(folder).env("REDOCLY_TELEMETRY", "off").env("NO_COLOR", "1");
    let missing = format!("{} is not there: ./scripts/test installs it", path.display());
    command.output().expect(&missing)
}

#[track_caller]
fn content(output: &Output) -> String {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn a_linter_finds_nothing_in_the_description() {
    content(&judge("node_modules/.bin/redocly", Path::new(HERE), &["lint", "keytrail"]));
}

#[test]
fn a_typescript_client_made_from_the_description_compiles_and_finds_the_commits_of_an_issue() {
    // Beside the modules, as the compiler looks for them upwards.
    let folder = tempfile::tempdir_in(tools()).expect("./scripts/test installs the tools");
    for file in ["package.json", "tsconfig.json", "tour.ts"] {
        fs::copy(Path::new(HERE).join(file), folder.path().join(file)).expect("a file");
    }
    content(&judge("node_modules/.bin/openapi-typescript", folder.path(), &[DESCRIPTION, "-o", "v1.d.ts"]));
    content(&judge("node_modules/.bin/tsc", folder.path(), &["-p", "."]));

    let path = folder.path().join("shop");
    let committed = commits(&path, &["SHOP-1 begins", "no key", "more of SHOP-1", "SHOP-1, the end"]);
    runtime().block_on(async {
        let server = Server::start(env!("CARGO_BIN_EXE_keytrail"), Options::default()).await;
        let client = server.client();
        let output = Command::new("node")
            .arg(folder.path().join("built/tour.js"))
            .args([client.url(), client.token(), path.to_str().expect("UTF-8"), "shop-1"])
            .output()
            .expect("node is there: ./scripts/test installs it");
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", content(&output)));
        let mut found: Vec<_> = told["commits"].as_array().expect("commits").iter().filter_map(Value::as_str).collect();
        let mut expected: Vec<_> = [0, 2, 3].map(|at| committed[at].as_str()).to_vec();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!((found, &told["refused"]), (expected, &json!("issue_key_invalid")));
        server.terminate().await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

fn git(path: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(path)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(arguments)
        .output()
        .expect("git is there");
    content(&output).trim().to_owned()
}

/// Another commit; its name.
pub(crate) fn commit(path: &Path, subject: &str) -> String {
    git(path, &["commit", "-q", "--allow-empty", "-m", subject]);
    git(path, &["rev-parse", "HEAD"])
}

/// A repository with these commits, the first the oldest. Their names.
pub(crate) fn commits(path: &Path, subjects: &[&str]) -> Vec<String> {
    fs::create_dir(path).expect("a folder");
    git(path, &["init", "-q", "-b", "main"]);
    subjects.iter().map(|subject| commit(path, subject)).collect()
}

/// What schemathesis is given. Not given are:
///
/// - streams (`/stream`) to who may listen: their answers have no end that it could wait for, so each would be a time-out to it.
///   It asks for them as a viewer, who is refused two of them and finds no run for the third: nothing is opened, so nothing
///   hangs. `tests/api/event_streams.rs` listens to each of them, and `tests/api/bad_input.rs` and `tests/api/access.rs` send to
///   them what is forbidden, as to all others;
/// - cursors, which are signed and which only a page before gives (`hooks.py`): `tests/api/bad_input.rs` forges them;
/// - a GitHub: what asks one is refused for lack of it. `tests/peers/described_exchanges.rs` has it.
///
/// It sends so many examples of each operation, and the seeds stand here so that what is found is found again: more would
/// take minutes of every run of the tests. Other seeds are for a person to try: they find what the description cannot say of
/// a search, that two of its parameters exclude each other. `tests/api/access.rs` sends everything without rights and with
/// each role; here it is an administrator, who comes furthest, and before a viewer, who is refused what needs more.
struct Given {
    seed: &'static str,
    examples: &'static str,
    phases: &'static str,
    /// Which operations, by their paths.
    paths: [&'static str; 2],
}

const ALL_BUT_STREAMS: [&str; 2] = ["--exclude-path-regex", "/stream$"];
const STREAMS: [&str; 2] = ["--include-path-regex", "/stream$"];

const ADMINISTRATOR: Given =
    Given { seed: "1", examples: "12", phases: "examples,coverage,fuzzing,stateful", paths: ALL_BUT_STREAMS };
const VIEWER: Given = Given { seed: "3", examples: "4", phases: "examples,fuzzing", paths: ALL_BUT_STREAMS };
const NO_LISTENER: Given = Given { seed: "5", examples: "12", phases: "examples,coverage,fuzzing", paths: STREAMS };

fn schemathesis(url: &str, token: &str, Given { seed, examples, phases, paths }: &Given) {
    // It writes where it is started.
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["schemathesis.toml", "hooks.py"] {
        fs::copy(Path::new(HERE).join(file), folder.path().join(file)).expect("a file");
    }
    let (description, header) = (format!("{url}/openapi.json"), format!("Authorization: Bearer {token}"));
    // A stream that is opened by mistake is told as one, and does not hang.
    let arguments = ["run", &description, "--header", &header, "--phases", phases, "--request-timeout", "60"];
    let more = ["--max-examples", examples, "--checks", "all", "--continue-on-failure", "--no-color", "--seed", seed];
    content(&judge("python/bin/schemathesis", folder.path(), &[&arguments[..], paths, &more].concat()));
}

/// Sends what the description allows and what it forbids to a server that has something to show.
async fn fuzz(database_url: Option<String>) {
    let options = Options { database_url, ..Options::default() };
    let server = Server::start(env!("CARGO_BIN_EXE_keytrail"), options).await;
    let (client, path) = (server.client(), server.home().folder().join("shop"));
    commits(&path, &["SHOP-1 begins", "SHOP-2 goes on"]);
    let place = json!({ "name": "shop", "connection": { "kind": "path", "path": path } });
    assert_eq!(client.post("/api/v1/integrations", None, &place).await.expect("an answer").status, 201);
    let body = json!({ "name": "who looks", "role": "viewer", "expires_in_days": 1 });
    let viewer = client.post("/api/v1/tokens", None, &body).await.expect("an answer").body["token"].clone();
    // First, while everything is there: an administrator may take things away.
    for given in [&VIEWER, &NO_LISTENER] {
        schemathesis(client.url(), viewer.as_str().expect("a token"), given);
    }
    schemathesis(client.url(), client.token(), &ADMINISTRATOR);
    assert_eq!(client.get("/livez").await.expect("it still serves").status, 200);
    server.terminate().await;
}

#[test]
fn schemathesis_finds_no_answer_that_the_description_does_not_give_on_the_embedded_store() {
    runtime().block_on(fuzz(None));
}

#[test]
fn schemathesis_finds_no_answer_that_the_description_does_not_give_on_postgresql() {
    runtime().block_on(async {
        let database = database().await;
        fuzz(Some(database.url())).await;
    });
}
