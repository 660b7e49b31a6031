//! The HTTP API from outside: a real server on a port of its own, a store of its own, requests over the wire. Every case
//! ends with a look behind: no job is left, every view is live.

mod access;
mod bad_repositories;
mod cancelled_runs;
mod command_line;
mod command_line_places;
mod commands;
mod commit_changes;
mod demo;
mod description;
mod doctor;
mod elsewhere;
mod folders;
mod followed;
mod full_database;
mod history;
mod indexing;
mod integrations;
mod leases;
mod no_room;
mod nodes;
mod places;
mod refusals;
mod remote_refusals;
mod remotes;
mod repository;
mod resumed_runs;
mod secrecy;
mod server;
mod terminal;
mod the_server;
mod tokens;
mod troubles;
mod upkeep;
