//! A database whose clock stands still until a test moves it.

use sqlx::PgConnection;
use tokio::sync::Mutex;

/// The clock of a database, for whoever connects to it from now on: `clock_timestamp()` is found in a schema that is
/// looked at before PostgreSQL's own.
pub struct StandingClock {
    connection: Mutex<PgConnection>,
}

impl StandingClock {
    /// That of the database at `url`, which stands at `micros` since 1970. It has to be there before a pool connects.
    pub async fn of(url: &str, micros: i64) -> Self {
        let mut connection = super::database::connect(url).await;
        let name: String = sqlx::query_scalar("SELECT current_database()::text")
            .fetch_one(&mut connection)
            .await
            .expect("a database has a name");
        let made = format!(
            "CREATE SCHEMA standing_clock; \
             CREATE TABLE standing_clock.now (micros BIGINT NOT NULL); \
             INSERT INTO standing_clock.now VALUES ({micros}); \
             CREATE FUNCTION standing_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
             $$ SELECT timestamptz 'epoch' + micros * interval '1 microsecond' FROM standing_clock.now $$; \
             ALTER DATABASE {name} SET search_path = public, standing_clock, pg_catalog"
        );
        super::database::execute(&mut connection, &made).await;
        Self { connection: Mutex::new(connection) }
    }

    /// Time passes, and these statements are done at the same moment. Whoever calls is within a runtime of several threads.
    ///
    /// # Panics
    /// When the database does not answer.
    pub fn pass_micros(&self, micros: i64, meanwhile: &str) {
        let moved = format!("UPDATE standing_clock.now SET micros = micros + {micros}; {meanwhile}");
        let moving = async { super::database::execute(&mut *self.connection.lock().await, &moved).await };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(moving));
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn it_stands_still_until_it_is_moved() {
        let database = super::super::database().await;
        let clock = StandingClock::of(&database.url(), 1_795_240_800_000_001).await;
        let mut connection = PgConnection::connect(&database.url()).await.expect("it answers");
        let mut told = async || -> i64 {
            let now = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
            sqlx::query_scalar(now).fetch_one(&mut connection).await.expect("a time")
        };
        assert_eq!((told().await, told().await), (1_795_240_800_000_001, 1_795_240_800_000_001));
        clock.pass_micros(-2, "CREATE TABLE meanwhile ()");
        assert_eq!(told().await, 1_795_240_799_999_999);
    }
}
