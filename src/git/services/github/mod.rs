//! GitHub's REST API as an app uses it (docs.github.com, "REST API endpoints for GitHub Apps"), version 2022-11-28.
//!
//! Called by jobs and routes. It connects only to checked addresses, follows nothing to another origin, and never puts
//! what GitHub said into an error.

mod answers;
mod app;
mod budgets;
mod delivery_ends;
mod filter;
mod key;
mod organisation;
mod pulls;
mod recognised;
mod rest;
#[cfg(test)]
mod tests;
mod tokens;
mod trouble;
pub mod webhook;

pub use self::{
    answers::{Conversion, HookConfig, ListedDelivery, ListedRepository, RepositoryPage, SentDelivery, SentRequest},
    app::{AppAccess, Known, convert_code},
    budgets::{Budgets, Left},
    delivery_ends::DeliveryEnd,
    filter::{BadFilter, FilterTrouble, RepositoryFilter},
    key::{AppKey, BadKey},
    organisation::{Organisation, look_up_organisation},
    pulls::{Page, SeenAccount, SeenPull, SeenReview},
    recognised::recognise,
    rest::{Budget, Github, Place},
    tokens::{InstallationToken, Tokens, Use},
    trouble::{GithubError, GithubTrouble},
};
