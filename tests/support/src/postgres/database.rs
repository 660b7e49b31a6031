//! A database that lives as long as a test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, PgConnection};

/// A database of its own. Dropping the value drops it, whoever is still connected. In a cluster of ours it is left
/// instead: it goes with the cluster, and each drop would make the server write and sync all that the tests wrote.
pub struct Database {
    server: String,
    name: String,
    left: bool,
}

impl Database {
    pub(super) async fn create(server: String, template: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let template = template.map_or_else(String::new, |template| format!(" TEMPLATE {template}"));
        let mut connection = connect(&server).await;
        let name = loop {
            let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let made = sqlx::raw_sql(&format!("CREATE DATABASE {name}{template}")).execute(&mut connection).await;
            match made {
                Ok(_) => break name,
                // Of a process of an hour ago that had the same number.
                Err(error)
                    if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("42P04")) => {}
                Err(error) => panic!("a database cannot be made: {error}"),
            }
        };
        let cluster: String =
            sqlx::query_scalar("SHOW cluster_name").fetch_one(&mut connection).await.expect("a setting can be read");
        Self { server, name, left: cluster == super::cluster::NAME }
    }

    /// How to reach it.
    pub fn url(&self) -> String {
        named(&self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let (server, sql) = (self.server.clone(), format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // The test's own runtime may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await.ok()?;
                sqlx::raw_sql(&sql).execute(&mut connection).await.ok()
            })
        });
        if !matches!(dropping.join(), Ok(Some(_))) {
            eprintln!("the database {} could not be dropped; it goes with its cluster", self.name);
        }
    }
}

/// Makes the template unless it is there; one process does, the others wait.
pub(super) async fn make_template<F: Future<Output = ()>>(
    server: &str,
    template: &str,
    prepare: impl FnOnce(String) -> F,
) {
    let mut connection = connect(server).await;
    let there = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let count = sqlx::query_scalar::<_, i64>(there).bind(template).fetch_one(&mut connection).await;
    if count.expect("the catalogue can be read") == 1 {
        return;
    }
    execute(&mut connection, "SELECT pg_advisory_lock(7021)").await;
    let count = sqlx::query_scalar::<_, i64>(there).bind(template).fetch_one(&mut connection).await;
    if count.expect("the catalogue can be read") == 0 {
        let making = format!("{template}_in_the_making");
        execute(&mut connection, &format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await;
        execute(&mut connection, &format!("CREATE DATABASE {making}")).await;
        prepare(named(server, &making)).await;
        execute(&mut connection, &format!("ALTER DATABASE {making} RENAME TO {template}")).await;
    }
    execute(&mut connection, "SELECT pg_advisory_unlock(7021)").await;
}

/// The URL with another database in it.
pub(super) fn named(url: &str, database: &str) -> String {
    let (place, options) =
        url.split_once('?').map_or((url, String::new()), |(place, options)| (place, format!("?{options}")));
    let (scheme, rest) = place.split_once("://").unwrap_or(("postgres", place));
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{database}{options}")
}

pub(super) async fn connect(server: &str) -> PgConnection {
    // The URL may hold a password.
    PgConnection::connect(server).await.unwrap_or_else(|error| panic!("the test cluster does not answer: {error}"))
}

pub(super) async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_pointed_at_another_database() {
        assert_eq!(
            named("postgres://u:p@h:5433/postgres?sslmode=disable", "x"),
            "postgres://u:p@h:5433/x?sslmode=disable"
        );
        assert_eq!(named("postgres://u@h", "x"), "postgres://u@h/x");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_of_a_template_holds_what_was_prepared_and_goes_with_its_value() {
        let prepare = |url: String| async move {
            let mut connection = connect(&url).await;
            execute(&mut connection, "CREATE TABLE prepared (n BIGINT)").await;
            connection.close().await.expect("the connection closes");
        };
        let one = super::super::database_like("support_template", prepare).await;
        let other = super::super::database_like("support_template", |_| async { panic!("it is there") }).await;
        assert_ne!(one.url(), other.url());
        execute(&mut connect(&other.url()).await, "INSERT INTO prepared VALUES (1)").await;
        let (url, left) = (one.url(), one.left);
        drop(one);
        assert_eq!(PgConnection::connect(&url).await.is_ok(), left);
        let mut last = Database::create(super::super::shared_url("postgres"), None).await;
        last.left = false;
        let url = last.url();
        drop(last);
        assert!(PgConnection::connect(&url).await.is_err());
    }
}
