//! `keytrail installation`: the GitHub App of an integration. Keys and secrets come from files or standard input: arguments
//! can be seen by everybody on the machine.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    CliError,
    client::{Client, with_client},
    consent::Consent,
    form::{Form, PENDING, is_pending},
    installation_told,
    integration::at,
    output, place,
    route::Route,
};
use crate::{config::Config, secrets::Secret};

#[derive(Debug, Subcommand)]
pub(super) enum Installation {
    /// How the app is, since when, what stands in the way, and what to do
    Show {
        #[command(flatten)]
        of: Of,
    },
    /// Take over an app that is there already, by its id and private key
    Adopt {
        #[command(flatten)]
        of: Of,
        /// Its id, as its settings at GitHub show it
        #[arg(long, value_name = "ID")]
        app_id: u64,
        #[command(flatten)]
        key: KnownKey,
        /// A file with the secret that its deliveries are signed with; without one a new secret is made
        #[arg(long, value_name = "FILE")]
        webhook_secret_file: Option<PathBuf>,
    },
    /// Let nothing of it be indexed, here and at GitHub, until it is resumed here
    Suspend {
        #[command(flatten)]
        of: Of,
    },
    /// Let it run again, as far as it was suspended from here
    Resume {
        #[command(flatten)]
        of: Of,
    },
    /// Use another private key, which GitHub has to take for the same app first
    RotateKey {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        key: Key,
    },
    /// Have GitHub sign deliveries with another secret, which the server makes
    RotateWebhookSecret {
        #[command(flatten)]
        of: Of,
    },
    /// Show which repositories a filter would keep and leave out; nothing is changed
    PreviewFilter {
        #[command(flatten)]
        of: Of,
        /// A JMESPath expression over GitHub's own documents, such as 'repositories[?!archived]'
        filter: String,
    },
    /// Look only at the repositories that a filter keeps; what was found in the others is forgotten
    SetFilter {
        #[command(flatten)]
        of: Of,
        /// A JMESPath expression over GitHub's own documents, such as 'repositories[?!archived]'
        #[arg(required_unless_present = "all")]
        filter: Option<String>,
        /// Without any filter
        #[arg(long, conflicts_with = "filter")]
        all: bool,
        #[command(flatten)]
        route: Box<Route>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Change how its GitHub is reached: whose certificates are good, and through which proxy
    SetRoute {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        route: Box<Route>,
        /// Trust the public authorities again, and neither a certificate of your own nor a single key
        #[arg(long, conflicts_with_all = ["ca", "pin"])]
        public_ca: bool,
        /// Through no proxy any more
        #[arg(long, conflicts_with = "proxy")]
        no_proxy: bool,
    },
    /// Index all repositories that the app sees, however many they are
    ConfirmRepositories {
        #[command(flatten)]
        of: Of,
    },
    /// Say of a removed app that nothing of it is left at GitHub; secrets that were kept are forgotten
    ConfirmGone {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        consent: Consent,
    },
    /// Ask GitHub now how it is, and mend what can be mended from here
    Repair {
        #[command(flatten)]
        of: Of,
    },
}

/// Whose app.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The integration's name or its id
    integration: String,
    #[command(flatten)]
    form: Form,
}

/// Where the private key of an app is that is taken over.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct KnownKey {
    /// The .pem file that GitHub gave
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Read the private key from standard input
    #[arg(long)]
    key_stdin: bool,
    /// The id of a removed integration that kept the key of this app (`integration remove --keep-secrets`)
    #[arg(long, value_name = "ID")]
    kept_by: Option<Uuid>,
}

impl KnownKey {
    /// As the API takes it.
    fn body(self, app_id: u64) -> Result<Value, CliError> {
        if let Some(kept_by) = self.kept_by {
            return Ok(json!({ "app_id": app_id, "kept_by": kept_by }));
        }
        let key = Key { key_file: self.key_file, key_stdin: self.key_stdin };
        Ok(json!({ "app_id": app_id, "key": key.read()?.expose() }))
    }
}

/// Where a private key is read from.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Key {
    /// The .pem file that GitHub gave
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Read the private key from standard input
    #[arg(long)]
    key_stdin: bool,
}

impl Key {
    fn read(&self) -> Result<Secret<String>, CliError> {
        match &self.key_file {
            Some(file) => place::password_of(file),
            None => place::password_of_stdin(),
        }
    }
}

impl Of {
    async fn path(&self, client: &Client) -> Result<String, CliError> {
        Ok(format!("{}/installation", at(client, &self.integration).await?))
    }
}

impl Installation {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    const fn of(&self) -> &Of {
        match self {
            Self::Show { of }
            | Self::Adopt { of, .. }
            | Self::Suspend { of }
            | Self::Resume { of }
            | Self::RotateKey { of, .. }
            | Self::RotateWebhookSecret { of }
            | Self::PreviewFilter { of, .. }
            | Self::SetFilter { of, .. }
            | Self::SetRoute { of, .. }
            | Self::ConfirmRepositories { of }
            | Self::ConfirmGone { of, .. }
            | Self::Repair { of } => of,
        }
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let form = self.of().form;
        let shown: Value = match self {
            Self::Show { of } => client.get(&of.path(client).await?, &[]).await?,
            Self::Adopt { of, app_id, key, webhook_secret_file } => {
                let mut body = key.body(app_id)?;
                if let Some(file) = webhook_secret_file {
                    body["webhook_secret"] = place::password_of(&file)?.expose().as_str().into();
                }
                client.post(&format!("{}/adopt", of.path(client).await?), &body).await?
            }
            Self::Suspend { of } => client.post(&format!("{}/suspend", of.path(client).await?), &json!({})).await?,
            Self::Resume { of } => client.post(&format!("{}/resume", of.path(client).await?), &json!({})).await?,
            Self::RotateKey { of, key } => {
                let body = json!({ "key": key.read()?.expose() });
                client.put(&format!("{}/key", of.path(client).await?), &body).await?
            }
            Self::RotateWebhookSecret { of } => {
                client.put(&format!("{}/webhook-secret", of.path(client).await?), &json!({})).await?
            }
            Self::PreviewFilter { of, filter } => {
                let at = format!("{}/filter-preview", at(client, &of.integration).await?);
                return form.show(&client.post::<Value>(&at, &json!({ "filter": filter })).await?);
            }
            Self::SetFilter { of, filter, all: _, route, consent } => {
                let at = at(client, &of.integration).await?;
                let seen: Value = client.get(&at, &[]).await?;
                let connection = connection(&seen, filter.as_deref(), &route, false)?;
                let would = would(client, &at, &of.integration, filter, consent).await?;
                if !consent.given(&[would], form.json)? {
                    return Ok(());
                }
                return form.show(&change(client, &at, &seen, &connection).await?);
            }
            Self::SetRoute { of, route, public_ca, no_proxy } => {
                let at = at(client, &of.integration).await?;
                if !route.is_given() && !public_ca && !no_proxy {
                    let detail = "say what is to change: --ca, --pin, --public-ca, --proxy or --no-proxy";
                    return Err(CliError::Input(detail.to_owned()));
                }
                let seen: Value = client.get(&at, &[]).await?;
                let mut connection = connection(&seen, seen["connection"]["filter"].as_str(), &route, public_ca)?;
                if no_proxy {
                    connection.remove("proxy");
                }
                return form.show(&change(client, &at, &seen, &connection).await?);
            }
            Self::ConfirmRepositories { of } => {
                client.post(&format!("{}/confirm", of.path(client).await?), &json!({})).await?
            }
            Self::ConfirmGone { of, consent } => {
                let path = of.path(client).await?;
                // Who has no app is told so before anything is asked.
                let _: Value = client.get(&path, &[]).await?;
                let would = format!(
                    "the app of {} is taken for gone at GitHub, and secrets of it that were kept are forgotten",
                    of.integration
                );
                if !consent.given(&[would], form.json)? {
                    return Ok(());
                }
                client.post(&format!("{path}/confirm-gone"), &json!({})).await?
            }
            Self::Repair { of } => client.post(&format!("{}/repair", of.path(client).await?), &json!({})).await?,
        };
        if form.json {
            return output::json(&shown);
        }
        if is_pending(&shown) {
            output::print(PENDING);
            return Ok(());
        }
        installation_told::lines(&shown).iter().for_each(|line| output::print(line));
        Ok(())
    }
}

/// What another filter would do, from what the app sees now.
async fn would(
    client: &Client,
    at: &str,
    name: &str,
    filter: Option<String>,
    consent: Consent,
) -> Result<String, CliError> {
    let Some(filter) = filter.filter(|_| !consent.is_given_already()) else {
        return Ok(format!("all repositories that the app of {name} sees are indexed"));
    };
    let preview: Value = client.post(&format!("{at}/filter-preview"), &json!({ "filter": filter })).await?;
    let (kept, dropped) = (&preview["kept"], &preview["dropped"]["repositories"]);
    Ok(format!(
        "of what the app of {name} sees, {} are indexed; the other {dropped} are not, and what was found in those is forgotten",
        output::count(kept["repositories"].as_u64().unwrap_or(0), "repository")
    ))
}

/// The connection of an integration as it was seen, but for its filter and the way to it.
fn connection(
    seen: &Value,
    filter: Option<&str>,
    route: &Route,
    public_ca: bool,
) -> Result<Map<String, Value>, CliError> {
    let was = &seen["connection"];
    if was["kind"] != "github_app" {
        let detail = "only integrations that are connected to a GitHub through an app are changed so";
        return Err(CliError::Input(detail.to_owned()));
    }
    let mut connection = Map::new();
    for member in ["kind", "host", "organisation", "refs"] {
        connection.insert(member.to_owned(), was[member].clone());
    }
    if let Some(filter) = filter {
        connection.insert("filter".to_owned(), filter.into());
    }
    match was["trust"]["kind"].as_str().filter(|_| !public_ca) {
        // Of an authority the server shows fingerprints only.
        Some("authority") if !route.trusts() => {
            let detail = "its host is trusted by a certificate of your own authority: give that again with --ca FILE, or \
                          leave it with `keytrail installation set-route --public-ca`";
            return Err(CliError::Input(detail.to_owned()));
        }
        Some("pinned") => {
            connection.insert("trust".to_owned(), json!({ "kind": "pinned", "key": was["trust"]["key"] }));
        }
        _ => {}
    }
    // Its password stays as long as the proxy does.
    if let Some(url) = was["proxy"]["url"].as_str() {
        connection.insert("proxy".to_owned(), json!({ "url": url }));
    }
    route.add_to(&mut connection)?;
    Ok(connection)
}

/// Changes it, unless somebody else did since it was seen: all of it is sent, and theirs would be undone.
async fn change(client: &Client, at: &str, seen: &Value, connection: &Map<String, Value>) -> Result<Value, CliError> {
    let version = seen["version"].as_i64().unwrap_or_default();
    client.put_at(&format!("{at}/connection"), version, &json!({ "connection": connection })).await
}
