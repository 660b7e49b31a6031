//! A password and a private key that were given are nowhere to be found, nor is one that was made: not in the store, in no
//! answer, in no log line, in no file.

use std::{path::Path, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use keytrail::{ssh_keys::Target, store::Area};
use keytrail_projections::value::Cells;
use keytrail_test_support::{
    server::{Home, Options},
    web_server::{Door, WebServer},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    all_reads::{Reader, every_print},
    command_line::{done, lines, text},
    host_key_commands::knows_a_server,
    host_keys::KNOWN,
    remotes::{credential, served},
    repository::{self, git},
    server::{Server, answer, on_both_engines, soon},
    ssh_keys,
    ssh_transport::TEST,
    support_archive,
};

/// The number of the key that is given, as [`ssh_keys::key`] makes it.
const KEY: u8 = 0xC7;
/// What opens it, and what does not.
const WORD: &str = "a passphrase that nobody says: Ärger";
const WRONG: &str = "another one that opens nothing: Öl";

/// The file that is given: PKCS#8, encrypted as a whole.
fn key_file() -> String {
    ssh_keys::written(&ssh_keys::key(KEY), Target::Pem, Some(WORD))
}

/// Every form in which a secret could have been written down.
static FORMS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut forms = forms();
    for word in [WORD, WRONG] {
        forms.extend([word.to_owned(), hex(word.as_bytes()), STANDARD.encode(word)].map(String::into_bytes));
    }
    let seed = [KEY; 32];
    forms.extend([hex(&seed), STANDARD.encode(seed)].map(String::into_bytes));
    let plain = ssh_keys::written(&ssh_keys::key(KEY), Target::OpenSsh, None);
    let long = |line: &String| line.len() > 40;
    forms.extend(ssh_keys::private_lines(&plain).filter(long).map(String::into_bytes));
    let given = key_file();
    let body = given.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned);
    forms.extend(body.filter(long).map(String::into_bytes));
    // Any private key as it is kept before it is sealed, be it one that the server made.
    forms.extend(
        [STANDARD.encode("openssh-key-v1"), "BEGIN OPENSSH PRIVATE KEY".to_owned()]
            .map(|form| form.trim_end_matches('=').as_bytes().to_vec()),
    );
    forms
});

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every form in which the password could have been written down, and the user's name with it.
fn forms() -> Vec<Vec<u8>> {
    let (user, password) = (WebServer::USER, WebServer::PASSWORD);
    let hex = |text: &str| hex(text.as_bytes());
    let pair = format!("{user}:{password}");
    [
        password.to_owned(),
        "p%40ss%20w0rd".to_owned(),
        hex(password),
        hex(password).to_uppercase(),
        STANDARD.encode(password),
        STANDARD.encode(&pair),
        hex(&STANDARD.encode(&pair)),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[track_caller]
fn is_clean(what: &str, bytes: &[u8]) {
    for form in FORMS.iter() {
        let found = bytes.windows(form.len()).any(|part| part == form);
        assert!(!found, "{what} holds a secret as {}", String::from_utf8_lossy(form));
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let pair = STANDARD.encode(format!("{}:{}", WebServer::USER, WebServer::PASSWORD));
    let plain = ssh_keys::written(&ssh_keys::key(1), Target::OpenSsh, None);
    for text in [
        WebServer::PASSWORD,
        "https://alice:p%40ss%20w0rd@git.example/",
        &format!("Basic {pair}"),
        &key_file(),
        &plain,
        &plain.lines().skip(1).collect::<String>(),
        &hex(&[KEY; 40]),
        WRONG,
    ] {
        let found = std::panic::catch_unwind(|| is_clean("a text", format!("before {text} after").as_bytes()));
        assert!(found.is_err(), "{text}");
    }
    is_clean("a text", b"nothing to see");
}

/// Looks into every file below a folder; how many there are.
fn files_are_clean(folder: &Path) -> usize {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            seen += files_are_clean(&entry);
        } else if let Ok(bytes) = std::fs::read(&entry) {
            is_clean(&entry.display().to_string(), &bytes);
            seen += 1;
        }
    }
    seen
}

/// Every table as text; how many there are.
async fn tables_are_clean(server: &Server) -> usize {
    let sql = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'";
    let tables = server.app.db.read(Area::Log, sql, &[]).await.expect("the tables");
    for row in &tables {
        let table = Cells::of(row).text().expect("a name").to_owned();
        let sql = format!("SELECT CAST(t.* AS TEXT) FROM \"{table}\" t");
        for row in server.app.db.read(Area::Log, &sql, &[]).await.expect("its rows") {
            is_clean(&table, Cells::of(&row).text().unwrap_or_default().as_bytes());
        }
    }
    tables.len()
}

async fn a_password_is_nowhere_in_the_store_and_in_no_answer(server: Server) {
    let web = served(&server, &["SHOP-1 begins"]);
    let private = web.url_at(Door::Private, "shop.git");
    let embedded = private.replace("://", "://alice:p%40ss%20w0rd@");
    let added = server.connect("shop", json!({ "kind": "git", "url": embedded })).await.with(StatusCode::CREATED);
    is_clean("the answer", added.text.as_bytes());
    let at = format!("/api/v1/integrations/{}", added.id());
    soon("it is indexed", || async {
        server.get(&format!("{at}/repositories")).await.items().first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    server.token("viewer").await;
    let keys = "/api/v1/ssh-keys";
    let given = |word: &str| json!({ "name": "deploy", "private_key": key_file(), "passphrase": word });
    is_clean("a key", server.post(keys, given(WORD)).await.with(StatusCode::CREATED).text.as_bytes());
    let wrong = server.post(keys, given(WRONG)).await.refused(422, "ssh_key_passphrase_wrong");
    is_clean("a refusal", wrong.text.as_bytes());
    let tried = |word: &str| {
        let url = "git@no-such-host.invalid:shop.git";
        server.post(TEST, json!({ "url": url, "private_key": key_file(), "passphrase": word }))
    };
    is_clean("a trial", tried(WORD).await.with(StatusCode::OK).text.as_bytes());
    is_clean("a refusal", tried(WRONG).await.refused(422, "ssh_key_passphrase_wrong").text.as_bytes());
    let made = server.post(&format!("{keys}/generate"), json!({ "name": "made" })).await.with(StatusCode::CREATED);
    is_clean("a key", made.text.as_bytes());
    let kept = ssh_keys::opened(&server, &made.id()).await;
    let halves: Vec<_> = ssh_keys::private_lines(&kept).filter(|line| line.len() > 40).collect();
    assert!(!halves.is_empty(), "it is there to be looked for");
    server.post("/api/v1/host-keys/import", json!({ "known_hosts": KNOWN })).await.with(StatusCode::OK);
    let reader = Reader::of(&server);
    let values = reader.values("SHOP-1").await;
    for (operation, said) in reader.every_answer(&values).await {
        is_clean(operation, said.as_bytes());
        assert!(!halves.iter().any(|line| said.contains(line)), "{operation} holds the private half of a key");
    }
    // Given in every other way, and refused.
    let proxy = json!({ "url": "http://alice:p%40ss%20w0rd@127.0.0.1:9" });
    let body = json!({ "connection": { "kind": "git", "url": private, "credential": credential(), "proxy": proxy } });
    let request = |etag: &str| {
        answer(server.local(Method::PUT, &format!("{at}/connection")).header("If-Match", etag).json(&body))
    };
    is_clean("a refusal", request("\"7\"").await.refused(412, "version_stale").text.as_bytes());
    server.post(&format!("{at}/pause"), json!({})).await.with(StatusCode::OK);
    is_clean("a change", request("*").await.with(StatusCode::OK).text.as_bytes());
    let taken = server.connect("other", json!({ "kind": "git", "url": embedded })).await;
    is_clean("a refusal", taken.refused(409, "connection_taken").text.as_bytes());
    assert_eq!(server.sealed().await, ["credential", "proxy_credential"]);
    for (operation, (_, said)) in reader.every_reply(&values).await {
        is_clean(operation, said.as_bytes());
    }
    assert!(files_are_clean(&server.data()) > 3, "mirrors and the store are there");
    if !server.is_sqlite() {
        assert!(tables_are_clean(&server).await > 10);
    }
    // The last thing said of it must not be forgotten either.
    answer(server.local(Method::DELETE, &at).header("If-Match", "*")).await.with(StatusCode::OK);
    assert!(server.sealed().await.is_empty());
    server.look_behind().await;
}

on_both_engines!(reaching_this_machine; a_password_is_nowhere_in_the_store_and_in_no_answer);

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_in_no_log_line_and_no_file_of_the_real_program() {
    let home = Home::new(
        env!("CARGO_BIN_EXE_keytrail"),
        Options {
            env: [
                ("KEYTRAIL__GIT__HOSTS", r#"["127.0.0.1"]"#),
                ("KEYTRAIL__GIT__ALLOW_HTTP", "true"),
                ("KEYTRAIL__GIT__FREE_BYTES", "0"),
                ("KEYTRAIL__LOG__LEVEL", "trace"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            ..Options::default()
        },
    );
    let beside = tempfile::tempdir().expect("a temporary folder");
    repository::with_commits(&beside.path().join("work"), &["SHOP-1 begins"]);
    std::fs::create_dir(beside.path().join("served")).expect("a folder");
    git(&beside.path().join("served"), &["clone", "-q", "--bare", "../work", "shop.git"]);
    let web = WebServer::start(&beside.path().join("served"));
    let file = beside.path().join("password");
    std::fs::write(&file, format!("{}\n", WebServer::PASSWORD)).expect("a file");
    let server = home.start().await;
    let url = web.url_at(Door::Private, "shop.git");
    let add = ["integration", "add", &url, "--json", "--name", "shop", "--user", WebServer::USER, "--password-file"];
    let add = add.map(Into::into).into_iter().chain([file.into_os_string()]);
    let added = done(home.run::<std::ffi::OsString>(add).await);
    is_clean("what it printed", added.as_bytes());
    assert_eq!(lines(&added)[0]["connection"]["credential"], true);
    soon("it is indexed", || async {
        let all = lines(&done(home.run(["repository", "list", "--json"]).await));
        all.first().is_some_and(|row| row["state"] == "indexed")
    })
    .await;
    done(home.run(["token", "issue", "--name", "build", "--role", "viewer", "--days", "2"]).await);
    let (key, word) = (beside.path().join("key"), beside.path().join("word"));
    std::fs::write(&key, key_file()).expect("a file");
    std::fs::write(&word, format!("{WORD}\n")).expect("a file");
    let add = ["ssh-key", "add", text(&key), "--name", "deploy", "--passphrase-file", text(&word)];
    is_clean("what it printed", done(home.run(add).await).as_bytes());
    let body = json!({ "name": "other", "private_key": key_file(), "passphrase": WRONG });
    let refused = server.client().post("/api/v1/ssh-keys", None, &body).await.expect("an answer");
    assert_eq!(refused.body["code"], "ssh_key_passphrase_wrong", "{}", refused.body);
    is_clean("a refusal", refused.body.to_string().as_bytes());
    let (key, word) = (text(&key), text(&word));
    let at = "ssh://git@127.0.0.1:1/shop.git";
    let try_out = ["integration", "test", at, "--ssh-key-file", key, "--passphrase-file", word, "--json"];
    let (code, printed, complained) = home.run(try_out).await;
    assert_eq!((code, &lines(&printed)[0]["key_given"]["accepted"]), (Some(1), &false.into()), "{complained}");
    is_clean("what it printed", format!("{printed}{complained}").as_bytes());
    is_clean("what it printed", done(home.run(["ssh-key", "generate", "made"]).await).as_bytes());
    knows_a_server(&home).await;
    let reader = Reader::new(server.client().url(), server.client().token());
    let values = reader.values("SHOP-1").await;
    let answers = reader.every_answer(&values).await;
    assert!(answers["GetMetrics"].contains("keytrail_log_position"), "{}", answers["GetMetrics"]);
    for (operation, said) in answers {
        is_clean(operation, said.as_bytes());
    }
    for (command, printed) in every_print(&home, &values).await {
        is_clean(&command, printed.as_bytes());
    }
    // What the git server says of a wrong one is not repeated either.
    let id = lines(&added)[0]["id"].as_str().expect("an id").to_owned();
    let wrong = beside.path().join("wrong");
    std::fs::write(&wrong, format!("{} ", WebServer::PASSWORD)).expect("a file");
    let change = ["integration", "move", &id, &url, "--user", WebServer::USER, "--password-file"];
    let change = change.map(Into::into).into_iter().chain([wrong.into_os_string()]);
    is_clean("what it printed", done(home.run::<std::ffi::OsString>(change).await).as_bytes());
    let repository = lines(&done(home.run(["repository", "list", "--json"]).await))[0]["id"].clone();
    let repository = repository.as_str().expect("an id").to_owned();
    soon("the trouble is told", || async {
        done(home.run(["repository", "fetch", &repository, "--no-wait"]).await);
        let all = lines(&done(home.run(["repository", "list", "--json", "--trouble"]).await));
        all.first().is_some_and(|row| row["trouble"]["code"] == "unauthorized")
    })
    .await;
    let told = done(home.run(["repository", "list"]).await);
    assert!(told.contains("unauthorized") && told.contains("Change the connection"), "{told}");
    for (operation, (_, said)) in reader.every_reply(&values).await {
        is_clean(operation, said.as_bytes());
    }
    let bundle = home.folder().join("support.tar.gz");
    home.run(["doctor", "--bundle", text(&bundle)]).await;
    for (file, content) in support_archive::unpacked(&bundle) {
        is_clean(&file, content.as_bytes());
    }
    let (home, _) = server.terminate().await;
    assert!(home.log().contains("integration"), "it says what it does");
    assert!(files_are_clean(home.folder()) > 5);
}
