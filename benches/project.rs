//! A rebuild of `issue_commits` from the log, beside a view that is folded link by link in the shape of cqrs-es's
//! `GenericQuery`: load the row of the issue, fold, save it under its version, commit.
//!
//! It is timed on a sample, over a table as it is halfway through the same log, and reckoned up to all links. Each save is
//! a commit, as durable as the engine makes it unless it is told otherwise.
//!
//! `cargo bench --bench project -- [--links 100000] [--keys-per-commit 1] [--sample 2000] [--rounds 5]`

#[path = "measure/database.rs"]
mod database;
#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/links.rs"]
mod links;
#[path = "measure/table.rs"]
mod table;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use database::database;
use flags::Flags;
use keytrail::{
    clock::Clock,
    log::Log,
    store::{Db, migrate},
    views::{Status, Views},
};
use keytrail_projections::{issue_commits::IssueCommits, view::View};
use keytrail_test_support::postgres::Cluster;
use links::Dice;
use rusqlite::OptionalExtension;
use serde_json::{Value, json};
use sqlx::Row;
use table::{Table, median, seconds};
use tokio_util::sync::CancellationToken;

const SELECT: &str = "SELECT version, payload FROM issue_view WHERE view_id = $1";
const INSERT: &str = "INSERT INTO issue_view (payload, version, view_id) VALUES ($1, $2, $3)";
const UPDATE: &str = "UPDATE issue_view SET payload = $1, version = $2 WHERE view_id = $3 AND version = $4";

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = Table::new();
    let db = Db::open_sqlite(folder.path()).expect("an embedded store opens");
    engine(&flags, &table, db, &mut embedded(folder.path())).await;
    let cluster = Cluster::start();
    let db = Db::open_postgres(&database(&cluster, "ours").await, 16).await.expect("our database opens");
    engine(&flags, &table, db, &mut in_postgres(&database(&cluster, "theirs").await).await).await;
}

async fn engine(flags: &Flags, table: &Table, db: Db, theirs: &mut Theirs) {
    let (links, sample) = (flags.or("links", 100_000), flags.or("sample", 2_000));
    let name = db.engine();
    migrate::migrate(&db, Clock::System.now()).await.expect("an empty store is made ready");
    let db = Arc::new(db);
    let on_fatal = Arc::new(|error: &keytrail::store::StoreError| panic!("{error}"));
    let log = Arc::new(Log::open(db.clone(), Clock::System, on_fatal).await.expect("the log opens"));
    let links = links::append(&log, links, flags.or("keys-per-commit", 1)).await;
    let (stop, view): (_, &'static dyn View) = (CancellationToken::new(), &IssueCommits);
    let views = Views::start(db.clone(), log.feed().clone(), Clock::System, "bench", &[view], true, &stop);
    while !live(&views, log.feed().head().position) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    theirs.fill(links / 5).await;
    let (mut rebuilds, mut one_by_one) = (Vec::new(), Vec::new());
    for round in 0..flags.or("rounds", 5) {
        let started = Instant::now();
        rebuild(&views).await;
        rebuilds.push(seconds(started.elapsed()));
        let started = Instant::now();
        theirs.fold(sample, links / 5, round).await;
        one_by_one.push(seconds(started.elapsed()) / sample as f64 * links as f64);
    }
    let (ours, theirs) = (median(rebuilds), median(one_by_one));
    table.line(
        &format!("rebuild of issue_commits, {links} links, {name}"),
        &format!("{ours:.2} s ({:.0} links/s)", links as f64 / ours),
        &format!("link by link {theirs:.0} s (from {sample})"),
        &format!("{:.0}", theirs / ours),
        ">= 20, and <= 60 s for 1,000,000",
    );
    stop.cancel();
    views.stopped().await;
}

fn live(views: &Views, head: i64) -> bool {
    views.states().iter().all(|(_, _, state)| state.status == Status::Live && state.position >= head)
}

/// Until the new build has taken the place of the old one.
async fn rebuild(views: &Views) {
    assert!(
        views.rebuild(IssueCommits.name()).await.expect("a rebuild can be asked for").is_some(),
        "it is registered"
    );
    for wanted in [true, false] {
        while views.states().iter().all(|(_, _, state)| state.building.is_some() != wanted) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Where views are kept row by row.
enum Theirs {
    Embedded(rusqlite::Connection),
    Postgres(sqlx::PgPool),
}

fn embedded(folder: &Path) -> Theirs {
    let connection = rusqlite::Connection::open(folder.join("theirs.db")).expect("a file can be made");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE issue_view (view_id TEXT PRIMARY KEY, version INTEGER NOT NULL, payload TEXT NOT NULL);",
        )
        .expect("a table can be made");
    Theirs::Embedded(connection)
}

async fn in_postgres(url: &str) -> Theirs {
    let pool = sqlx::PgPool::connect(url).await.expect("their database opens");
    sqlx::query("CREATE TABLE issue_view (view_id text PRIMARY KEY, version bigint NOT NULL, payload json NOT NULL)")
        .execute(&pool)
        .await
        .expect("a table can be made");
    Theirs::Postgres(pool)
}

impl Theirs {
    /// Half of its five commits for each issue.
    async fn fill(&mut self, issues: u64) {
        let view = json!({ "commits": [shown("KAFKA-1", &mut Dice(1)), shown("KAFKA-1", &mut Dice(2))] }).to_string();
        let ids: Vec<String> = (0..issues.max(1)).map(|issue| links::key(links::place(issue)).to_string()).collect();
        match self {
            Self::Embedded(connection) => {
                let transaction = connection.transaction().expect("a transaction begins");
                for id in ids {
                    let mut insert = transaction.prepare_cached(INSERT).expect("good SQL");
                    insert.execute(rusqlite::params![view, 2, id]).expect("a row can be added");
                }
                transaction.commit().expect("it is committed");
            }
            Self::Postgres(pool) => {
                let sql =
                    "INSERT INTO issue_view (view_id, version, payload) SELECT id, 2, $1::json FROM unnest($2) id";
                sqlx::query(sql).bind(view).bind(ids).execute(&*pool).await.expect("rows can be added");
            }
        }
    }

    async fn fold(&mut self, sample: u64, issues: u64, round: u64) {
        let mut dice = Dice(round);
        for _ in 0..sample {
            let id = links::key(dice.issue(issues.max(1))).to_string();
            let stored = self.load(&id).await;
            let (version, mut view) = stored.unwrap_or_else(|| (0, json!({ "commits": [] })));
            if let Some(commits) = view["commits"].as_array_mut() {
                commits.push(shown(&id, &mut dice));
            }
            self.save(&id, version, view).await;
        }
    }

    async fn load(&self, id: &str) -> Option<(i64, Value)> {
        match self {
            Self::Embedded(connection) => {
                let mut select = connection.prepare_cached(SELECT).expect("good SQL");
                let row = select.query_row([id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
                let (version, payload) = row.optional().expect("the row can be read")?;
                Some((version, serde_json::from_str(&payload).expect("JSON")))
            }
            Self::Postgres(pool) => {
                let row = sqlx::query(SELECT).bind(id).fetch_optional(pool).await.expect("the row can be read")?;
                let payload = row.try_get_unchecked::<&str, _>(1).expect("text");
                Some((row.get(0), serde_json::from_str(payload).expect("JSON")))
            }
        }
    }

    async fn save(&self, id: &str, version: i64, view: Value) {
        let (next, first) = (version + 1, version == 0);
        match self {
            Self::Embedded(connection) => {
                let payload = view.to_string();
                let mut save = connection.prepare_cached(if first { INSERT } else { UPDATE }).expect("good SQL");
                let saved = if first {
                    save.execute(rusqlite::params![payload, next, id])
                } else {
                    save.execute(rusqlite::params![payload, next, id, version])
                };
                assert_eq!(saved.expect("the row can be saved"), 1);
            }
            Self::Postgres(pool) => {
                let sql = if first { INSERT } else { UPDATE };
                let query = sqlx::query(sql).bind(sqlx::types::Json(view)).bind(next).bind(id);
                let query = if first { query } else { query.bind(version) };
                assert_eq!(query.execute(pool).await.expect("the row can be saved").rows_affected(), 1);
            }
        }
    }
}

/// What such a view holds of a commit.
fn shown(id: &str, dice: &mut Dice) -> Value {
    json!({
        "sha": format!("{:016x}{:016x}{:08x}", dice.next(), dice.next(), dice.next() >> 32),
        "repository": 7,
        "committed_at": 1_300_000_000 + (dice.next() >> 40),
        "subject": format!("{id}: Let the broker wait for {:x} replicas at most", dice.next() >> 40),
    })
}
