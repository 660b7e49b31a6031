//! The server: the log, the views, what follows from facts, and the doors to them.
//!
//! Layers, from the edge inwards: `http` and the command line call `app`; `app` calls `log`, `views`, `secrets` and
//! `jobs`; those call `store`. `git` knows nobody. ARCHITECTURE.md is the map.

pub mod clock;
pub mod ids;
pub mod log;
pub mod secrets;
pub mod store;
pub mod views;
