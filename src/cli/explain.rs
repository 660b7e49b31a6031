//! `keytrail explain`

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{CliError, client::with_client, output};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The commit: 7 to 40 hexadecimal digits
    sha: String,
    /// The issue, for example KAFKA-1234
    key: String,
    /// The id of the repository that should have the commit
    #[arg(long, value_name = "ID")]
    repository: Option<uuid::Uuid>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        let Self { sha, key, repository, json } = self;
        let mut query = vec![("commit", sha), ("issue", key)];
        query.extend(repository.map(|id| ("repository", id.to_string())));
        let found: Value = with_client(config, async |client| client.get("/api/v1/explain", &query).await).await?;
        if json {
            output::json(&found)?;
        } else {
            show(&found);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn show(found: &Value) {
    let because = &found["because"];
    if found["shown"] == true {
        output::print(&format!("{} shows the commit", text(found, "issue")));
    } else if because.is_object() {
        output::print(&format!("{} does not show the commit: {}", text(found, "issue"), text(because, "sentence")));
        output::print(&format!("what to do: {}", text(because, "next")));
    } else {
        output::print(&format!("{} does not show the commit yet; ask again in a moment", text(found, "issue")));
    }
    let also_in = found["also_in"].as_array().map(Vec::as_slice).unwrap_or_default();
    for id in also_in.iter().filter_map(Value::as_str) {
        output::print(&format!("another repository has it, too: --repository {id}"));
    }
    for step in found["steps"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = text(step, "step").replace('_', " ");
        output::print(&format!("  {:<7} {name:<12} {}", text(step, "state"), text(step, "sentence")));
    }
}
