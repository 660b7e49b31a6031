//! `keytrail token`

use std::process::ExitCode;

use clap::{
    Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use keytrail_domain::access::{Role, Scope};
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    consent::Consent,
    form::Form,
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
        /// What it may do at most
        #[arg(long, default_value = "viewer", value_parser = roles())]
        role: String,
        /// Only a part of what the role allows; can be given several times
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scopes())]
        scopes: Vec<String>,
        /// How many days it works
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Print only the token
        #[arg(long, conflicts_with = "json")]
        quiet: bool,
        #[command(flatten)]
        form: Form,
    },
    /// All tokens, without the tokens themselves
    List {
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// It stops working at once
    Revoke {
        /// Its name or its id
        token: String,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn roles() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new([Role::Viewer, Role::Auditor, Role::Admin].map(Role::as_str))
}

fn scopes() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(Scope::ALL.iter().map(|scope| scope.as_str()))
}

impl Token {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::Issue { name, role, scopes, days, quiet, form } => {
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
                form.show(&issued)
            }
            Self::List { json } => {
                let all: Vec<Value> = client.list("/api/v1/tokens", &[], usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let columns = ["id", "name", "role", "state", "expires_at", "last_used_at", "prefix", "scopes"];
                let rows: Vec<_> =
                    all.iter().map(|row| columns.map(|member| output::cell(&row[member])).to_vec()).collect();
                let headings = ["id", "name", "role", "state", "expires at", "used at", "begins with", "only for"];
                output::table(&headings, &rows);
                Ok(())
            }
            Self::Revoke { token, consent, json } => {
                let id = chosen::TOKEN.id(client, &token).await?;
                if !consent.is_given_already() && !consent.given(&[would_revoke(client, &id).await?], json)? {
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
async fn would_revoke(client: &Client, id: &str) -> Result<String, CliError> {
    let token: Value = client.get(&format!("/api/v1/tokens/{id}"), &[]).await?;
    let text = |member: &str| token[member].as_str().unwrap_or_default();
    Ok(format!(
        "this stops the token {} ({}, begins with {}, {}) at once; who uses it is refused",
        text("name"),
        text("role"),
        text("prefix"),
        text("state"),
    ))
}
