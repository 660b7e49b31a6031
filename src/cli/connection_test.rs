//! `keytrail integration test`: tries out, before anything is added, whether a repository of a git server can be read.

use std::path::PathBuf;

use clap::Args;
use keytrail_domain::remote_url::{RemoteUrl, Scheme};
use serde_json::{Value, json};

use super::{CliError, chosen, client::Client, new_ssh_key, output, passphrase::Passphrase, place::seen_by_all};

#[derive(Debug, Args)]
pub(super) struct ConnectionTest {
    /// The address of the repository: ssh://, user@host:path or https://
    #[arg(value_name = "URL")]
    url: String,
    /// Over SSH, the one key to try, and no other: its name or its id [default: the common keys of the pool]
    #[arg(long, value_name = "KEY")]
    ssh_key: Option<String>,
    /// Over SSH, a file with a private key to try, and no other; the server does not keep it; - reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ssh_key")]
    ssh_key_file: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ConnectionTest {
    pub(super) async fn carry_out(self, client: &Client) -> Result<(), CliError> {
        let Self { url, ssh_key, ssh_key_file, passphrase, json } = self;
        let parsed = RemoteUrl::parse(&url).ok();
        if parsed.as_ref().is_some_and(|parsed| parsed.credential.is_some()) {
            return Err(seen_by_all("no password: without one it is tried out as anybody"));
        }
        let is_ssh = parsed.is_none_or(|parsed| parsed.url.scheme() == Scheme::Ssh);
        let mut body = json!({ "url": url });
        if let Some(key) = ssh_key {
            body["ssh_key"] = chosen::SSH_KEY.id(client, &key).await?.into();
        }
        new_ssh_key::try_out(ssh_key_file.as_deref(), &passphrase, &mut body)?;
        let tested: Value = client.post("/api/v1/connections/test", &body).await?;
        if json {
            output::json(&tested)?;
        } else {
            told(&tested, is_ssh).iter().for_each(|line| output::print(line));
        }
        match tested["ok"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(CliError::Failed("the repository cannot be read like this; nothing was changed".to_owned())),
        }
    }
}

/// A line for each step, and what to do where one failed.
fn told(tested: &Value, is_ssh: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for step in tested["steps"].as_array().into_iter().flatten() {
        let what = match step["step"].as_str().unwrap_or_default() {
            "resolve" => "name of the host",
            "connect" => "connection",
            "host_key" if is_ssh => "host key",
            "host_key" => "certificate",
            "authentication" => "authentication",
            _ => "repository",
        };
        let state = step["state"].as_str().unwrap_or_default().replace('_', " ");
        lines.push(match step["text"].as_str() {
            Some(text) => format!("{what:<17} {state} ({}): {text}", output::cell(&step["code"])),
            None => format!("{what:<17} {state}"),
        });
        lines.extend(step["next"].as_str().map(|next| format!("{:<17} {next}", "")));
    }
    let recommended = &tested["recommendation"];
    if let Some(next) = recommended["next"].as_str() {
        let lacks = recommended["lacks"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let lacks: Vec<_> = lacks.map(|one| one.replace('_', " ")).collect();
        lines.push(format!(
            "{} has more beside commits and branches: {}",
            output::cell(&recommended["service"]),
            lacks.join(", ")
        ));
        lines.push(next.to_owned());
    }
    let offered = tested["offered"].as_array().map(Vec::len).unwrap_or_default() as u64;
    if offered > 0 {
        let taken = match tested["accepted"].as_str() {
            Some(key) => format!("the host took {key}"),
            None => "the host took none".to_owned(),
        };
        lines.push(format!("{} offered; {taken}", output::count(offered, "key")));
    }
    let given = &tested["key_given"];
    if given["offered"] == true {
        let taken = if given["accepted"] == true { "took it" } else { "did not take it" };
        lines.push(format!("{} offered; the host {taken}", output::cell(&given["fingerprint_sha256"])));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_a_line_and_a_failed_one_says_why_and_what_to_do() {
        let step = |name: &str, state: &str| json!({ "step": name, "state": state });
        let failed = json!({ "step": "authentication", "state": "failed", "code": "ssh_auth_failed",
            "text": "It takes none.", "next": "Give it the public half." });
        let steps = [step("resolve", "ok"), step("host_key", "ok"), failed, step("repository", "not_reached")];
        let tested = json!({ "ok": false, "steps": steps, "offered": ["a", "b"], "accepted": null });
        assert_eq!(
            told(&tested, true),
            [
                "name of the host  ok",
                "host key          ok",
                "authentication    failed (ssh_auth_failed): It takes none.",
                "                  Give it the public half.",
                "repository        not reached",
                "2 keys offered; the host took none",
            ]
        );
        assert_eq!(told(&json!({ "steps": [step("host_key", "ok")] }), false), ["certificate       ok"]);
        let better = json!({ "service": "GitHub", "lacks": ["pull_requests", "discovery"], "next": "Connect it." });
        assert_eq!(
            told(&json!({ "steps": [], "recommendation": better }), true),
            ["GitHub has more beside commits and branches: pull requests, discovery", "Connect it."]
        );
    }
}
