//! `keytrail host-key`: the keys by which SSH servers are known. Nothing is trusted that nobody looked at: a person answers on
//! the terminal, or says a fingerprint on the command line.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    CliError, chosen,
    client::{Client, with_client},
    consent::Consent,
    host_key_told as told, output, place,
};
use crate::{
    config::Config,
    ssh_hosts::{self, MOST_BYTES},
};

const PATH: &str = "/api/v1/host-keys";
const EACH: &str = "compare each with what its owner says, by another way";

#[derive(Debug, Subcommand)]
pub(super) enum HostKey {
    /// The SSH servers that were met, and what is known of their keys
    List {
        /// Only those that show another key than a trusted one
        #[arg(long)]
        changed: bool,
        /// Print JSON, one a line
        #[arg(long)]
        json: bool,
    },
    /// One server with its keys
    Show {
        /// Its host, host:port or [host]:port; or its id
        #[arg(id = "ssh_server", value_name = "SERVER")]
        server: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at the keys that a server shows; nothing is trusted by it
    Scan {
        /// Its host, host:port or [host]:port
        #[arg(id = "ssh_server", value_name = "SERVER")]
        server: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Trust the keys that a server shows, after they were compared
    Trust(Trust),
    /// Trust what a known_hosts file says; what is not taken of it is said
    Import {
        /// The file; - reads standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A host that a hashed name may be; can be given several times
        #[arg(long, value_name = "HOST")]
        host: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Trust the other key that a server shows, after it was compared
    Accept(Trust),
    /// Keep what is trusted: the other key raises no alarm again
    Refuse {
        /// Its host, host:port or [host]:port; or its id
        #[arg(id = "ssh_server", value_name = "SERVER")]
        server: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Trust nothing of a server any more
    Forget {
        /// Its host, host:port or [host]:port; or its id
        #[arg(id = "ssh_server", value_name = "SERVER")]
        server: String,
        #[command(flatten)]
        consent: Consent,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Its host, host:port or [host]:port
    #[arg(id = "ssh_server", value_name = "SERVER")]
    server: String,
    /// A SHA-256 fingerprint that the owner of the server told you, of each key to be trusted; --yes needs it
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl HostKey {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::List { changed, json } => {
                let query: Vec<_> = changed.then(|| ("state", "changed".to_owned())).into_iter().collect();
                let all: Vec<Value> = client.list(PATH, &query, usize::MAX).await?;
                if json {
                    return all.iter().try_for_each(output::json);
                }
                told::list(&all);
                Ok(())
            }
            Self::Show { server, json } => {
                let found: Value = client.get(&at(client, &server).await?, &[]).await?;
                told::server(&found, json)
            }
            Self::Scan { server, json } => {
                let scanned = scan(client, &server).await?;
                told::scanned(&scanned, json)
            }
            Self::Trust(trust) => trust.trust(client).await,
            Self::Import { file, host, json } => {
                let body = json!({ "known_hosts": text_of(&file)?, "hosts": host });
                let imported: Value = client.post(&format!("{PATH}/import"), &body).await?;
                told::imported(&imported, json)
            }
            Self::Accept(accept) => accept.accept(client).await,
            Self::Refuse { server, json } => {
                let path = at(client, &server).await?;
                // What it shows now is refused, and nothing that it shows a moment later.
                let known: Value = client.get(&path, &[]).await?;
                let seen = known["version"].as_i64().unwrap_or_default();
                let refused: Value = client.post_at(&format!("{path}/refuse"), seen, &json!({})).await?;
                told::server(&refused, json)
            }
            Self::Forget { server, consent, json } => {
                let path = at(client, &server).await?;
                if !consent.is_given_already() {
                    let known: Value = client.get(&path, &[]).await?;
                    let line =
                        format!("nothing of the SSH server {} is trusted any more", output::cell(&known["name"]));
                    if !consent.given(&[line], json)? {
                        return Ok(());
                    }
                }
                let forgotten: Value = client.delete_for(&path).await?;
                if json {
                    return output::json(&forgotten);
                }
                output::print("forgotten");
                Ok(())
            }
        }
    }
}

impl Trust {
    async fn trust(self, client: &Client) -> Result<(), CliError> {
        let scanned = scan(client, &self.server).await?;
        self.compared(&fingerprints(&scanned["keys"]))?;
        let keys = self.named(&scanned["keys"]);
        let head = format!("this trusts the SSH server {} by these keys; {EACH}:", output::cell(&scanned["name"]));
        let mut lines = [vec![head], told::lines(&keys)].concat();
        if scanned["verdict"] == "changed" {
            lines.push(told::changed(&self.server));
        }
        if !self.consent.given(&lines, self.json)? {
            return Ok(());
        }
        let body = json!({ "host": scanned["host"], "port": scanned["port"], "fingerprints": fingerprints(&keys) });
        let trusted: Value = client.post(PATH, &body).await?;
        told::server(&trusted, self.json)
    }

    async fn accept(self, client: &Client) -> Result<(), CliError> {
        let path = at(client, &self.server).await?;
        let known: Value = client.get(&path, &[]).await?;
        let offered = fingerprints(&known["offered"]);
        if !offered.is_empty() {
            self.compared(&offered)?;
            self.names_all(&offered)?;
            let head = format!("this trusts the SSH server {} by these keys; {EACH}:", output::cell(&known["name"]));
            let (new, old) = (told::lines(&known["offered"]), told::lines(&known["trusted"]));
            let lines = [vec![head], new, vec!["until now it was known by these:".to_owned()], old].concat();
            if !self.consent.given(&lines, self.json)? {
                return Ok(());
            }
        }
        let body = json!({ "fingerprints": offered });
        let accepted: Value = client.post(&format!("{path}/accept"), &body).await?;
        told::server(&accepted, self.json)
    }

    /// Each fingerprint that was told is among those that are shown.
    fn compared(&self, shown: &[String]) -> Result<(), CliError> {
        if self.consent.is_given_already() && self.fingerprint.is_empty() {
            let detail = "say with --fingerprint each key that the owner of the server told you; without --yes you are shown \
                          the keys, and asked";
            return Err(CliError::Input(detail.to_owned()));
        }
        match self.fingerprint.iter().find(|one| !shown.contains(one)) {
            Some(other) => {
                let detail = format!(
                    "{other:?} is not among the fingerprints that the server shows ({}); nothing is trusted",
                    shown.join(", ")
                );
                Err(CliError::Input(detail))
            }
            None => Ok(()),
        }
    }

    /// A change is decided as a whole: whoever names keys names each of it.
    fn names_all(&self, offered: &[String]) -> Result<(), CliError> {
        let left_out = offered.iter().find(|one| !self.fingerprint.contains(one));
        match left_out.filter(|_| !self.fingerprint.is_empty()) {
            Some(other) => {
                let detail = format!(
                    "the server shows {other}, too, which no --fingerprint names; nothing is accepted. Name each, or refuse the \
                     change"
                );
                Err(CliError::Input(detail))
            }
            None => Ok(()),
        }
    }

    /// Those of the keys that were named; all, to be compared by whoever is asked, where none was. That a server shows a key
    /// beside a right one does not prove that it has it.
    fn named(&self, keys: &Value) -> Value {
        let is_named = |key: &&Value| {
            self.fingerprint.is_empty() || self.fingerprint.iter().any(|one| key["fingerprint_sha256"] == one.as_str())
        };
        keys.as_array().into_iter().flatten().filter(is_named).cloned().collect()
    }
}

async fn scan(client: &Client, server: &str) -> Result<Value, CliError> {
    let server = ssh_hosts::endpoint(server).ok_or_else(|| no_server(server))?;
    client.post(&format!("{PATH}/scan"), &json!({ "host": server.host.to_string(), "port": server.port })).await
}

/// A host and port say the id by themselves.
async fn at(client: &Client, server: &str) -> Result<String, CliError> {
    if server.parse::<uuid::Uuid>().is_ok() {
        return chosen::HOST_KEY.at(client, server).await;
    }
    let server = ssh_hosts::endpoint(server).ok_or_else(|| no_server(server))?;
    Ok(format!("{PATH}/{}", server.id()))
}

fn no_server(text: &str) -> CliError {
    CliError::Input(format!("{text:?} is no SSH server; give host, host:port or [host]:port"))
}

fn fingerprints(keys: &Value) -> Vec<String> {
    let all = keys.as_array().into_iter().flatten();
    all.filter_map(|key| key["fingerprint_sha256"].as_str().map(str::to_owned)).collect()
}

fn text_of(file: &Path) -> Result<String, CliError> {
    let most = MOST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        place::open(file)?.take(most).read_to_end(&mut bytes)
    };
    read.map_err(|error| CliError::Input(format!("{} cannot be read: {error}", file.display())))?;
    String::from_utf8(bytes).map_err(|_| CliError::Input(format!("{} is no text", file.display())))
}
