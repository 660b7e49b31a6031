//! What is well with this server and what is not, each with what to do about it. Asked by the API for a person or a
//! machine; it only looks, changes nothing and reaches no remote.

mod disk;
mod git_program;
mod mirrors;
mod repositories;
mod rules;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;

use crate::{app::App, jobs::JobError};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is as it should be.
    Ok,
    /// It works, but not as well as it could, or it needs a look.
    Warn,
    /// Something does not work.
    Fail,
}

/// What was found by one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stable word of the check.
    pub id: &'static str,
    /// How bad it is.
    pub state: State,
    /// What is so.
    pub sentence: String,
    /// What to do; nothing when all is well.
    pub remedy: Option<String>,
}

impl Finding {
    const fn ok(id: &'static str, sentence: String) -> Self {
        Self { id, state: State::Ok, sentence, remedy: None }
    }

    fn warn(id: &'static str, sentence: String, remedy: impl Into<String>) -> Self {
        Self { id, state: State::Warn, sentence, remedy: Some(remedy.into()) }
    }

    fn fail(id: &'static str, sentence: String, remedy: impl Into<String>) -> Self {
        Self { id, state: State::Fail, sentence, remedy: Some(remedy.into()) }
    }
}

/// A check: what it found, in the order in which a person reads it.
type Check = for<'a> fn(&'a Arc<App>) -> BoxFuture<'a, Result<Vec<Finding>, JobError>>;

/// Every check, with the word for when it cannot be made.
const CHECKS: &[(&str, Check)] = &[
    ("git_program", |app| Box::pin(git_program::check(app))),
    ("rules", |app| Box::pin(rules::check(app))),
    ("mirrors", |app| Box::pin(mirrors::check(app))),
    ("disk", |app| Box::pin(disk::check(app))),
    ("repositories", |app| Box::pin(repositories::check(app))),
];

/// Makes every check.
pub async fn examine(app: &Arc<App>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (id, check) in CHECKS {
        match check(app).await {
            Ok(findings) => found.extend(findings),
            Err(error) => {
                let why = match error {
                    JobError::Later(why)
                    | JobError::Panicked(why)
                    | JobError::NotBefore(_, why)
                    | JobError::Failed(_, why) => why,
                    JobError::Left => "the server stops".to_owned(),
                };
                let remedy = "ask again in a moment; if it stays so, look at the server's log";
                found.push(Finding::fail(id, format!("this could not be looked at: {why}"), remedy));
            }
        }
    }
    found
}

/// Runs what blocks on a thread of its own.
async fn blocking<R: Send + 'static>(work: impl FnOnce() -> Result<R, String> + Send + 'static) -> Result<R, JobError> {
    tokio::task::spawn_blocking(work).await?.map_err(JobError::Later)
}

/// `1,234 MB`, rounded up: so that something is not shown as nothing.
fn megabytes(bytes: u64) -> String {
    let digits = bytes.div_ceil(1_000_000).to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + " MB"
}
