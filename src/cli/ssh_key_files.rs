//! `keytrail ssh-key files`, `register`: the keys that lie in the folder of the server's account. The server looks, on its own
//! machine: no file of this one is read, and no private half comes here.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    client::{Client, with_client},
    output, ssh_key_pool,
};
use crate::config::Config;

const FILES: &str = "/api/v1/ssh-key-files";
const NO_FOLDER: &str = "the server looks into no folder with keys; name one as ssh_keys.folder of its configuration";

#[derive(Debug, Subcommand)]
pub(super) enum OnDisk {
    /// The private keys that lie in the folder of the server's account (ssh_keys.folder), as the server finds them now
    Files {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take one of them into the pool: it is used from its file, which is never written
    Register {
        /// Its path on the server, or its SHA-256 fingerprint
        #[arg(value_name = "FILE")]
        file: String,
        /// What people call it
        #[arg(long)]
        name: String,
        /// Offer it only where it is chosen: it is none of the common keys
        #[arg(long)]
        reserved: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl OnDisk {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| self.carry_out(client).await).await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        match self {
            Self::Files { json } => {
                let found: Value = client.get(FILES, &[]).await?;
                if json {
                    return output::json(&found);
                }
                told(&found);
                Ok(())
            }
            Self::Register { file, name, reserved, json } => {
                let fingerprint = if file.starts_with("SHA256:") {
                    file
                } else {
                    let found: Value = client.get(FILES, &[]).await?;
                    fingerprint_of(&found, &file)?
                };
                let body = json!({ "name": name, "fingerprint_sha256": fingerprint, "common": !reserved });
                let added: Value = client.post("/api/v1/ssh-keys/register", &body).await?;
                ssh_key_pool::shown(client, added, json).await
            }
        }
    }
}

fn files(found: &Value) -> &[Value] {
    found["files"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn told(found: &Value) {
    let Some(folder) = found["folder"].as_str() else { return output::print(NO_FOLDER) };
    let all = files(found);
    if all.is_empty() {
        output::print(&format!("no private key is in {folder}"));
    } else {
        let usable = |row: &Value| String::from(if row["usable"] == true { "yes" } else { "no" });
        let row = |row: &Value| {
            let cell = |member: &str| output::cell(&row[member]);
            vec![cell("path"), usable(row), cell("algorithm"), cell("ssh_key"), cell("fingerprint_sha256")]
        };
        let rows: Vec<_> = all.iter().map(row).collect();
        output::table(&["path", "usable", "kind", "in the pool as", "fingerprint"], &rows);
    }
    for row in all {
        let path = row["path"].as_str().unwrap_or_default();
        if let Some(why) = why_not(row) {
            output::print("");
            output::print(&format!("{path}: not usable. {why}"));
        }
        if let Some(warning) = row["warning"].as_str() {
            output::print("");
            output::print(&format!("{path}: {warning}"));
        }
    }
    if found["more"] == true {
        output::print("");
        output::print("there are more files in it than are looked at");
    }
}

/// What is wrong with a key, and what mends it.
fn why_not(row: &Value) -> Option<String> {
    let problem = row.get("problem").filter(|problem| problem.is_object())?;
    let text = |member: &str| problem[member].as_str().unwrap_or_default();
    let file = output::quoted(row["path"].as_str().unwrap_or_default());
    let commands = problem["commands"].as_array().map(Vec::as_slice).unwrap_or_default();
    let commands = commands.iter().filter_map(Value::as_str).map(|command| command.replace("FILE", &file));
    let commands: String = commands.map(|command| format!("\n    {command}")).collect();
    Some(format!("{} ({}) {}{commands}", text("detail"), text("code"), text("says")))
}

fn fingerprint_of(found: &Value, file: &str) -> Result<String, CliError> {
    if found["folder"].is_null() {
        return Err(CliError::Missing(NO_FOLDER.to_owned()));
    }
    let Some(row) = files(found).iter().find(|row| row["path"] == file) else {
        let detail = format!(
            "the server finds no private key in a file {file:?}; `keytrail ssh-key files` lists those that it finds"
        );
        return Err(CliError::Missing(detail));
    };
    match (why_not(row), row["fingerprint_sha256"].as_str()) {
        (None, Some(fingerprint)) => Ok(fingerprint.to_owned()),
        (why, _) => Err(CliError::Input(format!("{file} is not usable. {}", why.unwrap_or_default()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_its_path_and_one_that_is_not_usable_says_what_mends_it() {
        let found = json!({ "folder": "/home/ann/.ssh", "files": [
            { "path": "/home/ann/.ssh/good", "usable": true, "problem": null, "fingerprint_sha256": "SHA256:x" },
            { "path": "/home/ann/.ssh/my key", "usable": false, "fingerprint_sha256": "SHA256:y", "problem": {
                "code": "ssh_key_passphrase_needed", "detail": "It has one.", "says": "Add it:",
                "commands": ["keytrail ssh-key add FILE --name NAME"] } },
        ] });
        assert_eq!(fingerprint_of(&found, "/home/ann/.ssh/good").ok().as_deref(), Some("SHA256:x"));
        let Err(CliError::Input(said)) = fingerprint_of(&found, "/home/ann/.ssh/my key") else {
            panic!("it is sealed")
        };
        assert!(said.ends_with("    keytrail ssh-key add '/home/ann/.ssh/my key' --name NAME"), "{said}");
        for (found, file) in [(found, "/home/ann/.ssh/other"), (json!({ "folder": null, "files": [] }), "x")] {
            assert!(matches!(fingerprint_of(&found, file), Err(CliError::Missing(_))), "{file}");
        }
    }
}
