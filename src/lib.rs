//! The server: the log, the views, what follows from facts, and the doors to them.
//!
//! Layers, from the edge inwards: `http` and the command line call `app`; `app` calls `log`, `views`, `secrets` and
//! `jobs`; those call `store`. `git` knows nobody. ARCHITECTURE.md is the map.

pub mod app;
pub mod boot;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod explain;
pub mod gauges;
pub mod git;
pub mod http;
pub mod ids;
pub mod inbox;
pub mod jobs;
pub mod key_folder;
pub mod log;
pub mod process;
pub mod public_address;
pub mod reactors;
pub mod secrets;
pub mod ssh_hosts;
pub mod ssh_keys;
pub mod store;
pub mod telemetry;
pub mod views;
