//! What `keytrail ssh-key` says: of a key, of what is wrong with one, of what was written, and the guide. Called by
//! `ssh_key.rs`; it never has a private half in its hands.

use std::path::Path;

use serde_json::{Value, json};

use super::{CliError, output};
use crate::ssh_keys::{self, Look, Platform, Problem, PublicHalf, Remedy, SshKey};

/// A key that was tried out.
pub(super) fn key(key: &SshKey, as_json: bool) -> Result<(), CliError> {
    if as_json {
        return output::json(&of_key(key));
    }
    let public = key.public();
    field("format", key.format().title());
    field("key", &kind(public));
    field("comment", some(key.comment()));
    field("passphrase", key.encryption().unwrap_or("none"));
    fingerprints(public);
    field("tried out", "its halves belong together, and it signs");
    output::print("");
    output::print("The public half, for the git host:");
    output::print("");
    output::print(&public.openssh(key.comment()));
    output::print("");
    output::print("The same in the form of RFC 4716, for hosts that want that:");
    output::print("");
    output::print(public.rfc4716(key.comment()).trim_end());
    Ok(())
}

fn of_key(key: &SshKey) -> Value {
    let public = key.public();
    json!({
        "usable": true,
        "format": key.format().name(),
        "algorithm": public.algorithm().name(),
        "bits": public.bits(),
        "comment": key.comment(),
        "encryption": key.encryption(),
        "fingerprint_sha256": public.sha256(),
        "fingerprint_md5": public.md5(),
        "public_key": public.openssh(key.comment()),
        "public_key_rfc4716": public.rfc4716(key.comment()),
        "problem": null,
    })
}

/// What is wrong, after what is known of it nevertheless.
pub(super) fn problem(problem: &Problem, look: Option<&Look>, file: &str, as_json: bool) -> Result<(), CliError> {
    let public = look.and_then(|look| look.public.as_ref());
    let Remedy { says, commands } = problem.remedy(file);
    if as_json {
        return output::json(&json!({
            "usable": false,
            "format": look.map(|look| look.format.name()),
            "algorithm": public.map(|public| public.algorithm().name()),
            "bits": public.map(PublicHalf::bits),
            "comment": look.and_then(|look| look.comment.as_deref()),
            "encryption": look.and_then(|look| look.encryption.as_deref()),
            "fingerprint_sha256": public.map(PublicHalf::sha256),
            "fingerprint_md5": public.map(PublicHalf::md5),
            "public_key": null,
            "public_key_rfc4716": null,
            "problem": { "code": problem.code(), "detail": problem.to_string(), "remedy": says, "commands": commands },
        }));
    }
    if let Some(look) = look {
        field("format", look.format.title());
        field("passphrase", look.encryption.as_deref().unwrap_or("none"));
        if let Some(comment) = &look.comment {
            field("comment", some(comment));
        }
    }
    if let Some(public) = public {
        field("key", &kind(public));
        fingerprints(public);
    }
    field("problem", &format!("{problem} ({})", problem.code()));
    output::print("");
    output::print(says);
    commands.iter().for_each(|command| output::print(&format!("    {command}")));
    Ok(())
}

/// For commands that go no further.
pub(super) fn refusal(problem: &Problem, file: &str) -> CliError {
    let Remedy { says, commands } = problem.remedy(file);
    let commands: String = commands.iter().map(|command| format!("\n    {command}")).collect();
    CliError::Input(format!("{problem} ({}). {says}{commands}", problem.code()))
}

/// What was written where.
pub(super) fn written(key: &SshKey, path: &Path, has_passphrase: bool, as_json: bool) -> Result<(), CliError> {
    if as_json {
        let mut all = of_key(key);
        all["file"] = path.display().to_string().into();
        all["has_passphrase"] = has_passphrase.into();
        return output::json(&all);
    }
    let sealed = if has_passphrase { "with its passphrase" } else { "without a passphrase" };
    output::print(&format!("the private half is in {}, {sealed}; it goes to Keytrail", path.display()));
    fingerprints(key.public());
    output::print("");
    output::print("The public half goes to the git host:");
    output::print("");
    output::print(&key.public().openssh(key.comment()));
    Ok(())
}

/// A key that the server keeps.
pub(super) fn kept(key: &Value, public: &Value) {
    let text = |member: &str| key[member].as_str().unwrap_or_default();
    field("id", text("id"));
    field("name", text("name"));
    field("state", text("state"));
    field("key", &format!("{}, {} bits", text("algorithm"), key["bits"]));
    if !text("rsa_reason").is_empty() {
        field("of RSA, as", text("rsa_reason"));
    }
    field("came", text("origin"));
    if !text("path").is_empty() {
        field("file", text("path"));
    }
    if !text("format").is_empty() {
        let had = if key["had_passphrase"] == true { "with" } else { "without" };
        field("format", &format!("{}, {had} a passphrase", text("format")));
    }
    field("comment", some(text("comment")));
    field("fingerprint", text("fingerprint_sha256"));
    field("", text("fingerprint_md5"));
    let old = if key["is_old"] == true { ", which is long" } else { "" };
    field("created at", &format!("{} ({} days ago{old})", output::cell(&key["created_at"]), key["age_days"]));
    let used = if key["never_used"] == true { "never".to_owned() } else { output::cell(&key["last_used_at"]) };
    field("used at", &used);
    if let Some(repository) = key["last_used_for"]["name"].as_str() {
        field("used for", repository);
    }
    field(
        "common",
        if key["common"] == true { "yes: offered where no key is associated, after a chosen one" } else { "no" },
    );
    field("chosen for", users(key).as_deref().unwrap_or("no integration"));
    field("only for", repositories(key).as_deref().unwrap_or("no repository"));
    if let Some(reading) = reading(key) {
        field("reads", &reading);
    }
    if !text("rotation_to").is_empty() {
        let how = if text("state") == "retired" { "made way for" } else { "makes way for" };
        field(how, text("rotation_to"));
    }
    output::print("");
    output::print(text("halves"));
    if key["state"] == "retired" {
        return;
    }
    let form = |member: &str| public[member].as_str().unwrap_or_default().trim_end();
    output::print("");
    output::print("The public half, for the git host:");
    output::print("");
    output::print(form("openssh"));
    output::print("");
    output::print("The same in the form of RFC 4716, for hosts that want that:");
    output::print("");
    output::print(form("rfc4716"));
    output::print("");
    output::print("Where it goes:");
    for host in public["hosts"].as_array().into_iter().flatten() {
        let takes = if host["takes_it"] == true { "" } else { " (not this key)" };
        let text = |member: &str| host[member].as_str().unwrap_or_default();
        output::print(&format!("  {}{takes}: {}", text("title"), text("hint")));
    }
}

/// The integrations for which a key that the server keeps was chosen, if there are any.
pub(super) fn users(key: &Value) -> Option<String> {
    named(key, "used_by", "integrations")
}

/// The repositories that it is associated with, if there are any.
pub(super) fn repositories(key: &Value) -> Option<String> {
    named(key, "associated", "repositories")
}

/// The repositories that are read with it because it is common, if there are any.
pub(super) fn reading(key: &Value) -> Option<String> {
    named(key, "common_for", "common_repositories")
}

fn named(key: &Value, count: &str, named: &str) -> Option<String> {
    let count = key[count].as_u64().filter(|count| *count > 0)?;
    let named = key[named].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut told: Vec<_> = named.iter().filter_map(|one| one["name"].as_str()).map(str::to_owned).collect();
    let others = count.saturating_sub(told.len() as u64);
    told.extend((others > 0).then(|| format!("{others} more")));
    Some(told.join(", "))
}

/// What to do there.
pub(super) fn guide(platform: Platform, as_json: bool) -> Result<(), CliError> {
    let steps = ssh_keys::guide(platform);
    if as_json {
        let steps: Vec<Value> =
            steps.iter().map(|step| json!({ "says": step.says, "commands": step.commands })).collect();
        return output::json(&json!({ "platform": platform.name(), "steps": steps }));
    }
    output::print(&format!("A key for Keytrail, on {}", platform.title()));
    for (number, step) in steps.iter().enumerate() {
        output::print("");
        output::print(&format!("{}. {}", number + 1, step.says));
        step.commands.iter().for_each(|command| output::print(&format!("       {command}")));
    }
    Ok(())
}

fn fingerprints(public: &PublicHalf) {
    field("fingerprint", &public.sha256());
    field("", &public.md5());
}

fn kind(public: &PublicHalf) -> String {
    format!("{}, {} bits ({})", public.algorithm().title(), public.bits(), public.algorithm().name())
}

fn some(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn field(name: &str, value: &str) {
    output::print(&format!("{name:<11}  {value}"));
}
