//! What tests and benches share: repositories made from a seed, a git daemon, a web server before git, a PostgreSQL
//! cluster, a running server, disks and clocks that fail on demand.
//!
//! It knows nothing of the server's code: what it gives are addresses, folders and variables of the environment.

pub mod faults;
pub mod git_daemon;
pub mod pack_maker;
pub mod postgres;
mod process_group;
pub mod repositories;
pub mod server;
pub mod web_server;
