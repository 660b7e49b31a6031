//! A disk that does not sync: the process ends rather than saying what may not be true.

use keytrail_test_support::{
    faults::Faults,
    server::{Home, Options},
};

use crate::{
    index_runs::Indexed,
    load::Entry,
    stage::{Chance, PROGRAM, Part, connect, repository, settled, small_repositories, verified},
    stored_log::StoredLog,
};

/// The exit code for a failing disk (EX_IOERR).
const IO_ERROR: i32 = 74;

/// A home whose data folder is there, with orders for its disk. With `file`, faults are for that file of it only.
fn home(file: Option<&str>) -> (Home, Faults, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let faults = Faults::below(folder.path());
    let mut env = faults.env();
    if let Some(file) = file {
        let path = folder.path().canonicalize().expect("it is there").join(file);
        env.push(("KEYTRAIL_FAULTS_BELOW".into(), path.to_string_lossy().into_owned()));
    }
    let options = Options { env, data: Some(folder.path().to_owned()), ..Options::default() };
    (Home::new(PROGRAM, options), faults, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_process_before_anybody_is_told_that_it_worked() {
    let part = Part::begin("sync error");
    let mut chance = Chance::of_run(&part);
    let (home, faults, _folder) = home(None);
    let repositories = small_repositories(home.folder(), 8);
    let projects = ["SMALL"];
    let server = home.start().await;
    let client = server.client();
    let indexed =
        Indexed::connect(&client, "indexed", &repository(&home.folder().join("i.git"), 9, 300, &projects), &projects)
            .await;
    let mut ledger = Vec::new();
    for (number, path) in repositories.iter().take(4).enumerate() {
        let (name, body) = (format!("name {number}"), connect(&format!("name {number}"), path));
        let answer = client.post("/api/v1/integrations", Some(&name), &body).await.expect("the server runs");
        assert!(answer.is_done(), "{} {}", answer.status, answer.body);
        ledger.push(Entry {
            path: "/api/v1/integrations".into(),
            key: Some(name.clone()),
            body,
            event_type: "integration.added",
            id: answer.id().to_owned(),
            position: answer.position,
            version: Some(1),
            name: Some(name),
        });
    }
    settled(&client).await;
    faults.fail_sync(true);
    let mut asked = tokio::task::JoinSet::new();
    for (number, path) in repositories.iter().enumerate().skip(4) {
        let (client, body) = (client.clone(), connect(&format!("name {number}"), path));
        asked.spawn(async move { client.post("/api/v1/integrations", Some(&format!("late {number}")), &body).await });
    }
    while let Some(answer) = asked.join_next().await {
        if let Ok(answer) = answer.expect("nothing panics") {
            assert!(!answer.is_done(), "acknowledged without a sync: {} {}", answer.status, answer.body);
        }
    }
    let (home, status) = server.ended().await;
    assert_eq!(status.code(), Some(IO_ERROR), "{}", home.log());
    // As long as the disk fails, a start that must sync does not succeed.
    match home.try_start().await {
        Err(refused) => assert!(matches!(refused.code, Some(IO_ERROR | 5)), "{refused:?}"),
        // It had nothing to sync yet.
        Ok(server) => drop(server.kill().await),
    }
    faults.fail_sync(false);
    let log = StoredLog::of_folder(&home.data()).await;
    log.check();
    log.check_acknowledged(&ledger);
    let server = home.start().await;
    let client = server.client();
    crate::load::repeat(&client, &ledger, &mut chance, 4).await;
    for (number, path) in repositories.iter().enumerate().skip(4) {
        let body = connect(&format!("name {number}"), path);
        let answer = client.post("/api/v1/integrations", Some(&format!("late {number}")), &body).await;
        let answer = answer.expect("the server runs");
        assert!(answer.is_done(), "what was not acknowledged can be asked again: {} {}", answer.status, answer.body);
    }
    settled(&client).await;
    verified(&client).await;
    indexed.compare(&client, &mut chance, 20).await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_while_the_write_ahead_log_is_folded_in_ends_the_process_too() {
    let part = Part::begin("sync error in a checkpoint");
    let (home, faults, _folder) = home(Some("log.db"));
    let repositories = small_repositories(home.folder(), 1);
    let server = home.start().await;
    let client = server.client();
    let body = connect("one", &repositories[0]);
    let added = client.post("/api/v1/integrations", None, &body).await.expect("the server runs");
    let path = format!("/api/v1/integrations/{}", added.id());
    faults.fail_sync(true);
    let mut renamed = 0;
    // The write-ahead log is folded in when it has grown to some megabytes.
    while renamed < 20_000 {
        let body = serde_json::json!({ "name": format!("name {renamed}") });
        let Ok(answer) = client.put(&format!("{path}/name"), &body).await else { break };
        assert!(answer.is_done(), "{} {}", answer.status, answer.body);
        renamed += 1;
    }
    assert!(renamed < 20_000, "the server went on although its disk did not sync");
    let (home, status) = server.ended().await;
    assert_eq!(status.code(), Some(IO_ERROR), "{}", home.log());
    faults.fail_sync(false);
    let server = home.start().await;
    let client = server.client();
    settled(&client).await;
    verified(&client).await;
    let (home, _) = server.terminate().await;
    let log = StoredLog::of_folder(&home.data()).await;
    log.check();
    let events = log.events.iter().filter(|event| event.event_type == "integration.renamed").count();
    assert!(events >= renamed, "{events} renames are there, {renamed} were acknowledged");
    part.say(&format!("the disk failed after {renamed} changes"));
}
