//! The clock by which leases are given and end. Used by views, reactors and jobs.

use keytrail_domain::timestamp::Timestamp;
use keytrail_projections::value::Value;

use super::Db;

/// Now, as an expression of SQL in microseconds since 1970, and the argument it may want.
///
/// Several nodes over PostgreSQL compare each other's times, so it is the database's: a node whose clock is wrong takes
/// nothing from the others. The embedded store has one process, whose clock may be set by tests.
pub struct LeaseClock {
    /// To be put into a statement.
    pub now: String,
    /// The statement's last argument, if it needs one.
    pub arg: Option<Value>,
}

impl Db {
    /// Now, for a statement that has `args` arguments before it.
    pub fn lease_clock(&self, args: usize, now: Timestamp) -> LeaseClock {
        match self {
            Self::Sqlite(_) => LeaseClock { now: format!("${}", args + 1), arg: Some(Value::from(now)) },
            // A query of its own: it is asked once, and an index can be used.
            Self::Postgres(_) => LeaseClock {
                now: "(SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT))".to_owned(),
                arg: None,
            },
        }
    }
}
