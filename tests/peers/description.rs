//! Judges of the API that nobody here wrote: a linter of descriptions, a maker of TypeScript clients and the compiler, and
//! schemathesis, which sends what the description allows and what it forbids. `scripts/test` installs them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use keytrail_test_support::{
    postgres::database,
    server::{Options, Server},
};
use serde_json::{Value, json};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/api_tools");
const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/v1.json");

/// Where `scripts/test` puts the judges.
fn tools() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where a test finds its tools, not a setting of the program")]
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache"))).unwrap_or_default();
    set("KEYTRAIL_API_TOOLS").unwrap_or_else(|| cache.join("keytrail/api-tools"))
}

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

/// A repository with these commits, the first the oldest. Their names.
fn commits(path: &Path, subjects: &[&str]) -> Vec<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(path)
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(arguments)
            .output()
            .expect("git is there");
        content(&output).trim().to_owned()
    };
    fs::create_dir(path).expect("a folder");
    git(&["init", "-q"]);
    subjects
        .iter()
        .map(|subject| {
            git(&["commit", "-q", "--allow-empty", "-m", subject]);
            git(&["rev-parse", "HEAD"])
        })
        .collect()
}

/// Sends what the description allows and what it forbids, with every right, to a server that has something to show.
async fn fuzz(database_url: Option<String>) {
    let options = Options { database_url, ..Options::default() };
    let server = Server::start(env!("CARGO_BIN_EXE_keytrail"), options).await;
    let (client, path) = (server.client(), server.home().folder().join("shop"));
    commits(&path, &["SHOP-1 begins", "SHOP-2 goes on"]);
    let place = json!({ "name": "shop", "connection": { "kind": "path", "path": path } });
    assert_eq!(client.post("/api/v1/integrations", None, &place).await.expect("an answer").status, 201);
    // It writes where it is started.
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in ["schemathesis.toml", "hooks.py"] {
        fs::copy(Path::new(HERE).join(file), folder.path().join(file)).expect("a file");
    }
    let output = judge(
        "python/bin/schemathesis",
        folder.path(),
        &[
            "run",
            &format!("{}/openapi.json", client.url()),
            "--header",
            &format!("Authorization: Bearer {}", client.token()),
            "--phases",
            "examples,coverage,fuzzing,stateful",
            // A stream does not end; tests of ours listen to it.
            "--exclude-path-regex",
            "/stream$",
            "--max-examples",
            "12",
            "--checks",
            "all",
            "--continue-on-failure",
            "--no-color",
            "--seed",
            "1",
        ],
    );
    content(&output);
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
