//! `keytrail search`

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    CliError,
    client::{Client, with_client},
    output,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Search {
    /// Words of the subjects of commits, whole and in any case
    words: Vec<String>,
    /// How the key begins, such as KAFKA-12
    #[arg(long)]
    key: Option<String>,
    /// Only issues of this project
    #[arg(long)]
    project: Option<String>,
    /// Only issues that a commit names whose own name begins so
    #[arg(long)]
    sha: Option<String>,
    /// Only issues for which this person wrote a commit: an id, or a part of a name or an address
    #[arg(long)]
    author: Option<String>,
    /// activity: the latest commit first; key: by key
    #[arg(long, default_value = "activity")]
    sort: String,
    /// How many
    #[arg(long, default_value_t = 50)]
    first: usize,
    /// Print JSON, one a line
    #[arg(long)]
    json: bool,
}

impl Search {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let words = (!self.words.is_empty()).then(|| self.words.join(" "));
        let asked = [
            ("words", words),
            ("key", self.key),
            ("project", self.project),
            ("sha", self.sha),
            ("author", self.author),
        ];
        let mut query: Vec<_> = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        query.push(("sort", self.sort));
        // One more tells whether there are more.
        let mut found: Vec<Value> = client.list("/api/v1/search", &query, self.first.saturating_add(1)).await?;
        let more = found.len() > self.first;
        found.truncate(self.first);
        if self.json {
            return found.iter().try_for_each(output::json);
        }
        let rows: Vec<_> = found
            .iter()
            .map(|row| {
                let text = |member: &str| row[member].as_str().unwrap_or_default().to_owned();
                let number = |member: &str| output::grouped(row[member].as_u64().unwrap_or(0));
                let figures = ["commits", "authors", "repositories", "branches"].map(number);
                [text("key")].into_iter().chain(figures).chain([text("last_commit_at")]).collect()
            })
            .collect();
        output::table(&["key", "commits", "authors", "repositories", "branches", "last commit at"], &rows);
        if more {
            output::print("… more; --first says how many are shown");
        }
        Ok(())
    }
}
