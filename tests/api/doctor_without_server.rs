//! The doctor where no server runs: it looks into the store, and leaves everything as it was; where there is none, it makes
//! none. With the real program.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use keytrail::{
    clock::Clock,
    jobs::{Kind, NewJob},
    store::{Area, Db, Statement},
};
use keytrail_projections::value::{Cells, Row, Value};
use keytrail_test_support::{
    postgres,
    server::{Home, Options},
};

use crate::{
    command_line::{done, lines, text},
    doctor::{doctor, found},
    repository,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_keytrail");

/// What a working server changes while nobody asks it for anything.
const TABLES: [&str; 5] = [
    "SELECT global_position, event_type FROM events ORDER BY global_position",
    "SELECT position, epoch FROM log_head",
    "SELECT kind, key, state, attempts, run_after, epoch FROM jobs ORDER BY kind, key",
    "SELECT name, position, epoch, lease_until FROM reactor_checkpoints ORDER BY name",
    "SELECT scope, aggregate_id FROM claims ORDER BY scope, aggregate_id",
];

async fn opened(home: &Home, database_url: Option<&str>) -> Db {
    match database_url {
        None => Db::open_sqlite(&home.data()).expect("no server has it"),
        Some(url) => Db::open_postgres(url, 2).await.expect("it answers"),
    }
}

/// The rows of the tables of truth.
async fn rows(home: &Home, database_url: Option<&str>) -> Vec<Vec<Row>> {
    let db = opened(home, database_url).await;
    let mut all = Vec::new();
    for sql in TABLES {
        all.push(db.read(Area::Log, sql, &[]).await.expect("rows"));
    }
    db.close().await;
    all
}

/// Every file below the data folder with its content, but those of the store, which is compared by its rows.
fn files(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.insert(path.clone(), Vec::new());
                folders.push(path);
            } else if !path.to_string_lossy().contains(".db") {
                found.insert(path.clone(), std::fs::read(&path).expect("a file"));
            }
        }
    }
    found
}

/// Leaves a server that was stopped with work that waits: a job that is due, and events that no policy has seen.
async fn leave_work(home: &Home, database_url: Option<&str>, repository: &str) {
    let db = opened(home, database_url).await;
    let job = NewJob {
        kind: Kind::RequestIndex,
        key: repository.to_owned(),
        repository: None,
        integration: None,
        caused_by: 1,
        is_urgent: false,
    };
    let back = "UPDATE reactor_checkpoints SET position = 0";
    let statements = vec![job.enqueue(&db, Clock::System.now()), Statement::new(back, vec![])];
    db.write(Area::Log, statements).await.expect("the rows");
    db.close().await;
}

async fn looks_and_leaves_everything(database_url: Option<String>) {
    let options = Options { database_url: database_url.clone(), ..Options::default() };
    let home = Home::new(PROGRAM, options);
    let url = database_url.as_deref();
    let server = home.start().await;
    let path = server.home().folder().join("shop");
    repository::with_commits(&path, &["SHOP-1 begins"]);
    done(server.home().run(["index", text(&path)]).await);
    let repository = lines(&done(server.home().run(["repository", "list", "--json"]).await)).remove(0);
    let repository = repository["id"].as_str().expect("an id").to_owned();
    let (home, _) = server.terminate().await;
    // A look at the repository would find it.
    repository::git(&path, &["commit", "-q", "--allow-empty", "-m", "SHOP-2 goes on"]);
    leave_work(&home, url, &repository).await;

    let before = (rows(&home, url).await, files(&home.data()));
    let (code, findings) = doctor(&home).await;
    assert_eq!(code, Some(0), "{findings:?}");
    let jobs = found(&findings, "jobs")["sentence"].to_string();
    assert!(jobs.contains("1 job waits") && jobs.contains("no server runs"), "{jobs}");
    assert_eq!(found(&findings, "reactor")["state"], "ok");
    let archive = home.folder().join("support.tar.gz");
    done(home.run(["doctor", "--bundle", text(&archive)]).await);
    let after = (rows(&home, url).await, files(&home.data()));
    assert_eq!(before, after, "the doctor changes nothing");

    // A server does what waited: it was there to be done.
    let server = home.start().await;
    let client = server.client();
    // What could not be done at once, since a view was not there yet, is tried again some seconds later.
    let mut runs = Vec::new();
    for _ in 0..900 {
        runs = client.list("/api/v1/index-runs").await.unwrap_or_default();
        if runs.len() > 1 && runs.iter().all(|run| run["state"] == "completed") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(runs.len() > 1 && runs.iter().all(|run| run["state"] == "completed"), "what waited is done: {runs:?}");
    server.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_runs_the_doctor_leaves_an_embedded_store_as_it_was() {
    looks_and_leaves_everything(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_server_runs_the_doctor_leaves_a_store_on_postgresql_as_it_was() {
    let database = postgres::database().await;
    looks_and_leaves_everything(Some(database.url())).await;
}

/// How many tables a database has.
async fn tables(url: &str) -> i64 {
    let db = Db::open_postgres(url, 2).await.expect("it answers");
    let sql = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema()";
    let rows = db.read(Area::Log, sql, &[]).await.expect("rows");
    db.close().await;
    Cells::of(&rows[0]).int().expect("a number")
}

/// Demands that it finds no store, and all that can be found without.
async fn finds_no_store(home: &Home) {
    let (code, findings) = doctor(home).await;
    assert_eq!(code, Some(1), "{findings:?}");
    let server = found(&findings, "server");
    let said = server["sentence"].to_string();
    assert!(said.contains("there is no store") && said.contains("`keytrail serve` makes it"), "{said}");
    assert_eq!((&server["subject"], &server["state"]), (&"store".into(), &"fail".into()), "{server}");
    for id in ["environment", "data_folder", "disk", "port", "root_key"] {
        found(&findings, id);
    }
}

async fn finds_nothing_and_makes_nothing(database_url: Option<String>) {
    let url = database_url.as_deref();
    let home = Home::new(PROGRAM, Options { database_url: database_url.clone(), ..Options::default() });
    // On PostgreSQL a person made it.
    let has_key = home.root_key().exists();
    finds_no_store(&home).await;
    assert!(!home.data().exists(), "a folder was made");
    std::fs::create_dir(home.data()).expect("a folder");
    finds_no_store(&home).await;
    assert_eq!(std::fs::read_dir(home.data()).expect("a folder").count(), 0, "something was made in it");
    if let Some(url) = url {
        assert_eq!(tables(url).await, 0, "tables were made");
    }
    // Tables in which nothing is kept yet are no store either: no key is made for them.
    done(home.run(["migrate"]).await);
    finds_no_store(&home).await;
    assert_eq!(home.root_key().exists(), has_key, "a root key was made");
    assert!(!home.data().join("node").exists() && !home.data().join("caches").exists());
    // What it says helps.
    home.start().await.terminate().await;
    let (_, findings) = doctor(&home).await;
    found(&findings, "log_head");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_stays_empty_on_the_embedded_store() {
    finds_nothing_and_makes_nothing(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_and_an_empty_database_stay_empty_on_postgresql() {
    let database = postgres::database().await;
    finds_nothing_and_makes_nothing(Some(database.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_that_is_not_there_is_not_made_to_look_into_a_database_that_is() {
    let database = postgres::database().await;
    let options = Options { database_url: Some(database.url()), ..Options::default() };
    let home = Home::new(PROGRAM, options.clone());
    home.start().await.terminate().await;
    let other = Home::new(PROGRAM, Options { root_key: Some(home.root_key()), ..options });
    let (_, findings) = doctor(&other).await;
    for id in ["log_head", "mirrors", "mirrors_leftovers"] {
        assert_eq!(found(&findings, id)["state"], "ok", "{findings:?}");
    }
    assert!(!other.data().exists(), "a folder was made");
}

/// The builds of all views, after `change`.
async fn builds(home: &Home, database_url: Option<&str>, change: Option<&str>) -> Vec<Row> {
    let db = opened(home, database_url).await;
    if let Some(change) = change {
        db.write(Area::Views, vec![Statement::new(change.to_owned(), vec![])]).await.expect("it is changed");
    }
    let sql = "SELECT view, build, version, status, position FROM view_builds ORDER BY view, build";
    let rows = db.read(Area::Views, sql, &[]).await.expect("rows");
    db.close().await;
    rows
}

async fn leaves_the_views_of_another_version_alone(database_url: Option<String>) {
    let url = database_url.as_deref();
    let home = Home::new(PROGRAM, Options { database_url: database_url.clone(), ..Options::default() });
    // It can be read, so it was built.
    done(home.run(["token", "list"]).await);
    let older = "UPDATE view_builds SET version = 0 WHERE view = 'token_list'";
    let before = builds(&home, url, Some(older)).await;
    let (code, findings) = doctor(&home).await;
    assert_eq!(code, Some(1), "{findings:?}");
    let said = found(&findings, "server")["sentence"].to_string();
    assert!(said.contains("another version") && said.contains("token_list"), "{said}");
    assert_eq!(builds(&home, url, None).await, before);
    // A server builds it, and then there is something to look into.
    done(home.run(["token", "list"]).await);
    let (_, findings) = doctor(&home).await;
    found(&findings, "log_head");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_leaves_views_of_another_version_alone_on_the_embedded_store() {
    leaves_the_views_of_another_version_alone(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_leaves_views_of_another_version_alone_on_postgresql() {
    let database = postgres::database().await;
    leaves_the_views_of_another_version_alone(Some(database.url())).await;
}

async fn begins_no_view(database_url: Option<String>) {
    let url = database_url.as_deref();
    let home = Home::new(PROGRAM, Options { database_url: database_url.clone(), ..Options::default() });
    done(home.run(["token", "list"]).await);
    let of_tokens =
        |all: Vec<Row>| -> Vec<Row> { all.into_iter().filter(|row| row[0] == Value::from("token_list")).collect() };
    // As if nobody had built it yet.
    let none = "UPDATE view_builds SET status = 'retired' WHERE view = 'token_list'";
    let before = of_tokens(builds(&home, url, Some(none)).await);
    assert!(!before.is_empty());
    let (_, findings) = doctor(&home).await;
    let views = found(&findings, "views");
    let said = views["sentence"].to_string();
    assert!(said.contains("not built") && said.contains("token_list"), "{said}");
    assert!(views["state"] == "warn" && views["remedy"].to_string().contains("keytrail serve"), "{views}");
    assert_eq!(of_tokens(builds(&home, url, None).await), before);
    // What it says helps.
    done(home.run(["token", "list"]).await);
    let after = of_tokens(builds(&home, url, None).await);
    assert!(after.iter().any(|row| row[3] == Value::from("live")), "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_begins_no_view_on_the_embedded_store() {
    begins_no_view(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_begins_no_view_on_postgresql() {
    let database = postgres::database().await;
    begins_no_view(Some(database.url())).await;
}
