//! GitHub in the words of the domain: its hosts, its accounts, the apps that are registered there.

mod app;
mod connection;
mod host;
mod login;
#[cfg(test)]
mod tests;
pub mod wanted;

pub use self::{
    app::{App, KeyFingerprint},
    connection::GithubConnection,
    host::{BadHost, Edition, GithubHost},
    login::{BadLogin, Login},
};
