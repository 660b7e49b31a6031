//! What tests and benches share. Never part of the server.

pub mod repositories;
