//! Commands a second that are on disk: our appender over PostgreSQL and over the embedded engine, beside one insert per
//! command through postgres-es over the same cluster.
//!
//! `cargo bench --bench append -- [--callers 64] [--seconds 1] [--rounds 5]`

#[path = "measure/database.rs"]
mod database;
#[path = "measure/flags.rs"]
mod flags;
#[path = "measure/table.rs"]
mod table;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cqrs_es::persist::{PersistedEventRepository, SerializedEvent};
use database::database;
use flags::Flags;
use keytrail::{
    clock::Clock,
    ids,
    log::{Append, Lane, Log, NewEvent},
    store::{Db, migrate},
};
use keytrail_domain::{integration::Integration, recorded::StreamId};
use keytrail_test_support::postgres::Cluster;
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use table::{Table, median, seconds};
use uuid::Uuid;

const EVENT: &str = "integration.renamed";
const PAYLOAD: &str = r#"{"renamed":{"name":"the office's repositories","previous":"office"}}"#;
const METADATA: &str = r#"{"at":"2026-11-21T07:00:00.000000Z","actor":{"kind":"token","id":"01a1fceb-00f3-76ce-94b4-f42511d50b95","name":"ann"},"source":"api","request_id":"01a1fceb-1927-75f6-ae8d-21a7646d5a3b"}"#;
/// What postgres-es documents as its table.
const THEIR_TABLE: &str = "CREATE TABLE events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

#[tokio::main]
async fn main() {
    let flags = Flags::read();
    let (callers, rounds) = (flags.or("callers", 64), flags.or("rounds", 5));
    let span = Duration::from_secs_f64(flags.or("seconds", 1.0));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let embedded = log(Db::open_sqlite(folder.path()).expect("an embedded store opens")).await;
    let cluster = Cluster::start();
    let our_url = database(&cluster, "ours").await;
    let ours = log(Db::open_postgres(&our_url, 4).await.expect("our database opens")).await;
    let their_url = database(&cluster, "theirs").await;
    let (all, half) = (theirs(&their_url, 64).await, theirs(&their_url, 32).await);
    sqlx::query(THEIR_TABLE).execute(&all).await.expect("their table can be made");
    let (mut ours_, mut embedded_, mut all_, mut half_) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let figures = [
            appended(&ours, callers, span).await,
            persisted(&all, callers, span).await,
            appended(&embedded, callers, span).await,
            persisted(&half, callers, span).await,
        ];
        // The first round makes connections and prepares statements.
        if round > 0 {
            let [a, b, c, d] = figures;
            ours_.push(a);
            all_.push(b);
            embedded_.push(c);
            half_.push(d);
        }
    }
    let table = Table::new();
    let (ours, embedded) = (median(ours_), median(embedded_));
    for (pool, theirs) in [(64, median(all_)), (32, median(half_))] {
        table.line(
            &format!("{callers} callers, one event a command, PostgreSQL"),
            &format!("{ours:.0}/s"),
            &format!("postgres-es, {pool} connections: {theirs:.0}/s"),
            &format!("{:.1}", ours / theirs),
            ">= 3",
        );
    }
    table.line(
        &format!("{callers} callers, one event a command, embedded"),
        &format!("{embedded:.0}/s"),
        &format!("ours over PostgreSQL {ours:.0}/s"),
        &format!("{:.2}", embedded / ours),
        ">= 0.5",
    );
    all.close().await;
    half.close().await;
}

async fn log(db: Db) -> Arc<Log> {
    migrate::migrate(&db, Clock::System.now()).await.expect("an empty store is made ready");
    let on_fatal = Arc::new(|error: &keytrail::store::StoreError| panic!("{error}"));
    Arc::new(Log::open(Arc::new(db), Clock::System, on_fatal).await.expect("the log opens"))
}

async fn theirs(url: &str, connections: u32) -> sqlx::PgPool {
    let pool = PgPoolOptions::new().min_connections(connections).max_connections(connections);
    pool.acquire_timeout(Duration::from_secs(60)).connect(url).await.expect("their database opens")
}

/// Each caller has an aggregate of its own and sends its next command when the one before is on disk.
async fn appended(log: &Arc<Log>, callers: usize, span: Duration) -> f64 {
    let started = Instant::now();
    let callers = (0..callers).map(|_| {
        let log = log.clone();
        tokio::spawn(async move {
            let stream = StreamId::new("integration", ids::new_id());
            let mut after = 0;
            while started.elapsed() < span {
                let event = NewEvent {
                    id: ids::new_event_id(),
                    event_type: EVENT,
                    version: "1",
                    payload: PAYLOAD.to_owned(),
                    metadata: METADATA.to_owned(),
                };
                let append = Append {
                    stream,
                    after,
                    events: vec![event],
                    claims: Vec::new(),
                    idempotency: None,
                    companions: Vec::new(),
                };
                after = log.appender().append(Lane::Interactive, append).await.expect("it is appended").sequence;
            }
            after
        })
    });
    rate(callers.collect(), started).await
}

async fn persisted(pool: &sqlx::PgPool, callers: usize, span: Duration) -> f64 {
    let payload: Value = serde_json::from_str(PAYLOAD).expect("JSON");
    let metadata: Value = serde_json::from_str(METADATA).expect("JSON");
    let started = Instant::now();
    let callers = (0..callers).map(|_| {
        let (repository, payload, metadata) =
            (PostgresEventRepository::new(pool.clone()), payload.clone(), metadata.clone());
        tokio::spawn(async move {
            let id: Uuid = ids::new_id();
            let mut sequence = 0;
            while started.elapsed() < span {
                sequence += 1;
                let event = SerializedEvent::new(
                    id.to_string(),
                    sequence,
                    "integration".to_owned(),
                    EVENT.to_owned(),
                    "1".to_owned(),
                    payload.clone(),
                    metadata.clone(),
                );
                repository.persist::<Integration>(&[event], None).await.expect("it is persisted");
            }
            i64::try_from(sequence).expect("a small number")
        })
    });
    rate(callers.collect(), started).await
}

async fn rate(callers: Vec<tokio::task::JoinHandle<i64>>, started: Instant) -> f64 {
    let mut commands = 0;
    for caller in callers {
        commands += caller.await.expect("a caller ends");
    }
    commands as f64 / seconds(started.elapsed())
}
