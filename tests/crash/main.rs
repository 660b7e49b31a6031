//! Whatever happens to the process, its disk, its clock or its database: what was acknowledged is there, nothing is
//! there twice, and the server goes on by itself. The real program is driven from outside.
//!
//! `KEYTRAIL_CRASH_CYCLES` says how often it is killed in all (50), `KEYTRAIL_CRASH_SEED` repeats what looks like chance.

mod batch_ends;
mod clock;
mod graceful_shutdown;
mod index_runs;
mod kill_cycles;
mod load;
mod no_space;
mod outdated;
mod postgres_restart;
mod refused_starts;
mod stage;
mod stored_log;
mod sync_error;
mod two_nodes;
mod webhooks;
