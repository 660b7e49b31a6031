//! Sealing, rotating, forgetting and coming in. What asks the store takes any engine.

mod coming_in;
mod keys;
mod persons;
mod sealing;
mod unseen;

use std::{path::Path, sync::Arc};

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::{Row, Value};

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

/// A test over a store: on the embedded engine here, and whatever engine another caller hands in.
macro_rules! on_a_store {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            let folder = tempfile::tempdir().expect("a folder");
            suite::$name(&crate::secrets::tests::ready(folder.path()).await).await;
        }
    )*};
}
use on_a_store;
