//! A private key that the server is to keep: looked at here first, so that what is wrong with it is said before anything is
//! sent; one that comes with an integration; and one that is only tried at a host. Called by `ssh_key_pool.rs`,
//! `integration.rs` and `connection_test.rs`.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use keytrail_domain::remote_url::{RemoteUrl, Scheme};
use serde_json::{Value, json};

use super::{
    CliError,
    client::Client,
    output,
    passphrase::Passphrase,
    ssh_key::{bytes_of, name_of, opened},
    ssh_key_told as told,
};

/// A key that comes with an integration which is added or moved.
#[derive(Debug, Args)]
pub(super) struct KeyOfNew {
    /// Over SSH, a file with a private key: the server keeps it, and offers it first; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ssh_key", "common_ssh_keys"])]
    ssh_key_file: Option<PathBuf>,
    /// What people call the key of --ssh-key-file [default: as the integration]
    #[arg(long, value_name = "NAME", requires = "ssh_key_file")]
    ssh_key_name: Option<String>,
    /// Offer the key of --ssh-key-file only where it is chosen: it is none of the common keys
    #[arg(long, requires = "ssh_key_file")]
    ssh_key_reserved: bool,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// A key that the server keeps for an integration which has it not yet.
pub(super) struct Kept {
    name: String,
}

impl KeyOfNew {
    /// Has the server keep the key, where there is one, and chooses it for the connection of this integration.
    pub(super) async fn choose(
        &self,
        client: &Client,
        integration: &str,
        connection: &mut Value,
    ) -> Result<Option<Kept>, CliError> {
        let Some(file) = of_a_key(self.ssh_key_file.as_deref(), &self.passphrase)? else { return Ok(None) };
        only_over_ssh(connection)?;
        let name = self.ssh_key_name.as_deref().unwrap_or(integration);
        let body = body(file, &self.passphrase, name, self.ssh_key_reserved)?;
        let added: Value = client.post("/api/v1/ssh-keys", &body).await.map_err(refused)?;
        connection["ssh_key"] = added["id"].clone();
        Ok(Some(Kept { name: name.to_owned() }))
    }
}

impl Kept {
    /// The outcome of what was done with the key then; says what is there where it was not done.
    pub(super) fn or_left<T>(kept: Option<Self>, done: Result<T, CliError>) -> Result<T, CliError> {
        done.inspect_err(|_| kept.iter().for_each(Self::say_left))
    }

    fn say_left(&self) {
        let name = output::quoted(&self.name);
        eprintln!(
            "keytrail: the server keeps the SSH key {name} now; use it with --ssh-key {name} in place of --ssh-key-file, or \
             take it away with `keytrail ssh-key retire {name}`"
        );
    }
}

/// The file of a key, if one is given; a passphrase is of no use without one.
fn of_a_key<'a>(file: Option<&'a Path>, passphrase: &Passphrase) -> Result<Option<&'a Path>, CliError> {
    if file.is_none() && passphrase.is_given() {
        let detail = "a passphrase is that of a key; give the key with --ssh-key-file, or leave the passphrase out";
        return Err(CliError::Input(detail.to_owned()));
    }
    Ok(file)
}

/// Adds a key that is only tried, if one is given, to what is sent to the host of this address.
pub(super) fn try_out(file: Option<&Path>, options: &Passphrase, body: &mut Value) -> Result<(), CliError> {
    if let Some(file) = of_a_key(file, options)? {
        only_over_ssh(body)?;
        add_key(file, options, body)?;
    }
    Ok(())
}

/// What is sent. A key that cannot be used is not sent at all.
pub(super) fn body(file: &Path, options: &Passphrase, called: &str, reserved: bool) -> Result<Value, CliError> {
    let mut body = json!({ "name": called, "common": !reserved });
    add_key(file, options, &mut body)?;
    Ok(body)
}

fn add_key(file: &Path, options: &Passphrase, body: &mut Value) -> Result<(), CliError> {
    let bytes = bytes_of(file, options)?;
    let name = name_of(file);
    let (key, passphrase) =
        opened(bytes.expose(), options, &name)?.map_err(|problem| told::refusal(&problem, &name))?;
    body["private_key_base64"] = STANDARD.encode(bytes.expose()).into();
    if let Some(passphrase) = passphrase.filter(|_| key.encryption().is_some()) {
        body["passphrase"] = passphrase.expose().as_str().into();
    }
    Ok(())
}

/// No key is kept for what would be refused for certain.
fn only_over_ssh(connection: &Value) -> Result<(), CliError> {
    if let Some(url) = connection["url"].as_str() {
        let parsed = RemoteUrl::parse(url).map_err(|bad| CliError::Input(bad.to_string()))?;
        if parsed.url.scheme() == Scheme::Ssh {
            return Ok(());
        }
    }
    let detail = "--ssh-key-file is for repositories over SSH; give an address such as ssh://git@host/path or \
                  git@host:path, or leave it out";
    Err(CliError::Input(detail.to_owned()))
}

/// Why the server does not keep the key, and what to do in the same command.
fn refused(error: CliError) -> CliError {
    match error {
        CliError::Problem { status, code, detail } => {
            let next = match code.as_str() {
                "ssh_key_taken" => {
                    " No connection was made or changed: give it that key with --ssh-key in place of --ssh-key-file; \
                     `keytrail ssh-key list` has its name."
                }
                "ssh_key_name_taken" => {
                    " No connection was made or changed: --ssh-key-name calls the key otherwise than the integration."
                }
                _ => "",
            };
            CliError::Problem { status, code, detail: format!("{detail}{next}") }
        }
        other => other,
    }
}
