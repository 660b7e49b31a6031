//! The time of a case: it stands still until the case moves it, for the server and for its database.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use keytrail::clock::Clock;
use keytrail_test_support::postgres::StandingClock;

/// 2026-11-21T06:00:00Z
const BEGINNING: i64 = 1_795_240_800_000_000;

/// What a case moves. Leases over PostgreSQL go by the database's clock.
#[derive(Clone)]
pub(super) struct CaseClock {
    server: Arc<AtomicI64>,
    database: Option<Arc<StandingClock>>,
}

impl CaseClock {
    /// Stands at the beginning; so does that of the database.
    pub(super) async fn of(database_url: Option<&str>) -> Self {
        let database = match database_url {
            Some(url) => Some(Arc::new(StandingClock::of(url, BEGINNING).await)),
            None => None,
        };
        Self { server: Arc::new(AtomicI64::new(BEGINNING)), database }
    }

    pub(super) fn of_server(&self) -> Clock {
        Clock::Fixed(Arc::clone(&self.server))
    }

    pub(super) fn pass_micros(&self, micros: i64) {
        self.pass_micros_at_server(micros);
        if let Some(database) = &self.database {
            // Nodes live through it: they have what they had.
            let renewed = format!(
                "LOCK TABLE poll_nodes, poll_shards IN EXCLUSIVE MODE; \
                 UPDATE poll_nodes SET lease_until = lease_until + {micros}; \
                 UPDATE poll_shards SET lease_until = lease_until + {micros} WHERE owner IS NOT NULL"
            );
            database.pass_micros(micros, &renewed);
        }
    }

    /// The server's clock goes away from that of its database.
    pub(super) fn pass_micros_at_server(&self, micros: i64) {
        self.server.fetch_add(micros, Ordering::Relaxed);
    }
}
