//! The clock by which leases are given and end. Used by views, reactors and jobs.

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::Value;

use super::Db;

impl Db {
    /// Now, as an expression of SQL in microseconds since 1970. It may want an argument, which is added to those that the
    /// statement has.
    ///
    /// Several nodes over PostgreSQL compare each other's times, so it is the database's: a node whose clock is wrong takes
    /// nothing from the others. The embedded store has one process, whose clock may be set by tests.
    pub fn lease_clock(&self, args: &mut Vec<Value>, now: Timestamp) -> String {
        match self {
            Self::Sqlite(_) => {
                args.push(Value::from(now));
                format!("${}", args.len())
            }
            // A query of its own: it is asked once, and an index can be used.
            Self::Postgres(_) => "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT))".to_owned(),
        }
    }
}
