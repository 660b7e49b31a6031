//! `keytrail ssh-key add`, `generate`, `list`, `show`, `rename`, `share`, `reserve`, `associate`, `dissociate`, `rotate`,
//! `retire`: the keys that the server keeps. A private key is looked at here first, so that what is wrong with it is said before
//! anything is sent. None ever comes back.

use std::{path::PathBuf, process::ExitCode};

use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    consent::Consent,
    form::Form,
    new_ssh_key, output,
    passphrase::Passphrase,
    ssh_key_told as told,
    waiting::Waiting,
};
use crate::{config::Config, ssh_keys::GIT_HOSTS};

#[derive(Debug, Subcommand)]
pub(super) enum Pool {
    /// Have the server make a key and keep it: its private half never leaves the server
    Generate {
        /// What people call it
        name: String,
        /// The kind [default: ed25519; rsa where --for names a git host that takes nothing else]
        #[arg(long = "type", value_name = "KIND", value_parser = PossibleValuesParser::new(["ed25519", "rsa"]))]
        kind: Option<String>,
        /// The git host that it is for
        #[arg(long = "for", value_name = "HOST", value_parser = hosts())]
        host: Option<String>,
        /// Offer it only where it is chosen: it is none of the common keys
        #[arg(long)]
        reserved: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give the server a private key to keep sealed; it is tried out here first
    Add(Add),
    /// The keys that the server keeps, without their private halves
    List {
        /// Only those that came longer ago than so many days
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u32>,
        /// Retired ones, too
        #[arg(long)]
        all: bool,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One key: what it is, its public half, and where that goes
    Show {
        /// Its name or its id
        key: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Call it something else
    Rename {
        /// Its name or its id
        key: String,
        /// What people call it from now on
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make it common: it is offered where no key is associated, after a chosen one
    Share {
        /// Its name or its id
        key: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Offer it only where it is chosen: it is none of the common keys any more
    Reserve {
        /// Its name or its id
        key: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Offer it, and no other key, for these repositories, whatever their connections say
    Associate {
        /// Its name or its id
        key: String,
        /// Their names or their ids
        #[arg(required = true, value_name = "REPOSITORY")]
        repositories: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take it from these repositories: they are read with the key of their connection, or with the common keys
    Dissociate {
        /// Its name or its id; that of a retired one is its id
        key: String,
        /// Their names or their ids
        #[arg(required = true, value_name = "REPOSITORY")]
        repositories: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try another key at all repositories that are read with it; where all of them take that, it takes its place
    Rotate {
        /// The old key: its name or its id
        key: String,
        /// The new key: its name or its id; its public half is at the git hosts already
        #[arg(long, value_name = "KEY")]
        to: String,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        form: Form,
    },
    /// Take it away for good; the server forgets its private half, or leaves it in its file and reads nothing with it
    Retire {
        /// Its name or its id
        key: String,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The file with the private key; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What people call it
    #[arg(long)]
    name: String,
    /// Offer it only where it is chosen: it is none of the common keys
    #[arg(long)]
    reserved: bool,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn hosts() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(GIT_HOSTS.iter().map(|host| host.name))
}

const PATH: &str = "/api/v1/ssh-keys";

impl Pool {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        match self {
            Self::Add(add) => {
                let body = new_ssh_key::body(&add.file, &add.passphrase, &add.name, add.reserved)?;
                with_client(config, async |client| {
                    let added: Value = client.post(PATH, &body).await?;
                    shown(client, added, add.json).await
                })
                .await?;
            }
            other => with_client(config, async |client| other.carry_out(client).await).await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            // It needs no server to begin with.
            Self::Add(_) => Ok(()),
            Self::Generate { name, kind, host, reserved, json } => {
                let body = json!({ "name": name, "type": kind, "host": host, "common": !reserved });
                let made: Value = client.post(&format!("{PATH}/generate"), &body).await?;
                shown(client, made, json).await
            }
            Self::List { older_than, all, json } => {
                let mut query: Vec<_> =
                    older_than.map(|days| ("older_than_days", days.to_string())).into_iter().collect();
                if !all {
                    query.push(("state", "active".to_owned()));
                }
                let all: Vec<Value> = client.list(PATH, &query, usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                let columns = [
                    "id",
                    "name",
                    "state",
                    "common",
                    "algorithm",
                    "created_at",
                    "last_used_at",
                    "is_old",
                    "fingerprint_sha256",
                ];
                let cell = |value: &Value| match value {
                    Value::Bool(true) => "yes".to_owned(),
                    Value::Bool(false) => "no".to_owned(),
                    other => output::cell(other),
                };
                let rows: Vec<_> = all.iter().map(|row| columns.map(|member| cell(&row[member])).to_vec()).collect();
                let headings = ["id", "name", "state", "common", "kind", "created at", "used at", "old", "fingerprint"];
                output::table(&headings, &rows);
                Ok(())
            }
            Self::Show { key, json } => {
                let found: Value = client.get(&chosen::SSH_KEY.at(client, &key).await?, &[]).await?;
                shown(client, found, json).await
            }
            Self::Rename { key, name, json } => {
                let at = chosen::SSH_KEY.at(client, &key).await?;
                let renamed: Value = client.put(&format!("{at}/name"), &json!({ "name": name })).await?;
                if json {
                    return output::json(&renamed);
                }
                output::print("renamed");
                Ok(())
            }
            Self::Share { key, json } => share(client, &key, true, json).await,
            Self::Reserve { key, json } => share(client, &key, false, json).await,
            Self::Associate { key, repositories, json } => {
                said_of(client, (&key, "associate"), &repositories, json).await
            }
            Self::Dissociate { key, repositories, json } => {
                said_of(client, (&key, "dissociate"), &repositories, json).await
            }
            Self::Rotate { key, to, waiting, form } => {
                let at = chosen::SSH_KEY.at(client, &key).await?;
                let to = chosen::SSH_KEY.id(client, &to).await?;
                let asked: Value = client.post(&format!("{at}/rotate"), &json!({ "to": to })).await?;
                waiting.for_operation(client, asked["id"].as_str().unwrap_or_default(), form).await
            }
            Self::Retire { key, consent, json } => {
                let at = chosen::SSH_KEY.at(client, &key).await?;
                // Only what somebody was told of is meant: who chooses or associates the key meanwhile is in the way.
                let mut query = "confirmed=true".to_owned();
                if !consent.is_given_already() {
                    let Loss { is_any, lines, used_by, associated, common_for } = would_retire(client, &at).await?;
                    if (is_any || consent.is_dry_run()) && !consent.given(&lines, json)? {
                        return Ok(());
                    }
                    query = format!("confirmed=true&used_by={used_by}&associated={associated}&common_for={common_for}");
                }
                let retired: Value = client.delete_for(&format!("{at}?{query}")).await?;
                if json {
                    return output::json(&retired);
                }
                output::print("retired; take its public half away at the git host, too");
                Ok(())
            }
        }
    }
}

/// Says whether it is offered where no key is associated, after a chosen one.
async fn share(client: &Client, key: &str, common: bool, json: bool) -> Result<(), CliError> {
    let at = chosen::SSH_KEY.at(client, key).await?;
    let said: Value = client.put(&format!("{at}/common"), &json!({ "common": common })).await?;
    if json {
        return output::json(&said);
    }
    output::print(if common { "shared: it is common" } else { "reserved: it is offered only where it is chosen" });
    Ok(())
}

/// Associates a key with repositories, or dissociates it.
async fn said_of(
    client: &Client,
    (key, what): (&str, &str),
    repositories: &[String],
    json: bool,
) -> Result<(), CliError> {
    let at = chosen::SSH_KEY.at(client, key).await?;
    let mut ids = Vec::new();
    for repository in repositories {
        ids.push(chosen::REPOSITORY.id(client, repository).await?);
    }
    let said: Value = client.post(&format!("{at}/{what}"), &json!({ "repositories": ids })).await?;
    if json {
        return output::json(&said);
    }
    let associated = said["associated"].as_u64().unwrap_or_default();
    let all = if associated == 1 { "1 repository".to_owned() } else { format!("{associated} repositories") };
    output::print(&format!("{what}d; the key is the only one that is offered for {all}"));
    Ok(())
}

/// A key with its public half. What was only recorded, and is not shown yet, is asked for again.
pub(super) async fn shown(client: &Client, key: Value, json: bool) -> Result<(), CliError> {
    let id = key["id"].as_str().unwrap_or_default();
    let mut at = Vec::new();
    at.extend(key["position"].as_i64().map(|position| ("min_position", position.to_string())));
    let mut whole: Value = client.get(&format!("{PATH}/{id}"), &at).await?;
    let public: Value = client.get(&format!("{PATH}/{id}/public"), &at).await?;
    if json {
        whole["public"] = public;
        return output::json(&whole);
    }
    told::kept(&whole, &public);
    Ok(())
}

/// What would be lost.
struct Loss {
    is_any: bool,
    lines: Vec<String>,
    /// How many integrations have it.
    used_by: u64,
    /// How many repositories have it.
    associated: u64,
    /// How many repositories are read with it because it is common.
    common_for: u64,
}

/// As the server has it now.
async fn would_retire(client: &Client, at: &str) -> Result<Loss, CliError> {
    let key: Value = client.get(at, &[]).await?;
    let text = |member: &str| key[member].as_str().unwrap_or_default();
    let which = format!("the SSH key {} ({}, {})", text("name"), text("algorithm"), text("fingerprint_sha256"));
    if text("state") == "retired" {
        let lines = vec![format!("{which} is retired already; nothing would change")];
        return Ok(Loss { is_any: false, lines, used_by: 0, associated: 0, common_for: 0 });
    }
    let lost = match key["path"].as_str() {
        Some(path) => format!("its file {path} stays on the server, which reads nothing with it any more"),
        None => "the server forgets its private half, and reads nothing with it any more".to_owned(),
    };
    let mut lines = vec![format!("this retires {which} for good; {lost}")];
    let users = told::users(&key);
    lines.extend(users.as_ref().map(|users| {
        format!("it is chosen for {users}: what is there is not read until a person chooses another key, or none")
    }));
    let repositories = told::repositories(&key);
    lines.extend(repositories.as_ref().map(|repositories| {
        format!("it is associated with {repositories}: they are not read until a person takes it from them")
    }));
    let reading = told::reading(&key);
    lines.extend(reading.as_ref().map(|reading| {
        format!(
            "read with it now, because it is common: {reading}; the other common keys are offered there from then on"
        )
    }));
    let count = |member: &str| key[member].as_u64().unwrap_or_default();
    let [used_by, associated, common_for] = ["used_by", "associated", "common_for"].map(count);
    Ok(Loss { is_any: true, lines, used_by, associated, common_for })
}
