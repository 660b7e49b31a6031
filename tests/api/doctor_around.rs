//! What the doctor finds around a server: its configuration, its machine, its port; and where no server can start, what it
//! says all the same. With the real program.

use std::{net::TcpListener, os::unix::fs::PermissionsExt, path::PathBuf};

use keytrail_test_support::{
    postgres,
    server::{Home, Options},
};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use crate::{
    command_line::{done, lines, text},
    doctor::{begun, doctor, found, home, script},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

/// Demands this state of a check; what it says.
#[track_caller]
fn says(findings: &[Value], id: &str, state: &str) -> String {
    let finding = found(findings, id);
    assert_eq!(finding["state"], state, "{finding}");
    finding["sentence"].as_str().expect("a sentence").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_hardly_anybody_means_are_found() {
    let well = begun(&[]).await;
    let (code, findings) = doctor(&well).await;
    assert_eq!(code, Some(0), "{findings:?}");
    assert!(findings.len() >= 35, "{}", findings.len());
    for id in ["environment", "limits", "listen", "port", "data_folder", "data_file_system", "root_key", "disk_files"] {
        found(&findings, id);
    }
    for id in ["environment", "limits", "data_folder", "root_key", "open_files", "memory"] {
        says(&findings, id, "ok");
    }
    // Those of one subject stand together.
    let mut subjects: Vec<_> = findings.iter().map(|one| one["subject"].as_str().expect("a word")).collect();
    subjects.dedup();
    let mut once = subjects.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(subjects.len(), once.len(), "{subjects:?}");

    let taken = TcpListener::bind("0.0.0.0:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let odd = begun(&[
        ("KEYTRAIL_STORE_FOLDER", "/x"),
        ("KEYTRAIL__GIT__SILENCE_SECONDS", "1"),
        ("KEYTRAIL__GIT__FREE_BYTES", "0"),
        ("KEYTRAIL__SERVER__WORKERS", "500"),
        ("KEYTRAIL__SERVER__LISTEN", &address),
    ])
    .await;
    let (code, findings) = doctor(&odd).await;
    assert_eq!(code, Some(1), "the port is taken");
    assert!(says(&findings, "environment", "warn").contains("KEYTRAIL__STORE__FOLDER"));
    let limits = says(&findings, "limits", "warn");
    for key in ["git.silence_seconds", "git.free_bytes", "server.workers"] {
        assert!(limits.contains(key), "{limits}");
    }
    assert!(says(&findings, "listen", "warn").contains("there is no TLS"));
    assert!(says(&findings, "port", "fail").contains(&address));
    drop(taken);
    let (code, findings) = doctor(&odd).await;
    assert_eq!(code, Some(0));
    says(&findings, "port", "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_open_files_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrapped = folder.path().join("keytrail");
    script(&wrapped, &format!("#!/bin/sh\nulimit -n 300\nexec {PROGRAM} \"$@\"\n"));
    let home = Home::new(text(&wrapped), Options::default());
    let (code, findings) = doctor(&home).await;
    assert_eq!(code, Some(1));
    assert!(says(&findings, "open_files", "fail").starts_with("300 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_in_memory_is_found() {
    let shared = PathBuf::from("/dev/shm");
    let Ok(folder) = tempfile::tempdir_in(&shared) else {
        panic!("this test needs a file system in memory at {}", shared.display());
    };
    let data = Some(folder.path().join("data"));
    let home = Home::new(PROGRAM, Options { data, ..Options::default() });
    home.start().await.terminate().await;
    let (_, findings) = doctor(&home).await;
    assert!(says(&findings, "data_file_system", "warn").contains("memory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_forgets_and_one_without_room_are_found() {
    let database = postgres::database().await;
    let name = database.url().split('?').next().and_then(|url| url.rsplit('/').next()).expect("a name").to_owned();
    let mut connection = PgConnection::connect(&database.url()).await.expect("a connection");
    let off = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    sqlx::raw_sql(&off).execute(&mut connection).await.expect("SQL");
    let env = vec![("KEYTRAIL__STORE__CONNECTIONS".to_owned(), "1000".to_owned())];
    let home = Home::new(PROGRAM, Options { database_url: Some(database.url()), env, ..Options::default() });
    done(home.run(["token", "list"]).await);
    let (code, findings) = doctor(&home).await;
    assert_eq!(code, Some(1));
    assert!(says(&findings, "store_settings", "fail").ends_with("synchronous_commit = off"));
    says(&findings, "store_connections", "fail");
    says(&findings, "database_clock", "ok");
    assert!(says(&findings, "store_engine", "ok").contains("PostgreSQL"));
}

/// Where no server can start, the doctor says why, and what else it sees.
async fn cannot_start(home: &Home, words: &[&str]) -> Vec<Value> {
    let (code, findings) = doctor(home).await;
    assert_eq!(code, Some(1), "{findings:?}");
    let why = says(&findings, "server", "fail");
    for word in words {
        assert!(why.contains(word), "{why}");
    }
    for id in ["environment", "limits", "data_folder", "disk", "open_files", "memory", "listen", "port", "root_key"] {
        found(&findings, id);
    }
    findings
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_can_start_it_says_what_it_can() {
    let home = home(&[]);
    let server = home.start().await;
    // It runs, and the command line cannot find it.
    std::fs::remove_file(home.data().join("server.json")).expect("it is there");
    cannot_start(&home, &["another process uses"]).await;
    server.terminate().await;
    assert_eq!(doctor(&home).await.0, Some(0));

    std::fs::set_permissions(home.root_key(), PermissionsExt::from_mode(0o644)).expect("it is ours");
    let findings = cannot_start(&home, &["can be read by others"]).await;
    says(&findings, "root_key", "fail");
    std::fs::set_permissions(home.root_key(), PermissionsExt::from_mode(0o600)).expect("it is ours");
    let key = std::fs::read(home.root_key()).expect("it is there");
    std::fs::remove_file(home.root_key()).expect("it is ours");
    keytrail_test_support::server::write_root_key(&home.root_key());
    cannot_start(&home, &["does not belong to this database"]).await;
    std::fs::remove_file(home.root_key()).expect("it is ours");
    let findings = cannot_start(&home, &["there is no root key at"]).await;
    says(&findings, "root_key", "fail");
    std::fs::write(home.root_key(), key).expect("it is ours");
    std::fs::set_permissions(home.root_key(), PermissionsExt::from_mode(0o600)).expect("it is ours");

    // The doctor runs no migration.
    let store = || rusqlite::Connection::open(home.data().join("log.db")).expect("it is stopped");
    let row: (String, i64) = store()
        .query_row(
            "SELECT checksum, applied_at FROM schema_migrations WHERE name = 'log_0003_poll_shards'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("it ran");
    store().execute("DELETE FROM schema_migrations WHERE name = 'log_0003_poll_shards'", []).expect("a row");
    cannot_start(&home, &["log_0003_poll_shards"]).await;
    let count = "SELECT COUNT(*) FROM schema_migrations WHERE name = 'log_0003_poll_shards'";
    assert_eq!(store().query_row(count, [], |row| row.get::<_, i64>(0)).expect("a number"), 0);
    let insert = "INSERT INTO schema_migrations (name, checksum, applied_at) VALUES ('log_0003_poll_shards', ?1, ?2)";
    store().execute(insert, rusqlite::params![row.0, row.1]).expect("a row");
    assert_eq!(doctor(&home).await.0, Some(0));

    let printed = home.run(["doctor"]).await.1;
    for word in ["data folder", "  ok    log_leaves", "failing"] {
        assert!(printed.contains(word), "{printed}");
    }
    assert!(!printed.contains('\u{1b}'), "colours are for terminals");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_a_finding() {
    let home = home(&[("KEYTRAIL__SERVER__WORKERS", "many"), ("KEYTRAIL_LOG_LEVEL", "debug")]);
    let (code, printed, said) = home.run(["doctor", "--json"]).await;
    assert_eq!(code, Some(1), "{printed}{said}");
    let findings = lines(&printed);
    assert!(says(&findings, "configuration", "fail").contains("server.workers"), "{printed}");
    says(&findings, "environment", "warn");
    found(&findings, "memory");
    assert!(!home.data().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_none_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").expect("a file");
    let home = Home::new(PROGRAM, Options { data: Some(file), ..Options::default() });
    let findings = cannot_start(&home, &["a-file"]).await;
    assert!(says(&findings, "data_folder", "fail").contains("is no folder"));
}
