//! `keytrail issue`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

/// How many commits and branches a person is shown.
const SHOWN: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Issue {
    /// Its commits, newest first, and its branches
    Show {
        /// For example KAFKA-1234
        key: String,
        /// Print all of them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Its commits, newest first
    Commits {
        /// For example KAFKA-1234
        key: String,
        /// How many; all with 0
        #[arg(long, default_value_t = 50)]
        last: usize,
        /// Print all as JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// The branches that are named after it
    Branches {
        /// For example KAFKA-1234
        key: String,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
}

impl Issue {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| match &self {
            Self::Show { key, json } => show(client, checked(key)?, *json).await,
            Self::Commits { key, last, json } => {
                let most = if *json || *last == 0 { usize::MAX } else { *last };
                commits(client, checked(key)?, most, *json).await
            }
            Self::Branches { key, json } => branches(client, checked(key)?, *json).await,
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Part of a path: only what can be a key goes there.
fn checked(key: &str) -> Result<&str, CliError> {
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(CliError::Input(format!("{key:?} is no issue key; one looks like KAFKA-1234")));
    }
    Ok(key)
}

async fn commits(client: &Client, key: &str, most: usize, json: bool) -> Result<(), CliError> {
    let commits: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/commits"), &[], most).await?;
    if json {
        return commits.iter().try_for_each(output::json);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = commits
        .iter()
        .map(|commit| {
            let superseded = if commit["superseded_position"].is_null() { "" } else { "superseded" };
            vec![
                text(&commit["sha"]).chars().take(12).collect(),
                text(&commit["committed_at"]).chars().take(10).collect(),
                text(&commit["repository"]["name"]),
                commit["author"]["name"].as_str().unwrap_or("(unknown)").to_owned(),
                text(&commit["subject"]),
                superseded.to_owned(),
            ]
        })
        .collect();
    output::table(&["sha", "date", "repository", "author", "subject", ""], &rows);
    Ok(())
}

async fn branches(client: &Client, key: &str, json: bool) -> Result<(), CliError> {
    let branches: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/branches"), &[], usize::MAX).await?;
    if json {
        return branches.iter().try_for_each(output::json);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |branch: &Value| {
        let sha = text(&branch["sha"]).chars().take(12).collect();
        vec![sha, text(&branch["repository"]["name"]), text(&branch["name"])]
    };
    output::table(&["sha", "repository", "branch"], &branches.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn show(client: &Client, key: &str, all: bool) -> Result<(), CliError> {
    let most = if all { usize::MAX } else { SHOWN };
    let summary: Value = client.get(&format!("/api/v1/issues/{key}"), &[]).await?;
    let commits: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/commits"), &[], most).await?;
    let branches: Vec<Value> = client.list(&format!("/api/v1/issues/{key}/branches"), &[], most).await?;
    if all {
        return output::json(&json!({ "issue": summary, "commits": commits, "branches": branches }));
    }
    let text = |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
    let total = summary["commits"].as_u64().unwrap_or(commits.len() as u64);
    output::print(&format!("{}: {}", text(&summary, "key"), output::count(total, "commit")));
    if summary["denied"].as_bool() == Some(true) {
        output::print("  this looks like the name of a standard, and lists leave it out");
    }
    for commit in &commits {
        let when = text(commit, "committed_at");
        let author = commit["author"]["name"].as_str().unwrap_or("(unknown)");
        output::print(&format!(
            "  {} {} {:<20} {}",
            &text(commit, "sha").chars().take(10).collect::<String>(),
            when.get(..10).unwrap_or(&when),
            author.chars().take(20).collect::<String>(),
            text(commit, "subject")
        ));
        if !commit["superseded_position"].is_null() {
            output::print(
                "             superseded: a branch was rewritten or deleted, and no ref leads to it any more",
            );
        }
    }
    if (commits.len() as u64) < total {
        output::print(&format!("  … {} more; --json prints all", output::grouped(total - commits.len() as u64)));
    }
    if !branches.is_empty() {
        output::print(&output::count(branches.len() as u64, "branch"));
        for branch in &branches {
            output::print(&format!("  {} in {}", text(branch, "name"), text(&branch["repository"], "name")));
        }
    }
    Ok(())
}
