//! Runs a case on each engine, on a database of its own.

use std::{sync::Arc, time::Duration};

use keytrail::{
    clock::Clock,
    store::{Area, Db, Statement, migrate::migrate},
};
use keytrail_projections::value::{Row, Value};
use keytrail_test_support::postgres::{Database, database, database_like};

/// No case takes longer than this, however slow the machine: one that does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes each case a test of both engines: `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { $crate::engines::on_sqlite(super::$name); })+
        }
        mod postgres {
            $(#[test] fn $name() { $crate::engines::on_postgres(|db, _| super::$name(db)); })+
        }
    };
}

/// Makes each case a test of PostgreSQL. The case is also told how other nodes reach the database.
macro_rules! on_postgres_only {
    ($($name:ident),+ $(,)?) => {
        mod postgres_only {
            $(#[test] fn $name() { $crate::engines::on_postgres(super::$name); })+
        }
    };
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

async fn in_time(case: impl Future<Output = ()>) {
    assert!(tokio::time::timeout(PATIENCE, case).await.is_ok(), "it hangs");
}

/// On an embedded store in a temporary folder.
pub(crate) fn on_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Arc<Db>) -> F) {
    on_empty_sqlite(|db| async {
        migrate(&db, Clock::System.now()).await.expect("migrations run");
        case(db).await;
    });
}

/// On an embedded store without tables.
pub(crate) fn on_empty_sqlite<F: Future<Output = ()>>(case: impl FnOnce(Arc<Db>) -> F) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    runtime().block_on(async {
        let db = Arc::new(Db::open_sqlite(folder.path()).expect("the store opens"));
        in_time(case(db)).await;
    });
}

/// On a PostgreSQL database, a copy of a migrated one.
pub(crate) fn on_postgres<F: Future<Output = ()>>(case: impl FnOnce(Arc<Db>, String) -> F) {
    runtime().block_on(async {
        let database = database_like("keytrail_contract", |url| async move {
            let db = Db::open_postgres(&url, 2).await.expect("the database opens");
            migrate(&db, Clock::System.now()).await.expect("migrations run");
            db.close().await;
        })
        .await;
        on_database(database, case).await;
    });
}

/// On a PostgreSQL database without tables.
pub(crate) fn on_empty_postgres<F: Future<Output = ()>>(case: impl FnOnce(Arc<Db>, String) -> F) {
    runtime().block_on(async { on_database(database().await, case).await });
}

async fn on_database<F: Future<Output = ()>>(database: Database, case: impl FnOnce(Arc<Db>, String) -> F) {
    let db = Arc::new(Db::open_postgres(&database.url(), 8).await.expect("the database opens"));
    in_time(case(db.clone(), database.url())).await;
    // The database is dropped with force: whoever is still connected, for instance a node of the case, is sent away.
    drop(database);
}

/// Runs SQL that came from nobody's program, as an operator or a fault would.
pub(crate) async fn by_hand(db: &Db, area: Area, sql: impl Into<String>) {
    let sql = sql.into();
    db.write(area, vec![Statement::new(sql.clone(), vec![])]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The rows of a query without arguments.
pub(crate) async fn rows(db: &Db, area: Area, sql: &str) -> Vec<Row> {
    db.read(area, sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The only number that a query finds.
pub(crate) async fn number(db: &Db, area: Area, sql: &str) -> i64 {
    match rows(db, area, sql).await.as_slice() {
        [row] if matches!(row[..], [Value::Int(_)]) => {
            let Value::Int(number) = row[0] else { unreachable!("it was matched") };
            number
        }
        other => panic!("{sql} found {other:?}"),
    }
}

/// Whether something comes true soon.
pub(crate) async fn soon<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..1_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come true in ten seconds: {what}");
}
