//! Starts that must not succeed: each says what to do, ends with the documented code, and leaves everything as it was.

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use keytrail_test_support::{
    postgres,
    server::{Home, Options, Refused, write_root_key},
};

use crate::stage::{PROGRAM, Part, home};

/// The command or the configuration is wrong.
const WRONG: Option<i32> = Some(2);
/// The server is not available.
const UNAVAILABLE: Option<i32> = Some(5);

/// Starts it where it must not start, and looks whether it says all of this.
async fn refused(home: &Home, code: Option<i32>, words: &[&str]) {
    let refused = match home.try_start().await {
        Ok(_) => panic!("the server started; it should have said {words:?}"),
        Err(refused) => refused,
    };
    let Refused { code: ended, said } = &refused;
    let sentence = said.lines().find(|line| line.starts_with("keytrail: ")).unwrap_or_default();
    assert_eq!(*ended, code, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {sentence} (all: {said})");
    }
}

/// Makes the store of this home, and stops again.
async fn used(home: &Home) {
    let (_, status) = home.start().await.terminate().await;
    assert!(status.success(), "{status}");
}

fn with(home: &Home, options: Options) -> Home {
    let data = options.data.clone().unwrap_or_else(|| home.data());
    let root_key = options.root_key.clone().unwrap_or_else(|| home.root_key());
    Home::new(PROGRAM, Options { data: Some(data), root_key: Some(root_key), ..options })
}

fn variable(name: &str, value: &str) -> Options {
    Options { env: vec![(name.to_owned(), value.to_owned())], ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_key_that_is_wrong_missing_exposed_misplaced_or_malformed_is_refused() {
    let _part = Part::begin("refused: root keys, sqlite");
    let first = home(None);
    used(&first).await;
    let key = |name: &str| first.folder().join(name);
    let other = |path: &Path| with(&first, Options { root_key: Some(path.to_owned()), ..Options::default() });
    write_root_key(&key("other.key"));
    refused(&other(&key("other.key")), UNAVAILABLE, &["does not belong to this database", "start with that one"]).await;
    refused(&other(&key("missing.key")), UNAVAILABLE, &["there is no root key at", "put back the file"]).await;
    assert!(!key("missing.key").exists(), "none is made for a store that has secrets");
    write_root_key(&key("exposed.key"));
    std::fs::set_permissions(key("exposed.key"), PermissionsExt::from_mode(0o644)).expect("it is ours");
    refused(&other(&key("exposed.key")), UNAVAILABLE, &["can be read by others", "chmod 600"]).await;
    let inside = first.data().join("inside.key");
    write_root_key(&inside);
    refused(&other(&inside), UNAVAILABLE, &["inside the data folder", "move it"]).await;
    std::fs::write(key("malformed.key"), "not a key").expect("it is ours");
    std::fs::set_permissions(key("malformed.key"), PermissionsExt::from_mode(0o600)).expect("it is ours");
    refused(&other(&key("malformed.key")), UNAVAILABLE, &["is not 32 bytes in base64", "openssl rand"]).await;
    // After all of these it starts as before.
    used(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_a_root_key_that_is_wrong_missing_or_not_given_is_refused() {
    let _part = Part::begin("refused: root keys, postgres");
    let database = postgres::database().await;
    let first = home(Some(database.url()));
    let on = |root_key| Options { database_url: Some(database.url()), root_key: Some(root_key), ..Options::default() };
    let nowhere = first.folder().join("missing.key");
    refused(&Home::new(PROGRAM, on(nowhere.clone())), UNAVAILABLE, &["there is no root key at"]).await;
    assert!(!nowhere.exists(), "on PostgreSQL it is given, not made");
    used(&first).await;
    let other = first.folder().join("other.key");
    write_root_key(&other);
    refused(&Home::new(PROGRAM, on(other)), UNAVAILABLE, &["does not belong to this database"]).await;
    let (code, _, said) = without_key(&first, &database.url()).await;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains("no root key was given") && said.contains("openssl rand"), "{said}");
    used(&first).await;
}

/// Starts it with no word about a root key.
async fn without_key(home: &Home, url: &str) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", url, "--data"]).arg(home.data());
    command.env("HOME", home.folder()).env_remove("XDG_CONFIG_HOME").kill_on_drop(true);
    let output = command.output().await.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_in_use_or_unusable_is_refused_and_its_user_goes_on() {
    let _part = Part::begin("refused: data folders");
    let first = home(None);
    let server = first.start().await;
    let client = server.client();
    refused(&with(&first, Options::default()), UNAVAILABLE, &["another process uses", "stop it first"]).await;
    assert_eq!(client.get("/api/v1/integrations").await.expect("it goes on").status, 200);
    let endpoint = std::fs::read_to_string(first.data().join("server.json")).expect("it is still there");
    assert!(endpoint.contains(client.url()), "the one that was refused took server.json away");
    server.terminate().await;

    let file = first.folder().join("a-file");
    std::fs::write(&file, "").expect("it is ours");
    let at_file = with(&first, Options { data: Some(file.clone()), ..Options::default() });
    refused(&at_file, UNAVAILABLE, &["cannot be used", "a-file"]).await;
    let below_file = with(&first, Options { data: Some(file.join("data")), ..Options::default() });
    refused(&below_file, UNAVAILABLE, &["cannot be used", "a-file"]).await;
    let stranger = first.data().join("log.db");
    let strange = first.folder().join("strange");
    std::fs::create_dir(&strange).expect("it is ours");
    std::fs::write(strange.join("log.db"), "this is no database, and it is long enough to be looked at".repeat(20))
        .expect("it is ours");
    let at_strange = with(&first, Options { data: Some(strange.clone()), ..Options::default() });
    refused(&at_strange, UNAVAILABLE, &["damaged or not ours"]).await;
    let kept = std::fs::read_to_string(strange.join("log.db")).expect("it is still there");
    assert!(kept.starts_with("this is no database"), "what is not ours stays as it is");
    assert!(stranger.exists());
    used(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_without_permissions_is_refused() {
    let part = Part::begin("refused: permissions");
    let first = home(None);
    used(&first).await;
    let mut command = first.command(["serve", "--listen", "127.0.0.1:0"]);
    let root = std::fs::metadata("/proc/self").expect("/proc tells who we are").uid() == 0;
    if root {
        // Root may read everything: somebody else tries.
        const NOBODY: u32 = 65_534;
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        std::fs::set_permissions(first.folder(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        part.say("as root: the server is started as nobody");
    }
    std::fs::set_permissions(first.data(), PermissionsExt::from_mode(if root { 0o700 } else { 0o000 })).expect("ours");
    let output = match command.output().await {
        Ok(output) => output,
        Err(error) => return part.say(&format!("DID NOT RUN: nobody may not run the program here ({error})")),
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), UNAVAILABLE, "{said}");
    assert!(said.contains("Permission denied") && !said.contains("panicked"), "{said}");
    std::fs::set_permissions(first.data(), PermissionsExt::from_mode(0o700)).expect("it is ours");
    used(&first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_refused_before_anything_is_made() {
    let _part = Part::begin("refused: port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it has an address").to_string();
    let home = home(None);
    let (code, _, said) = home.run(["serve", "--listen", &address]).await;
    assert_eq!(code, UNAVAILABLE, "{said}");
    assert!(said.contains("cannot listen on") && said.contains(&address), "{said}");
    assert!(!home.data().exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let _part = Part::begin("refused: newer schema");
    let home = home(None);
    used(&home).await;
    for (file, name) in [("log.db", "log_9999_from_the_future"), ("views.db", "views_9999_from_the_future")] {
        let store = || rusqlite::Connection::open(home.data().join(file)).expect("it is stopped");
        let insert = "INSERT INTO schema_migrations (name, checksum, applied_at) VALUES (?1, 'x', 0)";
        store().execute(insert, [name]).expect("it is a valid row");
        refused(&home, UNAVAILABLE, &[name, "start the newer version"]).await;
        store().execute("DELETE FROM schema_migrations WHERE name = ?1", [name]).expect("it is a row");
    }
    used(&home).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_understood_is_refused_before_anything_is_made() {
    let _part = Part::begin("refused: configuration");
    let first = home(None);
    refused(&with(&first, variable("KEYTRAIL__STORE__FOLDR", "/x")), WRONG, &["cannot be used", "foldr"]).await;
    refused(&with(&first, variable("KEYTRAIL__SERVER__WORKERS", "many")), WRONG, &["cannot be used", "server.workers"])
        .await;
    let file = first.folder().join("keytrail.toml");
    std::fs::write(&file, "[jobs]\nworkrs = 3\n").expect("it is ours");
    let (code, _, said) = first.run([Path::new("serve"), Path::new("--config"), &file]).await;
    assert_eq!(code, WRONG, "{said}");
    assert!(said.contains("workrs"), "{said}");
    let (code, _, said) = first.run(["serve", "--config", "/nowhere/keytrail.toml"]).await;
    assert_eq!(code, WRONG, "{said}");
    assert!(said.contains("there is no configuration file"), "{said}");
    assert!(!first.data().exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_refused_without_telling_its_password() {
    let _part = Part::begin("refused: database");
    let shared = postgres::shared_url("postgres");
    let missing = shared.replacen("/postgres", "/there_is_no_such_database", 1);
    for (url, words) in [
        ("this is no url".to_owned(), &["the database URL cannot be read"][..]),
        ("postgres://me:hunter2@127.0.0.1:1/x".to_owned(), &["the database is not available"][..]),
        (missing, &["there_is_no_such_database"][..]),
    ] {
        let home = home(Some(url));
        let refusal = match home.try_start().await {
            Ok(_) => panic!("the server started"),
            Err(refused) => refused,
        };
        assert_eq!(refusal.code, UNAVAILABLE, "{}", refusal.said);
        for word in words {
            assert!(refusal.said.contains(word), "{word:?} is missing in {}", refusal.said);
        }
        assert!(!refusal.said.contains("hunter2"), "a password is told: {}", refusal.said);
    }
}
