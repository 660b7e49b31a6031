//! The pure core: what can be wished (commands), what happened (events), what follows (policies).
//!
//! Called by the projections and by the server. It never knows the time, the network, a database or a
//! secret: all of these come in as values.

pub mod access;
pub mod access_settings;
pub mod aggregate;
pub mod capability;
pub mod claim;
pub mod commit_link;
pub mod display_text;
pub mod es;
pub mod fact;
pub mod git_remote;
pub mod github;
pub mod given;
pub mod grouped;
pub mod hex;
#[cfg(test)]
mod histories;
pub mod host_key;
pub mod id;
pub mod index_run;
pub mod installation;
pub mod integration;
pub mod issue_key;
pub mod metadata;
pub mod person;
pub mod policy;
pub mod project_key;
pub mod project_rules;
pub mod proxy_url;
pub mod pull_request;
pub mod recorded;
pub mod ref_selection;
pub mod remote_url;
pub mod repository;
pub mod secret_ref;
pub mod service;
pub mod ssh_key;
pub mod stamped;
pub mod timestamp;
pub mod trace_parent;
pub mod upcast;
pub mod web_links;
