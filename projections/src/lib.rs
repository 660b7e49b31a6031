//! The views: what each shows, how facts change it, and how it is read. One folder a view.
//!
//! Called by the server's projector and by its routes. Knows the domain; never a database, a clock or a runtime.

pub mod audit_trail;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod fact_histories;
#[cfg(test)]
mod fake_store;
pub mod host_key_list;
pub mod index_runs;
pub mod installation_status;
pub mod integration_list;
pub mod issue_branches;
pub mod issue_commits;
pub mod issue_search;
pub mod like;
mod numbered;
pub mod pull_requests;
pub mod registry;
pub mod repository_list;
pub mod rows;
mod ruled;
pub mod ssh_key_list;
mod stored;
pub mod token_list;
pub mod value;
pub mod view;
pub mod word;

pub use registry::VIEWS;
pub use ruled::Rule;
