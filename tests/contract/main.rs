//! What the log, the store and the views promise, on both engines: one suite, run for each.

#[macro_use]
mod engines;

mod append_only;
mod as_long_as;
mod boot;
mod claims;
mod companions;
mod conflicts;
mod feed;
mod fencing;
mod idempotency;
mod lanes;
mod leaf;
mod migrations;
mod order;
mod outage;
mod outdated;
mod recorded_time;
mod samples;
mod statements;
mod streams;
mod views;
mod webhook_inbox;
