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
}

impl Issue {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let Self::Show { key, json } = self;
        with_client(config, async |client| show(client, &key, json).await).await?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn show(client: &Client, key: &str, all: bool) -> Result<(), CliError> {
    // Part of a path: only what can be a key goes there.
    if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        return Err(CliError::Input(format!("{key:?} is no issue key; one looks like KAFKA-1234")));
    }
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
