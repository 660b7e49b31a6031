//! `keytrail person`

use std::{collections::BTreeSet, process::ExitCode};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    consent::Consent,
    output,
};
use crate::config::Config;

/// Before a person is forgotten their commits are counted in so many issues at most.
const ISSUES: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Person {
    /// Those whom commits name as authors, by name
    List {
        /// Only those whose name or address has this in it
        fragment: Option<String>,
        /// Those that were forgotten, instead of the others
        #[arg(long)]
        forgotten: bool,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// Delete a person's name and address everywhere, for good
    Forget {
        /// The person's name or id
        person: String,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Person {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::List { fragment, forgotten, json } => {
                let mut query: Vec<_> = fragment.into_iter().map(|fragment| ("fragment", fragment)).collect();
                query.extend(forgotten.then(|| ("forgotten", "true".to_owned())));
                let all: Vec<Value> = client.list("/api/v1/people", &query, usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let columns = ["id", "name", "email", "forgotten_at"];
                let rows: Vec<_> =
                    all.iter().map(|row| columns.map(|member| output::cell(&row[member])).to_vec()).collect();
                output::table(&["id", "name", "address", "forgotten at"], &rows);
                Ok(())
            }
            Self::Forget { person, consent, json: as_json } => {
                let at = chosen::PERSON.at(client, &person).await?;
                if !consent.is_given_already() && !consent.given(&would_forget(client, &at).await?, as_json)? {
                    return Ok(());
                }
                let forgotten: Value = client.post(&format!("{at}/forget"), &json!({})).await?;
                if as_json {
                    return output::json(&forgotten);
                }
                output::print("forgotten");
                Ok(())
            }
        }
    }
}

/// Whose name goes, and from how much, as the server has it now.
async fn would_forget(client: &Client, at: &str) -> Result<Vec<String>, CliError> {
    let person: Value = client.get(at, &[]).await?;
    let id = person["id"].as_str().unwrap_or_default();
    let Some(name) = person["name"].as_str() else {
        return Ok(vec![format!("the person {id} was forgotten before; nothing would change")]);
    };
    let address = person["email"].as_str().map(|address| format!(" <{address}>")).unwrap_or_default();
    let query = [("author", id.to_owned()), ("sort", "activity".to_owned())];
    let issues: Vec<Value> = client.list("/api/v1/search", &query, ISSUES + 1).await?;
    let mut commits = BTreeSet::new();
    for issue in issues.iter().take(ISSUES) {
        let path = format!("/api/v1/issues/{}/commits", issue["key"].as_str().unwrap_or_default());
        let all: Vec<Value> = client.list(&path, &[], usize::MAX).await?;
        let theirs = all.iter().filter(|commit| commit["author"]["id"].as_str() == Some(id));
        commits.extend(theirs.filter_map(|commit| commit["sha"].as_str().map(str::to_owned)));
    }
    let counted = output::count(commits.len() as u64, "commit");
    let least = if issues.len() > ISSUES { "at least " } else { "" };
    let wrote = format!("{least}{counted} that name issues");
    Ok(vec![format!(
        "this deletes the name and the address of {name}{address} everywhere, also from {wrote}; nothing brings them back"
    )])
}
