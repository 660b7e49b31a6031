//! `keytrail token`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    consent::Consent,
    output,
};
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make one. It is shown once
    Issue {
        /// What people call it
        #[arg(long)]
        name: String,
        /// admin, auditor or viewer
        #[arg(long, default_value = "viewer")]
        role: String,
        /// Only a part of what the role allows, such as issues:read; can be given several times
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// How many days it works
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Print only the token
        #[arg(long, conflicts_with = "json")]
        quiet: bool,
        /// Print JSON, as long as --quiet is not said
        #[arg(long)]
        json: bool,
    },
    /// All tokens, without the tokens themselves
    List {
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// It stops working at once
    Revoke {
        /// Its id
        id: uuid::Uuid,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Token {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::Issue { name, role, scopes, days, quiet, json: _ } => {
                let mut body = json!({ "name": name, "role": role, "expires_in_days": days });
                if !scopes.is_empty() {
                    body["scopes"] = scopes.into();
                }
                let issued: Value = client.post("/api/v1/tokens", &body).await?;
                if issued["token"].is_null() {
                    let detail =
                        "the token was made, but the answer that held it was lost; revoke it, and issue another";
                    return Err(CliError::Failed(detail.into()));
                }
                if quiet {
                    output::print(issued["token"].as_str().unwrap_or_default());
                    return Ok(());
                }
                output::json(&issued)
            }
            Self::List { json } => {
                let all: Vec<Value> = client.list("/api/v1/tokens", &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let columns = ["id", "name", "role", "scopes", "prefix", "last_used_at", "expires_at", "revoked_at"];
                let cell = |row: &Value, member: &str| match row[member].as_array() {
                    Some(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
                    None => row[member].as_str().unwrap_or_default().to_owned(),
                };
                let rows: Vec<_> = all.iter().map(|row| columns.map(|member| cell(row, member)).to_vec()).collect();
                let headings =
                    ["id", "name", "role", "only for", "begins with", "last used at", "expires at", "revoked at"];
                output::table(&headings, &rows);
                Ok(())
            }
            Self::Revoke { id, consent, json } => {
                if !consent.given(&[would_revoke(client, id).await?], json)? {
                    return Ok(());
                }
                let revoked: Value = client.delete_for(&format!("/api/v1/tokens/{id}")).await?;
                if json {
                    return output::json(&revoked);
                }
                output::print("revoked");
                Ok(())
            }
        }
    }
}

/// Whose token stops working, as the server has it now.
async fn would_revoke(client: &Client, id: uuid::Uuid) -> Result<String, CliError> {
    let all: Vec<Value> = client.list("/api/v1/tokens", &[], usize::MAX).await?;
    let id = id.to_string();
    let text = |token: &Value, member: &str| token[member].as_str().unwrap_or_default().to_owned();
    let found = all.iter().find(|token| token["id"].as_str() == Some(&id));
    Ok(match found {
        Some(token) => format!(
            "this stops the token {} ({}, begins with {}, {}) at once; who uses it is refused",
            text(token, "name"),
            text(token, "role"),
            text(token, "prefix"),
            text(token, "state"),
        ),
        None => format!("there is no token {id}; nothing would happen"),
    })
}
