//! The server is killed at one end of a batch of a long run after the other, in place and by way of a copy, whoever fetches:
//! the run goes on where it was, and in the end everything is there once.

use std::path::PathBuf;

use keytrail_test_support::{
    repositories::{Repository, Shape, generate},
    server::{Home, Options, PATIENCE},
    web_server::WebServer,
};
use serde_json::{Value, json};

use crate::{
    index_runs::Indexed,
    stage::{Chance, PROGRAM, Part, settled, until, verified},
    stored_log::StoredLog,
};

const PROJECTS: [&str; 2] = ["DEMO", "CORE"];
/// Several batches, each of about two thousand.
const COMMITS: usize = 14_000;
/// Fewer kills than these would say little.
const ENOUGH: usize = 4;

/// How the repository is read, and who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    InPlace,
    ByGit,
    InProcess,
}

/// A home whose server reads a repository in this way; the server of the repository, and what to connect to.
fn stage(way: Way) -> (Home, Repository, WebServer, Value) {
    let set = |name: &str, value: &str| (format!("KEYTRAIL__GIT__{name}"), value.to_owned());
    let mut env = vec![set("HOSTS", "[\"127.0.0.1\"]"), set("ALLOW_HTTP", "true"), set("FREE_BYTES", "0")];
    if way == Way::InProcess {
        env.push(set("PROGRAM", "/nowhere/git"));
    }
    let home = Home::new(PROGRAM, Options { env, ..Options::default() });
    let root: PathBuf = home.folder().join("served");
    let shape = Shape {
        commits: COMMITS,
        keyed_percent: 100,
        projects: PROJECTS.map(String::from).to_vec(),
        ..Shape::default()
    };
    let repository = generate(&root.join("shop.git"), &shape).expect("git works");
    let web = WebServer::start(&root);
    let connection = match way {
        Way::InPlace => json!({ "kind": "path", "path": repository.path }),
        Way::ByGit | Way::InProcess => json!({ "kind": "git", "url": web.url("shop.git") }),
    };
    (home, repository, web, connection)
}

/// How many batches of commits are recorded, asked past the server, which may run.
struct Recorded(rusqlite::Connection);

impl Recorded {
    fn of(home: &Home) -> Self {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        Self(rusqlite::Connection::open_with_flags(home.data().join("log.db"), flags).expect("the server made it"))
    }

    fn batches(&self) -> usize {
        let sql = "SELECT COUNT(*) FROM events WHERE event_type = 'index_batch.commits_recorded'";
        let count: i64 = self.0.query_row(sql, [], |row| row.get(0)).expect("events are rows");
        usize::try_from(count).expect("none is less than none")
    }

    /// Until there are more, or all. Looked at so often that hardly an end of a batch is missed.
    async fn comes_on(&self, seen: usize, all: usize) -> usize {
        let began = std::time::Instant::now();
        loop {
            let now = self.batches();
            if now > seen || now >= all {
                return now;
            }
            assert!(began.elapsed() < PATIENCE, "{now} of {all} batches, and nothing more");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

/// The batches that a run records that nobody disturbs.
async fn undisturbed(way: Way) -> usize {
    let (home, repository, _web, connection) = stage(way);
    let server = home.start().await;
    Indexed::connect_to(&server.client(), "shop", &connection, &repository, &PROJECTS).await;
    settled(&server.client()).await;
    let batches = Recorded::of(&home).batches();
    server.terminate().await;
    batches
}

async fn killed_at_batch_ends(way: Way, name: &'static str) {
    let part = Part::begin(name);
    let of_one_run = undisturbed(way).await;
    let (home, repository, _web, connection) = stage(way);
    let mut server = home.start().await;
    let indexed = Indexed::connect_to(&server.client(), "shop", &connection, &repository, &PROJECTS).await;
    let (mut all, mut seen, mut kills) = (of_one_run, 0, 0);
    loop {
        seen = Recorded::of(&home).comes_on(seen, all).await;
        if seen < all {
            server.kill().await;
            kills += 1;
            server = home.start().await;
        } else if kills < ENOUGH {
            // It was too fast to be met often enough: once more from the beginning.
            settled(&server.client()).await;
            until("a reset", async || indexed.reset(&server.client()).await.ok_or_else(String::new)).await;
            all += of_one_run;
        } else {
            break;
        }
    }
    settled(&server.client()).await;
    verified(&server.client()).await;
    let runs = server.client().list("/api/v1/index-runs").await.expect("the server runs");
    assert_eq!(runs.len(), all / of_one_run, "nobody asked for another: {runs:?}");
    assert!(runs.iter().all(|run| run["state"] == "completed"), "each came to its end: {runs:?}");
    let commits = indexed.compare(&server.client(), &mut Chance::of_seed(1), 200).await;
    assert_eq!(Recorded::of(&home).batches(), all, "as many batches as of a run that nobody disturbed");
    let (_, status) = server.terminate().await;
    assert!(status.success(), "{status}");
    let log = StoredLog::of_folder(&home.data()).await;
    log.check();
    part.say(&format!("killed {kills} times at {all} batches; {commits} commits compared with git"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_place_that_is_killed_at_one_batch_end_after_the_other_records_everything_once() {
    killed_at_batch_ends(Way::InPlace, "batch ends, in place").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_a_copy_that_is_killed_at_one_batch_end_after_the_other_records_everything_once() {
    killed_at_batch_ends(Way::ByGit, "batch ends, copied by git").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_a_copy_in_process_that_is_killed_at_one_batch_end_after_the_other_records_everything_once() {
    killed_at_batch_ends(Way::InProcess, "batch ends, copied in process").await;
}
