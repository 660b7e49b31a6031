//! What tests and benches share: repositories made from a seed, a git daemon, a web server before git, a GitHub of one's
//! own, an issuer of tokens, two SSH servers, a PostgreSQL cluster, a running server, both of them to be tried, disks and
//! clocks that fail on demand, repositories that hang.
//!
//! It knows nothing of the server's code: what it gives are addresses, folders and variables of the environment.

pub mod dropbear;
pub mod fake_github;
pub mod faults;
pub mod git_daemon;
pub mod hanging;
pub mod issuer;
pub mod pack_maker;
pub mod postgres;
mod process_group;
pub mod repositories;
pub mod server;
pub mod sshd;
pub mod trial;
pub mod web_server;
