//! Sealing, rotating, forgetting and coming in. What asks the store is run on each engine.

mod coming_in;
mod keys;
mod persons;
mod sealing;
mod unseen;

use std::{path::Path, sync::Arc};

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::{Row, Value};
use keytrail_test_support::postgres::database_like;

use super::{Owner, RootKey, Secret, SecretsError, Vault};
use crate::store::{Area, Db, Statement, migrate::migrate};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// A store that is ready, in `folder`.
pub(super) async fn ready(folder: &Path) -> Arc<Db> {
    let db = Db::open_sqlite(folder).expect("a new store opens");
    migrate(&db, NOW).await.expect("a new store migrates");
    Arc::new(db)
}

/// The same root key each time.
pub(super) fn root(seed: u8) -> RootKey {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    RootKey::parse(&Secret::new(STANDARD.encode([seed; 32])), "a test").expect("32 bytes")
}

pub(super) async fn vault(db: &Arc<Db>, seed: u8) -> Result<Vault, SecretsError> {
    Vault::open_with(db.clone(), root(seed), NOW).await
}

pub(super) fn owner(n: u128) -> Owner {
    Owner::new("integration", uuid::Uuid::from_u128(n))
}

pub(super) fn clear(text: &str) -> Secret<Vec<u8>> {
    Secret::new(text.as_bytes().to_vec())
}

pub(super) async fn run(db: &Db, sql: &'static str, args: Vec<Value>) {
    write(db, Statement::new(sql, args)).await;
}

pub(super) async fn write(db: &Db, statement: Statement) {
    db.write(Area::Log, vec![statement]).await.expect("a statement runs");
}

pub(super) async fn read(db: &Db, sql: &str) -> Vec<Row> {
    db.read(Area::Log, sql, &[]).await.expect("a query runs")
}

/// The stable word of the refusal.
pub(super) fn code<T>(result: Result<T, SecretsError>) -> &'static str {
    match result {
        Ok(_) => "it worked",
        Err(error) => error.code(),
    }
}

/// Runs a case on a PostgreSQL database, a copy of a migrated one.
pub(super) async fn on_postgres<F: Future<Output = ()>>(case: impl FnOnce(Arc<Db>) -> F) {
    let database = database_like("keytrail_secrets", |url| async move {
        let db = Db::open_postgres(&url, 2).await.expect("the database opens");
        migrate(&db, NOW).await.expect("a new store migrates");
        db.close().await;
    })
    .await;
    let db = Arc::new(Db::open_postgres(&database.url(), 8).await.expect("the database opens"));
    case(db.clone()).await;
    db.close().await;
}

/// A test over a store, on each engine.
macro_rules! on_a_store {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let folder = tempfile::tempdir().expect("a folder");
                suite::$name(&crate::secrets::tests::ready(folder.path()).await).await;
            }
        )*
        mod postgres {
            $(
                #[tokio::test]
                async fn $name() {
                    crate::secrets::tests::on_postgres(|db| async move { super::suite::$name(&db).await }).await;
                }
            )*
        }
    };
}
use on_a_store;
