//! PostgreSQL for tests: one cluster for the whole run, a fresh database for each test, private clusters to break.
//!
//! `KEYTRAIL_TEST_POSTGRES` names a running cluster that all test binaries share (its user may make databases); without
//! it each process starts its own when the first test asks.

mod cluster;
mod database;
mod programs;
mod standing_clock;

use std::sync::OnceLock;

pub use self::{cluster::Cluster, database::Database, standing_clock::StandingClock};

/// The variable with the URL of a running cluster, for example `postgres://keytrail@localhost/postgres?host=/tmp/x`.
pub const SHARED: &str = "KEYTRAIL_TEST_POSTGRES";

enum Shared {
    Running(String),
    Ours(Cluster),
}

/// The URL of a database of the cluster that the run shares.
///
/// # Panics
/// When there is no PostgreSQL; the text says which package brings it.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment which cluster runs already")]
pub fn shared_url(database: &str) -> String {
    static CLUSTER: OnceLock<Shared> = OnceLock::new();
    match CLUSTER.get_or_init(|| std::env::var(SHARED).map_or_else(|_| Shared::Ours(Cluster::start()), Shared::Running))
    {
        Shared::Running(url) => database::named(url, database),
        Shared::Ours(cluster) => cluster.url(database),
    }
}

/// An empty database of the shared cluster; it is dropped with the value.
pub async fn database() -> Database {
    Database::create(shared_url("postgres"), None).await
}

/// A copy of the database `template` of the shared cluster. When there is none yet, `prepare` is given the URL of an
/// empty one and fills it; it must have closed its connections when it is done.
pub async fn database_like<F: Future<Output = ()>>(template: &str, prepare: impl FnOnce(String) -> F) -> Database {
    let server = shared_url("postgres");
    database::make_template(&server, template, prepare).await;
    Database::create(server, Some(template)).await
}
