//! What is well with this server and what is not, each with what to do about it. Asked by the API and by the command
//! line for a person or a machine; it only looks, changes nothing and reaches no remote.

mod claims;
mod data_folder;
mod disk;
mod environment;
mod finding;
mod git_program;
mod host_keys;
mod installations;
mod jobs;
mod key_folder;
mod leaves;
mod limits;
mod listen;
mod log_head;
mod memory;
mod migrations;
mod mirrors;
mod nodes;
mod open_files;
pub mod places;
mod postgres;
mod reactor;
mod repositories;
mod root_key;
mod rules;
mod runs;
mod secrets;
mod ssh_program;
mod store_settings;
pub mod support;
mod tokens;
mod views;

use std::sync::Arc;

use futures::future::BoxFuture;
use keytrail_domain::grouped::{counted, grouped};

pub use self::finding::{Finding, State, Subject};
use crate::{app::App, config::Config, jobs::JobError};

/// What a check of a server finds, sooner or later.
type Found<'a> = BoxFuture<'a, Result<Vec<Finding>, JobError>>;

/// What a check looks at.
enum Look {
    /// The configuration and the machine: it can be made whether a server runs or not. It may block.
    Around(fn(&Config) -> Vec<Finding>),
    /// A running server.
    Inside(for<'a> fn(&'a Arc<App>) -> Found<'a>),
}

use Look::{Around, Inside};

/// Every check: what it is about, the word for when it cannot be made, and how it is made. One line each; a check may
/// find several things.
const CHECKS: &[(Subject, &str, Look)] = &[
    (Subject::Configuration, "environment", Around(environment::check)),
    (Subject::Configuration, "limits", Around(limits::check)),
    (Subject::DataFolder, "data_folder", Around(data_folder::check)),
    (Subject::Machine, "disk", Around(disk::check)),
    (Subject::Machine, "open_files", Around(open_files::check)),
    (Subject::Machine, "memory", Around(memory::check)),
    (Subject::Network, "listen", Around(listen::check)),
    (Subject::Store, "store_settings", Inside(|app| Box::pin(store_settings::check(app)))),
    (Subject::Store, "postgres", Inside(|app| Box::pin(postgres::check(app)))),
    (Subject::Store, "migrations", Inside(|app| Box::pin(migrations::check(app)))),
    (Subject::Store, "nodes", Inside(|app| Box::pin(nodes::check(app)))),
    (Subject::Log, "log_head", Inside(|app| Box::pin(log_head::check(app)))),
    (Subject::Log, "log_leaves", Inside(|app| Box::pin(leaves::check(app)))),
    (Subject::Log, "claims", Inside(|app| Box::pin(claims::check(app)))),
    (Subject::Views, "views", Inside(|app| Box::pin(views::check(app)))),
    (Subject::Work, "reactor", Inside(|app| Box::pin(reactor::check(app)))),
    (Subject::Work, "jobs", Inside(|app| Box::pin(jobs::check(app)))),
    (Subject::Work, "runs", Inside(|app| Box::pin(runs::check(app)))),
    (Subject::Secrets, "root_key", Around(root_key::check)),
    (Subject::Secrets, "secrets", Inside(|app| Box::pin(secrets::check(app)))),
    (Subject::Secrets, "tokens", Inside(|app| Box::pin(tokens::check(app)))),
    (Subject::Git, "git_program", Inside(|app| Box::pin(git_program::check(app)))),
    (Subject::Git, "ssh_program", Inside(|app| Box::pin(ssh_program::check(app)))),
    (Subject::Git, "git_rules", Inside(|app| Box::pin(rules::check(app)))),
    (Subject::Git, "host_keys", Inside(|app| Box::pin(host_keys::check(app)))),
    (Subject::Git, "key_folder", Inside(|app| Box::pin(key_folder::check(app)))),
    (Subject::Repositories, "mirrors", Inside(|app| Box::pin(mirrors::check(app)))),
    (Subject::Repositories, "repositories", Inside(|app| Box::pin(repositories::check(app)))),
    (Subject::Repositories, "installations", Inside(|app| Box::pin(installations::check(app)))),
];

/// Makes every check.
pub async fn examine(app: &Arc<App>) -> Vec<(Subject, Finding)> {
    let mut found = Vec::new();
    for (subject, id, look) in CHECKS {
        let findings = match look {
            Around(check) => {
                let config = app.config.clone();
                blocking(move || Ok(check(&config))).await
            }
            Inside(check) => check(app).await,
        };
        let findings = findings.unwrap_or_else(|error| vec![not_made(id, error)]);
        found.extend(findings.into_iter().map(|finding| (*subject, finding)));
    }
    found
}

/// Makes the checks that need no server: where none can start, they may say why. Blocks.
pub fn examine_around(config: &Config) -> Vec<(Subject, Finding)> {
    let mut found = Vec::new();
    for (subject, _, look) in CHECKS {
        let Around(check) = look else { continue };
        found.extend(check(config).into_iter().map(|finding| (*subject, finding)));
    }
    // Only when no server runs: a running one has it.
    found.push((Subject::Network, listen::port(config)));
    found
}

/// That a server could not be started, where one was needed.
pub fn not_started(why: &str) -> (Subject, Finding) {
    let remedy = "do what the sentence says; what else is failing here may be the reason. Then ask the doctor again: with \
                  a server it looks at much more";
    (Subject::Store, Finding::fail("server", format!("no server runs, and none was started to look: {why}"), remedy))
}

/// That the configuration cannot be used.
pub fn not_configured(why: &str) -> (Subject, Finding) {
    let remedy = "`keytrail config check` names every mistake";
    (Subject::Configuration, Finding::fail("configuration", why, remedy))
}

fn not_made(id: &'static str, error: JobError) -> Finding {
    let why = match error {
        JobError::Later(why)
        | JobError::Panicked(why)
        | JobError::NotBefore(_, why)
        | JobError::NoPlace(why)
        | JobError::Failed(_, why) => why,
        JobError::Left => "the server stops".to_owned(),
    };
    let remedy = "ask again in a moment; if it stays so, look at the server's log";
    // What a store or a view says may name a thing.
    Finding::fail(id, "this could not be looked at", remedy).of(vec![why])
}

/// Runs what blocks on a thread of its own.
async fn blocking<R: Send + 'static>(work: impl FnOnce() -> Result<R, String> + Send + 'static) -> Result<R, JobError> {
    tokio::task::spawn_blocking(work).await?.map_err(JobError::Later)
}

/// `1,234 MB`, rounded up: so that something is not shown as nothing.
fn megabytes(bytes: u64) -> String {
    format!("{} MB", grouped(bytes.div_ceil(1_000_000)))
}

/// `40 seconds`, `3 minutes`, `5 hours`, `2 days`.
fn duration(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..=119 => (seconds, "second"),
        120..=7_199 => (seconds / 60, "minute"),
        7_200..=172_799 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    counted(number.unsigned_abs(), unit)
}
